//! Closed shards disappear when their last record has expired.

use crate::base::ids::Millis;
use crate::catalog::event::Event;
use crate::catalog::state::State;

/// The shards that have expired by `now`, as one event for each stream that has some. A closed
/// shard has: none of its records arrived after it was closed. Its children keep naming it (AWS).
#[must_use]
pub fn expire_shards(state: &State, now: Millis) -> Vec<Event> {
    let expired = state.living().map(|stream| {
        let cutoff = stream.retention_cutoff(now);
        let closed = stream.shards.iter().filter(|shard| !shard.open);
        let shards: Vec<_> = closed
            .filter(|shard| shard.closed_at.is_some_and(|at| at < cutoff))
            .map(|shard| shard.number)
            .collect();
        Event::ShardsExpired { name: stream.name.clone(), uuid: stream.uuid, shards }
    });
    let some =
        |event: &Event| matches!(event, Event::ShardsExpired { shards, .. } if !shards.is_empty());
    expired.filter(some).collect()
}
