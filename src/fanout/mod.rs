//! Rank 5: a subscription is a cursor and credit: catch-up, hand-over to the tail, push.
//!
//! A subscription owns no queue. It reads from segments until what it wants is in memory, and then
//! takes the same bytes as everybody else, each time its shard advances. One that is too slow
//! falls off the tail and reads from disk again.

mod effects;
mod subscription;
mod subscriptions;

pub use effects::{ChunkRange, Effect, Effects, HeldUp, ReadJob, ReadPurpose};
pub use subscription::{
    GetRequest, NewSubscription, ReadBatches, SeekRequest, Subscription, SubscriptionId,
    SubscriptionStats, chunk_of,
};
pub use subscriptions::{Opening, Subscriptions};

#[cfg(test)]
mod tests;
