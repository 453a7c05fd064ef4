//! What a shard gives out.

use std::time::Instant;

use super::token_bucket::TokenBucket;
use crate::base::stream::ShardLimits;

/// The limits of a shard's output: reads and bytes a second (AWS: 5 and 2 MiB). One for all gets
/// together, and one for each registered consumer.
///
/// A read's size is known only afterwards, so it starts on any credit and may leave a debt: after
/// an answer of 10 MiB the next read starts 4 to 5 seconds later, as on AWS.
#[derive(Clone, Debug)]
pub struct ShardOut {
    bytes: TokenBucket,
    reads: TokenBucket,
}

impl ShardOut {
    /// The output that all gets share.
    #[must_use]
    pub fn shared(limits: &ShardLimits, now: Instant) -> ShardOut {
        ShardOut {
            bytes: TokenBucket::new(limits.out_bytes, limits.out_bytes, now),
            reads: TokenBucket::new(limits.reads, limits.reads, now),
        }
    }

    /// The output of one registered consumer: bytes only, since nobody counts pushes.
    #[must_use]
    pub fn consumer(limits: &ShardLimits, now: Instant) -> ShardOut {
        ShardOut::shared(&ShardLimits { reads: 0, ..*limits }, now)
    }

    /// The limits of all gets have changed; what was taken of them stays taken.
    pub fn set_limits(&mut self, limits: &ShardLimits, now: Instant) {
        self.bytes.set_limits(limits.out_bytes, limits.out_bytes, now);
        self.reads.set_limits(limits.reads, limits.reads, now);
    }

    /// The same for one registered consumer.
    pub fn set_consumer_limits(&mut self, limits: &ShardLimits, now: Instant) {
        self.set_limits(&ShardLimits { reads: 0, ..*limits }, now);
    }

    /// Takes one read, if one is left and the bytes are not in debt.
    #[must_use]
    pub fn try_start(&mut self, now: Instant) -> bool {
        let admitted = self.bytes.has(now, 1) && self.reads.has(now, 1);
        if admitted {
            self.reads.spend(now, 1);
        }
        admitted
    }

    /// Counts what a read or push brought, also into debt.
    pub fn spend(&mut self, now: Instant, bytes: u64) {
        self.bytes.spend(now, bytes);
    }

    /// Bytes that may go out now without debt; `u64::MAX` without a limit.
    #[must_use]
    pub fn available(&mut self, now: Instant) -> u64 {
        self.bytes.available(now)
    }

    /// When the next read or push can start, if nothing else goes out.
    #[must_use]
    pub fn next_ready(&mut self, now: Instant) -> Instant {
        self.bytes.next_ready(now, 1).max(self.reads.next_ready(now, 1))
    }
}
