//! The index of a segment.

use shardway::base::ids::{Millis, Seq};
use shardway::base::limits::SEGMENT_BYTES;
use shardway::log::index::SegmentIndex;

/// A full segment of batches of 1 KiB.
#[must_use]
pub fn full() -> SegmentIndex {
    let mut index = SegmentIndex::new(Seq::ZERO);
    while index.end_offset() < SEGMENT_BYTES {
        let seq = index.end();
        index.push(seq, 1, Millis(1_700_000_000_000 + seq.0 / 10), 1024);
    }
    index
}
