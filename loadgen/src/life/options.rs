//! What `loadgen life` can be told.

use std::time::Duration;

use shardway::base::limits::{BATCH_BYTES_MAX, PUT_RECORDS_MAX};
use shardway::base::stream::Durability;

use crate::failure::{Failure, Result};
use crate::keyed::STAMP_BYTES;

/// Writers: a multiple of 3 and 8, so that each one's keys lie in one shard of 3, 4, 6, 8 or 12.
pub const WRITERS: u32 = 24;
/// Keys of a writer.
pub const KEYS: usize = 8;
/// Records a second over all writers: a busy stream, and yet no disk is full within minutes.
pub const RATE: f64 = 20_000.0;
/// Records of a batch.
pub const BATCH_RECORDS: usize = 4;
/// Batches that a writer may have without an answer.
pub const IN_FLIGHT: usize = 4;
/// Connections that the writers share.
pub const CONNECTIONS: u32 = 4;
/// Reshards that are asked for: 4 -> 8 -> 4 -> 3, a split and a merge.
pub const RESHARDS: u32 = 5;

/// See the module.
#[derive(Clone, Debug)]
pub struct LifeOptions {
    /// Independent writers, each with a slice of the hash key space.
    pub writers: u32,
    /// Partition keys of a writer.
    pub keys: usize,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch.
    pub batch_records: usize,
    /// Batches that a writer may have without an answer.
    pub in_flight: usize,
    /// Records a second over all writers; none is a closed loop.
    pub rate: Option<f64>,
    /// Connections that the writers share.
    pub connections: u32,
    /// Reshards that are asked for at least.
    pub reshards: u32,
    /// Load in front of each step.
    pub settle: Duration,
    /// Whether the server also scales the stream by itself.
    pub on_demand: bool,
    /// When puts are acknowledged.
    pub durability: Durability,
    /// Seed of the payloads.
    pub seed: u64,
}

impl LifeOptions {
    /// Refuses what cannot run, before anything is sent.
    pub fn check(&self) -> Result<()> {
        let usage = |what: String| Err(Failure::Usage(what));
        if self.record_bytes < STAMP_BYTES {
            return usage(format!("--record-bytes is at least {STAMP_BYTES}: each is numbered"));
        }
        if !(1..=PUT_RECORDS_MAX).contains(&self.batch_records) {
            return usage(format!("--batch-records is 1 to {PUT_RECORDS_MAX}"));
        }
        if self.batch_records * (self.record_bytes + 64) > BATCH_BYTES_MAX {
            return usage("a batch is at most 10 MiB: fewer or smaller records".to_owned());
        }
        if self.writers == 0 || self.keys == 0 || self.in_flight == 0 || self.connections == 0 {
            return usage("--writers, --keys, --in-flight and --connections are at least 1".into());
        }
        if self.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return usage("--rate is above 0".to_owned());
        }
        Ok(())
    }
}
