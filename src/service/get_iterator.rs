//! `GetIterator`: a position becomes a sequence, the sequence a signed iterator.

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{Millis, Seq, SessionId, ShardKey};
use crate::base::limits::CATCH_UP_READ_BYTES;
use crate::base::stream::Position;
use crate::fanout::{Effect, ReadJob, ReadPurpose, SeekRequest};
use crate::log::reader::Wanted;
use crate::log::staging::ShardSlot;
use crate::metrics::Counter;
use crate::security::iterator::{ITERATOR_BYTES, IteratorClaims};
use crate::service::core::Core;
use crate::shard::Shard;

/// A position, as far as memory can tell.
pub(super) enum Found {
    /// The record.
    At(Seq),
    /// A segment must be read.
    Read(Box<ReadJob>),
}

impl Core {
    /// Answers with an iterator at `position`, at once or after a read.
    pub fn get_iterator(
        &mut self,
        now: Now,
        session: SessionId,
        correlation: u64,
        key: ShardKey,
        position: Position,
    ) -> Result<(), ApiError> {
        let slot = self.slot(key)?;
        let shard = self.shard_mut(slot).expect("an open slot has its shard");
        if let Err(error) = shard.admit_iterator(now) {
            self.metrics.add(Counter::ReadThrottles, 1);
            return Err(error);
        }
        let seek = SeekRequest { session, correlation, slot, subscribe: None };
        match self.find_position(now, slot, position, seek)? {
            Found::At(seq) => {
                let iterator = self.iterator(now, slot, seq);
                self.effects.list.push(Effect::IteratorDone { session, correlation, iterator });
            }
            Found::Read(job) => self.effects.reads.push(*job),
        }
        Ok(())
    }

    /// A signed iterator of a shard at home here.
    pub(super) fn iterator(&mut self, now: Now, slot: ShardSlot, at: Seq) -> [u8; ITERATOR_BYTES] {
        self.nonce += 1;
        let shard = self.shard(slot).expect("the slot was just looked up");
        let claims = IteratorClaims { shard: shard.key(), position: at, issued: now.wall };
        self.iterator_key.issue(&claims, self.nonce)
    }

    pub(super) fn find_position(
        &self,
        now: Now,
        slot: ShardSlot,
        position: Position,
        seek: SeekRequest,
    ) -> Result<Found, ApiError> {
        let shard = self.shard(slot).expect("an open slot has its shard");
        let marks = shard.watermarks();
        let seq = match position {
            Position::TrimHorizon => marks.trim,
            Position::Latest => marks.durable,
            Position::AtSequence(seq) if seq <= marks.durable => seq.max(marks.trim),
            Position::AfterSequence(seq) if seq < marks.durable => seq.plus(1).max(marks.trim),
            Position::AtSequence(seq) | Position::AfterSequence(seq) => {
                return Err(ApiError::invalid(format!(
                    "StartingSequenceNumber {seq} used in GetShardIterator on shard {} is invalid \
                     because it did not come from this stream; the next one will be {}.",
                    shard.key().number,
                    marks.durable
                )));
            }
            Position::AtTimestamp(time) if time > now.wall => {
                return Err(ApiError::invalid(
                    "The timestampInMillis parameter cannot be in the future.".to_owned(),
                ));
            }
            Position::AtTimestamp(time) => return Ok(find_time(now, slot, shard, time, seek)),
        };
        Ok(Found::At(seq))
    }
}

fn find_time(now: Now, slot: ShardSlot, shard: &Shard, time: Millis, seek: SeekRequest) -> Found {
    let time = time.max(shard.retention_cutoff(now.wall));
    let mut in_memory = shard.tail_from(Seq::ZERO);
    let covered = in_memory.next().is_some_and(|oldest| oldest.arrival < time);
    if !covered && let Some(place) = shard.segments.locate_time(time) {
        let wanted = Wanted {
            from: shard.watermarks().trim,
            not_before: time,
            bytes_max: CATCH_UP_READ_BYTES,
            records_max: 1,
        };
        let purpose = ReadPurpose::Seek(seek);
        return Found::Read(Box::new(ReadJob { slot, place, wanted, purpose }));
    }
    let first = shard.tail_from(Seq::ZERO).find(|batch| batch.arrival >= time);
    Found::At(first.map_or(shard.watermarks().durable, |batch| batch.base))
}
