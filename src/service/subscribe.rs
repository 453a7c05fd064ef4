//! Subscriptions: open, credit, close, and connections that go or stall.

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Seq, SessionId, ShardKey, StreamUuid};
use crate::base::limits::NAME_BYTES_MAX;
use crate::base::stream::Position;
use crate::fanout::{Effect, HeldUp, NewSubscription, Opening, SeekRequest};
use crate::log::staging::ShardSlot;
use crate::metrics::Counter;
use crate::service::core::Core;
use crate::service::get_iterator::Found;

impl Core {
    /// Opens a subscription, at once or after a read.
    pub fn subscribe(
        &mut self,
        now: Now,
        session: SessionId,
        correlation: u64,
        key: ShardKey,
        new: NewSubscription,
        position: Position,
    ) -> Result<(), ApiError> {
        let slot = self.slot(key)?;
        check_consumer_name(&new.consumer)?;
        self.check_consumer(now, slot, &new.consumer)?;
        if self.subscriptions.has(session, new.wire_id) {
            return Err(ApiError::invalid(format!(
                "subscription {} is open on this connection already",
                new.wire_id
            )));
        }
        let seek = SeekRequest { session, correlation, slot, subscribe: Some(new.clone()) };
        match self.find_position(now, slot, position, seek.clone())? {
            Found::At(seq) => self.open_at(now, session, correlation, slot, new, seq),
            Found::Read(job) => {
                self.seeking.push(seek);
                self.effects.reads.push(*job);
            }
        }
        Ok(())
    }

    /// The API's error unless the consumer is registered and has not just subscribed to the shard.
    fn check_consumer(&self, now: Now, slot: ShardSlot, consumer: &str) -> Result<(), ApiError> {
        let shard = self.shard(slot).expect("an open slot has its shard");
        self.view.require_uuid(shard.key().stream)?.consumer(consumer)?;
        self.subscriptions.check_guard(slot, shard, consumer, now)
    }

    /// A position by time is found: opens the subscription, unless its client has gone or has
    /// taken it back meanwhile, its consumer was deregistered, or has subscribed by another call.
    pub(super) fn open_found(
        &mut self,
        now: Now,
        seek: SeekRequest,
        new: NewSubscription,
        start: Seq,
    ) {
        let SeekRequest { session, correlation, slot, .. } = seek;
        let checked = match self.forget_seek(&seek) {
            true => self.check_consumer(now, slot, &new.consumer),
            false => Err(ApiError::not_found("the subscription was ended before it began")),
        };
        match checked {
            Ok(()) => self.open_at(now, session, correlation, slot, new, start),
            Err(error) => self.effects.fail(session, correlation, error),
        }
    }

    /// A position is not looked for any more. False if it was not: its read is still to answer.
    pub(super) fn forget_seek(&mut self, seek: &SeekRequest) -> bool {
        let at = self.seeking.iter().position(|other| other == seek);
        at.map(|at| self.seeking.swap_remove(at)).is_some()
    }

    /// Ends the subscriptions of a consumer of a stream, also those that are about to begin.
    pub(super) fn end_consumer(&mut self, stream: StreamUuid, consumer: &str, error: &ApiError) {
        self.subscriptions.end_consumer(stream, consumer, error, &mut self.effects);
        let mut seeking = std::mem::take(&mut self.seeking);
        seeking.retain(|seek| {
            let of_stream = self.shard(seek.slot).is_some_and(|shard| shard.key().stream == stream);
            let of_consumer = seek.subscribe.as_ref().is_some_and(|new| new.consumer == consumer);
            !(of_stream && of_consumer)
        });
        self.seeking = seeking;
    }

    pub(super) fn open_at(
        &mut self,
        now: Now,
        session: SessionId,
        correlation: u64,
        slot: ShardSlot,
        new: NewSubscription,
        start: Seq,
    ) {
        let Some(shard) = &self.shards[slot.0 as usize] else { return };
        // The answer goes first: no push may come before it.
        self.effects.list.push(Effect::Subscribed { session, correlation, start });
        let opening = Opening { session, slot, start, new };
        self.subscriptions.open(opening, shard, now, &mut self.effects);
        self.metrics.add(Counter::SubscriptionsOpened, 1);
        self.dirty.push(slot);
    }

    /// Grants a subscription more bytes. One that has just ended is no mistake of the client.
    pub fn credit(&mut self, session: SessionId, wire_id: u32, bytes: u64) {
        if let Some(slot) = self.subscriptions.credit(session, wire_id, bytes) {
            self.dirty.push(slot);
        }
    }

    /// Ends a subscription.
    pub fn unsubscribe(
        &mut self,
        session: SessionId,
        correlation: u64,
        wire_id: u32,
    ) -> Result<(), ApiError> {
        let wanted = |new: &NewSubscription| new.wire_id == wire_id;
        let seeking = self.seeking.iter().position(|seek| {
            seek.session == session && seek.subscribe.as_ref().is_some_and(wanted)
        });
        if let Some(at) = seeking {
            self.seeking.swap_remove(at);
        } else if !self.subscriptions.close(session, wire_id) {
            return Err(ApiError::not_found(format!("subscription {wire_id} is not open")));
        }
        self.effects.list.push(Effect::Unsubscribed { session, correlation });
        Ok(())
    }

    /// Ends every subscription: the server stops.
    pub fn end_subscriptions(&mut self, now: Now) {
        self.finish_turn(now);
        let error = ApiError::new(ErrorCode::ShuttingDown, "the server is stopping");
        let mut slots = Vec::new();
        self.subscriptions.slots(&mut slots);
        for slot in slots {
            self.subscriptions.end_shard(slot, &error, &mut self.effects);
        }
    }

    /// A connection has gone.
    pub fn session_closed(&mut self, session: SessionId) {
        self.subscriptions.close_session(session);
        self.seeking.retain(|seek| seek.session != session);
        self.waiting_gets.retain(|request| request.session != session);
    }

    /// A connection of this core has gone: nobody waits for its puts any more.
    pub fn forget_puts(&mut self, session: SessionId) {
        self.pending.forget(session);
    }

    /// A connection has enough to send, or takes more again.
    pub fn session_blocked(&mut self, session: SessionId, blocked: bool) {
        self.subscriptions.set_blocked(session, blocked, &mut self.dirty);
    }

    /// Serves every reader whose shard, credit or connection has changed in this turn.
    pub fn finish_turn(&mut self, now: Now) {
        self.unpark(now);
        self.pump_dirty(now);
        self.report_drained();
        self.count_held_up();
    }

    fn count_held_up(&mut self) {
        let HeldUp { credit, quota, tail_misses } = std::mem::take(&mut self.effects.held_up);
        self.metrics.add(Counter::CreditStalls, credit);
        self.metrics.add(Counter::PushThrottles, quota);
        self.metrics.add(Counter::TailMisses, tail_misses);
    }

    /// The regular look at what waits for time: long polls, and quotas that fill up again.
    pub fn tick(&mut self, now: Now) {
        self.expire_waiting(now);
        self.subscriptions.forget_guards(now);
        let mut slots = std::mem::take(&mut self.dirty);
        self.subscriptions.slots(&mut slots);
        self.dirty = slots;
        self.finish_turn(now);
    }
}

/// Consumer names have the form of stream names (AWS).
fn check_consumer_name(name: &str) -> Result<(), ApiError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "a consumer name has 1 to {NAME_BYTES_MAX} characters of a-z A-Z 0-9 _ . -, not {name:?}"
    )))
}
