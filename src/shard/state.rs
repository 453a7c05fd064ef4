//! One shard: its sequence, its watermarks, its recent batches.

use std::collections::VecDeque;

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, Seq, ShardKey, Term};
use crate::base::stream::{Durability, StreamOptions};
use crate::log::segment_writer::{MemoryBatch, SegmentWrite};
use crate::quota::{ShardIn, ShardOut};
use crate::record::Stamp;
use crate::shard::marks::Marks;
use crate::shard::segments::{SegmentRead, Segments};

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
}

/// See the module.
#[derive(Debug)]
pub struct Shard {
    key: ShardKey,
    stream_name: String,
    options: StreamOptions,
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
    sync_in_flight: bool,
}

impl Shard {
    /// A shard that continues at `durable`, everything before it in `segments`.
    #[must_use]
    pub fn new(
        key: ShardKey,
        stream_name: &str,
        options: StreamOptions,
        term: Term,
        segments: Segments,
        last_arrival: Millis,
        now: Now,
    ) -> Shard {
        let durable = segments.writer.written();
        let marks =
            Watermarks { trim: segments.first(), segment: durable, durable, staged: durable };
        Shard {
            key,
            stream_name: stream_name.to_owned(),
            options,
            term,
            marks,
            last_arrival,
            tail: VecDeque::new(),
            segments,
            journal_marks: Marks::default(),
            quota_in: ShardIn::new(&options.limits, now.mono),
            quota_out: ShardOut::shared(&options.limits, now.mono),
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
        if self.quota_in.try_take(now.mono, records, u64::from(bytes)) {
            return Ok(());
        }
        Err(ApiError::new(
            ErrorCode::ProvisionedThroughputExceeded,
            format!(
                "Rate exceeded for shard {} in stream {} under account 000000000000.",
                self.key.number, self.stream_name
            ),
        ))
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
        self.journal_marks.oldest()
    }

    /// Where the record `seq` is.
    #[must_use]
    pub fn source(&self, seq: Seq) -> ReadSource {
        if seq >= self.marks.durable {
            return ReadSource::Tip;
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

    /// Whether a sync now would free the oldest journal file that the shard needs.
    #[must_use]
    pub fn sync_frees_journal(&self) -> bool {
        self.journal_marks.oldest_end().is_some_and(|end| end <= self.segments.writer.written())
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
        Millis(now.0.saturating_sub(u64::from(self.options.retention_hours) * 3_600_000))
    }

    /// Drops a whole expired segment, if there is one: its base, for the files to be removed.
    pub fn expire_segment(&mut self, now: Millis) -> Option<Seq> {
        let base = self.segments.expire(self.retention_cutoff(now))?;
        self.marks.trim = self.marks.trim.max(self.segments.first());
        Some(base)
    }

    /// How far a reader at `seq` is behind the newest record, in ms.
    #[must_use]
    pub fn behind_ms(&self, seq: Seq, arrival: Millis) -> u64 {
        if seq >= self.marks.durable { 0 } else { self.last_arrival.since(arrival) }
    }
}
