//! All subscriptions to the shards of a core.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Seq, SessionId, StreamUuid};
use crate::base::stream::ShardLimits;
use crate::fanout::effects::{Effect, Effects};
use crate::fanout::subscription::{
    NewSubscription, Pumped, ReadBatches, Subscription, SubscriptionId, SubscriptionStats,
};
use crate::log::staging::ShardSlot;
use crate::quota::ShardOut;
use crate::shard::Shard;

/// See the module.
#[derive(Debug, Default)]
pub struct Subscriptions {
    places: Vec<Place>,
    free: Vec<u32>,
    by_shard: HashMap<ShardSlot, Vec<SubscriptionId>>,
    by_session: HashMap<SessionId, Vec<SubscriptionId>>,
    /// Connections that have enough to send, whether they have subscriptions or not.
    blocked: HashSet<SessionId>,
    /// When a consumer has last subscribed to a shard, for as long as it matters.
    opened: HashMap<(ShardSlot, String), Instant>,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    subscription: Option<Subscription>,
}

/// A subscription to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Whose connection.
    pub session: SessionId,
    /// Of which shard.
    pub slot: ShardSlot,
    /// Its first record.
    pub start: Seq,
    /// What the client chose.
    pub new: NewSubscription,
}

/// Another subscription of the same consumer to the same shard is refused for so long (AWS).
const GUARD: Duration = Duration::from_secs(5);

/// Whether the limits of the stream call for the guard: a stream without a limit on what goes out
/// has none on how often it is asked for.
fn is_guarded(shard: &Shard) -> bool {
    shard.options().limits.out_bytes > 0
}

impl Subscriptions {
    /// Opens a subscription. One of the same consumer on the shard ends: it is taken over. A call
    /// too soon behind the last successful one is refused instead (AWS: within 5 seconds).
    pub fn open(
        &mut self,
        opening: Opening,
        shard: &Shard,
        now: Now,
        effects: &mut Effects,
    ) -> SubscriptionId {
        let Opening { session, slot, start, new } = opening;
        self.take_over(slot, &new.consumer, effects);
        if is_guarded(shard) {
            self.opened.insert((slot, new.consumer.clone()), now.mono);
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            (self.places.len() - 1) as u32
        });
        let place = &mut self.places[index as usize];
        place.generation += 1;
        let id = SubscriptionId { index, generation: place.generation };
        place.subscription = Some(Subscription {
            id,
            session,
            slot,
            stream: shard.key().stream,
            cursor: start,
            credit: i64::try_from(new.credit).unwrap_or(i64::MAX),
            quota: ShardOut::consumer(&shard.options().limits, now.mono),
            reading: false,
            blocked: self.blocked.contains(&session),
            live: false,
            held_up: false,
            last_arrival: None,
            last_wait: None,
            new,
        });
        self.by_shard.entry(slot).or_default().push(id);
        self.by_session.entry(session).or_default().push(id);
        id
    }

    /// The API's error if the consumer has subscribed to this shard less than 5 seconds ago.
    pub fn check_guard(
        &self,
        slot: ShardSlot,
        shard: &Shard,
        consumer: &str,
        now: Now,
    ) -> Result<(), ApiError> {
        let last = self.opened.get(&(slot, consumer.to_owned()));
        let guarded = is_guarded(shard)
            && last.is_some_and(|last| now.mono.saturating_duration_since(*last) < GUARD);
        if !guarded {
            return Ok(());
        }
        let text = format!(
            "consumer {consumer} has subscribed to shard {} less than {} seconds ago",
            shard.key().number,
            GUARD.as_secs()
        );
        Err(ApiError::new(ErrorCode::ResourceInUse, text))
    }

    /// Forgets subscriptions that guard nothing any more.
    pub fn forget_guards(&mut self, now: Now) {
        self.opened.retain(|_, last| now.mono.saturating_duration_since(*last) < GUARD);
    }

    /// Limits of a shard have changed: those of its subscribers do.
    pub fn set_limits(&mut self, slot: ShardSlot, limits: &ShardLimits, now: Now) {
        for id in self.by_shard.get(&slot).into_iter().flatten() {
            if let Some(subscription) = &mut self.places[id.index as usize].subscription {
                subscription.quota.set_consumer_limits(limits, now.mono);
            }
        }
    }

    fn take_over(&mut self, slot: ShardSlot, consumer: &str, effects: &mut Effects) {
        let ids = self.by_shard.get(&slot).into_iter().flatten();
        let same = ids.copied().find(|id| {
            self.get(*id).is_some_and(|subscription| subscription.new.consumer == consumer)
        });
        if let Some(id) = same {
            let error = ApiError::new(
                ErrorCode::ResourceInUse,
                format!("another subscription of consumer {consumer} has taken this one over"),
            );
            self.end(id, error, effects);
        }
    }

    /// Grants more bytes.
    pub fn credit(&mut self, session: SessionId, wire_id: u32, bytes: u64) -> Option<ShardSlot> {
        let id = self.find(session, wire_id)?;
        let subscription = self.get_mut(id)?;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        subscription.credit = subscription.credit.saturating_add(bytes);
        Some(subscription.slot)
    }

    /// Closes a subscription of a connection. False if it has no such subscription.
    pub fn close(&mut self, session: SessionId, wire_id: u32) -> bool {
        self.find(session, wire_id).map(|id| self.remove(id)).is_some()
    }

    /// Closes all subscriptions of a connection that has gone.
    pub fn close_session(&mut self, session: SessionId) {
        self.blocked.remove(&session);
        for id in self.by_session.remove(&session).unwrap_or_default() {
            self.remove(id);
        }
    }

    /// Ends all subscriptions of a shard.
    pub fn end_shard(&mut self, slot: ShardSlot, error: &ApiError, effects: &mut Effects) {
        for id in self.by_shard.get(&slot).cloned().unwrap_or_default() {
            self.end(id, error.clone(), effects);
        }
    }

    /// Ends all subscriptions of a consumer to the shards of a stream.
    pub fn end_consumer(
        &mut self,
        stream: StreamUuid,
        consumer: &str,
        error: &ApiError,
        effects: &mut Effects,
    ) {
        let of_consumer = |s: &&Subscription| s.stream == stream && s.new.consumer == consumer;
        let subscriptions = self.places.iter().filter_map(|place| place.subscription.as_ref());
        let ids: Vec<_> = subscriptions.filter(of_consumer).map(|s| s.id).collect();
        for id in ids {
            self.end(id, error.clone(), effects);
        }
    }

    /// Number of subscriptions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of subscriptions to a shard.
    #[must_use]
    pub fn of_shard(&self, slot: ShardSlot) -> usize {
        self.by_shard.get(&slot).map_or(0, Vec::len)
    }

    /// How the subscriptions to a shard are doing.
    pub fn stats<'a>(
        &'a self,
        slot: ShardSlot,
        shard: &'a Shard,
    ) -> impl Iterator<Item = SubscriptionStats> + 'a {
        let ids = self.by_shard.get(&slot).into_iter().flatten();
        ids.filter_map(|id| self.get(*id)).map(|subscription| subscription.stats(shard))
    }

    /// Ends one and tells its client.
    pub fn end(&mut self, id: SubscriptionId, error: ApiError, effects: &mut Effects) {
        if let Some(subscription) = self.remove(id) {
            effects.list.push(Effect::SubscriptionEnd {
                session: subscription.session,
                subscription: subscription.new.wire_id,
                continue_at: subscription.cursor,
                error,
            });
        }
    }

    /// A connection has enough to send, or can take more again.
    pub fn set_blocked(&mut self, session: SessionId, blocked: bool, slots: &mut Vec<ShardSlot>) {
        if blocked {
            self.blocked.insert(session);
        } else {
            self.blocked.remove(&session);
        }
        for id in self.by_session.get(&session).cloned().unwrap_or_default() {
            if let Some(subscription) = self.get_mut(id) {
                subscription.blocked = blocked;
                slots.push(subscription.slot);
            }
        }
    }

    /// Sends what can be sent now to all subscriptions of a shard, and ends those that have come to
    /// its end. True when there is more.
    pub fn pump(
        &mut self,
        slot: ShardSlot,
        shard: &Shard,
        now: Now,
        effects: &mut Effects,
    ) -> bool {
        let (mut more, mut ended) = (false, Vec::new());
        for id in self.by_shard.get(&slot).into_iter().flatten() {
            let place = &mut self.places[id.index as usize];
            let Some(subscription) = &mut place.subscription else { continue };
            match subscription.pump(shard, now, effects) {
                Pumped::Waits => {}
                Pumped::More => more = true,
                Pumped::Ended => ended.push(*id),
            }
        }
        for id in ended {
            self.end_with_shard(id, shard, effects);
        }
        more
    }

    fn end_with_shard(&mut self, id: SubscriptionId, shard: &Shard, effects: &mut Effects) {
        let Some(subscription) = self.remove(id) else { return };
        effects.list.push(Effect::ShardEnded {
            session: subscription.session,
            subscription: subscription.new.wire_id,
            end: shard.watermarks().durable,
            children: shard.children().to_vec(),
        });
    }

    /// Shards with subscriptions, for the regular look at quotas that have filled up again.
    pub fn slots(&self, slots: &mut Vec<ShardSlot>) {
        slots.extend(self.by_shard.iter().filter(|(_, ids)| !ids.is_empty()).map(|(s, _)| *s));
    }

    /// A read for a subscription is done. `None`: nothing was found up to `skip_to`.
    pub fn read_done(
        &mut self,
        id: SubscriptionId,
        shard: &Shard,
        now: Now,
        outcome: Result<ReadBatches, Seq>,
        effects: &mut Effects,
    ) {
        // It may have been closed meanwhile.
        let Some(subscription) = self.get_mut(id) else { return };
        subscription.reading = false;
        match outcome {
            Ok(read) => subscription.push_read(shard, now, read, effects),
            Err(skip_to) => subscription.cursor = subscription.cursor.max(skip_to),
        }
        if subscription.pump(shard, now, effects) == Pumped::Ended {
            self.end_with_shard(id, shard, effects);
        }
    }

    fn find(&self, session: SessionId, wire_id: u32) -> Option<SubscriptionId> {
        let ids = self.by_session.get(&session)?;
        ids.iter().copied().find(|id| self.get(*id).is_some_and(|s| s.new.wire_id == wire_id))
    }

    /// Whether a connection uses this number already.
    #[must_use]
    pub fn has(&self, session: SessionId, wire_id: u32) -> bool {
        self.find(session, wire_id).is_some()
    }

    fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        let place = self.places.get(id.index as usize)?;
        place.subscription.as_ref().filter(|_| place.generation == id.generation)
    }

    fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        let place = self.places.get_mut(id.index as usize)?;
        place.subscription.as_mut().filter(|_| place.generation == id.generation)
    }

    fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.get(id)?;
        let subscription = self.places[id.index as usize].subscription.take()?;
        self.free.push(id.index);
        if let Some(ids) = self.by_shard.get_mut(&subscription.slot) {
            ids.retain(|other| *other != id);
        }
        if let Some(ids) = self.by_session.get_mut(&subscription.session) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_session.remove(&subscription.session);
            }
        }
        Some(subscription)
    }
}
