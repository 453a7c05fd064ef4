//! What a turn wants done: answers and pushes for connections, reads for the disk.
//!
//! One list per core, emptied every turn and used again: the steady state allocates nothing.

use std::time::Duration;

use crate::base::error::ApiError;
use crate::base::ids::{Seq, SessionId};
use crate::disk::dma::Chunk;
use crate::fanout::subscription::{GetRequest, SeekRequest, SubscriptionId};
use crate::log::reader::Wanted;
use crate::log::staging::ShardSlot;
use crate::security::iterator::ITERATOR_BYTES;
use crate::shard::SegmentRead;
use crate::wire::put::PutRun;
use crate::wire::shards::ChildShard;

/// Chunks of one effect, in [`Effects::chunks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRange {
    /// First.
    pub start: u32,
    /// Behind the last.
    pub end: u32,
}

/// Something for a connection.
#[derive(Debug)]
pub enum Effect {
    /// Records of a put are durable, or refused.
    PutDone {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// What became of them.
        run: PutRun,
        /// Why, if they were refused.
        message: String,
    },
    /// The same of a put whose records went to several shards.
    PutInPartsDone {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// What became of each part.
        runs: Vec<PutRun>,
        /// For each record its part.
        run_of: Vec<u16>,
        /// Why, if some were refused.
        message: String,
    },
    /// Records for a subscription.
    Push {
        /// Whose.
        session: SessionId,
        /// The client's number of it.
        subscription: u32,
        /// First new record.
        first: Seq,
        /// Behind the last.
        end: Seq,
        /// See [`crate::wire::subscribe::Push`].
        behind_ms: u64,
        /// The batches.
        chunks: ChunkRange,
        /// Whether they came from memory.
        from_memory: bool,
        /// How long the first of them has been on this core, where the subscription is live: it
        /// had everything before them.
        waited: Option<Duration>,
    },
    /// A subscription ended without being asked to.
    SubscriptionEnd {
        /// Whose.
        session: SessionId,
        /// The client's number of it.
        subscription: u32,
        /// Where a new one would continue.
        continue_at: Seq,
        /// Why.
        error: ApiError,
    },
    /// A subscription has come to the end of its closed shard.
    ShardEnded {
        /// Whose.
        session: SessionId,
        /// The client's number of it.
        subscription: u32,
        /// Behind the last record.
        end: Seq,
        /// Where the records go on.
        children: Vec<ChildShard>,
    },
    /// Records for a get, or an empty answer when its wait is over.
    GetDone {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// The next iterator; `None` at the end of a closed shard.
        iterator: Option<[u8; ITERATOR_BYTES]>,
        /// Where the records go on; only at the end of a closed shard.
        children: Vec<ChildShard>,
        /// See [`crate::wire::read::GetAnswer`].
        behind_ms: u64,
        /// First record of the answer.
        first: Seq,
        /// Behind its last.
        end: Seq,
        /// The batches.
        chunks: ChunkRange,
    },
    /// An iterator.
    IteratorDone {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// The iterator.
        iterator: [u8; ITERATOR_BYTES],
    },
    /// A subscription is open.
    Subscribed {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// Its first record.
        start: Seq,
    },
    /// A subscription was ended by its client.
    Unsubscribed {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
    },
    /// A request failed.
    Failed {
        /// Who asked.
        session: SessionId,
        /// The request.
        correlation: u64,
        /// Why.
        error: ApiError,
    },
}

/// Why a read is made.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadPurpose {
    /// A subscription catches up.
    Push(SubscriptionId),
    /// A get.
    Get(GetRequest),
    /// A position by time becomes a sequence.
    Seek(SeekRequest),
}

/// A read from a segment.
#[derive(Clone, Debug)]
pub struct ReadJob {
    /// Whose records.
    pub slot: ShardSlot,
    /// Where.
    pub place: SegmentRead,
    /// What.
    pub wanted: Wanted,
    /// Why.
    pub purpose: ReadPurpose,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Effects {
    /// In the order in which they happened: answers of a shard keep it.
    pub list: Vec<Effect>,
    /// Bytes of pushes and gets.
    pub chunks: Vec<Chunk>,
    /// Reads to start.
    pub reads: Vec<ReadJob>,
    /// What has held subscriptions up.
    pub held_up: HeldUp,
}

/// How often subscriptions with records waiting were held up, and by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldUp {
    /// The client accepted no more bytes.
    pub credit: u64,
    /// The consumer's rate was used up.
    pub quota: u64,
    /// A live one has to read from disk again.
    pub tail_misses: u64,
}

impl Effects {
    /// The chunks of a range.
    #[must_use]
    pub fn chunks(&self, range: ChunkRange) -> &[Chunk] {
        &self.chunks[range.start as usize..range.end as usize]
    }

    /// Where the next chunk will be.
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.chunks.len() as u32
    }

    /// The chunks since `mark`.
    #[must_use]
    pub fn since(&self, mark: u32) -> ChunkRange {
        ChunkRange { start: mark, end: self.mark() }
    }

    /// Adds a failure.
    pub fn fail(&mut self, session: SessionId, correlation: u64, error: ApiError) {
        self.list.push(Effect::Failed { session, correlation, error });
    }

    /// Empties everything for the next turn.
    pub fn clear(&mut self) {
        self.list.clear();
        self.chunks.clear();
        self.reads.clear();
    }
}
