//! What does one more subscriber of a shard cost, for each commit?
//!
//! Resource: CPU of the core, once for each commit and subscription. Floor: a look at credit and
//! quota and one effect, about 50 ns, and a reference count for each batch, 10 to 20 ns. No byte is
//! copied, so the size of the records must not matter, and 20 subscribers cost 20 times one.

use std::path::Path;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
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

struct World {
    now: Now,
    shard: Shard,
    subscriptions: Subscriptions,
    effects: Effects,
    commit: SharedBuf,
    in_memory: u32,
}

impl World {
    fn new(subscribers: u32, commit_bytes: usize) -> World {
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
        World { now, shard, subscriptions, effects, commit, in_memory: 0 }
    }

    /// A commit of several batches becomes durable.
    fn append(&mut self) {
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

    /// Keeps memory as large as a steady load does.
    fn trim(&mut self) {
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

fn push_fanout(c: &mut Criterion) {
    let mut group = c.benchmark_group("push_fanout");
    for (subscribers, commit_bytes) in [(1, 8192), (1, 1 << 20), (20, 8192), (20, 1 << 20)] {
        group.throughput(Throughput::Elements(u64::from(subscribers)));
        let mut world = World::new(subscribers, commit_bytes);
        let load = format!("{subscribers} of commits of {} KiB", commit_bytes / 1024);
        group.bench_function(BenchmarkId::from_parameter(load), |b| {
            b.iter_custom(|times| {
                let mut spent = std::time::Duration::ZERO;
                for _ in 0..times {
                    world.append();
                    let started = Instant::now();
                    let World { now, shard, subscriptions, effects, .. } = &mut world;
                    subscriptions.pump(ShardSlot(0), shard, *now, effects);
                    spent += started.elapsed();
                    assert_eq!(world.effects.list.len(), subscribers as usize);
                    world.effects.clear();
                    world.trim();
                }
                spent
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    push_fanout(&mut criterion);
    criterion.final_summary();
}
