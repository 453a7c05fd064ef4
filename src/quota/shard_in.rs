//! What a shard takes in.

use std::time::Instant;

use super::token_bucket::TokenBucket;
use crate::base::stream::ShardLimits;

/// The two limits of a shard's input: bytes and records a second (AWS: 1 MiB with a burst of
/// 10 MiB for large records, and 1,000).
#[derive(Clone, Debug)]
pub struct ShardIn {
    bytes: TokenBucket,
    records: TokenBucket,
}

impl ShardIn {
    /// A shard that has not been written to.
    #[must_use]
    pub fn new(limits: &ShardLimits, now: Instant) -> ShardIn {
        ShardIn {
            bytes: TokenBucket::new(limits.in_bytes, limits.in_burst_bytes, now),
            records: TokenBucket::new(limits.in_records, limits.in_records, now),
        }
    }

    /// The limits have changed; what was taken of them stays taken.
    pub fn set_limits(&mut self, limits: &ShardLimits, now: Instant) {
        self.bytes.set_limits(limits.in_bytes, limits.in_burst_bytes, now);
        self.records.set_limits(limits.in_records, limits.in_records, now);
    }

    /// Takes a batch's records and bytes (data and keys) from both limits, or nothing.
    #[must_use]
    pub fn try_take(&mut self, now: Instant, records: u32, bytes: u64) -> bool {
        let records = u64::from(records);
        let admitted = self.records.has(now, records) && self.bytes.has(now, bytes);
        if admitted {
            self.records.spend(now, records);
            self.bytes.spend(now, bytes);
        }
        admitted
    }

    /// When such a batch can be taken, if nobody else takes anything.
    #[must_use]
    pub fn next_ready(&mut self, now: Instant, records: u32, bytes: u64) -> Instant {
        let records = self.records.next_ready(now, u64::from(records));
        records.max(self.bytes.next_ready(now, bytes))
    }
}
