//! A read from a segment is done: whoever asked for it goes on.

use std::path::PathBuf;

use thiserror::Error;

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::Seq;
use crate::fanout::{Effect, ReadBatches, ReadPurpose};
use crate::log::staging::ShardSlot;
use crate::metrics::Counter;
use crate::service::core::Core;

/// Why a read from a segment has brought nothing.
#[derive(Debug, Error)]
pub enum ReadFailure {
    /// There is no such file.
    #[error("{} is missing", .file.display())]
    Missing {
        /// Which.
        file: PathBuf,
        /// The first sequence behind it.
        end: Seq,
    },
    /// It cannot be read, or is not what was written.
    #[error("{0}")]
    Damaged(String),
}

impl Core {
    /// `outcome`: batches, or the sequence up to which nothing wanted was found, or why the
    /// segment cannot be read.
    pub fn read_done(
        &mut self,
        now: Now,
        slot: ShardSlot,
        purpose: ReadPurpose,
        outcome: Result<Result<ReadBatches, Seq>, ReadFailure>,
    ) {
        self.metrics.add(Counter::CatchUpReads, 1);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            // The segment has expired since the read was planned, or the stream was deleted.
            Err(ReadFailure::Missing { end, .. }) if self.is_trimmed(slot, end) => Err(end),
            Err(failure) => return self.read_failed(purpose, &failure),
        };
        match purpose {
            ReadPurpose::Get(request) => self.get_read_done(request, outcome, now),
            ReadPurpose::Push(id) => {
                if let Some(shard) = &self.shards[slot.0 as usize] {
                    self.subscriptions.read_done(id, shard, now, outcome, &mut self.effects);
                }
            }
            ReadPurpose::Seek(seek) => {
                let Some(shard) = self.shard(slot) else {
                    let error = ApiError::not_found("the stream was deleted");
                    return self.effects.fail(seek.session, seek.correlation, error);
                };
                let marks = shard.watermarks();
                let seq = outcome.map_or_else(|skip_to| skip_to, |read| read.first);
                let seq = seq.max(marks.trim).min(marks.durable);
                match seek.subscribe.clone() {
                    Some(new) => self.open_found(now, seek, new, seq),
                    None => {
                        let iterator = self.iterator(now, slot, seq);
                        let (session, correlation) = (seek.session, seek.correlation);
                        let done = Effect::IteratorDone { session, correlation, iterator };
                        self.effects.list.push(done);
                    }
                }
            }
        }
    }

    fn is_trimmed(&self, slot: ShardSlot, end: Seq) -> bool {
        self.shard(slot).is_none_or(|shard| end <= shard.watermarks().trim)
    }

    fn read_failed(&mut self, purpose: ReadPurpose, reason: &ReadFailure) {
        tracing::error!(%reason, "a segment cannot be read");
        let error = ApiError::internal(format!("stored records cannot be read: {reason}"));
        match purpose {
            ReadPurpose::Get(r) => self.effects.fail(r.session, r.correlation, error),
            ReadPurpose::Seek(seek) => {
                self.forget_seek(&seek);
                self.effects.fail(seek.session, seek.correlation, error);
            }
            ReadPurpose::Push(id) => self.subscriptions.end(id, error, &mut self.effects),
        }
    }
}
