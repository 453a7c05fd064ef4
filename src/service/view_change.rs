//! The catalog has changed: shards appear and disappear.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{SessionId, ShardKey};
use crate::catalog::View;
use crate::service::core::Core;
use crate::service::get::GetLimits;
use crate::service::message::{ShardOperation, ShardRequest};

impl Core {
    /// Uses `view` from now on.
    pub fn install_view(&mut self, now: Now, view: Arc<View>) {
        self.view = view;
        self.open_shards(HashMap::new(), now);
        let gone: Vec<ShardKey> = self
            .by_key
            .keys()
            .filter(|key| self.view.by_uuid(key.stream).is_none_or(|s| s.require_usable().is_err()))
            .copied()
            .collect();
        for key in gone {
            self.close_shard(key);
        }
    }

    fn close_shard(&mut self, key: ShardKey) {
        let slot = self.by_key.remove(&key).expect("it was just listed");
        let error = ApiError::new(ErrorCode::ResourceNotFound, "the stream was deleted");
        self.subscriptions.end_shard(slot, &error, &mut self.effects);
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
