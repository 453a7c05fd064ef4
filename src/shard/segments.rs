//! The segments of a shard: sealed ones, and the one that is written.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::base::aligned::round_down;
use crate::base::ids::{Millis, Seq};
use crate::base::limits::CATCH_UP_READ_BYTES;
use crate::log::index::{IndexEntry, SegmentIndex};
use crate::log::layout;
use crate::log::segment_header::SEGMENT_HEADER_BYTES;
use crate::log::segment_writer::{SealedSegment, SegmentWriter};

/// A place to read batches from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRead {
    /// The file.
    pub path: PathBuf,
    /// A batch starts here, at or before the one that is wanted.
    pub offset: u64,
    /// Batches end here.
    pub end_offset: u64,
    /// The first sequence behind this segment.
    pub end: Seq,
}

/// See the module.
#[derive(Debug)]
pub struct Segments {
    sealed: VecDeque<SegmentIndex>,
    /// The newest segment.
    pub writer: SegmentWriter,
}

impl Segments {
    /// Segments found at boot, oldest first, and the writer that continues behind them.
    #[must_use]
    pub fn new(sealed: Vec<SegmentIndex>, writer: SegmentWriter) -> Segments {
        Segments { sealed: sealed.into(), writer }
    }

    /// The oldest sequence that any segment holds.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.sealed.front().unwrap_or(self.writer.index()).base()
    }

    /// Seals the newest segment and starts the next.
    pub fn seal(&mut self) -> SealedSegment {
        let sealed = self.writer.seal();
        self.sealed.push_back(sealed.index.clone());
        sealed
    }

    /// Takes the oldest sealed segment off when all of it arrived before `cutoff`, and returns
    /// its base: its files may be removed.
    pub fn expire(&mut self, cutoff: Millis) -> Option<Seq> {
        // The names of the segments are where a shard's position is kept: one of them stays.
        if self.sealed.len() == 1 && !self.writer.is_created() {
            return None;
        }
        let expired = self.sealed.front()?.last_arrival() < cutoff;
        expired.then(|| self.sealed.pop_front().expect("it was just seen").base())
    }

    /// Files of a segment: data and index.
    #[must_use]
    pub fn files(&self, base: Seq) -> [PathBuf; 2] {
        let dir = self.writer.dir();
        [layout::segment_file(dir, base), layout::index_file(dir, base)]
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.all().map(SegmentIndex::end_offset).sum()
    }

    /// Number of sealed segments.
    #[must_use]
    pub fn sealed_len(&self) -> usize {
        self.sealed.len()
    }

    /// Where to read `seq`, or the oldest record if it is gone. `None` if no segment has it yet.
    #[must_use]
    pub fn locate(&self, seq: Seq) -> Option<SegmentRead> {
        let index = self.all().find(|index| seq < index.end())?;
        Some(self.read_from(index, index.at_or_before(seq)))
    }

    /// Where to look for the first batch that arrived at `time` or later. `None` if every written
    /// batch is older.
    #[must_use]
    pub fn locate_time(&self, time: Millis) -> Option<SegmentRead> {
        let index = self.all().find(|index| !index.is_empty() && index.last_arrival() >= time)?;
        Some(self.read_from(index, index.before_time(time)))
    }

    fn all(&self) -> impl Iterator<Item = &SegmentIndex> {
        self.sealed.iter().chain(std::iter::once(self.writer.index()))
    }

    fn read_from(&self, index: &SegmentIndex, entry: Option<IndexEntry>) -> SegmentRead {
        SegmentRead {
            path: layout::segment_file(self.writer.dir(), index.base()),
            offset: entry.map_or(SEGMENT_HEADER_BYTES as u64, |e| e.offset),
            end_offset: index.end_offset(),
            end: index.end(),
        }
    }
}

impl SegmentRead {
    /// The aligned read that covers up to `bytes` from the place: offset, length, and where the
    /// first batch starts in it.
    #[must_use]
    pub fn aligned(&self, bytes: usize) -> (u64, usize, usize) {
        let start = round_down(self.offset as usize);
        let lead = self.offset as usize - start;
        let wanted = (bytes + lead).min(self.end_offset as usize - start);
        (start as u64, crate::base::aligned::round_up(wanted), lead)
    }
}

const _: () = assert!(CATCH_UP_READ_BYTES.is_multiple_of(crate::base::aligned::BLOCK));
