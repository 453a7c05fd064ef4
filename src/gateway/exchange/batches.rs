//! The batches of an answer, record by record.

use crate::base::ids::{Millis, Seq};
use crate::disk::dma::Chunk;
use crate::record::{BatchView, RecordRef};

/// Whole batches as they are stored. Those of this core lie where the tail or a read has them;
/// those of other cores came in a frame.
#[derive(Debug)]
pub enum Batches {
    /// Parts, each of whole batches.
    Chunks(Vec<Chunk>),
    /// Everything behind `start`.
    Frame {
        /// The frame.
        bytes: Vec<u8>,
        /// Where the batches begin.
        start: usize,
    },
}

impl Batches {
    /// Calls `take` with each record from `first` up to `end`, and when it arrived.
    pub fn for_each(
        &self,
        first: Seq,
        end: Option<Seq>,
        mut take: impl FnMut(&RecordRef<'_>, Millis),
    ) {
        for mut rest in self.parts() {
            while !rest.is_empty() {
                let header = crate::record::BatchHeader::decode_stamped(rest);
                let bytes = header.expect("what is stored was checked").batch_bytes();
                let (batch, behind) = rest.split_at(bytes);
                rest = behind;
                let batch = BatchView::check_stamped(batch).expect("what is stored was checked");
                let arrival = batch.header().stamp.arrival;
                let wanted = |seq: Seq| seq >= first && end.is_none_or(|end| seq < end);
                batch.records().filter(|r| wanted(r.seq)).for_each(|r| take(&r, arrival));
            }
        }
    }

    /// Bytes of all batches.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts().map(<[u8]>::len).sum()
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (chunks, frame) = match self {
            Batches::Chunks(chunks) => (&chunks[..], None),
            Batches::Frame { bytes, start } => (&[][..], Some(&bytes[*start..])),
        };
        chunks.iter().map(|chunk| &chunk[..]).chain(frame)
    }
}
