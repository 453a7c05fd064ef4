//! A shard with subscribers that have read everything.

use std::path::Path;

use shardway::base::clock::Now;
use shardway::base::ids::{
    CoreId, Millis, Seq, SessionId, ShardKey, ShardNumber, StreamUuid, Term,
};
use shardway::base::limits::SEGMENT_WRITE_BYTES;
use shardway::base::stream::{ShardLimits, StreamOptions};
use shardway::disk::dma::{SharedBuf, WriteBuf};
use shardway::fanout::{Effects, NewSubscription, Opening, Subscriptions};
use shardway::log::segment_writer::{MemoryBatch, SegmentWriter};
use shardway::log::staging::ShardSlot;
use shardway::shard::{Segments, Shard, ShardOf};

/// Batches of one commit.
const BATCHES: u32 = 8;

/// A shard that others read along.
pub struct SubscribedShard {
    now: Now,
    shard: Shard,
    subscriptions: Subscriptions,
    effects: Effects,
    commit: SharedBuf,
    in_memory: u32,
}

impl SubscribedShard {
    /// With so many subscribers at its end.
    #[must_use]
    pub fn new(subscribers: u32, commit_bytes: usize) -> SubscribedShard {
        let now = Now::read();
        let key = ShardKey { stream: StreamUuid([2; 16]), number: ShardNumber(0) };
        let writer = SegmentWriter::start(Path::new("/data"), key, Term(1), Seq::ZERO);
        let options = StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() };
        let segments = Segments::new(Vec::new(), writer);
        let of = ShardOf {
            key,
            stream_name: "s",
            account: "000000000000",
            options,
            retention_floor: Millis(0),
        };
        let shard = Shard::new(of, Term(1), segments, Millis(0), now);
        let (mut subscriptions, mut effects) = (Subscriptions::default(), Effects::default());
        for index in 0..subscribers {
            let session = SessionId { core: CoreId(0), index, generation: 1 };
            let consumer = format!("consumer-{index}");
            let new = NewSubscription { wire_id: 1, consumer, credit: u64::MAX };
            let slot = ShardSlot(0);
            let opening = Opening { session, slot, start: Seq::ZERO, new };
            subscriptions.open(opening, &shard, now, &mut effects);
        }
        let buffer = WriteBuf::alloc(commit_bytes);
        let whole = buffer.bytes().len();
        let commit = buffer.freeze(whole);
        SubscribedShard { now, shard, subscriptions, effects, commit, in_memory: 0 }
    }

    /// A commit of several batches becomes durable.
    pub fn append(&mut self) {
        let bytes = (self.commit.len() / BATCHES as usize) as u32;
        for i in 0..BATCHES {
            let stamp = self.shard.sequence(self.now.wall, 1);
            let batch = MemoryBatch {
                base: stamp.base,
                count: 1,
                arrival: stamp.arrival,
                buffer: self.commit.clone(),
                offset: i * bytes,
                bytes,
                since: self.now.mono,
            };
            self.shard.durable(batch, 1);
        }
        self.in_memory += BATCHES;
    }

    /// Every subscriber gets it.
    pub fn push(&mut self, subscribers: u32) {
        let SubscribedShard { now, shard, subscriptions, effects, .. } = self;
        subscriptions.pump(ShardSlot(0), shard, *now, effects);
        assert_eq!(effects.list.len(), subscribers as usize);
        effects.clear();
    }

    /// Keeps memory as large as a steady load does.
    pub fn trim(&mut self) {
        loop {
            while let Some(write) =
                self.shard.plan_segment_write(self.now.wall, SEGMENT_WRITE_BYTES)
            {
                self.shard.segments.writer.complete(&write);
            }
            if !self.shard.segments.writer.is_full() {
                break;
            }
            self.shard.segments.seal();
        }
        for _ in 0..std::mem::take(&mut self.in_memory) {
            self.shard.evict_oldest();
        }
    }
}
