//! The one place where durability has consequences: acknowledgements, tail, subscriptions, gets.

use std::time::Instant;

use crate::base::clock::Now;
use crate::base::error::ErrorCode;
use crate::base::ids::{Millis, ShardNumber};
use crate::log::checkpoint::CheckpointEntry;
use crate::log::core_log::{CommitWrite, NoCommit};
use crate::log::segment_writer::MemoryBatch;
use crate::log::staging::ShardSlot;
use crate::metrics::{Counter, Histogram};
use crate::record::BatchHeader;
use crate::service::core::{Core, PutWaiter};
use crate::wire::put::PutRun;

impl Core {
    /// The next write of the journal, if one is due.
    pub fn begin_commit(&mut self) -> Result<CommitWrite, NoCommit> {
        let shards = &self.shards;
        let oldest = || shards.iter().flatten().filter_map(|s| s.oldest_journal_file()).min();
        match self.log.begin_commit(oldest) {
            Err(NoCommit::NextFile) => {
                let entries = self.checkpoint();
                self.metrics.add(Counter::JournalFilesRecycled, 1);
                Ok(self.log.begin_file(&entries))
            }
            Ok(write) => {
                std::mem::swap(&mut self.staged_waiters, &mut self.in_flight_waiters);
                debug_assert!(self.staged_waiters.is_empty());
                Ok(write)
            }
            Err(other) => Err(other),
        }
    }

    /// When the first put of the commit that is being written came to this core; `None` for a
    /// checkpoint.
    #[must_use]
    pub fn commit_since(&self) -> Option<Instant> {
        self.in_flight_waiters.first().map(|waiter| waiter.since)
    }

    /// How far the segments of every shard have come.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<CheckpointEntry> {
        let shards = self.shards.iter().flatten();
        shards
            .map(|s| CheckpointEntry { shard: s.key(), segment_seq: s.watermarks().segment })
            .collect()
    }

    /// A checkpoint as the last commit of a clean stop.
    pub fn begin_final_checkpoint(&mut self) -> Option<CommitWrite> {
        let entries = self.checkpoint();
        self.log.begin_final_checkpoint(&entries)
    }

    /// The write in flight is on stable storage: acknowledges, shows and pushes its records.
    pub fn advance(&mut self, now: Now) {
        let mut batches = std::mem::take(&mut self.committed);
        let buffer = self.log.complete_commit(&mut batches);
        self.metrics.add(Counter::Commits, 1);
        self.metrics.add(Counter::CommitBytes, buffer.len() as u64);
        self.metrics.record(Histogram::CommitBatches, batches.len() as u64);
        self.metrics.record(Histogram::CommitWriteBytes, buffer.len() as u64);
        let generation = self.log.generation();
        let mut waiters = std::mem::take(&mut self.in_flight_waiters);
        debug_assert!(batches.is_empty() || waiters.len() == batches.len());
        for (batch, waiter) in batches.iter().zip(waiters.drain(..)) {
            let Some(shard) = &mut self.shards[batch.slot.0 as usize] else {
                // Its stream was deleted while the write was on its way.
                self.unwritten_bytes = self.unwritten_bytes.saturating_sub(u64::from(batch.bytes));
                let stored = BatchHeader::decode_stamped(&buffer[batch.offset as usize..]);
                let shard = stored.expect("it was staged here").stamp.shard.number;
                self.put_gone(waiter, shard, batch.count);
                continue;
            };
            let run = PutRun {
                shard: shard.key().number,
                count: batch.count,
                outcome: Ok(batch.base),
                arrival: batch.arrival,
            };
            let in_memory = MemoryBatch {
                base: batch.base,
                count: batch.count,
                arrival: batch.arrival,
                buffer: buffer.clone(),
                offset: batch.offset,
                bytes: batch.bytes,
                since: waiter.since,
            };
            shard.durable(in_memory, generation);
            if self.dirty.last() != Some(&batch.slot) {
                self.dirty.push(batch.slot);
            }
            if waiter.session.is_some() {
                self.metrics.record(Histogram::PutMicros, waiter.waited_us(now));
            }
            self.put_done(waiter, run, String::new());
        }
        self.in_flight_waiters = waiters;
        self.committed = batches;
        self.pump_dirty(now);
        self.trim_memory();
    }

    fn put_gone(&mut self, waiter: PutWaiter, shard: ShardNumber, count: u32) {
        let run =
            PutRun { shard, count, outcome: Err(ErrorCode::ResourceNotFound), arrival: Millis(0) };
        self.put_done(waiter, run, "the stream was deleted".to_owned());
    }

    /// Serves the readers of every shard that has changed.
    pub(super) fn pump_dirty(&mut self, now: Now) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.sort_unstable_by_key(|slot| slot.0);
        dirty.dedup();
        for slot in dirty.drain(..) {
            if self.pump(slot, now) {
                self.dirty.push(slot);
            }
        }
        if self.dirty.is_empty() {
            // Keeps the allocation.
            self.dirty = dirty;
        }
    }

    /// Whether readers can be served on, once their connections have taken what they have.
    #[must_use]
    pub fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    fn pump(&mut self, slot: ShardSlot, now: Now) -> bool {
        let Some(shard) = &self.shards[slot.0 as usize] else { return false };
        let more = self.subscriptions.pump(slot, shard, now, &mut self.effects);
        if !self.waiting_gets.is_empty() {
            self.serve_waiting(slot, now);
        }
        more
    }

    /// Drops the oldest commits from memory, as far as segments have them.
    pub fn trim_memory(&mut self) {
        let shards = &mut self.shards;
        self.log.trim_memory(|batches| {
            let of = |slot: &ShardSlot| shards[slot.0 as usize].as_ref();
            if !batches.clone().all(|(slot, end)| of(slot).is_none_or(|s| s.has_written(*end))) {
                return false;
            }
            for (slot, _) in batches {
                if let Some(shard) = &mut shards[slot.0 as usize] {
                    shard.evict_oldest();
                }
            }
            true
        });
    }
}
