//! The sparse index of a segment: one entry for each 32 KiB, in memory, saved when it is sealed.
//!
//! Saved form: magic "SWX1", version u16, reserved u16, entry count u32, reserved u32, base u64,
//! end u64, end offset u64, last arrival u64; then entries of {sequence u64, arrival u64,
//! offset u64}; then the CRC-32 of everything before it. Little-endian.

use thiserror::Error;

use crate::base::crc::crc32;
use crate::base::ids::{Millis, Seq};
use crate::base::limits::INDEX_INTERVAL_BYTES;
use crate::log::segment_header::SEGMENT_HEADER_BYTES;

const MAGIC: [u8; 4] = *b"SWX1";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 48;
const ENTRY_BYTES: usize = 24;

/// Where a batch starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Its first sequence.
    pub seq: Seq,
    /// When it arrived.
    pub arrival: Millis,
    /// Its offset in the segment file.
    pub offset: u64,
}

/// Index and extent of one segment. Batches enter in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentIndex {
    base: Seq,
    end: Seq,
    end_offset: u64,
    last_arrival: Millis,
    entries: Vec<IndexEntry>,
}

/// Why a saved index is refused; it can always be rebuilt from the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the saved index is damaged or of another version")]
pub struct NoIndex;

impl SegmentIndex {
    /// The index of an empty segment whose first record will be `base`.
    #[must_use]
    pub fn new(base: Seq) -> SegmentIndex {
        SegmentIndex {
            base,
            end: base,
            end_offset: SEGMENT_HEADER_BYTES as u64,
            last_arrival: Millis(0),
            entries: Vec::new(),
        }
    }

    /// Adds the batch that follows the last one.
    pub fn push(&mut self, seq: Seq, count: u32, arrival: Millis, batch_bytes: usize) {
        assert_eq!(seq, self.end, "batches enter a segment without gap");
        let due = match self.entries.last() {
            None => true,
            Some(last) => self.end_offset - last.offset >= INDEX_INTERVAL_BYTES,
        };
        if due {
            self.entries.push(IndexEntry { seq, arrival, offset: self.end_offset });
        }
        self.end = seq.plus(u64::from(count));
        self.end_offset += batch_bytes as u64;
        self.last_arrival = self.last_arrival.max(arrival);
    }

    /// First sequence.
    #[must_use]
    pub fn base(&self) -> Seq {
        self.base
    }

    /// Behind the last sequence.
    #[must_use]
    pub fn end(&self) -> Seq {
        self.end
    }

    /// Behind the last batch, in bytes of the file.
    #[must_use]
    pub fn end_offset(&self) -> u64 {
        self.end_offset
    }

    /// Bytes of its batches: what the segment keeps.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end_offset.saturating_sub(SEGMENT_HEADER_BYTES as u64)
    }

    /// When the newest batch arrived.
    #[must_use]
    pub fn last_arrival(&self) -> Millis {
        self.last_arrival
    }

    /// Whether no batch is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.base == self.end
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last indexed batch that starts at or before `seq`: scan from there.
    #[must_use]
    pub fn at_or_before(&self, seq: Seq) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|e| e.seq <= seq);
        after.checked_sub(1).map(|i| self.entries[i])
    }

    /// The last indexed batch that arrived before `time`, or the first: scan from there for the
    /// first batch that arrived at `time` or later.
    #[must_use]
    pub fn before_time(&self, time: Millis) -> Option<IndexEntry> {
        let at_or_after = self.entries.partition_point(|e| e.arrival < time);
        self.entries.get(at_or_after.saturating_sub(1)).copied()
    }

    /// The saved form.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut b = Vec::with_capacity(HEAD_BYTES + self.entries.len() * ENTRY_BYTES + 4);
        b.extend_from_slice(&MAGIC);
        b.extend_from_slice(&VERSION.to_le_bytes());
        b.extend_from_slice(&[0; 2]);
        b.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        b.extend_from_slice(&[0; 4]);
        for v in [self.base.0, self.end.0, self.end_offset, self.last_arrival.0] {
            b.extend_from_slice(&v.to_le_bytes());
        }
        for e in &self.entries {
            for v in [e.seq.0, e.arrival.0, e.offset] {
                b.extend_from_slice(&v.to_le_bytes());
            }
        }
        let crc = crc32(&b);
        b.extend_from_slice(&crc.to_le_bytes());
        b
    }

    /// Reads the saved form.
    pub fn decode(b: &[u8]) -> Result<SegmentIndex, NoIndex> {
        let (content, crc) = b.split_at_checked(b.len().wrapping_sub(4)).ok_or(NoIndex)?;
        let crc = u32::from_le_bytes(crc.try_into().or(Err(NoIndex))?);
        if content.len() < HEAD_BYTES || crc32(content) != crc || content[..4] != MAGIC {
            return Err(NoIndex);
        }
        if content[4..6] != VERSION.to_le_bytes() {
            return Err(NoIndex);
        }
        let u64_at =
            |at: usize| u64::from_le_bytes(content[at..at + 8].try_into().expect("8 bytes"));
        let count = u32::from_le_bytes(content[8..12].try_into().expect("4 bytes")) as usize;
        if content.len() != HEAD_BYTES + count * ENTRY_BYTES {
            return Err(NoIndex);
        }
        let entries = (0..count)
            .map(|i| HEAD_BYTES + i * ENTRY_BYTES)
            .map(|at| IndexEntry {
                seq: Seq(u64_at(at)),
                arrival: Millis(u64_at(at + 8)),
                offset: u64_at(at + 16),
            })
            .collect();
        Ok(SegmentIndex {
            base: Seq(u64_at(16)),
            end: Seq(u64_at(24)),
            end_offset: u64_at(32),
            last_arrival: Millis(u64_at(40)),
            entries,
        })
    }
}
