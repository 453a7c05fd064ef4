//! What each client got in.

use comfy_table::{Cell, Table};
use serde::Serialize;
use shardway::base::stream::Durability;

use super::case::{Case, Limit};
use super::producer::Produced;
use crate::report::Target;
use crate::table::{new_table, number, target};

/// A shard admits what its limit says within so many percent.
const OFF_PERCENT: f64 = 3.0;

/// A case.
#[derive(Clone, Debug, Serialize)]
pub struct QuotaRow {
    /// The stream's durability.
    pub durability: Durability,
    /// Shards of the stream.
    pub shards: u32,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch for each shard.
    pub batch_records: usize,
    /// Which limit was met.
    pub limit: Limit,
    /// What it allows, a second and shard.
    pub limit_per_s: u64,
    /// Measured time.
    pub seconds: f64,
    /// What was admitted of what the limit counts, a second and shard.
    pub admitted_per_s: f64,
    /// How far that is from the limit, in %.
    pub off_percent: f64,
    /// Data and keys that were sent, also in vain, a second and shard.
    pub offered_bytes_per_s: f64,
    /// Records that were refused, each time, over the whole run.
    pub refused_records: u64,
    /// Records that were admitted over the whole run, and read back once and in order.
    pub verified_records: u64,
    /// Targets and whether they are met.
    pub targets: Vec<Target>,
}

impl QuotaRow {
    /// The row of a case whose verification has passed.
    #[must_use]
    pub fn of(case: &Case, durability: Durability, produced: &Produced) -> QuotaRow {
        let shard_seconds = f64::from(case.shards) * produced.seconds;
        let per_s = |n: u64| if shard_seconds > 0.0 { n as f64 / shard_seconds } else { 0.0 };
        let admitted_per_s = match case.limit {
            Limit::Bytes => per_s(produced.bytes),
            Limit::Records => per_s(produced.records),
        };
        let limit_per_s = case.limit.per_s();
        let off_percent = (admitted_per_s / limit_per_s as f64 - 1.0) * 100.0;
        QuotaRow {
            durability,
            shards: case.shards,
            record_bytes: case.record_bytes,
            batch_records: case.batch_records,
            limit: case.limit,
            limit_per_s,
            seconds: produced.seconds,
            admitted_per_s,
            off_percent,
            offered_bytes_per_s: per_s(produced.offered_bytes),
            refused_records: produced.refused_records,
            verified_records: produced.ledger.records(),
            targets: vec![Target::at_most("off by %", off_percent.abs(), OFF_PERCENT)],
        }
    }
}

/// For people.
#[must_use]
pub fn table(rows: &[QuotaRow]) -> Table {
    let mut table = new_table(&[
        "stream",
        "records of",
        "offered MB/s",
        "limit",
        "admitted",
        "off",
        "refused",
        "verified",
        "target",
    ]);
    for row in rows {
        let of_limit = |n: f64| match row.limit {
            Limit::Bytes => format!("{:.4} MB/s", n / 1e6),
            Limit::Records => format!("{n:.1} rec/s"),
        };
        table.add_row(vec![
            Cell::new(format!("{} shard(s)", row.shards)),
            number(format!("{} B", row.record_bytes)),
            number(format!("{:.2}", row.offered_bytes_per_s / 1e6)),
            number(of_limit(row.limit_per_s as f64)),
            number(of_limit(row.admitted_per_s)),
            number(format!("{:+.2} %", row.off_percent)),
            number(row.refused_records.to_string()),
            number(row.verified_records.to_string()),
            Cell::new(row.targets.iter().map(target).collect::<Vec<_>>().join("\n")),
        ]);
    }
    table
}
