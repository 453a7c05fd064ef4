//! The named scenarios: each answers one speed target, with its canonical load.

use clap::ValueEnum;
use shardway::base::stream::Durability;

use crate::bench::Bench;
use crate::ceiling;
use crate::failure::Result;
use crate::push;
use crate::report::{ACK_RATIO, Row, Target};
use crate::shards;
use crate::workload::Workload;

/// Ack p50 of one record over write and round trip.
const ACK_FLOOR_RATIO: f64 = 1.5;
/// Records a second of many writers with one record each.
const MANY_WRITERS_RECORDS: f64 = 90_000.0;
/// MB/s of one shard.
const ONE_SHARD_MB: f64 = 600.0;
/// Consumers of a full fan-out (AWS: 20).
pub const FAN_OUT: u32 = 20;

/// The named scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// One record in flight: ack p50 <= 1.5 x (4 KiB durable write + round trip).
    OneRecord,
    /// 64 writers on 64 connections, one record each in flight: >= 90,000 records/s.
    ManyWriters,
    /// One shard, batches of 256 records, best number in flight: >= 600 MB/s.
    OneShard,
    /// Push at half of the one-record rate, 1 consumer: p50 <= 0.4 ms, p99 <= 2 ms.
    Push,
    /// Push at half of the one-shard rate in batches of 256, 1 consumer: the same target.
    PushBatches,
    /// Push with 20 consumers against 1, half of the one-record rate: p99 <= 1.5 x.
    FanOut,
    /// Shards at 1 MB/s and 1,000 records/s with a consumer each, push p99 < 10 ms: >= 150.
    QuotaShards,
}

impl Scenario {
    /// Runs it on streams of this durability.
    pub fn measure(self, bench: &mut Bench<'_>, durability: Durability) -> Result<()> {
        let of = |workload: Workload| Workload { durability, ..workload };
        let (one_record, one_shard) = (of(Workload::default()), of(Workload::one_shard()));
        match self {
            Scenario::OneRecord => one_record_row(bench, &one_record).map(drop),
            Scenario::ManyWriters => many_writers_row(bench, &of(Workload::many_writers())),
            Scenario::OneShard => one_shard_row(bench, &one_shard, true).map(drop),
            Scenario::Push => {
                let rate = push::half_rate(bench, &one_record)?;
                push::measure(bench, "push, single records", &one_record, rate, &[1])
            }
            Scenario::PushBatches => {
                let rate = push::half_rate(bench, &one_shard)?;
                push::measure(bench, "push, batches", &one_shard, rate, &[1])
            }
            Scenario::FanOut => {
                let rate = push::half_rate(bench, &one_record)?;
                push::measure(bench, "push, fan-out", &one_record, rate, &[1, FAN_OUT])
            }
            Scenario::QuotaShards => {
                let workload = |n| of(Workload::quota_shards(n));
                shards::search(bench, workload, shards::P99_LIMIT_MS)
            }
        }
    }
}

/// One record in flight.
pub fn one_record_row(bench: &mut Bench<'_>, workload: &Workload) -> Result<Row> {
    bench.measure("one record in flight", workload, |row| {
        let ratio = row.floor_ratio(ACK_RATIO);
        let target = |ratio| Target::at_most("ack p50 / floor", ratio, ACK_FLOOR_RATIO);
        ratio.map(target).into_iter().collect()
    })
}

/// Many writers, one record each in flight.
pub fn many_writers_row(bench: &mut Bench<'_>, workload: &Workload) -> Result<()> {
    let row = bench.measure("many writers", workload, |row| {
        vec![Target::at_least("records/s", row.records_per_s, MANY_WRITERS_RECORDS)]
    });
    row.map(drop)
}

/// One shard, large batches.
pub fn one_shard_row(bench: &mut Bench<'_>, workload: &Workload, search: bool) -> Result<Row> {
    ceiling::one_row(bench, "one shard, batches", workload, search, |row| {
        vec![Target::at_least("MB/s", row.mb_per_s, ONE_SHARD_MB)]
    })
}
