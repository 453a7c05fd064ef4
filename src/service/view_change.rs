//! The catalog has changed: shards appear, close and disappear, and what was chosen changes.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{SessionId, ShardKey};
use crate::catalog::{StreamView, View};
use crate::service::core::Core;
use crate::service::get::GetLimits;
use crate::service::message::{ShardOperation, ShardRequest};

impl Core {
    /// Uses `view` from now on.
    pub fn install_view(&mut self, now: Now, view: Arc<View>) {
        let old = std::mem::replace(&mut self.view, view.clone());
        for before in old.streams() {
            match view.by_uuid(before.uuid) {
                Some(after) if Arc::ptr_eq(before, after) => {}
                after => self.leave(before, after),
            }
        }
        let mut fences = Vec::new();
        for stream in view.streams() {
            let before = old.by_uuid(stream.uuid);
            if before.is_some_and(|before| Arc::ptr_eq(before, stream)) {
                continue;
            }
            self.adopt(now, stream);
            let closing = stream.shards.iter().filter(|shard| shard.closing);
            let fresh = closing.filter(|shard| {
                let known = before.and_then(|before| before.shard(shard.number));
                !known.is_some_and(|known| known.closing)
            });
            fences.extend(fresh.map(|shard| (shard.home, stream.key(shard.number))));
        }
        self.send_fences(view.version(), fences);
        self.release_held(now);
    }

    /// What a stream had and has no more: shards, closing ones, consumers.
    fn leave(&mut self, before: &StreamView, after: Option<&Arc<StreamView>>) {
        let after = after.filter(|after| after.require_usable().is_ok());
        let here = before.shards_at(self.me);
        let (mut gone, mut settled) = (Vec::new(), HashSet::new());
        for shard in here {
            let key = before.key(shard.number);
            let known = after.and_then(|after| after.shard(shard.number));
            if known.is_none() && self.by_key.contains_key(&key) {
                gone.push(key);
            }
            if shard.closing && !known.is_some_and(|known| known.closing) {
                settled.insert(key);
            }
        }
        self.forget_closing(&settled);
        let is_deleted = after.is_none();
        for key in gone {
            self.close_shard(key, is_deleted);
        }
        let Some(after) = after else { return };
        let deregistered =
            before.consumers.keys().filter(|name| !after.consumers.contains_key(*name));
        for consumer in deregistered {
            let text = format!("consumer {consumer} of stream {} was deregistered", before.name);
            let error = ApiError::not_found(text);
            self.end_consumer(before.uuid, consumer, &error);
        }
    }

    /// What a stream has now: opens its new shards here, closes those that have an end.
    fn adopt(&mut self, now: Now, stream: &StreamView) {
        if stream.require_usable().is_err() {
            return;
        }
        for shard in stream.shards_at(self.me) {
            let key = stream.key(shard.number);
            let slot = match self.by_key.get(&key) {
                Some(&slot) => slot,
                None => self.open_shard(stream, shard, None, now),
            };
            let open = self.shards[slot.0 as usize].as_mut().expect("an open slot has its shard");
            if open.options().limits != stream.options.limits {
                self.subscriptions.set_limits(slot, &stream.options.limits, now);
            }
            open.set_options(stream.options, stream.retention_floor, now);
            // Nobody is told of the new shards before every core knows them.
            let is_shown = stream.before.is_none();
            if let Some(closed) = shard.closed.filter(|_| is_shown)
                && !open.is_closed()
            {
                open.close(closed.end, stream.children(shard.number));
                // Whoever waits for more is told that there is none.
                self.dirty.push(slot);
            }
        }
    }

    /// Ends everything about a shard that is gone, with its stream or by itself.
    fn close_shard(&mut self, key: ShardKey, with_stream: bool) {
        let slot = self.by_key.remove(&key).expect("it was just listed");
        let why = if with_stream { "the stream was deleted" } else { "the shard has expired" };
        let error = ApiError::new(ErrorCode::ResourceNotFound, why);
        self.subscriptions.end_shard(slot, &error, &mut self.effects);
        self.seeking.retain(|seek| seek.slot != slot);
        let waiting = std::mem::take(&mut self.waiting_gets);
        for request in waiting {
            if request.slot == slot {
                self.effects.fail(request.session, request.correlation, error.clone());
            } else {
                self.waiting_gets.push(request);
            }
        }
        if let Some(shard) = self.shards[slot.0 as usize].take() {
            self.unwritten_bytes = self.unwritten_bytes.saturating_sub(shard.unwritten_bytes());
        }
    }

    /// Serves a request for a shard at home here; a failure becomes its answer.
    pub fn serve(&mut self, now: Now, request: ShardRequest) {
        let ShardRequest { session, correlation, shard, operation } = request;
        let outcome = self.try_serve(now, session, correlation, shard, operation);
        if let Err(error) = outcome {
            self.effects.fail(session, correlation, error);
        }
    }

    fn try_serve(
        &mut self,
        now: Now,
        session: SessionId,
        correlation: u64,
        shard: ShardKey,
        operation: ShardOperation,
    ) -> Result<(), ApiError> {
        match operation {
            ShardOperation::GetIterator(position) => {
                self.get_iterator(now, session, correlation, shard, position)
            }
            ShardOperation::Get { claims, limit, bytes_max, wait_ms } => {
                let limits = GetLimits { limit, bytes_max, wait_ms };
                self.get(now, session, correlation, shard, claims.position, limits)
            }
            ShardOperation::Subscribe { new, position } => {
                self.subscribe(now, session, correlation, shard, new, position)
            }
            ShardOperation::Credit { wire_id, bytes } => {
                self.credit(session, wire_id, bytes);
                Ok(())
            }
            ShardOperation::Unsubscribe { wire_id } => {
                self.unsubscribe(session, correlation, wire_id)
            }
        }
    }
}
