//! The commit that is being filled while the previous one is written.

use crate::base::crc::crc32;
use crate::base::ids::{Millis, Seq};
use crate::base::limits::COMMIT_BYTES_MAX;
use crate::disk::dma::{SharedBuf, WriteBuf};
use crate::log::checkpoint::CheckpointEntry;
use crate::log::commit::{
    COMMIT_HEADER_BYTES, CommitHeader, CommitKind, commit_write_bytes, payload_crc_of_batch,
};
use crate::record::{Stamp, stamp_in_place};

/// A filled part below this is copied into a buffer of its own size, so that small commits do not
/// pin a large buffer for as long as their records stay in the tail.
const COPY_BELOW: usize = COMMIT_BYTES_MAX / 4;

/// Index of a shard among those of its core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShardSlot(pub u32);

/// A batch of the next commit.
#[derive(Clone, Copy, Debug)]
pub struct StagedBatch {
    /// Whose.
    pub slot: ShardSlot,
    /// First sequence.
    pub base: Seq,
    /// Number of records.
    pub count: u32,
    /// When it arrived.
    pub arrival: Millis,
    /// Where it starts in the commit's buffer.
    pub offset: u32,
    /// Header and body.
    pub bytes: u32,
}

/// The buffer, and what is in it.
#[derive(Debug)]
pub struct Staging {
    buffer: WriteBuf,
    used: usize,
    payload_crc: u32,
    batches: Vec<StagedBatch>,
    /// Whether a batch of a stream with `durable` acknowledgement is in it.
    needs_sync: bool,
}

/// A commit ready to be written.
#[derive(Debug)]
pub struct Sealed {
    /// Header, payload, padding.
    pub buffer: SharedBuf,
    /// Whether the write must be synced before anybody hears of it.
    pub needs_sync: bool,
}

/// The next commit has no room; the put waits until the commit in flight is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Default for Staging {
    fn default() -> Self {
        Self::new()
    }
}

impl Staging {
    /// An empty commit.
    #[must_use]
    pub fn new() -> Staging {
        Staging {
            buffer: WriteBuf::alloc(COMMIT_BYTES_MAX),
            used: COMMIT_HEADER_BYTES,
            payload_crc: 0,
            batches: Vec::new(),
            needs_sync: false,
        }
    }

    /// Whether nothing is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Bytes staged, header included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.used
    }

    /// Whether a batch of `bytes` can be staged now. One that is larger than a commit can be when
    /// nothing else is staged.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.is_empty() || self.used + bytes <= COMMIT_BYTES_MAX
    }

    /// Copies a batch behind the others and stamps it there: the one copy of the put path.
    pub fn stage(
        &mut self,
        slot: ShardSlot,
        batch: &[u8],
        count: u32,
        stamp: &Stamp,
        needs_sync: bool,
    ) -> Result<(), Full> {
        if !self.has_room(batch.len()) {
            return Err(Full);
        }
        let end = self.used + batch.len();
        if end > self.buffer.bytes().len() {
            assert!(self.is_empty(), "only a batch that stands alone may outgrow a commit");
            self.buffer = WriteBuf::alloc(end);
        }
        let place = &mut self.buffer.bytes_mut()[self.used..end];
        place.copy_from_slice(batch);
        stamp_in_place(place, stamp);
        let header_crc = crate::record::header_crc(place);
        self.payload_crc = payload_crc_of_batch(self.payload_crc, header_crc);
        self.batches.push(StagedBatch {
            slot,
            base: stamp.base,
            count,
            arrival: stamp.arrival,
            offset: self.used as u32,
            bytes: batch.len() as u32,
        });
        self.used = end;
        self.needs_sync |= needs_sync;
        Ok(())
    }

    /// Bytes of the write that [`Staging::seal`] will make.
    #[must_use]
    pub fn write_bytes(&self) -> usize {
        commit_write_bytes(self.used - COMMIT_HEADER_BYTES)
    }

    /// Completes the commit under `header` (whose payload fields are filled here), moves its
    /// batches into `batches`, and starts the next.
    pub fn seal(&mut self, header: &mut CommitHeader, batches: &mut Vec<StagedBatch>) -> Sealed {
        assert!(!self.is_empty(), "an empty commit is never written");
        header.kind = CommitKind::Batches;
        header.payload_bytes = (self.used - COMMIT_HEADER_BYTES) as u32;
        header.count = self.batches.len() as u32;
        header.payload_crc = self.payload_crc;
        header.unsynced = !self.needs_sync;
        let buffer = self.take_buffer(header);
        std::mem::swap(&mut self.batches, batches);
        self.batches.clear();
        self.used = COMMIT_HEADER_BYTES;
        self.payload_crc = 0;
        Sealed { buffer, needs_sync: std::mem::take(&mut self.needs_sync) }
    }

    fn take_buffer(&mut self, header: &CommitHeader) -> SharedBuf {
        let (used, write_bytes) = (self.used, header.write_bytes());
        let mut buffer = if used < COPY_BELOW {
            let mut small = WriteBuf::alloc(write_bytes);
            small.bytes_mut()[COMMIT_HEADER_BYTES..used]
                .copy_from_slice(&self.buffer.bytes()[COMMIT_HEADER_BYTES..used]);
            small
        } else {
            std::mem::replace(&mut self.buffer, WriteBuf::alloc(COMMIT_BYTES_MAX))
        };
        let bytes = buffer.bytes_mut();
        bytes[..COMMIT_HEADER_BYTES].copy_from_slice(&header.encode());
        bytes[used..write_bytes].fill(0);
        buffer.freeze(write_bytes)
    }
}

/// A checkpoint commit under `header` (whose payload fields are filled here).
#[must_use]
pub fn seal_checkpoint(header: &mut CommitHeader, entries: &[CheckpointEntry]) -> SharedBuf {
    let payload: Vec<u8> = entries.iter().flat_map(CheckpointEntry::encode).collect();
    header.kind = CommitKind::Checkpoint;
    header.payload_bytes = payload.len() as u32;
    header.count = entries.len() as u32;
    header.payload_crc = crc32(&payload);
    let write_bytes = header.write_bytes();
    let mut buffer = WriteBuf::alloc(write_bytes);
    let bytes = &mut buffer.bytes_mut()[..write_bytes];
    bytes.fill(0);
    bytes[..COMMIT_HEADER_BYTES].copy_from_slice(&header.encode());
    bytes[COMMIT_HEADER_BYTES..COMMIT_HEADER_BYTES + payload.len()].copy_from_slice(&payload);
    buffer.freeze(write_bytes)
}
