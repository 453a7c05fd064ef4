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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ShardNumber, StreamUuid};
    use crate::record::{BatchBuilder, Stamp, stamp_in_place};

    fn key(number: u32) -> ShardKey {
        ShardKey { stream: StreamUuid([3; 16]), number: ShardNumber(number) }
    }

    /// A batch of two records.
    fn batch(number: u32, term: u64, base: u64, arrival: u64) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        for _ in 0..2 {
            builder.push("key", None, b"SWB1 data").unwrap();
        }
        let mut bytes = builder.finish().to_vec();
        let (term, base, arrival) = (Term(term), Seq(base), Millis(arrival));
        stamp_in_place(&mut bytes, &Stamp { shard: key(number), term, base, arrival });
        bytes
    }

    fn segment(base: u64, batches: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
        let (shard, base, term) = (key(1), Seq(base), Term(1));
        SegmentHeader { shard, base, term, created: Millis(0) }.encode_into(&mut bytes);
        bytes.extend(batches.concat());
        bytes
    }

    fn scan(bytes: &[u8], base: u64, limit: u64) -> SegmentScan {
        scan_segment(bytes, &SegmentExpect { shard: key(1), base: Seq(base), limit: Seq(limit) })
    }

    #[test]
    fn a_scan_stops_at_whatever_does_not_continue_the_shard() {
        let good = [batch(1, 5, 10, 100), batch(1, 5, 12, 100)];
        let one = good[0].len();
        let cases = [
            (vec![0; 5000], ScanEnd::Clean),
            (Vec::new(), ScanEnd::Clean),
            (batch(2, 5, 14, 100), ScanEnd::OtherShard(key(2))),
            (batch(1, 5, 15, 100), ScanEnd::Gap { expected: Seq(14), found: Seq(15) }),
            (batch(1, 5, 12, 100), ScanEnd::Gap { expected: Seq(14), found: Seq(12) }),
            (batch(1, 4, 14, 100), ScanEnd::TermBackwards { before: Term(5), found: Term(4) }),
        ];
        for (behind, end) in cases {
            let bytes = segment(10, &[good[0].clone(), good[1].clone(), behind]);
            let scan = scan(&bytes, 10, 1000);
            assert_eq!(scan.end, end);
            assert_eq!((scan.index.end(), scan.batches), (Seq(14), 2), "{end:?}");
            assert_eq!(scan.index.end_offset(), (SEGMENT_HEADER_BYTES + 2 * one) as u64);
        }
        let bytes = segment(10, &good);
        assert_eq!(scan(&bytes, 10, 13).index.end(), Seq(12), "the limit cuts no batch in two");
        assert!(matches!(scan(&bytes, 11, 99).end, ScanEnd::Moved { base: Seq(10), .. }));
        assert_eq!(scan(&bytes[..100], 10, 99).end, ScanEnd::Header(NoSegment::Short));
    }

    #[test]
    fn every_damaged_byte_ends_the_scan_there_and_later_batches_betray_it() {
        let batches: Vec<Vec<u8>> = (0..3).map(|i| batch(1, 5, i * 2, 100 + i)).collect();
        let good = segment(0, &batches);
        let second = SEGMENT_HEADER_BYTES + batches[0].len();
        for at in second..second + batches[1].len() {
            let mut bad = good.clone();
            bad[at] ^= 0x20;
            let scan = scan(&bad, 0, 1000);
            assert_eq!(scan.index.end(), Seq(2), "byte {at}");
            let third = (second + batches[1].len()) as u64;
            let stray = scan.stray_behind(&bad, key(1));
            assert_eq!(stray, Some(Stray { offset: third, seq: Seq(4) }), "byte {at}");
        }
        assert_eq!(scan(&good, 0, 1000).stray_behind(&good, key(1)), None);
    }

    #[test]
    fn leftovers_of_lower_terms_or_positions_betray_nothing() {
        let mut noise = vec![0xEE; 300];
        noise.extend(batch(1, 4, 8, 100));
        noise.extend(batch(1, 5, 0, 100));
        noise.extend(batch(2, 5, 8, 100));
        let bytes = segment(0, &[batch(1, 5, 0, 100), noise]);
        assert_eq!(scan(&bytes, 0, 1000).stray_behind(&bytes, key(1)), None);
    }
}
