//! Everything that matters in about half a minute.

use std::time::Duration;

use shardway::base::stream::Durability;

use crate::bench::Bench;
use crate::failure::Result;
use crate::push;
use crate::scenario::{FAN_OUT, many_writers_row, one_record_row, one_shard_row};
use crate::workload::Workload;

/// Not measured, of each run.
pub const WARMUP: Duration = Duration::from_millis(500);
/// Measured, of each run.
pub const DURATION: Duration = Duration::from_millis(2_000);

/// Ack latency, group commit, throughput, push latency. Each rate follows from the row above.
pub fn measure(bench: &mut Bench<'_>, durability: Durability) -> Result<()> {
    let of = |workload: Workload| Workload { durability, ..workload };
    let (one_record, one_shard) = (of(Workload::default()), of(Workload::one_shard()));
    let single = one_record_row(bench, &one_record)?;
    if bench.interrupted() {
        return Ok(());
    }
    many_writers_row(bench, &of(Workload::many_writers()))?;
    if bench.interrupted() {
        return Ok(());
    }
    let batches = one_shard_row(bench, &one_shard, true)?;
    let half = |row: &crate::report::Row| (row.records_per_s / 2.0).max(1.0);
    push::measure(bench, "push, single records", &one_record, half(&single), &[1, FAN_OUT])?;
    push::measure(bench, "push, batches", &one_shard, half(&batches), &[1])
}
