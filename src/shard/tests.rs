use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::base::clock::Now;
use crate::base::error::ErrorCode;
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::limits::SEGMENT_BYTES;
use crate::base::limits::SEGMENT_WRITE_BYTES;
use crate::base::rng::SplitMix64;
use crate::base::stream::{ShardLimits, StreamOptions};
use crate::disk::dma::WriteBuf;
use crate::log::segment_writer::{MemoryBatch, SegmentWriter};

const WALL: Millis = Millis(1_700_000_000_000);

fn at(ms: u64, start: Instant) -> Now {
    Now { wall: Millis(WALL.0 + ms), mono: start + Duration::from_millis(ms) }
}

fn options() -> StreamOptions {
    StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() }
}

fn shard_with(options: StreamOptions, now: Now) -> Shard {
    let key = ShardKey { stream: StreamUuid([2; 16]), number: ShardNumber(3) };
    let writer = SegmentWriter::start(Path::new("/data"), key, Term(1), Seq::ZERO);
    let segments = Segments::new(Vec::new(), writer);
    let of = ShardOf {
        key,
        stream_name: "orders",
        account: "000000000000",
        options,
        retention_floor: Millis(0),
    };
    Shard::new(of, Term(1), segments, Millis(0), now)
}

fn shard() -> Shard {
    shard_with(options(), at(0, Instant::now()))
}

/// Gives `count` records their sequence; the batch as it is when its commit is written.
fn stage(shard: &mut Shard, count: u32, bytes: usize) -> MemoryBatch {
    let stamp = shard.sequence(WALL, count);
    let buffer = WriteBuf::alloc(bytes);
    let whole = buffer.bytes().len();
    let (base, arrival) = (stamp.base, stamp.arrival);
    let bytes = bytes as u32;
    let (buffer, since) = (buffer.freeze(whole), Instant::now());
    MemoryBatch { base, count, arrival, buffer, offset: 0, bytes, since }
}

fn stage_durable(shard: &mut Shard, count: u32, generation: u64) {
    let batch = stage(shard, count, 200);
    shard.durable(batch, generation);
}

/// Writes all durable batches into the segment.
fn write_behind(shard: &mut Shard) {
    while let Some(write) = shard.plan_segment_write(WALL, SEGMENT_WRITE_BYTES) {
        shard.segments.writer.complete(&write);
    }
}

fn sync(shard: &mut Shard) {
    let end = shard.begin_sync();
    shard.complete_sync(end);
}

#[test]
fn sequences_are_dense_and_arrival_times_never_step_back() {
    let mut shard = shard();
    let first = shard.sequence(Millis(500), 3);
    let second = shard.sequence(Millis(400), 2);
    let third = shard.sequence(Millis(600), 1);
    assert_eq!([first.base, second.base, third.base], [Seq(0), Seq(3), Seq(5)]);
    assert_eq!([first.arrival.0, second.arrival.0, third.arrival.0], [500, 500, 600]);
    assert_eq!(shard.watermarks().staged, Seq(6));
}

#[test]
fn a_staged_record_is_nowhere_until_it_is_durable() {
    let mut shard = shard();
    let batch = stage(&mut shard, 4, 200);
    assert_eq!(shard.watermarks().durable, Seq(0));
    assert_eq!(shard.source(Seq(0)), ReadSource::Tip);
    assert_eq!(shard.tail_from(Seq(0)).count(), 0);
    assert!(
        !shard.has_unwritten() && shard.plan_segment_write(WALL, SEGMENT_WRITE_BYTES).is_none()
    );
    shard.durable(batch, 1);
    assert_eq!(shard.source(Seq(3)), ReadSource::Tail);
    assert_eq!(shard.source(Seq(4)), ReadSource::Tip);
    assert_eq!((shard.unwritten_bytes(), shard.has_unwritten()), (200, true));
}

#[test]
#[should_panic(expected = "becomes durable in order")]
fn batches_become_durable_in_order() {
    let mut shard = shard();
    stage(&mut shard, 1, 200);
    let second = stage(&mut shard, 1, 200);
    shard.durable(second, 1);
}

#[test]
fn a_journal_file_is_free_when_segments_have_its_records_for_certain() {
    let mut shard = shard();
    assert_eq!(shard.oldest_journal_file(), None);
    stage_durable(&mut shard, 2, 5);
    stage_durable(&mut shard, 2, 5);
    write_behind(&mut shard);
    stage_durable(&mut shard, 2, 6);
    assert_eq!(shard.oldest_journal_file(), Some(5), "written is not synced");
    let covered = shard.begin_sync();
    assert!(!shard.can_sync(), "one sync at a time");
    assert_eq!((covered, shard.oldest_journal_file()), (Seq(4), Some(5)));
    // What is written while a sync runs is not covered by it.
    write_behind(&mut shard);
    shard.complete_sync(covered);
    assert_eq!(shard.watermarks().segment, Seq(4));
    assert_eq!(shard.oldest_journal_file(), Some(6));
    assert!(shard.can_sync(), "the rest still waits for one");
    sync(&mut shard);
    assert_eq!((shard.oldest_journal_file(), shard.can_sync()), (None, false));
}

#[test]
fn a_file_that_is_partly_synced_is_still_needed() {
    let mut shard = shard();
    stage_durable(&mut shard, 2, 1);
    write_behind(&mut shard);
    let covered = shard.begin_sync();
    stage_durable(&mut shard, 2, 1);
    shard.complete_sync(covered);
    assert_eq!(shard.oldest_journal_file(), Some(1));
}

#[test]
fn the_source_of_a_record_follows_it_from_memory_to_disk() {
    let mut shard = shard();
    for _ in 0..3 {
        stage_durable(&mut shard, 10, 1);
    }
    write_behind(&mut shard);
    assert_eq!(shard.source(Seq(0)), ReadSource::Tail, "memory is nearer than the disk");
    shard.evict_oldest();
    let ReadSource::Segment(read) = shard.source(Seq(9)) else { panic!("it left memory") };
    assert_eq!((read.path, read.end), (shard.segments.writer.path(), Seq(30)));
    assert_eq!((read.offset, read.end_offset), (4096, 4096 + 600));
    assert_eq!(shard.source(Seq(10)), ReadSource::Tail);
    let from: Vec<_> = shard.tail_from(Seq(15)).map(|batch| batch.base).collect();
    assert_eq!(from, [Seq(10), Seq(20)], "the batch that holds it comes first");
    shard.evict_oldest();
    shard.evict_oldest();
    assert!(matches!(shard.source(Seq(29)), ReadSource::Segment(_)));
    assert_eq!(shard.source(Seq(30)), ReadSource::Tip);
    shard.invariants();
}

#[test]
#[should_panic(expected = "a batch leaves memory when a segment has it")]
fn an_unwritten_batch_never_leaves_memory() {
    let mut shard = shard();
    stage_durable(&mut shard, 1, 1);
    shard.evict_oldest();
}

#[test]
fn a_throttled_batch_gets_no_sequence_and_the_api_s_text() {
    let start = Instant::now();
    let limits = ShardLimits::AWS;
    let mut shard = shard_with(StreamOptions { limits, ..options() }, at(0, start));
    shard.admit(at(0, start), 500, 1000).unwrap();
    shard.admit(at(0, start), 500, 1000).unwrap();
    let error = shard.admit(at(0, start), 1, 1).unwrap_err();
    assert_eq!(error.code, ErrorCode::ProvisionedThroughputExceeded);
    assert_eq!(
        error.message,
        "Rate exceeded for shard shardId-000000000003 in stream orders under account 000000000000."
    );
    shard.admit(at(1, start), 1, 1).unwrap();
    assert_eq!(shard.admit(at(1, start), 1, 1).unwrap_err().code, error.code);
}

#[test]
fn whole_segments_expire_and_the_trim_horizon_follows() {
    let mut shard = shard();
    let mut ends = Vec::new();
    for _ in 0..3 {
        while !shard.segments.writer.is_full() {
            let batch = stage(&mut shard, 1, SEGMENT_BYTES as usize / 4);
            shard.durable(batch, 1);
            write_behind(&mut shard);
        }
        sync(&mut shard);
        shard.segments.seal();
        ends.push(shard.segments.writer.written());
        shard.sequence(Millis(shard.last_arrival().0 + 3_600_000), 0);
    }
    assert_eq!((shard.segments.sealed_len(), shard.watermarks().trim), (3, Seq(0)));
    let day = 24 * 3_600_000;
    assert_eq!(shard.expire_segment(Millis(WALL.0 + day)), None, "at the cutoff it is kept");
    assert_eq!(shard.expire_segment(Millis(WALL.0 + day + 1)), Some(Seq(0)));
    assert_eq!(shard.expire_segment(Millis(WALL.0 + day + 1)), None, "not the next");
    assert_eq!(shard.watermarks().trim, ends[0]);
    assert_eq!(shard.segments.first(), ends[0]);
    shard.invariants();
}

/// Anything in any order that the log may do, against a model of plain lists.
#[test]
fn watermarks_and_journal_marks_hold_whatever_comes_when() {
    for seed in 0..40 {
        let (mut shard, mut rng) = (shard(), SplitMix64::new(seed));
        let mut model = Model::default();
        let mut staged = std::collections::VecDeque::new();
        let mut syncing = None;
        for _ in 0..300 {
            match rng.below(7) {
                0 | 1 => {
                    let (count, bytes) = (1 + rng.below(500) as u32, 129 + rng.below(100_000));
                    staged.push_back(stage(&mut shard, count, bytes as usize));
                }
                2 | 3 => {
                    model.generation += rng.below(2);
                    if let Some(batch) = staged.pop_front() {
                        model.durable.push((model.generation, batch.end()));
                        shard.durable(batch, model.generation);
                    }
                }
                4 => {
                    if let Some(write) = shard.plan_segment_write(WALL, SEGMENT_WRITE_BYTES) {
                        shard.segments.writer.complete(&write);
                    }
                }
                5 => match syncing.take() {
                    None if shard.can_sync() => syncing = Some(shard.begin_sync()),
                    None => {}
                    Some(end) => {
                        shard.complete_sync(end);
                        model.synced = end;
                    }
                },
                _ => {
                    let oldest = shard.tail_from(Seq(0)).next().map(MemoryBatch::end);
                    if oldest.is_some_and(|end| shard.has_written(end)) {
                        shard.evict_oldest();
                    }
                }
            }
            shard.invariants();
            assert_eq!(shard.oldest_journal_file(), model.oldest(), "seed {seed}");
            assert_eq!(shard.watermarks().segment, model.synced, "seed {seed}");
            model.check_sources(&shard, &mut rng);
        }
    }
}

#[derive(Default)]
struct Model {
    generation: u64,
    /// Generation and end of each durable batch.
    durable: Vec<(u64, Seq)>,
    synced: Seq,
}

impl Model {
    fn oldest(&self) -> Option<u64> {
        self.durable.iter().find(|(_, end)| *end > self.synced).map(|(generation, _)| *generation)
    }

    /// Every durable record is in memory or in the written part of the segment.
    fn check_sources(&self, shard: &Shard, rng: &mut SplitMix64) {
        let durable = self.durable.last().map_or(Seq(0), |(_, end)| *end);
        assert_eq!(shard.watermarks().durable, durable);
        let seq = Seq(rng.below(durable.0 + 10));
        match shard.source(seq) {
            ReadSource::Tip => assert!(seq >= durable),
            ReadSource::End => panic!("it is open"),
            ReadSource::Tail => {
                let batch = shard.tail_from(seq).next().expect("the tail has it");
                assert!(batch.base <= seq && seq < batch.end());
            }
            ReadSource::Segment(read) => assert!(seq < read.end && shard.has_written(read.end)),
        }
    }
}

#[test]
fn whoever_has_not_read_everything_is_behind_also_within_a_millisecond() {
    let mut shard = shard();
    stage_durable(&mut shard, 10, 1);
    let arrival = shard.last_arrival();
    for seq in 0..10 {
        assert_eq!(shard.behind_ms(Seq(seq), arrival), 1, "{seq}");
    }
    assert_eq!(shard.behind_ms(Seq(3), Millis(arrival.0 - 7)), 7);
    assert_eq!(shard.behind_ms(Seq(10), arrival), 0);
    stage(&mut shard, 1, 100);
    assert_eq!(shard.behind_ms(Seq(10), arrival), 0, "what is staged is not there yet");
}
