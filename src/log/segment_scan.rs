//! Reads one segment file batch by batch up to its end.
//!
//! Pure: bytes in, findings out.

use thiserror::Error;

use crate::base::ids::{Millis, Seq, ShardKey, Term};
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::log::index::SegmentIndex;
use crate::log::segment_header::{NoSegment, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::record::{BatchHeader, BatchView, InvalidBatch};

/// Why the scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScanEnd {
    /// The file ends, or only zeros follow.
    #[error("end of the segment")]
    Clean,
    /// The segment's own header is unreadable.
    #[error("{0}")]
    Header(NoSegment),
    /// A whole header of another shard or another base sequence: the file was moved.
    #[error("the segment belongs to shard {shard} and starts at {base}")]
    Moved {
        /// Its shard.
        shard: ShardKey,
        /// Its base.
        base: Seq,
    },
    /// No whole batch.
    #[error("{0}")]
    Batch(InvalidBatch),
    /// A whole batch of another shard.
    #[error("a batch of shard {0} stands here")]
    OtherShard(ShardKey),
    /// A whole batch that does not continue the sequence.
    #[error("the batch starts at {found}, expected is {expected}")]
    Gap {
        /// Continues the sequence.
        expected: Seq,
        /// Is there.
        found: Seq,
    },
    /// A batch of an older term than the one before it: left over from an earlier write.
    #[error("the batch is of term {found} behind one of term {before}")]
    TermBackwards {
        /// Of the batch before.
        before: Term,
        /// Of this one.
        found: Term,
    },
    /// The caller's limit.
    #[error("the scan was told to stop here")]
    Limit,
}

/// From `first` on the batches are of `term`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermSpan {
    /// First sequence.
    pub first: Seq,
    /// Term of the batches.
    pub term: Term,
}

/// A whole batch behind the place where a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Where in the file.
    pub offset: u64,
    /// Its first sequence.
    pub seq: Seq,
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentScan {
    /// The header, if it is readable.
    pub header: Option<SegmentHeader>,
    /// Extent and rebuilt index. Its `end_offset` is where the scan stopped.
    pub index: SegmentIndex,
    /// Why it stopped.
    pub end: ScanEnd,
    /// Number of batches.
    pub batches: u64,
    /// When the first batch arrived.
    pub first_arrival: Millis,
    /// Terms, oldest first.
    pub terms: Vec<TermSpan>,
    /// The first batch that arrived before its predecessor, which a server never writes.
    pub arrival_backwards: Option<Stray>,
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub struct SegmentExpect {
    /// The shard.
    pub shard: ShardKey,
    /// Base sequence, from the file's name.
    pub base: Seq,
    /// Batches from here on are not wanted.
    pub limit: Seq,
}

/// Scans a segment file.
#[must_use]
pub fn scan_segment(bytes: &[u8], expect: &SegmentExpect) -> SegmentScan {
    let mut scan = SegmentScan {
        header: None,
        index: SegmentIndex::new(expect.base),
        end: ScanEnd::Clean,
        batches: 0,
        first_arrival: Millis(0),
        terms: Vec::new(),
        arrival_backwards: None,
    };
    scan.end = match SegmentHeader::decode(bytes) {
        Err(why) => ScanEnd::Header(why),
        Ok(h) if h.shard != expect.shard || h.base != expect.base => {
            ScanEnd::Moved { shard: h.shard, base: h.base }
        }
        Ok(header) => {
            scan.header = Some(header);
            loop {
                let at = scan.index.end_offset() as usize;
                if let Err(end) = scan.take(&bytes[at..], expect) {
                    break end;
                }
            }
        }
    };
    scan
}

impl SegmentScan {
    /// Takes the batch at the start of `rest`, or says why there is none.
    fn take(&mut self, rest: &[u8], expect: &SegmentExpect) -> Result<(), ScanEnd> {
        // Zeros where a header should be: the usual end, unless something stands behind them.
        let head = &rest[..rest.len().min(BATCH_HEADER_BYTES)];
        if head.iter().all(|&b| b == 0) && rest.iter().all(|&b| b == 0) {
            return Err(ScanEnd::Clean);
        }
        let header = BatchHeader::decode_stamped(rest)
            .map_err(|e| ScanEnd::Batch(InvalidBatch::Header(e)))?;
        let (expected, found) = (header.batch_bytes(), rest.len());
        let batch =
            rest.get(..expected).ok_or(ScanEnd::Batch(InvalidBatch::Length { expected, found }))?;
        BatchView::check_stamped(batch).map_err(ScanEnd::Batch)?;
        let (stamp, end) = (header.stamp, self.index.end());
        if stamp.shard != expect.shard {
            return Err(ScanEnd::OtherShard(stamp.shard));
        }
        if stamp.base != end {
            return Err(ScanEnd::Gap { expected: end, found: stamp.base });
        }
        if header.end() > expect.limit {
            return Err(ScanEnd::Limit);
        }
        match self.terms.last() {
            Some(last) if stamp.term < last.term => {
                return Err(ScanEnd::TermBackwards { before: last.term, found: stamp.term });
            }
            Some(last) if stamp.term == last.term => {}
            _ => self.terms.push(TermSpan { first: stamp.base, term: stamp.term }),
        }
        if self.batches == 0 {
            self.first_arrival = stamp.arrival;
        } else if stamp.arrival < self.index.last_arrival() && self.arrival_backwards.is_none() {
            self.arrival_backwards =
                Some(Stray { offset: self.index.end_offset(), seq: stamp.base });
        }
        self.index.push(stamp.base, header.count, stamp.arrival, batch.len());
        self.batches += 1;
        Ok(())
    }

    /// A whole batch of the shard behind the end of the scan that continues it somewhere later:
    /// the proof that the end is damage. Looked for at every byte, since batches are not aligned.
    #[must_use]
    pub fn stray_behind(&self, bytes: &[u8], shard: ShardKey) -> Option<Stray> {
        if self.end == ScanEnd::Clean {
            return None;
        }
        let from = self.index.end_offset().max(SEGMENT_HEADER_BYTES as u64) as usize;
        let min_term = self.terms.last().map_or(Term(0), |last| last.term);
        let mut at = from;
        while let Some(found) = bytes.get(at..).and_then(|b| b.iter().position(|&b| b == b'S')) {
            at += found;
            if let Ok(header) = BatchHeader::decode_stamped(&bytes[at..])
                && header.stamp.shard == shard
                && header.stamp.base >= self.index.end()
                && header.stamp.term >= min_term
                && let Some(batch) = bytes.get(at..at + header.batch_bytes())
                && BatchView::check_stamped(batch).is_ok()
            {
                return Some(Stray { offset: at as u64, seq: header.stamp.base });
            }
            at += 1;
        }
        None
    }
}
