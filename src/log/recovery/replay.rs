//! Pass 2: writes what the journals have and the segments lack, and makes it durable.

use std::path::PathBuf;

use crate::base::aligned::{is_aligned, round_up};
use crate::base::ids::{Millis, Seq, Term};
use crate::base::limits::SEGMENT_BYTES;
use crate::disk::blocking::{self, BlockingFile, DiskError};
use crate::log::damage::{Damage, DamageKind};
use crate::log::index::SegmentIndex;
use crate::log::layout;
use crate::log::recovery::shards::{SegmentFile, ShardFiles};
use crate::log::segment_header::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::segment_scan::ScanEnd;
use crate::record::BatchHeader;

/// Pending bytes of one segment are written when they reach this.
const WRITE_BYTES: usize = 1024 * 1024;

/// Why a batch could not be placed.
#[derive(Debug)]
pub(crate) enum ReplayError {
    Disk(DiskError),
    Damage(Box<Damage>),
}

impl From<DiskError> for ReplayError {
    fn from(e: DiskError) -> ReplayError {
        ReplayError::Disk(e)
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It was in a segment.
    There,
    /// It was added.
    Added,
    /// It lies behind the end of what may be kept.
    Dropped,
}

/// What new segment headers say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation {
    pub term: Term,
    pub now: Millis,
}

/// A shard whose segments are being completed.
#[derive(Debug)]
pub(crate) struct ShardReplay {
    pub files: ShardFiles,
    /// Nothing from here on is kept.
    pub end: Seq,
    /// Bytes for the segment at `.0` that are not written yet, and their offset: whole batches,
    /// behind the header if the offset is 0.
    pending: Option<(usize, u64, Vec<u8>)>,
    creation: Creation,
    changed: bool,
}

impl ShardReplay {
    /// Prepares the files: bytes that are not part of the log are cut off, so that they can never
    /// be mistaken for it, and a missing header is written.
    pub fn begin(
        files: ShardFiles,
        start: Seq,
        end: Seq,
        creation: Creation,
    ) -> Result<ShardReplay, DiskError> {
        let mut replay = ShardReplay { files, end, pending: None, creation, changed: false };
        replay.set_lost_aside()?;
        for i in 0..replay.files.segments.len() {
            let segment = &replay.files.segments[i];
            if segment.no_header {
                let base = segment.base;
                replay.flush()?;
                replay.pending = Some((i, 0, replay.header(base)));
            } else if segment.end != ScanEnd::Clean {
                let file = BlockingFile::open_or_create(&replay.path(segment.base))?;
                file.set_len(segment.index.end_offset())?;
                replay.changed = true;
            }
        }
        // The name of the first segment is where a shard keeps its position.
        if replay.files.segments.is_empty() && start > Seq::ZERO {
            replay.create(start)?;
        }
        Ok(replay)
    }

    /// Renames segments behind the end to `.lost`: they are out of the log and still there.
    fn set_lost_aside(&mut self) -> Result<(), DiskError> {
        let end = self.end;
        let is_lost = |s: &SegmentFile| s.damage.is_some() || s.base > end;
        let keep = self.files.segments.iter().position(is_lost);
        let lost = self.files.segments.split_off(keep.unwrap_or(self.files.segments.len()));
        // The last first: after a crash in between, the gap is still seen.
        for segment in lost.iter().rev() {
            let path = self.path(segment.base);
            let mut aside = path.clone().into_os_string();
            aside.push(".lost");
            blocking::remove_file(&layout::index_file(&self.files.dir, segment.base))?;
            blocking::rename_durable(&path, &PathBuf::from(aside))?;
        }
        Ok(())
    }

    /// Puts a batch where it belongs, unless it is there.
    pub fn place(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<Placed, ReplayError> {
        let (base, end) = (header.stamp.base, header.end());
        if end > self.end {
            return Ok(Placed::Dropped);
        }
        let after = self.files.segments.partition_point(|s| s.base <= base);
        let Some(at) = after.checked_sub(1) else {
            let first = self.files.segments.first();
            if let Some(first) = first {
                // Retention removed the segment that held it.
                return if end <= first.base {
                    Ok(Placed::There)
                } else {
                    Err(self.overlap(base, first.base))
                };
            }
            self.create(base)?;
            return Ok(self.append(0, header, batch).map(|()| Placed::Added)?);
        };
        let segment_end = self.files.segments[at].index.end();
        if end <= segment_end {
            return Ok(Placed::There);
        }
        let next_base = self.files.segments.get(after).map(|s| s.base);
        if base != segment_end || next_base.is_some_and(|next| end > next) {
            return Err(self.overlap(base, next_base.unwrap_or(segment_end)));
        }
        let segment = &self.files.segments[at];
        let full = segment.index.end_offset() + batch.len() as u64 > SEGMENT_BYTES;
        let roll = next_base.is_none() && (segment.sealed || (full && !segment.index.is_empty()));
        let at = if roll { self.create(base)? } else { at };
        Ok(self.append(at, header, batch).map(|()| Placed::Added)?)
    }

    fn append(&mut self, at: usize, header: &BatchHeader, batch: &[u8]) -> Result<(), DiskError> {
        if self.pending.as_ref().is_some_and(|(segment, ..)| *segment != at) {
            self.flush()?;
        }
        let index = &mut self.files.segments[at].index;
        let offset = index.end_offset();
        index.push(header.stamp.base, header.count, header.stamp.arrival, batch.len());
        let (.., bytes) = self.pending.get_or_insert_with(|| (at, offset, Vec::new()));
        bytes.extend_from_slice(batch);
        if bytes.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Whether a file was written, or an index is to be saved; after a crash also whether bytes
    /// were found that may only be in caches.
    pub fn must_finish(&self, crashed: bool) -> bool {
        let last = self.files.segments.len().saturating_sub(1);
        let synced = if crashed { self.files.segments.len() } else { last };
        self.changed || self.files.segments[..synced].iter().any(|s| !s.sealed)
    }

    /// Writes what waits. Not durable before [`ShardReplay::finish`].
    pub fn flush(&mut self) -> Result<(), DiskError> {
        let Some((at, offset, bytes)) = self.pending.take() else {
            return Ok(());
        };
        let file = BlockingFile::open_or_create(&self.path(self.files.segments[at].base))?;
        self.changed = true;
        if offset == 0 {
            // A new file, or one whose content was never more than the beginning of a header.
            file.set_len(0)?;
        }
        file.write_at(offset, &bytes)?;
        self.files.segments[at].bytes = file.len()?;
        Ok(())
    }

    /// Makes everything durable: unsealed segments, the indexes of those that another one
    /// follows, the directory.
    pub fn finish(&self) -> Result<(), DiskError> {
        assert!(self.pending.is_none(), "what waits is written before it is synced");
        let count = self.files.segments.len();
        for (i, segment) in self.files.segments.iter().enumerate().filter(|(_, s)| !s.sealed) {
            let file = BlockingFile::open_or_create(&self.path(segment.base))?;
            // Direct reads and writes want whole blocks.
            if !is_aligned(file.len()?) {
                file.set_len(round_up(file.len()? as usize) as u64)?;
            }
            // Also what was found here and not added: until now it may only be in caches.
            file.sync()?;
            if i + 1 < count {
                let index = layout::index_file(&self.files.dir, segment.base);
                blocking::replace_file(&index, &segment.index.encode())?;
            }
        }
        if count > 0 { blocking::sync_dir(&self.files.dir) } else { Ok(()) }
    }

    /// The files, once all that must be finished is.
    pub fn into_files(mut self) -> ShardFiles {
        let last = self.files.segments.len().saturating_sub(1);
        self.files.segments[..last].iter_mut().for_each(|segment| segment.sealed = true);
        self.files
    }

    /// A new last segment; returns its position.
    fn create(&mut self, base: Seq) -> Result<usize, DiskError> {
        self.flush()?;
        self.changed = true;
        let stream_dir = self.files.dir.parent().expect("a shard lies in its stream");
        if !stream_dir.is_dir() {
            blocking::create_dir_durable(stream_dir)?;
        }
        // Its name is synced with all others of the stream.
        blocking::create_dir(&self.files.dir)?;
        self.pending = Some((self.files.segments.len(), 0, self.header(base)));
        self.files.segments.push(SegmentFile {
            base,
            index: SegmentIndex::new(base),
            sealed: false,
            bytes: SEGMENT_HEADER_BYTES as u64,
            no_header: false,
            end: ScanEnd::Clean,
            stray: None,
            terms: Vec::new(),
            damage: None,
        });
        Ok(self.files.segments.len() - 1)
    }

    fn header(&self, base: Seq) -> Vec<u8> {
        let mut block = vec![0; SEGMENT_HEADER_BYTES];
        let Creation { term, now } = self.creation;
        SegmentHeader { shard: self.files.key, base, term, created: now }.encode_into(&mut block);
        block
    }

    /// Bytes that wait to be written.
    pub fn pending_bytes(&self) -> usize {
        self.pending.as_ref().map_or(0, |(.., bytes)| bytes.len())
    }

    fn path(&self, base: Seq) -> PathBuf {
        layout::segment_file(&self.files.dir, base)
    }

    fn overlap(&self, seq: Seq, end: Seq) -> ReplayError {
        let segment = self.files.segments.iter().rfind(|s| s.base <= seq);
        let segment = segment.or(self.files.segments.first());
        let (base, offset) = segment.map_or((seq, 0), |s| (s.base, s.index.end_offset()));
        let kind = DamageKind::Overlap { shard: self.files.key, seq, end };
        ReplayError::Damage(Box::new(Damage { file: self.path(base), offset, kind }))
    }
}
