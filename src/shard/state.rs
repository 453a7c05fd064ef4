//! One shard: its sequence, its watermarks, its recent batches.

use std::collections::VecDeque;

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, Seq, ShardKey, Term};
use crate::base::stream::{Durability, ShardLoad, StreamOptions};
use crate::log::segment_writer::{MemoryBatch, SegmentWrite};
use crate::quota::{ShardIn, ShardOut, TokenBucket};
use crate::record::Stamp;
use crate::shard::intake::Intake;
use crate::shard::marks::Marks;
use crate::shard::segments::{SegmentRead, Segments};
use crate::wire::shards::{ChildShard, ShardStats};

/// The four positions that order everything a shard does, all exclusive ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Records below are gone.
    pub trim: Seq,
    /// Records below are in segments, synced.
    pub segment: Seq,
    /// Records below are durable: acknowledged, visible.
    pub durable: Seq,
    /// Records below have a sequence.
    pub staged: Seq,
}

/// Where a reader finds the record that it wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadSource {
    /// It is not written yet.
    Tip,
    /// In memory.
    Tail,
    /// On disk.
    Segment(SegmentRead),
    /// Never: the shard is closed, and this is behind its last record.
    End,
}

/// What a shard is and what was chosen for it.
#[derive(Clone, Copy, Debug)]
pub struct ShardOf<'a> {
    /// Its identity.
    pub key: ShardKey,
    /// Its stream, for error texts.
    pub stream_name: &'a str,
    /// The account, for error texts.
    pub account: &'a str,
    /// What was chosen.
    pub options: StreamOptions,
    /// Records that arrived before are gone.
    pub retention_floor: Millis,
}

/// See the module.
#[derive(Debug)]
pub struct Shard {
    key: ShardKey,
    /// What it says when it refuses.
    throttled: Box<str>,
    options: StreamOptions,
    retention_floor: Millis,
    /// The shards that go on with its records, once it is closed.
    children: Option<Box<[ChildShard]>>,
    intake: Intake,
    term: Term,
    marks: Watermarks,
    last_arrival: Millis,
    tail: VecDeque<MemoryBatch>,
    /// The segments.
    pub segments: Segments,
    journal_marks: Marks,
    quota_in: ShardIn,
    /// What all gets together may take out.
    pub quota_out: ShardOut,
    /// How often an iterator may be asked for.
    quota_iterators: TokenBucket,
    sync_in_flight: bool,
}

impl Shard {
    /// A shard that continues at `durable`, everything before it in `segments`.
    #[must_use]
    pub fn new(
        of: ShardOf<'_>,
        term: Term,
        segments: Segments,
        last_arrival: Millis,
        now: Now,
    ) -> Shard {
        let ShardOf { key, stream_name, account, options, retention_floor } = of;
        let throttled = format!(
            "Rate exceeded for shard {} in stream {stream_name} under account {account}.",
            key.number
        );
        let durable = segments.writer.written();
        let marks =
            Watermarks { trim: segments.first(), segment: durable, durable, staged: durable };
        Shard {
            key,
            throttled: throttled.into(),
            options,
            retention_floor,
            children: None,
            intake: Intake::default(),
            term,
            marks,
            last_arrival,
            tail: VecDeque::new(),
            segments,
            journal_marks: Marks::default(),
            quota_in: ShardIn::new(&options.limits, now.mono),
            quota_out: ShardOut::shared(&options.limits, now.mono),
            quota_iterators: TokenBucket::new(options.limits.reads, 0, now.mono),
            sync_in_flight: false,
        }
    }

    /// Its identity.
    #[must_use]
    pub fn key(&self) -> ShardKey {
        self.key
    }

    /// What the stream promises.
    #[must_use]
    pub fn options(&self) -> &StreamOptions {
        &self.options
    }

    /// The watermarks.
    #[must_use]
    pub fn watermarks(&self) -> Watermarks {
        self.marks
    }

    /// When its newest record arrived.
    #[must_use]
    pub fn last_arrival(&self) -> Millis {
        self.last_arrival
    }

    /// Asserts the order of the watermarks and of what memory holds.
    pub fn invariants(&self) {
        let m = &self.marks;
        assert!(
            m.trim <= m.segment && m.segment <= m.durable && m.durable <= m.staged,
            "watermarks of {} are out of order: {m:?}",
            self.key
        );
        let written = self.segments.writer.written();
        assert!(m.segment <= written && written <= m.durable, "segments of {} lead", self.key);
        if let Some(first) = self.tail.front() {
            assert!(first.base <= written, "batches of {} left memory unwritten", self.key);
        }
    }

    /// Takes quota tokens for a batch.
    pub fn admit(&mut self, now: Now, records: u32, bytes: u32) -> Result<(), ApiError> {
        if self.is_closed() {
            // Cores stop sending before a shard closes; this is for whoever comes later.
            return Err(ApiError::internal(format!(
                "nothing was stored: shard {} has just been closed; send the records again",
                self.key.number
            )));
        }
        if self.quota_in.try_take(now.mono, records, u64::from(bytes)) {
            self.intake.took(now.mono, records, bytes);
            return Ok(());
        }
        self.intake.refused(records);
        Err(self.throttled())
    }

    /// Takes the token of an iterator (AWS: 5 a second).
    pub fn admit_iterator(&mut self, now: Now) -> Result<(), ApiError> {
        if self.quota_iterators.try_take(now.mono, 1) { Ok(()) } else { Err(self.throttled()) }
    }

    /// Takes the tokens of a get.
    pub fn admit_get(&mut self, now: Now) -> Result<(), ApiError> {
        if self.quota_out.try_start(now.mono) { Ok(()) } else { Err(self.throttled()) }
    }

    /// The error for whoever exceeds a rate of this shard.
    #[must_use]
    pub fn throttled(&self) -> ApiError {
        ApiError::new(ErrorCode::ProvisionedThroughputExceeded, &*self.throttled)
    }

    /// What was chosen has changed. What was already taken of a quota stays taken.
    pub fn set_options(&mut self, options: StreamOptions, retention_floor: Millis, now: Now) {
        if options.limits != self.options.limits {
            self.quota_in.set_limits(&options.limits, now.mono);
            self.quota_out.set_limits(&options.limits, now.mono);
            self.quota_iterators.set_limits(options.limits.reads, 0, now.mono);
        }
        if options.mode != self.options.mode {
            // What came before is no load of an on-demand stream.
            let _ = self.take_load();
        }
        self.options = options;
        self.retention_floor = retention_floor;
    }

    /// Takes no more records: all that it has are durable and end at `end`.
    pub fn close(&mut self, end: Seq, children: Vec<ChildShard>) {
        let m = &self.marks;
        assert!(
            m.staged == end && m.durable == end,
            "{} closes at {end} and not where its records end: {m:?}",
            self.key
        );
        self.children = Some(children.into());
    }

    /// Whether it takes no more records.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.children.is_some()
    }

    /// The shards that go on with its records; none while it is open.
    #[must_use]
    pub fn children(&self) -> &[ChildShard] {
        self.children.as_deref().unwrap_or_default()
    }

    /// What it has counted.
    #[must_use]
    pub fn stats(&mut self, now: Now) -> ShardStats {
        let (in_bytes_per_s, in_records_per_s) = self.intake.rates(now.mono);
        ShardStats {
            number: self.key.number,
            trim: self.marks.trim,
            end: self.marks.durable,
            bytes: self.segments.bytes() + self.unwritten_bytes(),
            in_bytes_per_s,
            in_records_per_s,
            throttled: self.intake.throttled_since_start(),
            last_arrival: self.last_arrival,
            subscriptions: 0,
        }
    }

    /// What it has taken in since the last call; `None` for nothing.
    pub fn take_load(&mut self) -> Option<ShardLoad> {
        self.intake.take_load(self.key)
    }

    /// Gives the next `count` records their sequence and arrival time. They must be staged now.
    pub fn sequence(&mut self, now: Millis, count: u32) -> Stamp {
        // The wall clock may step back; arrival times never do.
        self.last_arrival = self.last_arrival.max(now);
        let base = self.marks.staged;
        self.marks.staged = base.plus(u64::from(count));
        Stamp { shard: self.key, term: self.term, base, arrival: self.last_arrival }
    }

    /// Whether puts wait for stable storage.
    #[must_use]
    pub fn needs_sync(&self) -> bool {
        self.options.durability == Durability::Durable
    }

    /// A batch is durable, in journal file `generation`: it joins the tail.
    pub fn durable(&mut self, batch: MemoryBatch, generation: u64) {
        assert_eq!(batch.base, self.marks.durable, "{} becomes durable in order", self.key);
        self.marks.durable = batch.end();
        self.journal_marks.wrote(generation, batch.end());
        self.tail.push_back(batch);
        debug_assert!(self.marks.durable <= self.marks.staged);
    }

    /// The oldest journal file with records that no segment holds for certain.
    #[must_use]
    pub fn oldest_journal_file(&self) -> Option<u64> {
        self.journal_marks.oldest().map(|(generation, _)| generation)
    }

    /// Whether a sync of what is written would free the oldest journal file of this shard.
    #[must_use]
    pub fn sync_frees_journal_file(&self) -> bool {
        self.can_sync() && self.journal_marks.oldest().is_some_and(|(_, end)| self.has_written(end))
    }

    /// Where the record `seq` is.
    #[must_use]
    pub fn source(&self, seq: Seq) -> ReadSource {
        if seq >= self.marks.durable {
            return if self.is_closed() { ReadSource::End } else { ReadSource::Tip };
        }
        if self.tail.front().is_some_and(|first| first.base <= seq) {
            return ReadSource::Tail;
        }
        let read = self.segments.locate(seq).expect("what is not in memory is in a segment");
        ReadSource::Segment(read)
    }

    /// The batches in memory that hold `seq` and what follows.
    pub fn tail_from(&self, seq: Seq) -> impl Iterator<Item = &MemoryBatch> {
        let first = self.tail.partition_point(|batch| batch.end() <= seq);
        self.tail.range(first..)
    }

    /// Whether segments have everything below `end`.
    #[must_use]
    pub fn has_written(&self, end: Seq) -> bool {
        end <= self.segments.writer.written()
    }

    /// Drops the oldest batch from memory.
    pub fn evict_oldest(&mut self) {
        let batch = self.tail.pop_front().expect("an evicted commit's batches are in memory");
        assert!(self.has_written(batch.end()), "a batch leaves memory when a segment has it");
    }

    /// Durable bytes that no segment holds yet.
    #[must_use]
    pub fn unwritten_bytes(&self) -> u64 {
        self.unwritten().map(|batch| u64::from(batch.bytes)).sum()
    }

    /// Whether at least so many durable bytes wait for write-behind.
    #[must_use]
    pub fn unwritten_bytes_reach(&self, bytes: u64) -> bool {
        // Of the first batch, a part may be in the segment already.
        let bytes = bytes + self.segments.writer.written_of_next();
        let mut sum = 0;
        self.unwritten().any(|batch| {
            sum += u64::from(batch.bytes);
            sum >= bytes
        })
    }

    fn unwritten(&self) -> impl Iterator<Item = &MemoryBatch> {
        self.tail_from(self.segments.writer.written())
    }

    /// Whether durable records wait for write-behind.
    #[must_use]
    pub fn has_unwritten(&self) -> bool {
        self.segments.writer.written() < self.marks.durable
    }

    /// The next piece of write-behind.
    pub fn plan_segment_write(&mut self, now: Millis, piece_bytes: usize) -> Option<SegmentWrite> {
        let written = self.segments.writer.written();
        let first = self.tail.partition_point(|batch| batch.end() <= written);
        self.segments.writer.plan(now, piece_bytes, self.tail.range(first..))
    }

    /// Whether completed writes wait for a sync, and none is running.
    #[must_use]
    pub fn can_sync(&self) -> bool {
        !self.sync_in_flight && self.segments.writer.unsynced_bytes() > 0
    }

    /// A sync of the newest segment starts: returns what it will cover.
    pub fn begin_sync(&mut self) -> Seq {
        self.sync_in_flight = true;
        self.segments.writer.synced();
        self.segments.writer.written()
    }

    /// The sync that covers everything below `synced` is done.
    pub fn complete_sync(&mut self, synced: Seq) {
        self.sync_in_flight = false;
        self.marks.segment = self.marks.segment.max(synced);
        self.journal_marks.synced(synced);
        self.invariants();
    }

    /// The time before which records are expired.
    #[must_use]
    pub fn retention_cutoff(&self, now: Millis) -> Millis {
        let retained = u64::from(self.options.retention_hours) * 3_600_000;
        Millis(now.0.saturating_sub(retained)).max(self.retention_floor)
    }

    /// Drops a whole expired segment, if there is one: its base, for the files to be removed.
    pub fn expire_segment(&mut self, now: Millis) -> Option<Seq> {
        let base = self.segments.expire(self.retention_cutoff(now))?;
        self.marks.trim = self.marks.trim.max(self.segments.first());
        Some(base)
    }

    /// How far a reader is behind the newest record, in ms: `seq` is the next that it gets,
    /// `arrival` that of the last that it got. 0 at the tip only: readers take it for the end of
    /// what there is. Records of the same batch or millisecond are 1 ms behind.
    #[must_use]
    pub fn behind_ms(&self, seq: Seq, arrival: Millis) -> u64 {
        if seq >= self.marks.durable { 0 } else { self.last_arrival.since(arrival).max(1) }
    }
}
