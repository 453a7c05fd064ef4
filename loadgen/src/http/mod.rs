//! The AWS API, of this server or of any other Kinesis: what it sustains and how fast it pushes.
//!
//! A run has a stream of its own ([`stream`]), made and deleted through the API. Bodies are built,
//! hashed and signed before it starts ([`pool`], [`writer`]); then one thread moves them over plain
//! sockets ([`connection`], [`run`]), so that what is measured is the server and not an SDK.
//! Whatever was acknowledged is read again and compared ([`ledger`]): by polling behind the run
//! ([`read_back`]), or by the consumers that it is about.

mod answer;
mod connection;
mod control;
mod endpoint;
mod executor;
mod fan_out;
mod ledger;
mod model;
mod pool;
mod read_back;
mod request;
mod run;
mod socket;
mod stream;
mod subscriptions;
mod target;
mod transport;
mod writer;

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use shardway::base::stream::Durability;

pub use answer::Refusal;
pub use endpoint::{Endpoint, Identity};
pub use ledger::HttpMismatch;
pub use subscriptions::{SUBSCRIPTIONS, ServerChoice, SubscriptionsReport, table};
pub use target::Target;

use crate::arrival::Arrival;
use crate::bench::Bench;
use crate::failure::{Failure, Result};
use crate::outcome::Outcome;
use crate::pin::Cpus;
use crate::report::{self, Protocol, Row};
use crate::workload::Workload;
use pool::Operation;

/// Records of a PutRecords.
pub const BATCH_RECORDS: u32 = 100;
/// Connections that put batches.
pub const CONNECTIONS: u32 = 8;
/// Connections that put single records.
pub const SINGLE_CONNECTIONS: u32 = 64;
/// Connections that put for subscribers.
pub const PACED_CONNECTIONS: u32 = 16;
/// Records of a PutRecords for subscribers: a producer that lingers 1 ms.
pub const PACED_BATCH_RECORDS: u32 = 10;
/// Records a second for subscribers.
pub const RATE: f64 = 10_000.0;
/// PutRecords x 100: records a second.
const PUT_RECORDS_RATE: f64 = 250_000.0;
/// PutRecord over 64 connections: records a second.
const PUT_RECORD_RATE: f64 = 40_000.0;

/// SubscribeToShard: push p99.
const PUSH_P99_MS: f64 = 3.0;

/// What is measured over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HttpScenario {
    /// PutRecords of 100 records over 8 connections: >= 250,000 records/s.
    PutRecords,
    /// PutRecord over 64 connections: >= 40,000 records/s.
    PutRecord,
    /// SubscribeToShard over HTTP/2, 10,000 records/s: push p99 <= 3 ms.
    Subscribe,
    /// 1,000 open subscriptions: memory of the server's process <= 100 MB.
    Subscriptions,
}

/// What is measured, and how much of it.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// What; all if there is none.
    pub scenarios: Vec<HttpScenario>,
    /// Shards of the streams.
    pub shards: u32,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a PutRecords.
    pub batch_records: Option<u32>,
    /// Connections that put.
    pub connections: Option<u32>,
    /// Records a second to subscribers.
    pub rate: f64,
    /// How their batches are spaced.
    pub arrival: Arrival,
    /// Subscribers, each of every shard.
    pub consumers: u32,
    /// Open subscriptions whose memory is measured.
    pub subscriptions: u32,
    /// The server's process there.
    pub server: ServerChoice,
}

impl HttpOptions {
    /// What `quick` measures: the rates and the latency, as the targets say them.
    #[must_use]
    pub fn quick() -> HttpOptions {
        use HttpScenario::{PutRecord, PutRecords, Subscribe};
        HttpOptions {
            scenarios: vec![PutRecords, PutRecord, Subscribe],
            shards: 1,
            record_bytes: crate::workload::RECORD_BYTES,
            batch_records: None,
            connections: None,
            rate: RATE,
            arrival: Arrival::Constant,
            consumers: 1,
            subscriptions: SUBSCRIPTIONS,
            server: ServerChoice::default(),
        }
    }

    fn workload(
        &self,
        batch_records: u32,
        connections: u32,
        rate: Option<f64>,
    ) -> Result<Workload> {
        let workload = Workload {
            shards: self.shards,
            record_bytes: self.record_bytes,
            batch_records,
            writers: connections,
            connections,
            rate,
            ..Workload::default()
        };
        if batch_records as usize > PUT_RECORDS_MAX {
            let what = format!("--batch-records is at most {PUT_RECORDS_MAX} (AWS)");
            return Err(Failure::Usage(what));
        }
        // Writers share shards, or have several: any number of both fits.
        Workload { writers: connections.max(self.shards), ..workload.clone() }.check()?;
        Ok(workload)
    }
}

/// Records of a request at most (AWS).
const PUT_RECORDS_MAX: usize = 500;

/// What a command measures over HTTP, and where.
#[derive(Debug)]
pub struct Course<'a> {
    /// The Kinesis.
    pub target: &'a Target,
    /// Whether it is a server of this process; memory is then measured of another.
    pub embedded: bool,
    /// What is measured.
    pub options: &'a HttpOptions,
    /// Where another server has its data.
    pub dir: &'a Path,
    /// This program's CPU, and the servers'.
    pub cpus: Cpus,
}

/// Measures one after the other.
pub fn measure(bench: &mut Bench<'_>, course: &Course<'_>) -> Result<()> {
    let Course { target, options, .. } = *course;
    let all = HttpScenario::value_variants();
    let chosen = if options.scenarios.is_empty() { all } else { &options.scenarios };
    if chosen.contains(&HttpScenario::Subscriptions) {
        subscriptions::check(course)?;
    }
    for scenario in chosen {
        if bench.interrupted() {
            break;
        }
        match scenario {
            HttpScenario::PutRecords => put_records(bench, target, options)?,
            HttpScenario::PutRecord => put_record(bench, target, options)?,
            HttpScenario::Subscribe => subscribe(bench, target, options)?,
            HttpScenario::Subscriptions => subscriptions::measure(bench, course)?,
        }
    }
    Ok(())
}

fn put_records(bench: &mut Bench<'_>, target: &Target, options: &HttpOptions) -> Result<()> {
    let batch_records = options.batch_records.unwrap_or(BATCH_RECORDS);
    let connections = options.connections.unwrap_or(CONNECTIONS);
    let workload = options.workload(batch_records, connections, None)?;
    let name = format!("PutRecords x {batch_records}");
    row(bench, target, &name, Operation::PutRecords, &workload, |row| {
        vec![report::Target::at_least("records/s", row.records_per_s, PUT_RECORDS_RATE)]
    })
}

fn put_record(bench: &mut Bench<'_>, target: &Target, options: &HttpOptions) -> Result<()> {
    let connections = options.connections.unwrap_or(SINGLE_CONNECTIONS);
    let workload = options.workload(1, connections, None)?;
    row(bench, target, "PutRecord", Operation::PutRecord, &workload, |row| {
        vec![report::Target::at_least("records/s", row.records_per_s, PUT_RECORD_RATE)]
    })
}

fn subscribe(bench: &mut Bench<'_>, target: &Target, options: &HttpOptions) -> Result<()> {
    let batch_records = options.batch_records.unwrap_or(PACED_BATCH_RECORDS);
    let connections = options.connections.unwrap_or(PACED_CONNECTIONS);
    let workload = Workload {
        arrival: options.arrival,
        consumers: options.consumers,
        consumer_connections: 1,
        ..options.workload(batch_records, connections, Some(options.rate))?
    };
    let name = format!("SubscribeToShard, {:.0}/s", options.rate);
    row(bench, target, &name, Operation::PutRecords, &workload, |row| {
        let p99_ms = row.push.as_ref().map(|push| push.p99_ns as f64 / 1e6);
        let p99 = p99_ms.map(|ms| report::Target::at_most("push p99 ms", ms, PUSH_P99_MS));
        let rate = report::Target::at_least("records/s", row.records_per_s, 0.99 * options.rate);
        p99.into_iter().chain([rate]).collect()
    })
}

/// Runs `workload` for the usual time and adds its row.
fn row(
    bench: &mut Bench<'_>,
    target: &Target,
    scenario: &str,
    operation: Operation,
    workload: &Workload,
    targets: impl FnOnce(&Row) -> Vec<report::Target>,
) -> Result<()> {
    let (warmup, duration): (Duration, Duration) = (bench.warmup, bench.duration);
    let load = Workload { warmup, duration, ..workload.clone() };
    let outcome = run::run(bench.context, target, scenario, operation, &load)?;
    bench.report.server = target.facts()?;
    let mut row = Row::of(scenario, &load, &outcome, bench.report.floor.as_ref());
    row.protocol = Protocol::Http;
    // What another Kinesis does before it acknowledges is its secret.
    row.durability = target.native.map(|_| Durability::Durable);
    row.targets = targets(&row);
    bench.add(row);
    Ok(())
}

/// Runs a workload for the usual time and adds its row.
pub fn measure_workload(
    bench: &mut Bench<'_>,
    target: &Target,
    name: &str,
    workload: &Workload,
) -> Result<()> {
    row(bench, target, name, operation(workload), workload, |_| Vec::new())
}

/// Runs a workload briefly, to find something out; it is verified but leaves no row.
pub fn probe(bench: &Bench<'_>, target: &Target, workload: &Workload) -> Result<Outcome> {
    let (warmup, duration) = (bench.warmup / 3, bench.duration / 5);
    let load = Workload { warmup, duration, ..workload.clone() };
    run::run(bench.context, target, "finding the highest rate", operation(workload), &load)
}

fn operation(workload: &Workload) -> Operation {
    if workload.batch_records == 1 { Operation::PutRecord } else { Operation::PutRecords }
}
