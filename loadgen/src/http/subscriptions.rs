//! Many open subscriptions, and the memory that they cost the server.
//!
//! The server is a process of its own (`shardway serve`, beside this program unless said
//! otherwise), so that its memory is its own; of a Kinesis that runs elsewhere on this machine the
//! process must be named. Consumers subscribe to every shard, over a connection of HTTP/2 each.
//! Memory is read before, with all subscriptions open, and after each of them has delivered every
//! record of its shard, verified, and stayed open for the measured time. Judged is the whole
//! process; how much it has grown stands beside it.

use std::path::PathBuf;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use comfy_table::{Cell, Table};
use serde::Serialize;
use tempfile::TempDir;

use super::control::not_json;
use super::endpoint::Endpoint;
use super::fan_out::FanOut;
use super::ledger::{Ledger, Reader};
use super::model::{PutRecordsAnswer, Record};
use super::pool::{Operation, Pool};
use super::run::{register, stored_at};
use super::stream::{HttpShard, HttpStream};
use super::target::Target;
use super::{Course, PUT_RECORDS_MAX};
use crate::bench::Bench;
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::pin;
use crate::poll::Poller;
use crate::report;
use crate::server_process::{ServerProcess, memory_of, program};
use crate::stop;
use crate::table::{new_table, number, target as target_text, time};
use crate::workload::Workload;

/// Subscriptions unless said otherwise.
pub const SUBSCRIPTIONS: u32 = 1_000;
/// Consumers of a stream at most (AWS).
const CONSUMERS_MAX: u32 = 20;
/// What a server may need with all of them, in MB.
const MEMORY_MB: f64 = 100.0;
/// Records of a shard at most: enough that every subscription's buffers were used.
const SHARD_RECORDS: usize = 10;
/// All records must have come to all consumers within this time.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Which process is the server, where it is not started here.
#[derive(Clone, Debug, Default)]
pub struct ServerChoice {
    /// The server's program; none is the one beside this.
    pub program: Option<PathBuf>,
    /// The process that serves a given endpoint.
    pub pid: Option<u32>,
}

/// What open subscriptions cost.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionsReport {
    /// How many.
    pub subscriptions: u32,
    /// Consumers, each with a connection.
    pub consumers: u32,
    /// Shards, each with a subscription of every consumer.
    pub shards: u32,
    /// Until the last one was open, from the first request on.
    pub open_ns: u64,
    /// Resident memory of the server in bytes without them, if it is known.
    pub before_bytes: Option<u64>,
    /// With all of them open.
    pub open_bytes: Option<u64>,
    /// After all have delivered.
    pub delivered_bytes: Option<u64>,
    /// How much more that is than without them.
    pub grown_bytes: Option<u64>,
    /// The most so far.
    pub peak_bytes: Option<u64>,
    /// Records that arrived and were right, over all subscriptions.
    pub verified_records: u64,
    /// Targets and whether they are met.
    pub targets: Vec<report::Target>,
}

/// Measures it: on the target, or on a server of its own where that is in this process.
pub fn measure(bench: &mut Bench<'_>, course: &Course<'_>) -> Result<()> {
    let shape = Shape::of(course.options.subscriptions)?;
    let own = if course.embedded { Some(Own::start(course)?) } else { None };
    let (target, pid) = match &own {
        Some(own) => (own.target(course.target), Some(own.process.pid())),
        None => (course.target.clone(), course.options.server.pid),
    };
    let report = Trial { bench, target: &target, pid, shape }.run()?;
    bench.report.server = target.facts()?;
    bench.report.subscriptions = Some(report);
    Ok(())
}

/// Fails early where nothing could be measured.
pub fn check(course: &Course<'_>) -> Result<()> {
    let ServerChoice { program: wanted, pid } = &course.options.server;
    Shape::of(course.options.subscriptions)?;
    if course.embedded {
        program(wanted.as_deref())?;
    }
    pid.map(memory_of).transpose().map(drop)
}

/// A server that was started for this.
struct Own {
    process: ServerProcess,
    /// Goes last: the server writes into it until it has ended.
    _data_dir: TempDir,
}

impl Own {
    fn start(course: &Course<'_>) -> Result<Own> {
        let program = program(course.options.server.program.as_deref())?;
        let data_dir = TempDir::with_prefix_in("shardway-http-", course.dir)
            .map_err(|e| Failure::Usage(format!("no temporary data dir can be made here: {e}")))?;
        let process = thread::scope(|scope| {
            // The server would inherit that this thread has one CPU.
            let start = || {
                pin::release(course.cpus)?;
                let cpu = course.cpus.other;
                ServerProcess::start(&program, data_dir.path(), cpu, "127.0.0.1:0")
            };
            scope.spawn(start).join().expect("a start does not panic")
        })?;
        Ok(Own { process, _data_dir: data_dir })
    }

    /// It instead of `embedded`, asked as the same person.
    fn target(&self, embedded: &Target) -> Target {
        let http = self.process.http().expect("it was asked to serve the AWS API");
        let (endpoint, identity) = (Endpoint::at(http), embedded.identity.clone());
        Target { endpoint, identity, native: Some(self.process.address()) }
    }
}

/// How subscriptions are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    consumers: u32,
    shards: u32,
}

impl Shape {
    /// As many consumers as AWS gives a stream, if that divides it.
    fn of(subscriptions: u32) -> Result<Shape> {
        let consumers = (1..=CONSUMERS_MAX).rev().find(|n| subscriptions.is_multiple_of(*n));
        let consumers = consumers.expect("1 divides everything");
        let shards = subscriptions / consumers;
        if shards == 0 || shards as usize > PUT_RECORDS_MAX {
            let what = format!(
                "--subscriptions {subscriptions}: {consumers} consumers of {shards} shards; \
                 a multiple of {CONSUMERS_MAX} is best, up to {PUT_RECORDS_MAX} shards"
            );
            return Err(Failure::Usage(what));
        }
        Ok(Shape { consumers, shards })
    }
}

struct Trial<'a, 'b> {
    bench: &'a Bench<'b>,
    target: &'a Target,
    pid: Option<u32>,
    shape: Shape,
}

impl Trial<'_, '_> {
    fn run(&self) -> Result<SubscriptionsReport> {
        let Shape { consumers, shards } = self.shape;
        let progress = &self.bench.context.progress;
        progress.stage("subscriptions: preparing");
        let mut stream = HttpStream::create(self.target, shards)?;
        let wanted = register(&mut stream, consumers as usize)?;
        let subscriptions = wanted.len() as u32;
        let pool = self.pool(&stream);
        let before_bytes = self.resident()?;
        let poller = Rc::new(Poller::new().map_err(Failure::io("creating an epoll set"))?);
        progress.stage("subscriptions: opening");
        let start = now_ns();
        let mut fan_out = FanOut::open(self.target, &poller, 0, wanted, consumers as usize)?;
        let open_ns = now_ns() - start;
        let open_bytes = self.resident()?;

        progress.stage("subscriptions: delivering");
        let shards_read: Rc<[HttpShard]> = stream.shards.clone().into();
        let acked = self.put(&mut stream, &pool, &shards_read)?;
        let pools: Rc<[Rc<Pool>]> = [pool].into();
        let readers = (0..consumers).map(|_| Reader::new(&pools, &shards_read)).collect();
        let mut delivery = Delivery { readers, records: 0 };
        let records = pools[0].batch_records() as u64 * u64::from(consumers);
        let deadline = now_ns() + nanos(DELIVERY_TIMEOUT);
        while delivery.records < records && now_ns() < deadline {
            delivery.turn(&mut fan_out, &poller)?;
        }
        progress.stage("subscriptions: staying open");
        let end = now_ns() + nanos(self.bench.duration);
        while now_ns() < end && !stop::requested() {
            delivery.turn(&mut fan_out, &poller)?;
        }
        for reader in &delivery.readers {
            acked.compare(reader.ledger(), &shards_read).map_err(Failure::HttpMismatch)?;
        }
        let delivered_bytes = self.resident()?;
        let peak_bytes = self.pid.map(memory_of).transpose()?.map(|(_, peak)| peak);
        let most = [open_bytes, delivered_bytes].into_iter().flatten().max();
        let target =
            |bytes| report::Target::at_most("server memory MB", bytes as f64 / 1e6, MEMORY_MB);
        Ok(SubscriptionsReport {
            subscriptions,
            consumers,
            shards,
            open_ns,
            before_bytes,
            open_bytes,
            delivered_bytes,
            grown_bytes: most.zip(before_bytes).map(|(most, before)| most.saturating_sub(before)),
            peak_bytes,
            verified_records: delivery.records,
            targets: most.map(target).into_iter().collect(),
        })
    }

    /// One request with records for every shard.
    fn pool(&self, stream: &HttpStream) -> Rc<Pool> {
        let shards = self.shape.shards;
        let of_shard = (PUT_RECORDS_MAX / shards as usize).clamp(1, SHARD_RECORDS);
        let batch_records = shards * of_shard as u32;
        let workload = Workload { batch_records, ..Workload::default() };
        let shards = &stream.shards;
        Rc::new(Pool::build(0, Operation::PutRecords, stream.name(), shards, &workload))
    }

    fn put(&self, stream: &mut HttpStream, pool: &Pool, shards: &[HttpShard]) -> Result<Ledger> {
        let mut acked = Ledger::new(1, shards.len());
        let operation = pool.operation.name();
        let body = &pool.batch(0).body;
        stream.control().send(operation, body, |body| {
            let answer: PutRecordsAnswer<'_> =
                serde_json::from_slice(body).map_err(|e| not_json(operation, &e))?;
            let results = answer.records.iter().zip(pool.batch_hashes(0)).enumerate();
            for (at, (result, hash)) in results {
                let shard = pool.shard_at(at);
                let number = stored_at(operation, result, &shards[shard])?;
                let number = number.ok_or_else(|| {
                    Failure::Protocol("the first records of a stream were refused".to_owned())
                })?;
                acked.add(0, shard, number, *hash);
            }
            Ok(())
        })?;
        Ok(acked)
    }

    fn resident(&self) -> Result<Option<u64>> {
        Ok(self.pid.map(memory_of).transpose()?.map(|(now, _)| now))
    }
}

/// What has come to all consumers.
struct Delivery {
    readers: Vec<Reader>,
    records: u64,
}

impl Delivery {
    fn turn(&mut self, fan_out: &mut FanOut, poller: &Poller) -> Result<()> {
        let mut ready = Vec::new();
        let timeout = Duration::from_millis(5);
        poller.wait(timeout, &mut ready).map_err(Failure::io("waiting"))?;
        ready.iter().for_each(|&event| fan_out.ready(event));
        fan_out.turn(|consumer, shard, records: &[Record<'_>]| {
            for record in records {
                let read = self.readers[consumer].take(shard, record, |_| 1);
                read.map_err(Failure::HttpMismatch)?;
                self.records += 1;
            }
            Ok(())
        })
    }
}

/// For people.
#[must_use]
pub fn table(report: &SubscriptionsReport) -> Table {
    let mut table = new_table(&[
        "subscriptions",
        "opened in",
        "memory before",
        "open",
        "delivered",
        "grown by",
        "peak",
        "verified",
        "target",
    ]);
    let SubscriptionsReport { subscriptions, consumers, shards, .. } = report;
    let mb = |bytes: Option<u64>| {
        number(bytes.map_or("?".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6)))
    };
    table.add_row(vec![
        Cell::new(format!("{subscriptions}: {consumers} consumer(s) of {shards} shard(s)")),
        number(time(report.open_ns)),
        mb(report.before_bytes),
        mb(report.open_bytes),
        mb(report.delivered_bytes),
        mb(report.grown_bytes),
        mb(report.peak_bytes),
        number(report.verified_records.to_string()),
        Cell::new(report.targets.iter().map(target_text).collect::<Vec<_>>().join("\n")),
    ]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_spread_over_as_many_consumers_as_divide_them() {
        let shape = |n| Shape::of(n).map(|shape| (shape.consumers, shape.shards)).ok();
        assert_eq!(shape(1_000), Some((20, 50)));
        assert_eq!(shape(10), Some((10, 1)));
        assert_eq!(shape(23), Some((1, 23)));
        assert_eq!(shape(0), None);
        assert_eq!(shape(20 * 501), None);
    }
}
