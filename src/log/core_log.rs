//! A core's log: what is staged, what is being written, and which commits stay in memory.
//!
//! Domain only. The driver asks for the next write, does it, and reports back; at most one write
//! is in flight, and what arrives meanwhile is the next one.

use std::collections::{VecDeque, vec_deque};

use crate::base::ids::Seq;
use crate::base::limits::COMMIT_BYTES_MAX;
use crate::disk::dma::SharedBuf;
use crate::log::checkpoint::CheckpointEntry;
use crate::log::commit::commit_write_bytes;
use crate::log::journal::{Journal, JournalSpec, Place};
use crate::log::staging::{Full, ShardSlot, StagedBatch, Staging, seal_checkpoint};
use crate::record::Stamp;

/// The next write of the journal.
#[derive(Debug)]
pub struct CommitWrite {
    /// Where.
    pub place: Place,
    /// What.
    pub buffer: SharedBuf,
    /// Whether it must be on stable storage when it completes.
    pub sync: bool,
    /// Batches, not a checkpoint.
    pub carries_batches: bool,
}

/// Why there is no next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCommit {
    /// Nothing is staged, or a write is in flight.
    Idle,
    /// The current file is full and the next one may be overwritten: start it.
    NextFile,
    /// The ring is full of records that no segment holds yet: write-behind must catch up.
    RingFull,
}

/// A commit whose batches are in memory.
#[derive(Debug)]
struct ResidentCommit {
    /// Number of them.
    batches: usize,
    bytes: usize,
}

/// The batches of a commit: whose, in order, and the end of each.
pub type CommitBatches<'a> = vec_deque::Iter<'a, (ShardSlot, Seq)>;

/// See the module.
#[derive(Debug)]
pub struct CoreLog {
    staging: Staging,
    journal: Journal,
    in_flight: Option<SharedBuf>,
    in_flight_batches: Vec<StagedBatch>,
    resident: VecDeque<ResidentCommit>,
    /// Batches of all resident commits, one commit behind the other.
    resident_batches: VecDeque<(ShardSlot, Seq)>,
    resident_bytes: usize,
    tail_bytes: usize,
    failure: Option<String>,
}

impl CoreLog {
    /// The log of a core that keeps up to `tail_bytes` of commits in memory.
    #[must_use]
    pub fn new(spec: JournalSpec, tail_bytes: usize) -> CoreLog {
        CoreLog {
            staging: Staging::new(),
            journal: Journal::new(spec),
            in_flight: None,
            in_flight_batches: Vec::new(),
            resident: VecDeque::new(),
            resident_batches: VecDeque::new(),
            resident_bytes: 0,
            tail_bytes,
            failure: None,
        }
    }

    /// Why the log takes no more writes, once a write has failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A write failed: no further one is ever tried (a failed sync says nothing about the next).
    pub fn fail(&mut self, reason: String) {
        self.failure.get_or_insert(reason);
    }

    /// Whether a batch of `bytes` can be staged now.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.staging.has_room(bytes)
    }

    /// Whether nothing is staged or in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.staging.is_empty() && self.in_flight.is_none()
    }

    /// Bytes of commits kept in memory.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        self.resident_bytes
    }

    /// The journal file being written.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.journal.generation()
    }

    /// Files of the ring in use, see [`Journal::files_in_use`].
    #[must_use]
    pub fn files_in_use(&self, oldest_needed: Option<u64>) -> u64 {
        self.journal.files_in_use(oldest_needed)
    }

    /// Stages a batch for the next commit.
    pub fn stage(
        &mut self,
        slot: ShardSlot,
        batch: &[u8],
        count: u32,
        stamp: &Stamp,
        needs_sync: bool,
    ) -> Result<(), Full> {
        assert!(self.failure.is_none(), "a failed log stages nothing");
        self.staging.stage(slot, batch, count, stamp, needs_sync)
    }

    /// The next write, if there is one. `oldest_needed`: the oldest generation with records that
    /// no segment holds for certain.
    pub fn begin_commit(
        &mut self,
        oldest_needed: impl FnOnce() -> Option<u64>,
    ) -> Result<CommitWrite, NoCommit> {
        if self.in_flight.is_some() || self.staging.is_empty() || self.failure.is_some() {
            return Err(NoCommit::Idle);
        }
        if self.journal.at_file_start() || !self.journal.fits(self.staging.write_bytes()) {
            let free = self.journal.next_file_is_free(oldest_needed());
            return Err(if free { NoCommit::NextFile } else { NoCommit::RingFull });
        }
        let (mut header, place) = self.journal.next();
        let sealed = self.staging.seal(&mut header, &mut self.in_flight_batches);
        self.journal.advance(&header);
        self.in_flight = Some(sealed.buffer.clone());
        let sync = sealed.needs_sync;
        Ok(CommitWrite { place, buffer: sealed.buffer, sync, carries_batches: true })
    }

    /// Starts the next file: its first commit, a checkpoint.
    pub fn begin_file(&mut self, entries: &[CheckpointEntry]) -> CommitWrite {
        assert!(self.in_flight.is_none(), "one write of the journal at a time");
        self.journal.start_file();
        self.begin_checkpoint(entries)
    }

    /// A checkpoint in the current file, as the last commit of a clean stop; `None` if it does not
    /// fit (the identity file then says enough).
    pub fn begin_final_checkpoint(&mut self, entries: &[CheckpointEntry]) -> Option<CommitWrite> {
        let bytes = entries.len() * crate::log::checkpoint::CHECKPOINT_ENTRY_BYTES;
        (self.generation() > 0 && self.journal.fits(commit_write_bytes(bytes)))
            .then(|| self.begin_checkpoint(entries))
    }

    fn begin_checkpoint(&mut self, entries: &[CheckpointEntry]) -> CommitWrite {
        let (mut header, place) = self.journal.next();
        let buffer = seal_checkpoint(&mut header, entries);
        self.journal.advance(&header);
        self.in_flight = Some(buffer.clone());
        CommitWrite { place, buffer, sync: true, carries_batches: false }
    }

    /// The write in flight is done. Returns its buffer and moves its batches into `batches`.
    pub fn complete_commit(&mut self, batches: &mut Vec<StagedBatch>) -> SharedBuf {
        let buffer = self.in_flight.take().expect("a write completes once");
        batches.clear();
        std::mem::swap(batches, &mut self.in_flight_batches);
        if !batches.is_empty() {
            let ends = batches.iter().map(|b| (b.slot, b.base.plus(u64::from(b.count))));
            self.resident_batches.extend(ends);
            self.resident_bytes += buffer.len();
            let commit = ResidentCommit { batches: batches.len(), bytes: buffer.len() };
            self.resident.push_back(commit);
        }
        buffer
    }

    /// Evicts the oldest commits above the budget. `evict` drops their batches from memory and
    /// returns true, or does nothing and returns false while segments lack one of them.
    pub fn trim_memory(&mut self, mut evict: impl FnMut(CommitBatches<'_>) -> bool) {
        while self.resident_bytes > self.tail_bytes {
            let Some(&ResidentCommit { batches, bytes }) = self.resident.front() else { return };
            if !evict(self.resident_batches.range(..batches)) {
                return;
            }
            self.resident.pop_front();
            self.resident_batches.drain(..batches);
            self.resident_bytes -= bytes;
        }
    }
}

const _: () = assert!(COMMIT_BYTES_MAX >= 64 * 1024, "a commit gathers many small batches");

#[cfg(test)]
mod tests;
