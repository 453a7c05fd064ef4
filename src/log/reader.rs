//! Chooses whole batches out of bytes that were read from a segment. Domain only.

use thiserror::Error;

use crate::base::ids::{Millis, Seq};
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::record::{BatchHeader, BatchView, InvalidBatch};

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// This record or later.
    pub from: Seq,
    /// Arrived at this time or later.
    pub not_before: Millis,
    /// Stop behind so many bytes; the first batch comes whole whatever its size.
    pub bytes_max: usize,
    /// Stop behind so many records.
    pub records_max: u64,
}

/// What the bytes hold of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Batches `start .. end` of the bytes.
    Found {
        /// First byte.
        start: usize,
        /// Behind the last.
        end: usize,
        /// The first record that belongs to the answer.
        first: Seq,
        /// Behind the last record that does.
        next: Seq,
        /// When the last batch arrived.
        arrival: Millis,
    },
    /// The next batch is not whole in the bytes: read `bytes` from `skip` on.
    NeedMore {
        /// Bytes that hold nothing wanted.
        skip: usize,
        /// Bytes of the batch there, or of its header.
        bytes: usize,
    },
    /// Nothing wanted before the end of the bytes, which is the end of the segment.
    Nothing,
}

/// A batch in a segment is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("batch at byte {at}: {cause}")]
pub struct Damaged {
    /// Where in the bytes.
    pub at: usize,
    /// Why.
    pub cause: InvalidBatch,
}

/// Selects from `bytes`, which start with a batch and end anywhere.
pub fn select(bytes: &[u8], wanted: &Wanted) -> Result<Selection, Damaged> {
    let mut at = 0;
    let mut found: Option<(usize, Seq, Seq, Millis)> = None;
    let mut end = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.len() < BATCH_HEADER_BYTES {
            return Ok(finish(found, end, at, BATCH_HEADER_BYTES));
        }
        let damaged = |cause| Damaged { at, cause };
        let header = BatchHeader::decode_stamped(rest).map_err(|e| damaged(e.into()))?;
        let batch_bytes = header.batch_bytes();
        let skipped = header.end() <= wanted.from || header.stamp.arrival < wanted.not_before;
        if skipped && found.is_none() {
            at += batch_bytes;
            continue;
        }
        if rest.len() < batch_bytes {
            return Ok(finish(found, end, at, batch_bytes));
        }
        BatchView::check_stamped(&rest[..batch_bytes]).map_err(damaged)?;
        let (start, first, next, _) =
            found.unwrap_or((at, header.stamp.base.max(wanted.from), Seq::ZERO, Millis(0)));
        if next != Seq::ZERO && at + batch_bytes - start > wanted.bytes_max {
            break;
        }
        end = at + batch_bytes;
        at = end;
        let limit = first.plus(wanted.records_max);
        found = Some((start, first, header.end().min(limit), header.stamp.arrival));
        if header.end() >= limit || end - start >= wanted.bytes_max {
            break;
        }
    }
    // A skipped batch may reach past the bytes; then the reader goes on behind it.
    Ok(finish(found, end, at, if at > bytes.len() { BATCH_HEADER_BYTES } else { 0 }))
}

fn finish(
    found: Option<(usize, Seq, Seq, Millis)>,
    end: usize,
    at: usize,
    needed: usize,
) -> Selection {
    match found {
        Some((start, first, next, arrival)) => {
            Selection::Found { start, end, first, next, arrival }
        }
        None if needed > 0 => Selection::NeedMore { skip: at, bytes: needed },
        None => Selection::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ShardKey, ShardNumber, StreamUuid, Term};
    use crate::record::{BatchBuilder, Stamp, stamp_in_place};

    /// Ten batches of three records, arriving at 100, 110, …
    fn segment() -> Vec<u8> {
        let mut bytes = Vec::new();
        for i in 0..10u64 {
            let mut builder = BatchBuilder::new();
            for _ in 0..3 {
                builder.push("k", None, b"data").unwrap();
            }
            let mut batch = builder.finish().to_vec();
            let stamp = Stamp {
                shard: ShardKey { stream: StreamUuid([1; 16]), number: ShardNumber(0) },
                term: Term(1),
                base: Seq(i * 3),
                arrival: Millis(100 + i * 10),
            };
            stamp_in_place(&mut batch, &stamp);
            bytes.extend_from_slice(&batch);
        }
        bytes
    }

    fn wanted(from: u64) -> Wanted {
        Wanted {
            from: Seq(from),
            not_before: Millis(0),
            bytes_max: usize::MAX,
            records_max: u64::from(u32::MAX),
        }
    }

    #[test]
    fn a_record_in_the_middle_of_a_batch_brings_the_batch_and_names_the_record() {
        let bytes = segment();
        let one = bytes.len() / 10;
        let got = select(&bytes, &wanted(4)).unwrap();
        let Selection::Found { start, end, first, next, .. } = got else { panic!("{got:?}") };
        assert_eq!((start, end, first, next), (one, bytes.len(), Seq(4), Seq(30)));
    }

    #[test]
    fn limits_cut_behind_a_whole_batch_but_records_are_counted_exactly() {
        let bytes = segment();
        let one = bytes.len() / 10;
        let w = Wanted { records_max: 4, ..wanted(1) };
        let Ok(Selection::Found { start, end, first, next, .. }) = select(&bytes, &w) else {
            panic!()
        };
        assert_eq!((start, end, first, next), (0, 2 * one, Seq(1), Seq(5)));
        let w = Wanted { bytes_max: 2 * one + 1, ..wanted(0) };
        let Ok(Selection::Found { end, next, .. }) = select(&bytes, &w) else { panic!() };
        assert_eq!((end, next), (2 * one, Seq(6)));
        let w = Wanted { bytes_max: 1, ..wanted(0) };
        let Ok(Selection::Found { next, .. }) = select(&bytes, &w) else { panic!() };
        assert_eq!(next, Seq(3), "one batch always comes");
    }

    #[test]
    fn a_cut_batch_is_asked_for_again_and_never_served() {
        let bytes = segment();
        let one = bytes.len() / 10;
        for cut in 0..bytes.len() {
            match select(&bytes[..cut], &wanted(4)).unwrap() {
                Selection::Found { end, .. } => assert!(end <= cut && end % one == 0),
                Selection::NeedMore { skip, bytes: n } => {
                    assert!(skip == 0 || skip == one, "at {cut}: skip {skip}");
                    assert!(n == one || n == BATCH_HEADER_BYTES);
                }
                Selection::Nothing => assert!(cut == 0 || cut == one, "at {cut}"),
            }
        }
    }

    #[test]
    fn expired_batches_are_passed_over() {
        let bytes = segment();
        let w = Wanted { not_before: Millis(145), ..wanted(0) };
        let Ok(Selection::Found { first, .. }) = select(&bytes, &w) else { panic!() };
        assert_eq!(first, Seq(15));
        let w = Wanted { not_before: Millis(1000), ..wanted(0) };
        assert_eq!(select(&bytes, &w), Ok(Selection::Nothing));
    }

    #[test]
    fn a_flipped_bit_is_damage_and_not_data() {
        let mut bytes = segment();
        let one = bytes.len() / 10;
        bytes[one + 140] ^= 1;
        assert_eq!(select(&bytes, &wanted(3)).unwrap_err().at, one);
    }
}
