use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::PutWaiter;
use super::get::GetLimits;
use super::write_behind::Work;
use super::*;
use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, SessionId, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::limits::COMMIT_BYTES_MAX;
use crate::base::stream::{Durability, Position, ShardLimits, StreamOptions, StreamStatus};
use crate::catalog::{ConsumerRecord, Passing, State, StreamRecord, View};
use crate::disk::dma::{Chunk, WriteBuf};
use crate::fanout::{Effect, NewSubscription, ReadBatches, ReadJob, ReadPurpose};
use crate::log::core_log::NoCommit;
use crate::log::journal::JournalSpec;
use crate::log::staging::{Full, ShardSlot};
use crate::record::{BatchBuilder, BatchView};
use crate::security::iterator::IteratorKey;
use crate::service::reads::ReadFailure;
use crate::wire::put::PutRun;

mod history;
mod reshard;
mod room;
mod subscribe;

const UUID: StreamUuid = StreamUuid([3; 16]);
const KEY: ShardKey = ShardKey { stream: UUID, number: ShardNumber(0) };
const ME: SessionId = SessionId { core: CoreId(0), index: 1, generation: 1 };
const WALL: Millis = Millis(1_700_000_000_000);
const KIB: usize = 1024;

/// One core with one stream of two shards, and a clock.
struct World {
    core: Core,
    now: Now,
    state: State,
}

fn options() -> StreamOptions {
    StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() }
}

fn world(options: StreamOptions) -> World {
    world_with(options, usize::MAX, 64 * 1024 * KIB as u64)
}

fn world_with(options: StreamOptions, tail_bytes: usize, file_bytes: u64) -> World {
    world_of(2, options, tail_bytes, file_bytes)
}

fn world_of(shards: u32, options: StreamOptions, tail_bytes: usize, file_bytes: u64) -> World {
    let now = Now { wall: WALL, mono: Instant::now() };
    let mut state = State::new([1; 32]);
    let mut stream = StreamRecord::new("orders", UUID, WALL, shards, options);
    for consumer in ["c", "c7", "c8"] {
        let record = ConsumerRecord { created: WALL, tags: BTreeMap::new(), policy: None };
        stream.consumers.insert(consumer.to_owned(), record);
    }
    state.streams.insert("orders".to_owned(), stream);
    let spec = CoreSpec {
        core: CoreId(0),
        cores: 1,
        data_dir: PathBuf::from("/data"),
        journal: JournalSpec { core: CoreId(0), term: Term(1), salt: 5, files: 4, file_bytes },
        tail_bytes,
        iterator_key: IteratorKey::new(&[1; 32]),
        view: Arc::new(View::of(&state, 1, Arc::default())),
        shards: Vec::new(),
    };
    World { core: Core::new(spec, now), now, state }
}

fn batch(records: u32, data: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push("key", None, &vec![b'd'; data]).unwrap();
    }
    builder.finish().to_vec()
}

impl World {
    fn pass(&mut self, ms: u64) {
        self.now.wall.0 += ms;
        self.now.mono += Duration::from_millis(ms);
    }

    fn try_put(&mut self, correlation: u64, records: u32, data: usize) -> Result<(), Full> {
        let bytes = batch(records, data);
        let view = BatchView::check_client(&bytes).unwrap();
        let waiter = PutWaiter::new(ME, correlation, None, self.now.mono);
        self.core.put(self.now, waiter, KEY, &view)
    }

    fn put(&mut self, correlation: u64, records: u32) {
        self.try_put(correlation, records, 20).unwrap();
    }

    /// Commits everything that is staged, file starts included.
    fn commit(&mut self) {
        while self.core.begin_commit().is_ok() {
            self.core.advance(self.now);
        }
    }

    /// All write-behind that there is; syncs and seals too.
    fn write_behind(&mut self) {
        while let Some(work) = self.core.next_work(self.now, 0, true) {
            match work {
                Work::Write(slot, write) => self.core.write_done(slot, &write),
                Work::Sync(slot, _, end) => self.core.sync_done(slot, end),
                Work::Seal(slot, ..) => self.core.seal_done(slot),
            }
        }
    }

    /// The core uses the catalog as it is in `state`.
    fn install(&mut self) {
        self.spread(&Passing::default());
    }

    fn spread(&mut self, passing: &Passing) {
        let view = self.core.view().next(&self.state, "orders", passing);
        self.core.install_view(self.now, Arc::new(view));
    }

    /// What there is to deliver, in words.
    fn said(&mut self) -> Vec<Said> {
        let effects = std::mem::take(&mut self.core.effects);
        self.core.effects.reads = effects.reads;
        effects.list.into_iter().map(|effect| self.word(effect)).collect()
    }

    fn word(&self, effect: Effect) -> Said {
        match effect {
            Effect::PutDone { correlation, run: PutRun { count, outcome, .. }, .. } => {
                Said::Put(correlation, count, outcome)
            }
            Effect::Push { subscription, first, .. } => Said::Push(subscription, first),
            Effect::GetDone { correlation, iterator, first, end, .. } => {
                if let Some(iterator) = iterator {
                    let claims = self.core.iterator_key().open(&iterator, self.now.wall).unwrap();
                    assert_eq!(claims.position, end, "the next iterator goes on behind the answer");
                }
                Said::Got(correlation, first, end)
            }
            Effect::IteratorDone { correlation, iterator, .. } => {
                let claims = self.core.iterator_key().open(&iterator, self.now.wall).unwrap();
                Said::Iterator(correlation, claims.position)
            }
            Effect::Subscribed { start, .. } => Said::Subscribed(start),
            Effect::SubscriptionEnd { subscription, error, .. } => {
                Said::Ended(subscription, error.code)
            }
            Effect::Failed { correlation, error, .. } => Said::Failed(correlation, error.code),
            Effect::PutInPartsDone { correlation, runs, .. } => Said::PutInParts(correlation, runs),
            Effect::ShardEnded { subscription, end, children, .. } => {
                Said::ShardEnded(subscription, end, children.iter().map(|c| c.number.0).collect())
            }
            other @ Effect::Unsubscribed { .. } => panic!("{other:?}"),
        }
    }

    fn subscribe(&mut self, wire_id: u32, position: Position) -> Result<(), ApiError> {
        let consumer = format!("c{wire_id}");
        let new = NewSubscription { wire_id, consumer, credit: u64::MAX };
        self.core.subscribe(self.now, ME, 500, KEY, new, position)
    }

    fn get(&mut self, correlation: u64, from: u64, wait_ms: u32) {
        let limits = GetLimits { limit: 10_000, bytes_max: u32::MAX, wait_ms };
        self.core.get(self.now, ME, correlation, KEY, Seq(from), limits).unwrap();
    }

    fn iterator(&mut self, correlation: u64, position: Position) -> Result<(), ApiError> {
        self.core.get_iterator(self.now, ME, correlation, KEY, position)
    }

    /// The one read that was asked for is done, with this outcome.
    fn read_done(&mut self, outcome: Result<ReadBatches, Seq>) -> ReadJob {
        let [job] = <[ReadJob; 1]>::try_from(std::mem::take(&mut self.core.effects.reads)).unwrap();
        self.core.read_done(self.now, job.slot, job.purpose.clone(), Ok(outcome));
        job
    }
}

#[derive(Debug, PartialEq)]
enum Said {
    Put(u64, u32, Result<Seq, ErrorCode>),
    PutInParts(u64, Vec<PutRun>),
    ShardEnded(u32, Seq, Vec<u32>),
    Push(u32, Seq),
    Got(u64, Seq, Seq),
    Iterator(u64, Seq),
    Subscribed(Seq),
    Ended(u32, ErrorCode),
    Failed(u64, ErrorCode),
}

use Said::{Ended, Failed, Got, Iterator, Push, Put, ShardEnded, Subscribed};

/// What a read brings: the records from `first` to `next`.
fn read(first: u64, next: u64) -> ReadBatches {
    let buffer = WriteBuf::alloc(4096).freeze(4096);
    let chunk = Chunk::written(buffer, 0, 200);
    ReadBatches { chunk, first: Seq(first), next: Seq(next), arrival: WALL }
}

#[test]
fn a_put_is_answered_and_shown_when_it_is_durable_and_in_order() {
    let mut w = world(options());
    w.subscribe(7, Position::Latest).unwrap();
    w.core.finish_turn(w.now);
    assert_eq!(w.said(), [Subscribed(Seq(0))]);
    w.put(1, 3);
    w.put(2, 2);
    w.core.finish_turn(w.now);
    assert_eq!(w.said(), [], "nothing is said of what is staged");
    assert!(!w.core.begin_commit().unwrap().carries_batches, "the file's checkpoint");
    w.core.advance(w.now);
    assert_eq!(w.said(), []);
    assert!(w.core.begin_commit().unwrap().carries_batches);
    w.put(3, 1);
    w.core.finish_turn(w.now);
    assert_eq!(w.said(), [], "nor of what is on its way");
    w.core.advance(w.now);
    assert_eq!(w.said(), [Put(1, 3, Ok(Seq(0))), Put(2, 2, Ok(Seq(3))), Push(7, Seq(0))]);
    w.commit();
    assert_eq!(w.said(), [Put(3, 1, Ok(Seq(5))), Push(7, Seq(5))]);
}

#[test]
fn a_throttled_put_stores_nothing_and_leaves_no_gap() {
    let mut w = world(StreamOptions::default());
    w.put(1, 500);
    w.put(2, 500);
    w.put(3, 1);
    let throttled = Err(ErrorCode::ProvisionedThroughputExceeded);
    assert_eq!(w.said(), [Put(3, 1, throttled)], "refused at once");
    w.pass(2);
    w.put(4, 1);
    w.commit();
    let stored = [Put(1, 500, Ok(Seq(0))), Put(2, 500, Ok(Seq(500))), Put(4, 1, Ok(Seq(1000)))];
    assert_eq!(w.said(), stored);
}

#[test]
fn memory_durability_answers_at_staging_and_shows_when_written() {
    let mut w = world(StreamOptions { durability: Durability::Memory, ..options() });
    w.subscribe(7, Position::Latest).unwrap();
    w.said();
    w.put(1, 3);
    w.core.finish_turn(w.now);
    assert_eq!(w.said(), [Put(1, 3, Ok(Seq(0)))]);
    w.core.begin_commit().unwrap();
    w.core.advance(w.now);
    let write = w.core.begin_commit().unwrap();
    assert!(!write.sync, "nobody waits for stable storage");
    w.core.advance(w.now);
    assert_eq!(w.said(), [Push(7, Seq(0))], "answered once");
}

#[test]
fn a_put_without_room_waits_and_parked_ones_keep_their_order() {
    let mut w = world(options());
    w.try_put(1, 1, COMMIT_BYTES_MAX - KIB).unwrap();
    assert_eq!(w.try_put(2, 1, 2 * KIB), Err(Full), "the commit has no room");
    let park = |w: &mut World, correlation, data| {
        let waiter = PutWaiter::new(ME, correlation, None, w.now.mono);
        w.core.put_or_park(w.now, waiter, KEY, batch(1, data));
    };
    park(&mut w, 3, 2 * KIB);
    park(&mut w, 4, 10);
    assert!(w.core.is_parking());
    assert_eq!(w.try_put(5, 1, 10), Err(Full), "nobody overtakes those that wait");
    w.core.finish_turn(w.now);
    assert!(w.core.is_parking(), "still no room");
    while w.core.begin_commit().is_ok() {
        w.core.finish_turn(w.now);
        w.core.advance(w.now);
    }
    assert!(!w.core.is_parking());
    let order = [Put(1, 1, Ok(Seq(0))), Put(3, 1, Ok(Seq(1))), Put(4, 1, Ok(Seq(2)))];
    assert_eq!(w.said(), order);
}

#[test]
fn a_put_is_refused_with_the_reason_while_there_is_no_space() {
    let mut w = world(options());
    w.core.refuse("the disk is full".to_owned());
    w.put(1, 1);
    w.core.accept_again();
    w.put(2, 1);
    w.core.log.fail("the journal is gone".to_owned());
    w.put(3, 1);
    let refused = Err(ErrorCode::InternalFailure);
    assert_eq!(w.said(), [Put(1, 1, refused), Put(3, 1, refused)]);
    assert_eq!(w.core.begin_commit().unwrap_err(), NoCommit::Idle, "a failed log writes nothing");
}

#[test]
fn a_get_answers_at_once_or_when_something_is_durable_or_when_its_wait_is_over() {
    let mut w = world(options());
    w.put(1, 4);
    w.commit();
    w.said();
    w.get(10, 1, 0);
    w.get(11, 4, 0);
    assert_eq!(w.said(), [Got(10, Seq(1), Seq(4)), Got(11, Seq(4), Seq(4))]);
    w.get(12, 4, 1000);
    w.pass(999);
    w.core.tick(w.now);
    assert_eq!(w.said(), []);
    w.get(13, 4, 1000);
    w.pass(1);
    w.core.tick(w.now);
    assert_eq!(w.said(), [Got(12, Seq(4), Seq(4))], "the other has its own time");
    w.put(2, 2);
    w.core.tick(w.now);
    assert_eq!(w.said(), [], "staged is not durable");
    w.commit();
    assert_eq!(w.said(), [Put(2, 2, Ok(Seq(4))), Got(13, Seq(4), Seq(6))]);
    w.pass(5000);
    w.core.tick(w.now);
    assert_eq!(w.said(), [], "answered once");
}

#[test]
fn a_get_is_limited_in_records_and_bytes() {
    let mut w = world(options());
    w.put(1, 3);
    w.put(2, 3);
    w.commit();
    w.said();
    let one = batch(3, 20).len() as u32;
    let mut get = |limit, bytes_max| {
        let limits = GetLimits { limit, bytes_max, wait_ms: 0 };
        w.core.get(w.now, ME, 1, KEY, Seq(1), limits).map(|()| w.said().remove(0))
    };
    assert_eq!(get(1, u32::MAX).unwrap(), Got(1, Seq(1), Seq(2)));
    assert_eq!(get(4, u32::MAX).unwrap(), Got(1, Seq(1), Seq(5)));
    assert_eq!(get(10, 2 * one - 1).unwrap(), Got(1, Seq(1), Seq(3)));
    assert_eq!(get(10, 1).unwrap(), Got(1, Seq(1), Seq(3)), "one batch comes whatever its size");
    assert_eq!(get(0, 1).unwrap_err().code, ErrorCode::InvalidArgument);
    assert_eq!(get(10_001, 1).unwrap_err().code, ErrorCode::InvalidArgument);
}

#[test]
fn positions_become_sequences() {
    let mut w = world(options());
    w.put(1, 5);
    w.commit();
    w.put(2, 1);
    w.said();
    let mut at = |position| w.iterator(1, position).map(|()| w.said().remove(0));
    assert_eq!(at(Position::TrimHorizon).unwrap(), Iterator(1, Seq(0)));
    assert_eq!(at(Position::Latest).unwrap(), Iterator(1, Seq(5)), "staged records are to come");
    assert_eq!(at(Position::AtSequence(Seq(3))).unwrap(), Iterator(1, Seq(3)));
    assert_eq!(at(Position::AfterSequence(Seq(4))).unwrap(), Iterator(1, Seq(5)));
    assert_eq!(at(Position::AfterSequence(Seq(5))).unwrap_err().code, ErrorCode::InvalidArgument);
    assert_eq!(at(Position::AtSequence(Seq(6))).unwrap_err().code, ErrorCode::InvalidArgument);
    let future = Position::AtTimestamp(Millis(WALL.0 + 1));
    assert_eq!(at(future).unwrap_err().code, ErrorCode::InvalidArgument);
}

#[test]
fn a_time_is_found_in_memory_when_memory_reaches_that_far_back() {
    let mut w = world(options());
    for correlation in 0..3 {
        w.put(correlation, 10);
        w.commit();
        w.pass(100);
    }
    w.said();
    let mut at = |ms: u64| {
        w.iterator(1, Position::AtTimestamp(Millis(WALL.0 + ms))).unwrap();
        w.said().remove(0)
    };
    assert_eq!(at(0), Iterator(1, Seq(0)));
    assert_eq!(at(1), Iterator(1, Seq(10)));
    assert_eq!(at(100), Iterator(1, Seq(10)));
    assert_eq!(at(101), Iterator(1, Seq(20)));
    assert_eq!(at(201), Iterator(1, Seq(30)), "behind the newest record");
}

#[test]
fn a_time_before_memory_is_looked_for_in_a_segment() {
    let mut w = world_with(options(), 0, 64 * 1024 * KIB as u64);
    w.put(0, 10);
    w.commit();
    w.pass(100);
    w.put(1, 10);
    w.commit();
    w.write_behind();
    w.pass(100);
    w.put(2, 10);
    w.commit();
    w.said();
    let early = Position::AtTimestamp(Millis(WALL.0 + 50));
    w.iterator(1, early).unwrap();
    assert_eq!(w.said(), []);
    let job = w.read_done(Ok(read(10, 11)));
    assert_eq!(job.wanted.not_before, Millis(WALL.0 + 50));
    assert_eq!((job.wanted.records_max, job.place.end), (1, Seq(20)));
    assert_eq!(w.said(), [Iterator(1, Seq(10))]);
    // What was found may have expired or been removed meanwhile.
    w.iterator(2, early).unwrap();
    w.read_done(Err(Seq(20)));
    assert_eq!(w.said(), [Iterator(2, Seq(20))]);
    // Between the segment and memory: no read.
    w.iterator(3, Position::AtTimestamp(Millis(WALL.0 + 101))).unwrap();
    assert!(w.core.effects.reads.is_empty());
    assert_eq!(w.said(), [Iterator(3, Seq(20))]);
    // A subscription by time opens when its read is done, and the answer comes before records.
    w.subscribe(7, early).unwrap();
    assert_eq!(w.said(), []);
    w.read_done(Ok(read(20, 21)));
    w.core.finish_turn(w.now);
    assert_eq!(w.said(), [Subscribed(Seq(20)), Push(7, Seq(20))]);
}

#[test]
fn a_reader_behind_memory_is_served_from_a_segment() {
    let mut w = world_with(options(), 0, 64 * 1024 * KIB as u64);
    w.put(0, 10);
    w.commit();
    w.write_behind();
    w.said();
    w.get(1, 3, 0);
    assert_eq!(w.said(), []);
    let job = w.read_done(Ok(read(3, 10)));
    assert_eq!(job.wanted.from, Seq(3));
    assert!(matches!(job.purpose, ReadPurpose::Get(_)));
    assert_eq!(w.said(), [Got(1, Seq(3), Seq(10))]);
    w.get(2, 3, 0);
    let [job] = <[ReadJob; 1]>::try_from(std::mem::take(&mut w.core.effects.reads)).unwrap();
    w.core.read_done(
        w.now,
        job.slot,
        job.purpose,
        Err(ReadFailure::Damaged("a bad sector".to_owned())),
    );
    assert_eq!(w.said(), [Failed(2, ErrorCode::InternalFailure)]);
}

#[test]
fn memory_is_freed_when_segments_have_it_and_puts_wait_while_they_lag() {
    let mut w = world_with(options(), 0, 256 * 1024 * KIB as u64);
    let mut puts = 0;
    while !w.core.is_behind() {
        w.try_put(puts, 1, 1000 * KIB).unwrap();
        w.commit();
        puts += 1;
    }
    assert_eq!(puts, 99, "puts of 1000 KiB are more than 96 MiB");
    assert_eq!(w.try_put(puts, 1, 1), Err(Full));
    assert!(w.core.log.resident_bytes() > 95 * 1024 * KIB, "unwritten batches stay");
    w.write_behind();
    assert_eq!(w.core.log.resident_bytes(), 0);
    w.try_put(puts, 1, 1).unwrap();
}

#[test]
fn a_full_ring_holds_commits_back_until_write_behind_has_synced() {
    // A file takes its checkpoint and one commit.
    let mut w = world_with(options(), usize::MAX, 8192);
    for correlation in 0..4 {
        w.put(correlation, 1);
        w.commit();
    }
    assert_eq!(w.said().len(), 4);
    w.put(4, 1);
    assert_eq!(w.core.begin_commit().unwrap_err(), NoCommit::RingFull);
    assert_eq!(w.said(), [], "not acknowledged");
    w.write_behind();
    assert_eq!(w.core.oldest_journal_file(), None);
    w.commit();
    assert_eq!(w.said(), [Put(4, 1, Ok(Seq(4)))]);
}

#[test]
fn a_steady_load_never_fills_the_ring_while_write_behind_keeps_up() {
    // 16 commits a file. Two shards get a record each for every commit, and write-behind has the
    // time for one piece of work a shard.
    let mut w = world_with(options(), usize::MAX, 16 * 4096);
    let bytes = batch(1, 20);
    let view = BatchView::check_client(&bytes).unwrap();
    for turn in 0..2000 {
        for number in [0, 1].map(ShardNumber) {
            let waiter = PutWaiter::new(ME, turn, None, w.now.mono);
            w.core.put(w.now, waiter, ShardKey { number, ..KEY }, &view).unwrap();
        }
        w.commit();
        assert!(w.core.log.is_idle(), "the ring is full at turn {turn}");
        for from in 0..2 {
            match w.core.next_work(w.now, from, false) {
                Some(Work::Write(slot, write)) => w.core.write_done(slot, &write),
                Some(Work::Sync(slot, _, end)) => w.core.sync_done(slot, end),
                Some(Work::Seal(slot, ..)) => w.core.seal_done(slot),
                None => {}
            }
        }
    }
}

#[test]
fn write_behind_takes_whole_pieces_until_the_shard_is_idle() {
    let mut w = world(options());
    w.try_put(0, 1, 100 * KIB).unwrap();
    w.commit();
    assert!(
        w.core.next_work(w.now, 0, false).is_none(),
        "less than a piece, and the shard is busy"
    );
    w.pass(1000);
    let Some(Work::Write(slot, write)) = w.core.next_work(w.now, 0, false) else { panic!() };
    w.core.write_done(slot, &write);
    assert!(w.core.next_work(w.now, 0, false).is_none(), "a flush of the device can wait");
    w.pass(29_000);
    let Some(Work::Sync(slot, _, end)) = w.core.next_work(w.now, 0, false) else { panic!() };
    w.core.sync_done(slot, end);
    assert_eq!((end, w.core.checkpoint()[slot.0 as usize].segment_seq), (Seq(1), Seq(1)));
    assert!(w.core.next_work(w.now, 0, false).is_none());
    w.try_put(1, 1, 300 * KIB).unwrap();
    w.commit();
    let Some(Work::Write(slot, write)) = w.core.next_work(w.now, 0, false) else { panic!() };
    w.core.write_done(slot, &write);
    assert!(w.core.next_work(w.now, 0, false).is_none(), "the rest is less than a piece");
}

#[test]
fn a_segment_is_sealed_by_age_although_records_keep_coming() {
    let mut w = world(options());
    w.put(0, 1);
    w.commit();
    w.write_behind();
    // Never idle, and every piece ends inside of a batch.
    let (mut pieces, mut sealed_at) = (0, None);
    for turn in 1..=7210 {
        w.pass(500);
        w.put(turn, 1);
        w.commit();
        match w.core.next_work(w.now, 0, false) {
            None => {}
            Some(Work::Write(slot, write)) => {
                w.core.write_done(slot, &write);
                pieces += 1;
            }
            Some(Work::Sync(slot, _, end)) => w.core.sync_done(slot, end),
            Some(Work::Seal(slot, ..)) => {
                w.core.seal_done(slot);
                sealed_at.get_or_insert(turn);
            }
        }
    }
    assert!(pieces > 3, "{pieces} pieces");
    assert!(sealed_at.is_some_and(|turn| (7200..7205).contains(&turn)), "{sealed_at:?}");
    w.write_behind();
    assert!(w.core.shards.iter().flatten().all(|shard| !shard.has_unwritten()));
}

#[test]
fn many_shards_with_less_than_a_piece_each_are_written_before_puts_wait_for_them() {
    let mut w = world_of(500, options(), 0, 1024 * 1024 * KIB as u64);
    let bytes = batch(1, 250 * KIB);
    let view = BatchView::check_client(&bytes).unwrap();
    for shard in (0..500).map(ShardNumber) {
        if w.core.is_behind() {
            break;
        }
        assert!(w.core.next_work(w.now, 0, false).is_none(), "{shard} has less than a piece");
        let key = ShardKey { number: shard, ..KEY };
        w.core.put(w.now, PutWaiter::new(ME, 1, None, w.now.mono), key, &view).unwrap();
        w.commit();
    }
    assert!(w.core.is_behind());
    while let Some(Work::Write(slot, write)) = w.core.next_work(w.now, 0, false) {
        w.core.write_done(slot, &write);
    }
    assert!(!w.core.is_behind(), "puts would wait although nothing else comes");
}

#[test]
fn a_deleted_stream_answers_everybody_and_frees_its_memory() {
    let mut w = world(options());
    w.put(1, 1);
    w.commit();
    w.subscribe(7, Position::Latest).unwrap();
    w.get(2, 1, 1000);
    w.said();
    w.put(3, 2);
    w.core.begin_commit().unwrap();
    w.put(4, 1);
    w.state.streams.get_mut("orders").unwrap().status = StreamStatus::Deleting;
    w.install();
    let gone = ErrorCode::ResourceNotFound;
    assert_eq!(w.said(), [Ended(7, gone), Failed(2, gone)]);
    w.core.advance(w.now);
    assert_eq!(w.said(), [Put(3, 2, Err(gone))]);
    w.commit();
    assert_eq!(w.said(), [Put(4, 1, Err(gone))]);
    w.put(5, 1);
    assert_eq!(w.said(), [Put(5, 1, Err(gone))]);
    assert!(w.core.subscribe_is_refused(&w.now));
    assert_eq!((w.core.by_key.len(), w.core.unwritten_bytes), (0, 0));
    w.core.trim_memory();
    w.write_behind();
}

impl Core {
    fn subscribe_is_refused(&mut self, now: &Now) -> bool {
        let new = NewSubscription { wire_id: 9, consumer: "c".to_owned(), credit: 1 };
        let refused = self.subscribe(*now, ME, 1, KEY, new, Position::Latest);
        refused.is_err_and(|error| error.code == ErrorCode::ResourceNotFound)
    }
}

#[test]
fn a_connection_that_goes_takes_its_requests_with_it() {
    let mut w = world(options());
    w.subscribe(7, Position::Latest).unwrap();
    w.get(1, 0, 1000);
    w.put(2, 1);
    w.said();
    w.core.session_closed(ME);
    w.commit();
    assert_eq!(w.said(), [Put(2, 1, Ok(Seq(0)))], "its put is stored; the answer finds nobody");
    assert_eq!(w.core.subscriptions.of_shard(ShardSlot(0)), 0);
}

#[test]
fn subscriptions_are_refused_for_bad_names_and_used_numbers() {
    let mut w = world(options());
    w.subscribe(7, Position::Latest).unwrap();
    assert_eq!(w.subscribe(7, Position::Latest).unwrap_err().code, ErrorCode::InvalidArgument);
    for consumer in ["", "two words", &"x".repeat(129)] {
        let consumer = consumer.to_owned();
        let new = NewSubscription { wire_id: 8, consumer, credit: 1 };
        let error = w.core.subscribe(w.now, ME, 1, KEY, new, Position::Latest).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
    }
    assert!(w.core.unsubscribe(ME, 1, 8).is_err());
    assert_eq!(w.core.subscriptions.of_shard(ShardSlot(0)), 1);
}
