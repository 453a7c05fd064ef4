//! Puts for shards that are about to be closed: they wait where they came in, until the new shards
//! are there.

use std::collections::VecDeque;

use crate::base::ids::ShardKey;
use crate::service::core::PutWaiter;

/// A put, or a part of one, whose shard is closing.
#[derive(Debug)]
pub(super) struct HeldPut {
    pub(super) waiter: PutWaiter,
    pub(super) shard: ShardKey,
    /// A checked batch.
    pub(super) batch: Vec<u8>,
}

/// In the order in which they came: keys keep theirs.
#[derive(Debug, Default)]
pub(super) struct HeldPuts {
    puts: VecDeque<HeldPut>,
    bytes: usize,
}

impl HeldPuts {
    pub(super) fn push(&mut self, put: HeldPut) {
        self.bytes += put.batch.len();
        self.puts.push_back(put);
    }

    /// Bytes of all held batches.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.puts.is_empty()
    }

    /// Takes all of them.
    pub(super) fn take(&mut self) -> VecDeque<HeldPut> {
        self.bytes = 0;
        std::mem::take(&mut self.puts)
    }
}
