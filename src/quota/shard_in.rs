//! What a shard takes in.

use std::time::Instant;

use super::token_bucket::TokenBucket;
use crate::base::stream::ShardLimits;

/// The limits of a shard's input: bytes and records a second (AWS: 1 MiB and 1,000), with a burst
/// of bytes for large records only (AWS: 10 MiB).
///
/// - Records of up to one second's bytes have a burst of one second. So whoever measures the rate
///   finds it, after a pause too, and not ten seconds more.
/// - A batch of them is taken on any credit and leaves a debt. So large batches get their turn
///   beside small ones that use up each token as it comes, and one that comes back late after a
///   refusal loses no rate.
/// - Larger records need all their tokens, and have a burst to collect them in. They do not keep
///   small ones waiting for longer than it takes to pay for them.
#[derive(Clone, Debug)]
pub struct ShardIn {
    /// Records of more bytes are large.
    second: u64,
    /// What large records may take at once.
    burst: u64,
    /// What all records take.
    bytes: TokenBucket,
    /// What records take that are not large.
    steady: TokenBucket,
    records: TokenBucket,
}

impl ShardIn {
    /// A shard that has not been written to.
    #[must_use]
    pub fn new(limits: &ShardLimits, now: Instant) -> ShardIn {
        let (second, burst, steady) = sizes(limits);
        ShardIn {
            second,
            burst,
            bytes: TokenBucket::new(limits.in_bytes, burst, now),
            steady: TokenBucket::new(limits.in_bytes, steady, now),
            records: TokenBucket::new(limits.in_records, limits.in_records, now),
        }
    }

    /// The limits have changed; what was taken of them stays taken.
    pub fn set_limits(&mut self, limits: &ShardLimits, now: Instant) {
        let (second, burst, steady) = sizes(limits);
        (self.second, self.burst) = (second, burst);
        self.bytes.set_limits(limits.in_bytes, burst, now);
        self.steady.set_limits(limits.in_bytes, steady, now);
        self.records.set_limits(limits.in_records, limits.in_records, now);
    }

    /// Takes a batch's records and bytes (data and keys) from the limits, or nothing.
    #[must_use]
    pub fn try_take(&mut self, now: Instant, records: u32, bytes: u64) -> bool {
        let records = u64::from(records);
        let large = self.is_large(records, bytes);
        let admitted = self.records.has(now, 1)
            && self.bytes.has(now, if large { bytes } else { 1 })
            && (large || self.steady.has(now, 1));
        if admitted {
            self.records.spend(now, records);
            self.bytes.spend(now, bytes);
            if !large {
                self.steady.spend(now, bytes);
            }
        } else {
            self.records.keep(now, records);
            // A large record needs all of its tokens: what comes while it is late comes on top.
            self.bytes.keep(now, if large { self.burst.saturating_add(bytes) } else { bytes });
            if !large {
                self.steady.keep(now, bytes);
            }
        }
        admitted
    }

    /// When such a batch can be taken, if nobody else takes anything.
    #[must_use]
    pub fn next_ready(&mut self, now: Instant, records: u32, bytes: u64) -> Instant {
        let ready = self.records.next_ready(now, 1);
        if self.is_large(u64::from(records), bytes) {
            return ready.max(self.bytes.next_ready(now, bytes));
        }
        ready.max(self.bytes.next_ready(now, 1)).max(self.steady.next_ready(now, 1))
    }

    /// Whether the records of a batch have more than a second's bytes, on average.
    fn is_large(&self, records: u64, bytes: u64) -> bool {
        bytes / records.max(1) > self.second
    }
}

/// Bytes above which a record is large, the burst for large records, and that for the others.
fn sizes(limits: &ShardLimits) -> (u64, u64, u64) {
    let second = limits.in_bytes;
    let burst = if limits.in_burst_bytes == 0 { second } else { limits.in_burst_bytes };
    (second, burst, burst.min(second))
}
