//! Which shard writes to its segment next, and what follows when it has.

use std::path::{Path, PathBuf};

use crate::base::clock::Now;
use crate::base::ids::{Millis, Seq};
use crate::base::limits::{JOURNAL_FILES, SEGMENT_SYNC_BYTES, SEGMENT_WRITE_BYTES};
use crate::log::segment_writer::SegmentWrite;
use crate::log::staging::ShardSlot;
use crate::metrics::Counter;
use crate::service::core::Core;

/// What write-behind does next.
#[derive(Debug)]
pub enum Work {
    /// Write a piece.
    Write(ShardSlot, SegmentWrite),
    /// Sync a segment: everything below the sequence is in it.
    Sync(ShardSlot, PathBuf, Seq),
    /// Save the index of a segment that is complete and synced, then seal it.
    Seal(ShardSlot, PathBuf, Vec<u8>),
}

impl Work {
    /// Whose segment it is.
    #[must_use]
    pub fn slot(&self) -> ShardSlot {
        match self {
            Work::Write(slot, _) | Work::Sync(slot, ..) | Work::Seal(slot, ..) => *slot,
        }
    }

    /// The file that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Work::Write(_, write) => &write.path,
            Work::Sync(_, path, _) | Work::Seal(_, path, _) => path,
        }
    }
}

/// A shard with nothing new for this long is written out, so that its journal files get free.
const IDLE_MS: u64 = 1000;
/// Write-behind takes large pieces when more than this is unwritten.
const FAR_BEHIND_BYTES: u64 = 8 * 1024 * 1024;
/// See [`Core::piece_bytes`].
const LARGE_WRITE_BYTES: usize = 1024 * 1024;
/// A shard with nothing new for this long is synced. Later than written: a sync is a flush of the
/// whole device, and a thousand slow shards would make hundreds of them beside the commits.
const SYNC_IDLE_MS: u64 = 30_000;
/// A segment is sealed at this age, so that slow shards expire too.
const SEAL_AGE_MS: u64 = 3_600_000;

impl Core {
    /// The most useful piece of work, looking at shards from `from` on; `None` when there is none.
    /// `drain` asks for everything, as a clean stop does.
    pub fn next_work(&mut self, now: Now, from: usize, drain: bool) -> Option<Work> {
        let pressed = self.journal_is_short();
        let shards = self.shards.len();
        (0..shards)
            .map(|i| (from + i) % shards)
            .find_map(|i| self.work_of(ShardSlot(i as u32), now, pressed, drain))
    }

    /// Whether half of the ring holds records that no segment has for certain.
    fn journal_is_short(&self) -> Option<u64> {
        let oldest = self.oldest_journal_file();
        let short = self.log.files_in_use(oldest) * 2 >= JOURNAL_FILES;
        oldest.filter(|_| short && self.log.generation() > 0)
    }

    /// Small pieces leave the commit's latency alone; far behind, large ones keep up: a write that
    /// extends its file costs a hop to a kernel worker, whatever its size.
    fn piece_bytes(&self) -> usize {
        if self.unwritten_bytes > FAR_BEHIND_BYTES {
            LARGE_WRITE_BYTES
        } else {
            SEGMENT_WRITE_BYTES
        }
    }

    fn work_of(
        &mut self,
        slot: ShardSlot,
        now: Now,
        pressed: Option<u64>,
        drain: bool,
    ) -> Option<Work> {
        let piece_bytes = self.piece_bytes();
        let puts_wait = self.is_behind();
        let shard = self.shards[slot.0 as usize].as_mut()?;
        let writer = &shard.segments.writer;
        let pins_journal = pressed.is_some()
            && shard.oldest_journal_file() <= pressed
            && shard.oldest_journal_file().is_some();
        let idle = now.wall.since(shard.last_arrival()) >= IDLE_MS;
        let aged =
            writer.created_at() > Millis(0) && now.wall.since(writer.created_at()) >= SEAL_AGE_MS;
        let seals = writer.is_full() || (aged && writer.can_be_sealed());
        if seals {
            if shard.can_sync() {
                let end = shard.begin_sync();
                return Some(Work::Sync(slot, shard.segments.writer.path(), end));
            }
            let path = crate::log::layout::index_file(writer.dir(), writer.index().base());
            return Some(Work::Seal(slot, path, writer.index().encode()));
        }
        if pins_journal && shard.sync_frees_journal_file() {
            // Before new records are written: under load there are always some.
            let end = shard.begin_sync();
            return Some(Work::Sync(slot, shard.segments.writer.path(), end));
        }
        let due = drain || pins_journal || idle || aged;
        if shard.has_unwritten()
            && (due || puts_wait || shard.unwritten_bytes_reach(SEGMENT_WRITE_BYTES as u64))
            && let Some(write) = shard.plan_segment_write(now.wall, piece_bytes)
        {
            return Some(Work::Write(slot, write));
        }
        let unsynced = shard.segments.writer.unsynced_bytes();
        let long_idle = now.wall.since(shard.last_arrival()) >= SYNC_IDLE_MS;
        let sync_due = drain || pins_journal || long_idle || unsynced >= SEGMENT_SYNC_BYTES;
        if shard.can_sync() && sync_due {
            let end = shard.begin_sync();
            return Some(Work::Sync(slot, shard.segments.writer.path(), end));
        }
        None
    }

    /// A piece is written.
    pub fn write_done(&mut self, slot: ShardSlot, write: &SegmentWrite) {
        self.metrics.add(Counter::SegmentBytes, write.buffer.len() as u64);
        let Some(shard) = &mut self.shards[slot.0 as usize] else { return };
        let before = shard.segments.writer.index().end_offset();
        let was_empty = shard.segments.writer.index().is_empty();
        shard.segments.writer.complete(write);
        let after = shard.segments.writer.index().end_offset();
        debug_assert!(after >= before || was_empty);
        self.unwritten_bytes = self.unwritten_bytes.saturating_sub(after - before);
        self.trim_memory();
    }

    /// Whether segments have every record for certain, and nothing is on its way.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let shards = self.shards.iter().flatten();
        self.log.is_idle()
            && self.parked.is_empty()
            && shards.map(|s| s.watermarks()).all(|m| m.segment == m.staged)
    }

    /// Whether the shard in a slot still exists.
    #[must_use]
    pub fn is_open(&self, slot: ShardSlot) -> bool {
        self.shards[slot.0 as usize].is_some()
    }

    /// A segment is synced.
    pub fn sync_done(&mut self, slot: ShardSlot, end: Seq) {
        if let Some(shard) = &mut self.shards[slot.0 as usize] {
            shard.complete_sync(end);
        }
    }

    /// A segment's index is saved: the next segment starts.
    pub fn seal_done(&mut self, slot: ShardSlot) {
        if let Some(shard) = &mut self.shards[slot.0 as usize] {
            shard.segments.seal();
        }
    }

    /// Refuses puts with this reason until [`Core::accept_again`].
    pub fn refuse(&mut self, reason: String) {
        self.refusal.get_or_insert(reason);
    }

    /// Whether puts are refused for lack of space.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        self.refusal.is_some()
    }

    /// There is space again.
    pub fn accept_again(&mut self) {
        self.refusal = None;
    }

    /// Indexes of the newest segments, as files, once everything is written and synced.
    #[must_use]
    pub fn open_indexes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let writers = self.shards.iter().flatten().map(|shard| &shard.segments.writer);
        let filled = writers.filter(|writer| !writer.index().is_empty());
        filled
            .map(|writer| {
                let path = crate::log::layout::index_file(writer.dir(), writer.index().base());
                (path, writer.index().encode())
            })
            .collect()
    }

    /// Files of segments whose records have all expired. They may be removed.
    pub fn expired_files(&mut self, now: Now) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for shard in self.shards.iter_mut().flatten() {
            while let Some(base) = shard.expire_segment(now.wall) {
                files.extend(shard.segments.files(base));
                self.metrics.add(Counter::SegmentsDeleted, 1);
            }
        }
        files
    }
}
