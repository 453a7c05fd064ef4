//! Random histories of a stream through hours and days: what is retained can be read, to the
//! record, from memory and from segments; what is older cannot; and closed shards go with it.
//!
//! The files of the segments are in memory here, and time is what the test says.

use std::collections::BTreeMap;

use super::reshard::{CORES, Cores};
use super::*;
use crate::base::rng::SplitMix64;
use crate::catalog::decide::{self, Cause};
use crate::catalog::{Event, Passing, Rules};
use crate::disk::dma::Chunk;
use crate::log::reader::{Selection, select};
use crate::record::{BatchHeader, HashKey, HashRange};
use crate::wire::alter::{Direction, StreamChange};
use crate::wire::reshard::Reshard;
use crate::wire::shards::{ShardDescription, ShardFilter};

const HOUR: u64 = 3_600_000;
const KEYS: u64 = 24;
/// Open shards at most.
const OPEN_MAX: u32 = 8;

/// A record that was acknowledged: which put and hash key, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    put: u64,
    key: HashKey,
    arrival: Millis,
}

/// A shard as the test knows it. It never forgets one.
#[derive(Clone, Debug)]
struct Expected {
    range: HashRange,
    parents: Vec<ShardNumber>,
    closed_at: Option<Millis>,
    /// By sequence.
    records: Vec<Stored>,
}

/// What was read of a shard.
#[derive(Debug)]
struct Got {
    first: Seq,
    end: Seq,
    records: Vec<(u64, HashKey)>,
    /// `None` if the shard goes on.
    children: Option<Vec<ShardNumber>>,
}

struct History {
    w: Cores,
    random: SplitMix64,
    disk: BTreeMap<PathBuf, Vec<u8>>,
    /// By number.
    shards: Vec<Expected>,
    puts: u64,
    hours: u32,
    floor: Millis,
    correlation: u64,
    /// What happened, so that the test itself does not test nothing.
    reads_of_segments: u64,
    shards_gone: u64,
    files_gone: u64,
}

impl History {
    fn new(seed: u64) -> History {
        let mut random = SplitMix64::new(seed);
        let shards = 1 + random.below(3) as u32;
        // Half of the histories read from segments what is written, the others from memory.
        let tail_bytes = [0, usize::MAX][random.below(2) as usize];
        let mut w = Cores::with_tail(shards, tail_bytes);
        let consumer = ConsumerRecord { created: WALL, tags: BTreeMap::new(), policy: None };
        w.state.streams.get_mut("orders").unwrap().consumers.insert("c".to_owned(), consumer);
        let hours = w.state.streams["orders"].options.retention_hours;
        let expected =
            |range| Expected { range, parents: Vec::new(), closed_at: None, records: Vec::new() };
        let shards = HashRange::split_evenly(shards).into_iter().map(expected).collect();
        let mut history = History {
            w,
            random,
            disk: BTreeMap::new(),
            shards,
            puts: 0,
            hours,
            floor: Millis(0),
            correlation: 1 << 32,
            reads_of_segments: 0,
            shards_gone: 0,
            files_gone: 0,
        };
        history.spread();
        history
    }

    fn step(&mut self) {
        match self.random.below(20) {
            0..7 => self.put(),
            7..10 => self.pass(),
            10 | 11 => self.write_behind(false),
            12 => self.write_behind(true),
            13..16 => self.reshard(),
            16 => self.change_retention(),
            17 | 18 => self.look_after_shards(),
            _ => self.check(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound as u64) as usize
    }

    fn now(&self) -> Millis {
        self.w.now.wall
    }

    /// The oldest arrival that is still retained, by the test's own count.
    fn cutoff(&self) -> Millis {
        Millis(self.now().0 - u64::from(self.hours) * HOUR).max(self.floor)
    }

    /// A put that is not answered yet.
    fn send(&mut self) -> (u64, Vec<HashKey>) {
        self.puts += 1;
        let (put, core) = (self.puts, self.random.below(u64::from(CORES)) as u16);
        let mut keys: Vec<HashKey> = (0..1 + self.random.below(4))
            .map(|_| HashKey((u128::MAX / u128::from(KEYS)) * u128::from(self.random.below(KEYS))))
            .collect();
        keys.dedup();
        let raw: Vec<u128> = keys.iter().map(|key| key.0).collect();
        self.w.put(core, put, ShardNumber::ANY, &raw);
        (put, keys)
    }

    /// Takes the answers to puts, and notes where their records are.
    fn stored(&mut self, puts: Vec<(u64, Vec<HashKey>)>) {
        self.w.settle();
        let (arrival, mut places) = (self.now(), BTreeMap::new());
        let mut answers = self.answers();
        for (put, keys) in puts {
            let of_put = answers.remove(&put).expect("each put is answered");
            assert_eq!(of_put.len(), keys.len());
            for (key, (shard, seq)) in keys.into_iter().zip(of_put) {
                let owner = &self.shards[shard.0 as usize];
                assert!(owner.closed_at.is_none() && owner.range.contains(key), "put {put}");
                let before = places.insert((shard, seq), Stored { put, key, arrival });
                assert_eq!(before, None, "two records are at {seq} of {shard}");
            }
        }
        assert!(answers.is_empty(), "puts are answered once");
        for ((shard, seq), record) in places {
            let records = &mut self.shards[shard.0 as usize].records;
            assert_eq!(seq.0, records.len() as u64, "positions of {shard} are dense");
            records.push(record);
        }
    }

    /// For each put that was answered, where each of its records is.
    fn answers(&mut self) -> BTreeMap<u64, Vec<(ShardNumber, Seq)>> {
        let effects = self.w.cores.iter_mut().flat_map(|core| core.effects.list.drain(..));
        let mut answers = BTreeMap::new();
        for effect in effects {
            let (put, mut runs, run_of) = match effect {
                Effect::PutDone { correlation, run, .. } => {
                    (correlation, vec![run], vec![0; run.count as usize])
                }
                Effect::PutInPartsDone { correlation, runs, run_of, .. } => {
                    (correlation, runs, run_of)
                }
                other => panic!("{other:?}"),
            };
            let place = |run: u16| {
                let run = &mut runs[usize::from(run)];
                let seq = run.outcome.expect("nothing is refused");
                run.outcome = Ok(seq.plus(1));
                (run.shard, seq)
            };
            let before = answers.insert(put, run_of.into_iter().map(place).collect());
            assert_eq!(before, None, "put {put} is answered once");
        }
        answers
    }

    fn put(&mut self) {
        let put = self.send();
        self.stored(vec![put]);
    }

    /// Time passes: some of it, or just so much that the oldest record is retained, or not.
    fn pass(&mut self) {
        let ms = match self.random.below(4) {
            0 => self.random.below(5000),
            1 => self.random.below(3 * HOUR),
            2 => self.random.below(20 * HOUR),
            _ => {
                let cutoff = self.cutoff();
                let all = self.shards.iter().flat_map(|shard| &shard.records);
                let oldest = all.map(|r| r.arrival).filter(|at| *at >= cutoff).min();
                oldest.map_or(1, |at| at.since(cutoff) + self.random.below(2))
            }
        };
        self.w.now.wall.0 += ms;
        self.w.now.mono += Duration::from_millis(ms);
    }

    /// Some or all of the write-behind that is due. `drain`: all that there can be.
    fn write_behind(&mut self, drain: bool) {
        let mut left = if drain { u64::MAX } else { self.random.below(12) };
        for core in &mut self.w.cores {
            while left > 0
                && let Some(work) = core.next_work(self.w.now, 0, drain)
            {
                left -= 1;
                match work {
                    Work::Write(slot, write) => {
                        let file = self.disk.entry(write.path.clone()).or_default();
                        let end = write.offset as usize + write.buffer.len();
                        file.resize(file.len().max(end), 0);
                        file[write.offset as usize..end].copy_from_slice(&write.buffer);
                        core.write_done(slot, &write);
                    }
                    Work::Sync(slot, _, end) => core.sync_done(slot, end),
                    Work::Seal(slot, path, index) => {
                        self.disk.insert(path, index);
                        core.seal_done(slot);
                    }
                }
            }
        }
    }

    /// What core 0 does once a second, and every core with its own files.
    fn look_after_shards(&mut self) {
        for event in decide::expire_shards(&self.w.state, self.now()) {
            let Event::ShardsExpired { ref shards, .. } = event else { panic!("{event:?}") };
            let dirs: Vec<String> = shards.iter().map(|n| format!("/{:012}/", n.0)).collect();
            self.shards_gone += shards.len() as u64;
            self.apply(&event);
            self.disk.retain(|path, _| {
                let path = path.to_string_lossy();
                !dirs.iter().any(|dir| path.contains(dir))
            });
        }
        for core in &mut self.w.cores {
            for file in core.expired_files(self.w.now) {
                // The index of a segment that was never sealed is not there.
                self.files_gone += u64::from(self.disk.remove(&file).is_some());
            }
        }
        let cutoff = self.cutoff();
        let kept: Vec<ShardNumber> =
            self.w.state.streams["orders"].shards.iter().map(|shard| shard.number).collect();
        assert_eq!(kept, self.listed(cutoff), "what is left of the shards");
    }

    /// The shards that are open, or were closed at this time or later.
    fn listed(&self, since: Millis) -> Vec<ShardNumber> {
        let shards = (0..).map(ShardNumber).zip(&self.shards);
        let listed = shards.filter(|(_, s)| s.closed_at.is_none_or(|at| at >= since));
        listed.map(|(number, _)| number).collect()
    }

    /// An event of the catalog, and what every core sees of it.
    fn apply(&mut self, event: &Event) {
        self.w.state.apply(event);
        self.spread();
    }

    fn spread(&mut self) {
        self.w.next_view();
        (0..CORES).for_each(|core| self.w.install(core));
    }

    /// A split, merge or scaling, with puts that come while shards close.
    fn reshard(&mut self) {
        let reshard = self.any_reshard();
        let (rules, now) = (Rules::default(), self.now());
        let by = Cause::Request;
        let planned = decide::plan_reshard(&self.w.state, &rules, "orders", &reshard, by, now);
        let plan = planned.expect("it is allowed");
        if plan.is_empty() {
            return;
        }
        self.w.drained.clear();
        self.w.passing.closing.extend(plan.parent_keys());
        self.w.next_view();
        (0..CORES).for_each(|core| self.w.install(core));
        let mut puts = Vec::new();
        for _ in 0..self.random.below(3) {
            puts.push(self.send());
        }
        self.w.settle();
        let ends = self.w.drained.clone();
        // Puts for shards that stay open are stored before, but are noted with the others: each
        // shard has them in their order either way.
        let event = decide::reshard(&plan, &ends, &self.w.state, now);
        let Event::Resharded { at, ref parents, ref children, .. } = event else { panic!() };
        for (number, end) in parents {
            let parent = &mut self.shards[number.0 as usize];
            assert_eq!(end.0, parent.records.len() as u64, "shard {number} ends behind its last");
            parent.closed_at = Some(at);
        }
        for child in children {
            let number = child.number.0 as usize;
            assert_eq!(number, self.shards.len(), "numbers are never used again");
            self.shards.push(Expected {
                range: child.range,
                parents: [Some(child.parent), child.adjacent_parent]
                    .into_iter()
                    .flatten()
                    .collect(),
                closed_at: (!child.open).then_some(at),
                records: Vec::new(),
            });
        }
        self.w.passing = Passing::default();
        let before = self.w.view.by_uuid(UUID).expect("it exists").clone();
        self.w.passing.before.insert(UUID, before);
        self.apply(&event);
        // All cores know the new shards: now readers are told of them.
        self.w.passing.before.clear();
        self.spread();
        self.stored(puts);
    }

    fn any_reshard(&mut self) -> Reshard {
        let shards = (0..).map(ShardNumber).zip(&self.shards);
        let open = shards.filter(|(_, shard)| shard.closed_at.is_none());
        let mut open: Vec<_> = open.map(|(number, shard)| (shard.range.start, number)).collect();
        open.sort();
        let count = open.len() as u32;
        match self.random.below(3) {
            0 if count < OPEN_MAX => {
                Reshard::Split { shard: open[self.below(open.len())].1, at: None }
            }
            1 if count > 1 => {
                let at = self.below(open.len() - 1);
                Reshard::Merge { shard: open[at].1, adjacent: open[at + 1].1 }
            }
            _ => {
                let (low, high) = (count.div_ceil(2), (2 * count).min(OPEN_MAX));
                Reshard::Scale { target: low + self.random.below(u64::from(high - low + 1)) as u32 }
            }
        }
    }

    /// What has expired stays gone when the retention grows.
    fn change_retention(&mut self) {
        let hours = 1 + self.random.below(48) as u32;
        let change = StreamChange::Retention { hours, direction: Direction::Any };
        let (rules, now) = (Rules::default(), self.now());
        let event = decide::alter_stream(&self.w.state, &rules, "orders", &change, now).unwrap();
        assert_eq!(event.is_some(), hours != self.hours);
        if let Some(event) = event {
            self.floor = self.cutoff();
            self.hours = hours;
            self.apply(&event);
        }
    }

    /// Everything that is promised of every shard now.
    fn check(&mut self) {
        let (cutoff, now) = (self.cutoff(), self.now());
        let view = self.w.view.clone();
        let stream = view.by_uuid(UUID).unwrap();
        let list = |filter| stream.list_shards(filter, None, 10_000, now).unwrap().shards;
        let listing: Vec<ShardDescription> = list(ShardFilter::FromTrimHorizon);
        let numbers: Vec<ShardNumber> = listing.iter().map(|shard| shard.number).collect();
        assert_eq!(numbers, self.listed(cutoff), "listed from {cutoff:?} on");
        for (number, shard) in (0..).map(ShardNumber).zip(&self.shards) {
            let retained = shard.records.iter().any(|record| record.arrival >= cutoff);
            assert!(!retained || numbers.contains(&number), "{number} went before its records");
        }
        for (number, expected) in (0..).map(ShardNumber).zip(self.shards.clone()) {
            if stream.shard(number).is_none() {
                let gone = self.read(number, Position::TrimHorizon).unwrap_err();
                assert_eq!(gone.code, ErrorCode::ResourceNotFound, "{gone}");
                continue;
            }
            let got = self.read(number, Position::TrimHorizon).unwrap();
            self.check_read(number, &expected, &got, |record| record.arrival >= cutoff);
            let got = self.subscribe(number, Position::TrimHorizon);
            self.check_read(number, &expected, &got, |record| record.arrival >= cutoff);
            let time = Millis(now.0 - self.random.below(60 * HOUR));
            let got = self.read(number, Position::AtTimestamp(time)).unwrap();
            let from = time.max(cutoff);
            self.check_read(number, &expected, &got, |record| record.arrival >= from);
            if !expected.records.is_empty() {
                let from = self.below(expected.records.len());
                let got = self.read(number, Position::AtSequence(Seq(from as u64))).unwrap();
                let kept = &expected.records[from..];
                let expected = Expected { records: kept.to_vec(), ..expected };
                self.check_read(number, &expected, &got, |record| record.arrival >= cutoff);
            }
        }
    }

    /// Holds what was read of a shard against those of its records that are `wanted`.
    fn check_read(
        &self,
        number: ShardNumber,
        expected: &Expected,
        got: &Got,
        wanted: impl Fn(&Stored) -> bool,
    ) {
        let end = self.shards[number.0 as usize].records.len() as u64;
        let wanted: Vec<_> =
            expected.records.iter().filter(|r| wanted(r)).map(|r| (r.put, r.key)).collect();
        assert_eq!(got.records, wanted, "shard {number} at {:?}", self.now());
        assert_eq!((got.end, got.end.since(got.first)), (Seq(end), wanted.len() as u64));
        let children = (0..).map(ShardNumber).zip(&self.shards);
        let children = children.filter(|(_, shard)| shard.parents.contains(&number));
        let children: Vec<ShardNumber> = children.map(|(child, _)| child).collect();
        let closed = expected.closed_at.is_some();
        assert_eq!(got.children, closed.then_some(children), "what follows shard {number}");
    }

    /// Reads a shard from a position to its end, with gets of any size.
    fn read(&mut self, number: ShardNumber, position: Position) -> Result<Got, ApiError> {
        self.correlation += 1;
        let (correlation, now) = (self.correlation, self.w.now);
        let key = ShardKey { stream: UUID, number };
        let home = crate::base::ids::home_core(key, CORES).0;
        self.core(home).get_iterator(now, ME, correlation, key, position)?;
        let (effect, _) = self.answer(home);
        let Effect::IteratorDone { iterator, .. } = effect else { panic!("{effect:?}") };
        let opened = self.core(home).iterator_key().open(&iterator, now.wall);
        let mut from = opened.unwrap().position;
        let mut all = Got { first: Seq(u64::MAX), end: from, records: Vec::new(), children: None };
        loop {
            let limit = [1, 3, 10_000][self.below(3)];
            let limits = GetLimits { limit, bytes_max: u32::MAX, wait_ms: 0 };
            self.core(home).get(now, ME, correlation, key, from, limits)?;
            let (effect, bytes) = self.answer(home);
            let Effect::GetDone { iterator, children, first, end, .. } = effect else {
                panic!("{effect:?}")
            };
            if all.records.is_empty() {
                // What has expired is passed over.
                all.first = first;
            }
            assert!(first >= from && end >= first && end.since(first) <= u64::from(limit));
            assert!(all.records.is_empty() || first == from, "a gap in shard {number}");
            let reached = add_records(&bytes, first, end, &mut all.records);
            assert_eq!(reached, end, "an answer has what it says");
            (all.end, from) = (end, end);
            let at_tip = end.0 == self.shards[number.0 as usize].records.len() as u64;
            match iterator {
                Some(_) => {
                    assert!(children.is_empty());
                    if at_tip {
                        return Ok(all);
                    }
                }
                None => {
                    all.children = Some(children.iter().map(|child| child.number).collect());
                    return Ok(all);
                }
            }
        }
    }

    /// Reads a shard by a subscription, which ends when nothing more comes.
    fn subscribe(&mut self, number: ShardNumber, position: Position) -> Got {
        self.correlation += 1;
        let (correlation, now) = (self.correlation, self.w.now);
        let key = ShardKey { stream: UUID, number };
        let home = crate::base::ids::home_core(key, CORES).0;
        let consumer = "c".to_owned();
        let new = NewSubscription { wire_id: 1, consumer, credit: u64::MAX };
        self.core(home).subscribe(now, ME, correlation, key, new, position).unwrap();
        let end = Seq(0);
        let mut all = Got { first: Seq(u64::MAX), end, records: Vec::new(), children: None };
        loop {
            self.core(home).finish_turn(now);
            let effects = std::mem::take(&mut self.core(home).effects);
            if effects.list.is_empty() && effects.reads.is_empty() {
                break;
            }
            for effect in &effects.list {
                match effect {
                    Effect::Subscribed { start, .. } => (all.first, all.end) = (*start, *start),
                    Effect::Push { first, chunks, .. } => {
                        if all.records.is_empty() {
                            // What has expired is passed over.
                            (all.first, all.end) = (*first, *first);
                        }
                        assert_eq!(*first, all.end, "a gap in shard {number}");
                        let bytes: Vec<u8> = effects
                            .chunks(*chunks)
                            .iter()
                            .flat_map(|chunk| chunk.to_vec())
                            .collect();
                        all.end = add_records(&bytes, *first, Seq::MAX, &mut all.records);
                    }
                    Effect::ShardEnded { end, children, .. } => {
                        if all.records.is_empty() {
                            (all.first, all.end) = (*end, *end);
                        }
                        assert_eq!(*end, all.end, "where shard {number} ends");
                        all.children = Some(children.iter().map(|child| child.number).collect());
                    }
                    other => panic!("{other:?}"),
                }
            }
            for job in effects.reads {
                let outcome = self.read_file(&job);
                self.core(home).read_done(now, job.slot, job.purpose, outcome);
            }
        }
        if all.children.is_none() {
            self.core(home).unsubscribe(ME, correlation, 1).unwrap();
            self.core(home).effects.clear();
        }
        if all.records.is_empty() {
            // Nothing says how far it has passed over what has expired.
            let end = Seq(self.shards[number.0 as usize].records.len() as u64);
            (all.first, all.end) = (end, end);
        }
        all
    }

    fn core(&mut self, core: u16) -> &mut Core {
        &mut self.w.cores[usize::from(core)]
    }

    /// The one answer of a core, and the bytes that come with it, after all reads that it needs.
    fn answer(&mut self, core: u16) -> (Effect, Vec<u8>) {
        loop {
            let now = self.w.now;
            let mut effects = std::mem::take(&mut self.core(core).effects);
            if let Some(job) = effects.reads.pop() {
                assert!(effects.list.is_empty() && effects.reads.is_empty());
                let outcome = self.read_file(&job);
                self.core(core).read_done(now, job.slot, job.purpose, outcome);
                continue;
            }
            let [effect] = <[Effect; 1]>::try_from(std::mem::take(&mut effects.list)).unwrap();
            let bytes = match &effect {
                Effect::GetDone { chunks, .. } => {
                    effects.chunks(*chunks).iter().flat_map(|chunk| chunk.to_vec()).collect()
                }
                _ => Vec::new(),
            };
            return (effect, bytes);
        }
    }

    fn read_file(&mut self, job: &ReadJob) -> Result<Result<ReadBatches, Seq>, ReadFailure> {
        self.reads_of_segments += 1;
        let place = &job.place;
        let Some(file) = self.disk.get(&place.path) else {
            return Err(ReadFailure::Missing { file: place.path.clone(), end: place.end });
        };
        let bytes = &file[place.offset as usize..place.end_offset as usize];
        match select(bytes, &job.wanted).unwrap() {
            Selection::Found { start, end, first, next, arrival } => {
                let mut buffer = WriteBuf::alloc(end - start);
                buffer.bytes_mut()[..end - start].copy_from_slice(&bytes[start..end]);
                let whole = buffer.bytes().len();
                let chunk = Chunk::written(buffer.freeze(whole), 0, end - start);
                Ok(Ok(ReadBatches { chunk, first, next, arrival }))
            }
            Selection::Nothing => Ok(Err(place.end)),
            Selection::NeedMore { .. } => panic!("{:?} ends inside of a batch", place.path),
        }
    }
}

/// The records `first .. end` of some batches, or up to where these end. Says where that is.
fn add_records(mut bytes: &[u8], first: Seq, end: Seq, records: &mut Vec<(u64, HashKey)>) -> Seq {
    let mut next = first;
    while !bytes.is_empty() {
        let header = BatchHeader::decode_stamped(bytes).unwrap();
        let (batch, rest) = bytes.split_at(header.batch_bytes());
        for record in BatchView::check_stamped(batch).unwrap().records() {
            if record.seq >= first && record.seq < end {
                assert_eq!(record.seq, next, "records of an answer are dense");
                next = next.plus(1);
                let put = u64::from_le_bytes(record.data.try_into().unwrap());
                records.push((put, record.explicit_hash_key.unwrap()));
            }
        }
        bytes = rest;
    }
    next
}

/// Histories: 24, or SHARDWAY_TEST_HISTORY_ROUNDS.
fn rounds() -> u64 {
    let given = std::env::var("SHARDWAY_TEST_HISTORY_ROUNDS").ok();
    given.map_or(24, |text| text.parse().expect("a number of histories"))
}

#[test]
#[allow(clippy::print_stdout, reason = "the last seed is the one that has failed")]
fn through_days_of_changes_what_is_retained_is_read_to_the_record_and_nothing_older() {
    let (mut reads, mut shards, mut files) = (0, 0, 0);
    let rounds = rounds();
    for seed in 0..rounds {
        println!("seed {seed}");
        let mut history = History::new(seed);
        for _ in 0..150 {
            history.step();
        }
        history.check();
        history.look_after_shards();
        history.check();
        reads += history.reads_of_segments;
        shards += history.shards_gone;
        files += history.files_gone;
    }
    println!("{reads} reads of segments; {shards} shards and {files} files have expired");
    assert!(reads > 40 * rounds && shards > 10 * rounds && files > 2 * rounds);
}
