//! Write-behind of one shard: batches from memory into aligned pieces of its newest segment.
//!
//! The last block of a piece is usually not full. It is padded with zeros, kept, and written again
//! with the same bytes in front when more arrives; a write that is torn there changes nothing that
//! was durable.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::base::aligned::{round_down, round_up};
use crate::base::ids::{Millis, Seq, ShardKey, Term};
use crate::base::limits::SEGMENT_BYTES;
use crate::disk::dma::{SharedBuf, WriteBuf};
use crate::log::index::SegmentIndex;
use crate::log::layout;
use crate::log::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// A durable batch in memory.
#[derive(Clone, Debug)]
pub struct MemoryBatch {
    /// First sequence.
    pub base: Seq,
    /// Number of records.
    pub count: u32,
    /// When it arrived.
    pub arrival: Millis,
    /// The commit that carries it.
    pub buffer: SharedBuf,
    /// Where it starts there.
    pub offset: u32,
    /// Header and body.
    pub bytes: u32,
    /// When its put came to this core, for latencies.
    pub since: Instant,
}

impl MemoryBatch {
    /// Header and body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.offset as usize..][..self.bytes as usize]
    }

    /// Behind its last sequence.
    #[must_use]
    pub fn end(&self) -> Seq {
        self.base.plus(u64::from(self.count))
    }
}

/// A piece to write.
#[derive(Debug)]
pub struct SegmentWrite {
    /// The segment file.
    pub path: PathBuf,
    /// Whether the file must be made first.
    pub creates: bool,
    /// Where.
    pub offset: u64,
    /// What.
    pub buffer: SharedBuf,
    /// Every batch below it is in the file when the write is done.
    end: Seq,
}

/// A segment that takes no more batches.
#[derive(Clone, Debug)]
pub struct SealedSegment {
    /// Its index; `end` and `end_offset` give its extent.
    pub index: SegmentIndex,
}

/// The newest segment of a shard.
#[derive(Debug)]
pub struct SegmentWriter {
    shard: ShardKey,
    term: Term,
    dir: PathBuf,
    index: SegmentIndex,
    /// The file exists.
    created: bool,
    created_at: Millis,
    /// Whole blocks below this are written.
    block_offset: u64,
    /// The bytes of the block there that are written, fewer than a block.
    head: Vec<u8>,
    /// Bytes written of the batch that starts at `index.end()`.
    batch_written: u32,
    /// What the index will hold when the write in flight is done.
    pending: Option<Pending>,
    unsynced_bytes: u64,
}

#[derive(Debug)]
struct Pending {
    done: Vec<WholeBatch>,
    block_offset: u64,
    head: Vec<u8>,
    batch_written: u32,
    bytes: u64,
}

/// A batch whose last byte is in the piece.
#[derive(Debug)]
struct WholeBatch {
    base: Seq,
    count: u32,
    arrival: Millis,
    bytes: u32,
}

impl SegmentWriter {
    /// A writer that starts a new segment at `base`.
    #[must_use]
    pub fn start(data_dir: &Path, shard: ShardKey, term: Term, base: Seq) -> SegmentWriter {
        SegmentWriter {
            shard,
            term,
            dir: layout::shard_dir(data_dir, shard),
            index: SegmentIndex::new(base),
            created: false,
            created_at: Millis(0),
            block_offset: 0,
            head: Vec::new(),
            batch_written: 0,
            pending: None,
            unsynced_bytes: 0,
        }
    }

    /// Index and extent of what is written.
    #[must_use]
    pub fn index(&self) -> &SegmentIndex {
        &self.index
    }

    /// The segment file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        layout::segment_file(&self.dir, self.index.base())
    }

    /// The shard's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Behind the last batch that is written (perhaps not synced).
    #[must_use]
    pub fn written(&self) -> Seq {
        self.index.end()
    }

    /// Whether the segment has a file.
    #[must_use]
    pub fn is_created(&self) -> bool {
        self.created
    }

    /// Bytes of the next batch that are written already.
    #[must_use]
    pub fn written_of_next(&self) -> u64 {
        u64::from(self.batch_written)
    }

    /// Whether a write is in flight.
    #[must_use]
    pub fn is_writing(&self) -> bool {
        self.pending.is_some()
    }

    /// Bytes written and not synced.
    #[must_use]
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes
    }

    /// Whether the segment is large enough to be sealed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.index.end_offset() >= SEGMENT_BYTES && self.batch_written == 0
    }

    /// Whether the segment has batches and ends with a whole one.
    #[must_use]
    pub fn can_be_sealed(&self) -> bool {
        !self.index.is_empty() && self.batch_written == 0
    }

    /// When the segment's file was started; zero before.
    #[must_use]
    pub fn created_at(&self) -> Millis {
        self.created_at
    }

    /// The next piece of at most `piece_bytes` (whole blocks): of `batches`, which continue at
    /// [`SegmentWriter::written`], as much as fits. `None` when there is nothing to write.
    pub fn plan<'a>(
        &mut self,
        now: Millis,
        piece_bytes: usize,
        batches: impl Iterator<Item = &'a MemoryBatch>,
    ) -> Option<SegmentWrite> {
        assert!(self.pending.is_none(), "one write-behind of a shard at a time");
        let mut piece = Piece::new(self, now, piece_bytes);
        for batch in batches {
            if piece.is_full() || piece.end_offset >= SEGMENT_BYTES {
                break;
            }
            piece.take(batch);
        }
        if piece.new_bytes == 0 {
            return None;
        }
        if !self.created {
            self.created_at = now;
        }
        let (path, creates, offset) = (self.path(), !self.created, self.block_offset);
        let end = piece.next;
        let (buffer, pending) = piece.finish(offset);
        self.pending = Some(pending);
        Some(SegmentWrite { path, creates, offset, buffer, end })
    }

    /// The planned write is done.
    pub fn complete(&mut self, write: &SegmentWrite) {
        let pending = self.pending.take().expect("a planned write completes once");
        for batch in &pending.done {
            self.index.push(batch.base, batch.count, batch.arrival, batch.bytes as usize);
        }
        assert_eq!(self.index.end(), write.end, "writes complete in order");
        self.block_offset = pending.block_offset;
        self.head = pending.head;
        self.batch_written = pending.batch_written;
        self.unsynced_bytes += pending.bytes;
        self.created = true;
    }

    /// All completed writes are synced.
    pub fn synced(&mut self) {
        self.unsynced_bytes = 0;
    }

    /// Seals the segment and starts the next one behind it.
    pub fn seal(&mut self) -> SealedSegment {
        assert!(self.pending.is_none() && self.batch_written == 0, "sealed between batches");
        let next = SegmentIndex::new(self.index.end());
        let index = std::mem::replace(&mut self.index, next);
        self.created = false;
        self.created_at = Millis(0);
        self.block_offset = 0;
        self.head.clear();
        self.unsynced_bytes = 0;
        SealedSegment { index }
    }

    fn header(&self, now: Millis) -> SegmentHeader {
        SegmentHeader { shard: self.shard, base: self.index.base(), term: self.term, created: now }
    }
}

/// A piece while it is filled.
struct Piece {
    buffer: WriteBuf,
    used: usize,
    new_bytes: u64,
    done: Vec<WholeBatch>,
    /// The batch that comes next, and how much of it is in this or an earlier piece.
    next: Seq,
    batch_written: u32,
    /// Of the last whole batch, in the file.
    end_offset: u64,
}

impl Piece {
    fn new(writer: &SegmentWriter, now: Millis, piece_bytes: usize) -> Piece {
        let mut buffer = WriteBuf::alloc(piece_bytes);
        let used = if writer.created {
            buffer.bytes_mut()[..writer.head.len()].copy_from_slice(&writer.head);
            writer.head.len()
        } else {
            writer.header(now).encode_into(buffer.bytes_mut());
            SEGMENT_HEADER_BYTES
        };
        Piece {
            buffer,
            used,
            new_bytes: 0,
            done: Vec::new(),
            next: writer.index.end(),
            batch_written: writer.batch_written,
            end_offset: writer.index.end_offset(),
        }
    }

    fn is_full(&self) -> bool {
        self.used == self.buffer.bytes().len()
    }

    /// Takes what fits of the next batch.
    fn take(&mut self, batch: &MemoryBatch) {
        assert_eq!(batch.base, self.next, "write-behind follows the shard's order");
        let rest = &batch.bytes()[self.batch_written as usize..];
        let n = rest.len().min(self.buffer.bytes().len() - self.used);
        self.buffer.bytes_mut()[self.used..self.used + n].copy_from_slice(&rest[..n]);
        self.used += n;
        self.new_bytes += n as u64;
        if n < rest.len() {
            self.batch_written += n as u32;
            return;
        }
        let MemoryBatch { base, count, arrival, bytes, .. } = *batch;
        self.done.push(WholeBatch { base, count, arrival, bytes });
        self.next = batch.end();
        self.end_offset += u64::from(bytes);
        self.batch_written = 0;
    }

    /// Pads the last block; what comes after the write starts from it.
    fn finish(mut self, offset: u64) -> (SharedBuf, Pending) {
        let (whole, padded) = (round_down(self.used), round_up(self.used));
        self.buffer.bytes_mut()[self.used..padded].fill(0);
        let buffer = self.buffer.freeze(padded);
        let pending = Pending {
            done: self.done,
            block_offset: offset + whole as u64,
            head: buffer[whole..self.used].to_vec(),
            batch_written: self.batch_written,
            bytes: self.new_bytes,
        };
        (buffer, pending)
    }
}

#[cfg(test)]
mod tests;
