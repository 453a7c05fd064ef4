use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, SessionId, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::limits::SEGMENT_WRITE_BYTES;
use crate::base::rng::SplitMix64;
use crate::base::stream::{ShardLimits, StreamOptions};
use crate::disk::dma::{Chunk, WriteBuf};
use crate::log::reader::{Selection, select};
use crate::log::segment_writer::{MemoryBatch, SegmentWriter};
use crate::log::staging::ShardSlot;
use crate::record::{BatchBuilder, BatchHeader, BatchView, stamp_in_place};
use crate::shard::{ReadSource, Segments, Shard, ShardOf};

const WALL: Millis = Millis(1_700_000_000_000);
const SLOT: ShardSlot = ShardSlot(0);
const ALL: u64 = u64::MAX;

fn session(index: u32) -> SessionId {
    SessionId { core: CoreId(0), index, generation: 1 }
}

fn consumer(wire_id: u32, consumer: &str, credit: u64) -> NewSubscription {
    NewSubscription { wire_id, consumer: consumer.to_owned(), credit }
}

/// A shard with its subscriptions, and every batch as the disk would have it.
struct World {
    now: Now,
    shard: Shard,
    subscriptions: Subscriptions,
    effects: Effects,
    disk: Vec<u8>,
    /// Batches in memory.
    in_memory: usize,
}

impl World {
    fn new() -> World {
        World::with(ShardLimits::OFF)
    }

    fn with(limits: ShardLimits) -> World {
        let now = Now { wall: WALL, mono: Instant::now() };
        let key = ShardKey { stream: StreamUuid([2; 16]), number: ShardNumber(0) };
        let writer = SegmentWriter::start(Path::new("/data"), key, Term(1), Seq::ZERO);
        let segments = Segments::new(Vec::new(), writer);
        let options = StreamOptions { limits, ..StreamOptions::default() };
        let of = ShardOf {
            key,
            stream_name: "orders",
            account: "000000000000",
            options,
            retention_floor: Millis(0),
        };
        let shard = Shard::new(of, Term(1), segments, Millis(0), now);
        let (subscriptions, effects) = (Subscriptions::default(), Effects::default());
        World { now, shard, subscriptions, effects, disk: Vec::new(), in_memory: 0 }
    }

    /// One durable batch of `count` records; returns its bytes.
    fn append(&mut self, count: u32, data: usize) -> usize {
        let mut builder = BatchBuilder::new();
        for _ in 0..count {
            builder.push("key", None, &vec![b'd'; data]).unwrap();
        }
        let mut batch = builder.finish().to_vec();
        let stamp = self.shard.sequence(self.now.wall, count);
        stamp_in_place(&mut batch, &stamp);
        self.disk.extend_from_slice(&batch);
        let bytes = batch.len();
        let (base, arrival) = (stamp.base, stamp.arrival);
        let (buffer, bytes_u32) = (shared(&batch), bytes as u32);
        let since = self.now.mono;
        let batch =
            MemoryBatch { base, count, arrival, buffer, offset: 0, bytes: bytes_u32, since };
        self.shard.durable(batch, 1);
        self.in_memory += 1;
        bytes
    }

    /// Writes everything and keeps the newest `kept` batches in memory.
    fn evict(&mut self, kept: usize) {
        while let Some(write) = self.shard.plan_segment_write(WALL, SEGMENT_WRITE_BYTES) {
            self.shard.segments.writer.complete(&write);
        }
        while self.in_memory > kept {
            self.shard.evict_oldest();
            self.in_memory -= 1;
        }
    }

    fn open(&mut self, session: SessionId, new: NewSubscription, start: u64) -> SubscriptionId {
        let World { now, shard, subscriptions, effects, .. } = self;
        let opening = Opening { session, slot: SLOT, start: Seq(start), new };
        subscriptions.open(opening, shard, *now, effects)
    }

    fn pump(&mut self) {
        self.subscriptions.pump(SLOT, &self.shard, self.now, &mut self.effects);
    }

    /// What has been sent since the last look: subscription, records, bytes.
    fn sent(&mut self) -> Vec<(u32, Vec<u64>, usize)> {
        let effects = std::mem::take(&mut self.effects);
        self.effects.reads = effects.reads.clone();
        let sent = effects.list.iter().map(|effect| {
            let Effect::Push { subscription, first, chunks, .. } = effect else {
                panic!("{effect:?}")
            };
            let (mut records, mut bytes) = (Vec::new(), 0);
            for chunk in effects.chunks(*chunks) {
                bytes += chunk.len();
                let mut rest = &chunk[..];
                while !rest.is_empty() {
                    let header = BatchHeader::decode_stamped(rest).unwrap();
                    let (batch, behind) = rest.split_at(header.batch_bytes());
                    let view = BatchView::check_stamped(batch).unwrap();
                    records.extend(view.records().map(|r| r.seq).filter(|seq| seq >= first));
                    rest = behind;
                }
            }
            (*subscription, records.iter().map(|seq| seq.0).collect(), bytes)
        });
        sent.collect()
    }

    fn ended(&mut self) -> Vec<(SessionId, u32, Seq, ErrorCode)> {
        let list = std::mem::take(&mut self.effects.list);
        list.into_iter()
            .filter_map(|effect| match effect {
                Effect::SubscriptionEnd { session, subscription, continue_at, error } => {
                    Some((session, subscription, continue_at, error.code))
                }
                _ => None,
            })
            .collect()
    }

    /// Does the oldest read that was asked for, as the reader does.
    fn read(&mut self) -> Option<(SubscriptionId, Result<ReadBatches, Seq>)> {
        if self.effects.reads.is_empty() {
            return None;
        }
        let ReadJob { place, wanted, purpose, .. } = self.effects.reads.remove(0);
        let ReadPurpose::Push(id) = purpose else { panic!("{purpose:?}") };
        // The model's disk has no segment header.
        let (start, end) = (place.offset as usize - 4096, place.end_offset as usize - 4096);
        let bytes = &self.disk[start..end];
        let outcome = match select(bytes, &wanted).unwrap() {
            Selection::Found { start, end, first, next, arrival } => {
                let chunk = Chunk::written(shared(&bytes[start..end]), 0, end - start);
                Ok(ReadBatches { chunk, first, next, arrival })
            }
            Selection::Nothing => Err(place.end),
            more @ Selection::NeedMore { .. } => panic!("the segment ends with a batch: {more:?}"),
        };
        Some((id, outcome))
    }

    fn read_done(&mut self, (id, outcome): (SubscriptionId, Result<ReadBatches, Seq>)) {
        let World { now, shard, subscriptions, effects, .. } = self;
        subscriptions.read_done(id, shard, *now, outcome, effects);
    }
}

fn shared(bytes: &[u8]) -> crate::disk::dma::SharedBuf {
    let mut buffer = WriteBuf::alloc(bytes.len());
    buffer.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
    let whole = buffer.bytes().len();
    buffer.freeze(whole)
}

fn records(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn every_subscription_gets_the_same_new_records_once() {
    let mut w = World::new();
    w.append(3, 10);
    w.open(session(1), consumer(7, "a", ALL), 0);
    w.open(session(2), consumer(8, "b", ALL), 3);
    w.pump();
    let sent = w.sent();
    assert_eq!(sent.len(), 1, "the one at the tip has nothing to get");
    assert_eq!((sent[0].0, &sent[0].1), (7, &records(0..3)));
    let bytes = w.append(2, 10) + w.append(1, 10);
    w.pump();
    let both = [(7, records(3..6), bytes), (8, records(3..6), bytes)];
    assert_eq!(w.sent(), both, "several batches go in one push");
    w.pump();
    assert_eq!(w.sent(), []);
}

#[test]
fn a_start_inside_of_a_batch_brings_the_batch_and_names_the_record() {
    let mut w = World::new();
    let bytes = w.append(10, 10);
    w.open(session(1), consumer(1, "a", ALL), 4);
    w.pump();
    assert_eq!(w.sent(), [(1, records(4..10), bytes)]);
}

#[test]
fn credit_is_overdrawn_by_one_batch_at_most_and_then_must_be_made_up() {
    let mut w = World::new();
    let one = w.append(1, 500);
    w.append(1, 500);
    w.append(1, 500);
    w.open(session(1), consumer(1, "a", 100), 0);
    w.pump();
    assert_eq!(w.sent(), [(1, records(0..1), one)], "one batch whatever its size, not two");
    let debt = one as u64 - 100;
    assert_eq!(w.subscriptions.credit(session(1), 1, debt), Some(SLOT));
    w.pump();
    assert_eq!(w.sent(), [], "the debt is paid and nothing is granted");
    w.subscriptions.credit(session(1), 1, 1);
    w.pump();
    assert_eq!(w.sent(), [(1, records(1..2), one)]);
    w.subscriptions.credit(session(1), 1, u64::MAX);
    w.subscriptions.credit(session(1), 1, u64::MAX);
    w.pump();
    assert_eq!(w.sent(), [(1, records(2..3), one)], "credit without end is no mistake");
    assert_eq!(w.subscriptions.credit(session(1), 2, 5), None);
    assert_eq!(w.subscriptions.credit(session(2), 1, 5), None);
}

#[test]
fn a_push_takes_as_many_batches_as_credit_covers() {
    let mut w = World::new();
    let one = w.append(1, 500);
    for _ in 0..4 {
        w.append(1, 500);
    }
    w.open(session(1), consumer(1, "a", 2 * one as u64), 0);
    w.pump();
    assert_eq!(w.sent(), [(1, records(0..2), 2 * one)]);
    w.subscriptions.credit(session(1), 1, 2 * one as u64 + 1);
    w.pump();
    // One byte is left, so one batch more is sent.
    assert_eq!(w.sent(), [(1, records(2..4), 2 * one), (1, records(4..5), one)]);
}

#[test]
fn a_consumer_s_quota_stops_its_pushes_until_time_has_passed() {
    let mut w = World::with(ShardLimits { out_bytes: 1000, ..ShardLimits::OFF });
    let one = w.append(1, 2000);
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    assert_eq!(w.sent(), [(1, records(0..1), one)], "a push starts on any credit");
    w.append(1, 2000);
    w.now.mono += Duration::from_millis(1000);
    w.pump();
    assert_eq!(w.sent(), [], "a debt of more than a second");
    w.now.mono += Duration::from_millis(1000);
    let mut slots = Vec::new();
    w.subscriptions.slots(&mut slots);
    assert_eq!(slots, [SLOT], "the tick looks at it again");
    w.pump();
    assert_eq!(w.sent(), [(1, records(1..2), one)]);
}

#[test]
fn expired_records_are_passed_over() {
    let mut w = World::new();
    w.append(2, 10);
    w.now.wall.0 += 3_600_000;
    w.append(2, 10);
    w.now.wall.0 += 23 * 3_600_000 + 1;
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    assert_eq!(w.sent()[0].1, records(2..4));
}

#[test]
fn what_left_memory_comes_from_a_segment_by_one_read_at_a_time() {
    let mut w = World::new();
    for _ in 0..4 {
        w.append(5, 10);
    }
    w.evict(1);
    w.open(session(1), consumer(1, "a", ALL), 7);
    w.pump();
    w.pump();
    assert_eq!((w.sent(), w.effects.reads.len()), (vec![], 1));
    assert_eq!(w.effects.reads[0].wanted.from, Seq(7));
    w.append(5, 10);
    w.pump();
    assert_eq!(w.sent(), [], "nothing from the tail before the read is done");
    let read = w.read().unwrap();
    w.read_done(read);
    let sent: Vec<_> = w.sent().into_iter().flat_map(|(_, records, _)| records).collect();
    // The segment also had what is in memory; the tail goes on behind it.
    assert_eq!(sent, records(7..25));
}

#[test]
fn a_read_that_finds_nothing_moves_on_behind_its_segment() {
    let mut w = World::new();
    w.append(5, 10);
    w.append(5, 10);
    w.evict(1);
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    let (id, _) = w.read().unwrap();
    w.read_done((id, Err(Seq(5))));
    assert_eq!(w.sent()[0].1, records(5..10));
}

#[test]
fn a_second_subscription_of_a_consumer_takes_over() {
    let mut w = World::new();
    w.append(3, 10);
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.open(session(1), consumer(2, "other", 0), 0);
    w.pump();
    w.sent();
    w.open(session(2), consumer(9, "a", ALL), 3);
    assert_eq!(w.ended(), [(session(1), 1, Seq(3), ErrorCode::ResourceInUse)]);
    assert_eq!(w.subscriptions.of_shard(SLOT), 2);
    assert!(!w.subscriptions.has(session(1), 1) && w.subscriptions.has(session(2), 9));
    w.append(1, 10);
    w.pump();
    let sent: Vec<_> = w.sent().into_iter().map(|(id, records, _)| (id, records)).collect();
    assert_eq!(sent, [(9, vec![3])]);
}

#[test]
fn a_blocked_connection_gets_nothing_until_it_takes_more() {
    let mut w = World::new();
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.open(session(2), consumer(1, "b", ALL), 0);
    let mut slots = Vec::new();
    w.subscriptions.set_blocked(session(1), true, &mut slots);
    w.append(1, 10);
    w.pump();
    assert_eq!(w.sent().len(), 1, "the other connection goes on");
    slots.clear();
    w.subscriptions.set_blocked(session(1), false, &mut slots);
    assert_eq!(slots, [SLOT], "it must be looked at");
    w.pump();
    assert_eq!(w.sent()[0].1, [0]);
}

#[test]
fn a_subscription_that_opens_on_a_blocked_connection_is_blocked_too() {
    let mut w = World::new();
    w.append(1, 10);
    let mut slots = Vec::new();
    // Its answers to gets have blocked it: it has no subscription yet.
    w.subscriptions.set_blocked(session(1), true, &mut slots);
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    assert_eq!(w.sent(), []);
    w.subscriptions.set_blocked(session(1), false, &mut slots);
    assert_eq!(slots, [SLOT]);
    w.pump();
    assert_eq!(w.sent()[0].1, [0]);
    w.subscriptions.set_blocked(session(1), true, &mut slots);
    w.subscriptions.close_session(session(1));
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    assert_eq!(w.sent()[0].1, [0], "a closed connection leaves nothing behind");
}

#[test]
fn a_subscription_that_closes_during_its_read_is_gone_and_so_is_the_read() {
    let mut w = World::new();
    w.append(5, 10);
    w.append(5, 10);
    w.evict(0);
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    let read = w.read().unwrap();
    assert!(w.subscriptions.close(session(1), 1));
    assert!(!w.subscriptions.close(session(1), 1), "closed once");
    // The next one is in the same place.
    w.open(session(1), consumer(1, "a", ALL), 10);
    w.read_done(read);
    assert_eq!(w.sent(), [], "not to somebody else");
    w.append(1, 10);
    w.pump();
    assert_eq!(w.sent()[0].1, [10]);
}

#[test]
fn the_end_of_a_connection_or_shard_ends_its_subscriptions() {
    let mut w = World::new();
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.open(session(1), consumer(2, "b", ALL), 0);
    w.open(session(2), consumer(1, "c", ALL), 0);
    w.subscriptions.close_session(session(1));
    assert_eq!(
        (w.subscriptions.of_shard(SLOT), w.ended()),
        (1, vec![]),
        "nobody is left to be told"
    );
    let error = ApiError::not_found("the stream was deleted");
    w.subscriptions.end_shard(SLOT, &error, &mut w.effects);
    assert_eq!(w.ended(), [(session(2), 1, Seq(0), ErrorCode::ResourceNotFound)]);
    assert!(w.subscriptions.of_shard(SLOT) == 0);
    w.append(1, 10);
    w.pump();
    assert_eq!(w.sent(), []);
}

/// Readers of every speed, while the shard grows and its memory moves on: each gets every record
/// once and in order.
#[test]
fn no_record_is_lost_or_doubled_between_disk_and_memory() {
    for seed in 0..60 {
        let (mut w, mut rng) = (World::new(), SplitMix64::new(seed));
        let mut got = vec![Vec::new(); 4];
        for reader in 0..4u32 {
            w.open(session(reader), consumer(reader, &format!("c{reader}"), 5000), 0);
        }
        let mut reads = Vec::new();
        let mut slots = Vec::new();
        let mut next = 0;
        for step in 0.. {
            let growing = step < 400;
            match rng.below(6) {
                0 | 1 if growing => {
                    let count = 1 + rng.below(20) as u32;
                    w.append(count, rng.below(300) as usize);
                    next += u64::from(count);
                }
                2 => w.evict(rng.below(4) as usize),
                3 => reads.extend(w.read()),
                4 if !reads.is_empty() => {
                    let read = reads.swap_remove(rng.below(reads.len() as u64) as usize);
                    w.read_done(read);
                }
                _ => {
                    let reader = rng.below(4) as u32;
                    w.subscriptions.credit(session(reader), reader, rng.below(8000));
                    let blocked = growing && rng.below(4) == 0;
                    w.subscriptions.set_blocked(session(reader), blocked, &mut slots);
                }
            }
            w.pump();
            for (reader, records, _) in w.sent() {
                got[reader as usize].extend(records);
            }
            if !growing && got.iter().all(|records| records.len() as u64 >= next) {
                break;
            }
            assert!(step < 100_000, "seed {seed}: a reader is stuck");
        }
        for (reader, got) in got.iter().enumerate() {
            assert!(*got == records(0..next), "seed {seed}, reader {reader}");
        }
        assert_eq!(w.shard.source(Seq(next)), ReadSource::Tip);
    }
}

/// How long each push since the last look had waited, where its subscription was live.
fn waits(w: &mut World) -> Vec<Option<Duration>> {
    let effects = std::mem::take(&mut w.effects);
    w.effects.reads = effects.reads.clone();
    w.effects.held_up = effects.held_up;
    let of = |effect: &Effect| match effect {
        Effect::Push { waited, .. } => *waited,
        other => panic!("{other:?}"),
    };
    effects.list.iter().map(of).collect()
}

#[test]
fn a_push_has_waited_since_its_oldest_batch_came_but_only_a_live_one_counts() {
    let mut w = World::new();
    w.append(1, 10);
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.now.mono += Duration::from_secs(9);
    w.pump();
    assert_eq!(waits(&mut w), [None], "what was there before it is no latency of a push");
    w.pump();
    w.append(1, 10);
    w.now.mono += Duration::from_millis(2);
    w.append(1, 10);
    w.now.mono += Duration::from_millis(3);
    w.pump();
    assert_eq!(waits(&mut w), [Some(Duration::from_millis(5))]);
    let stats: Vec<_> = w.subscriptions.stats(SLOT, &w.shard).collect();
    let [stats] = &stats[..] else { panic!("one subscription") };
    assert!(stats.live && stats.lag_records == 0 && stats.lag_ms == Some(0));
    assert_eq!(stats.last_wait, Some(Duration::from_millis(5)));
}

#[test]
fn a_live_subscription_that_falls_back_to_disk_is_missed_once_and_comes_back() {
    let mut w = World::new();
    w.open(session(1), consumer(1, "a", ALL), 0);
    w.pump();
    w.append(5, 10);
    w.append(5, 10);
    w.evict(1);
    w.pump();
    w.pump();
    assert_eq!(w.effects.held_up, HeldUp { tail_misses: 1, ..HeldUp::default() });
    let lag: Vec<_> =
        w.subscriptions.stats(SLOT, &w.shard).map(|s| (s.live, s.lag_records)).collect();
    assert_eq!(lag, [(false, 10)]);
    let read = w.read().unwrap();
    w.read_done(read);
    assert_eq!(waits(&mut w), [None], "what comes from disk has no latency of a push");
    w.pump();
    w.append(1, 10);
    w.pump();
    assert_eq!(waits(&mut w), [Some(Duration::ZERO)]);
    assert_eq!(w.effects.held_up.tail_misses, 1);
}

#[test]
fn whatever_holds_a_subscription_up_counts_once_until_its_next_push() {
    let mut w = World::with(ShardLimits { out_bytes: 1000, ..ShardLimits::OFF });
    w.append(1, 10);
    w.append(1, 2000);
    w.open(session(1), consumer(1, "a", 1), 0);
    w.pump();
    w.pump();
    w.pump();
    assert_eq!(w.effects.held_up, HeldUp { credit: 1, ..HeldUp::default() });
    w.subscriptions.credit(session(1), 1, 1 << 20);
    // The large batch overdraws the rate: the next one waits for that.
    w.pump();
    w.append(1, 10);
    w.pump();
    w.pump();
    assert_eq!(w.effects.held_up, HeldUp { credit: 1, quota: 1, ..HeldUp::default() });
    w.now.mono += Duration::from_secs(10);
    w.pump();
    w.subscriptions.credit(session(1), 1, 1 << 20);
    w.pump();
    assert_eq!(w.effects.held_up, HeldUp { credit: 1, quota: 1, ..HeldUp::default() });
}
