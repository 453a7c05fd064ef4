//! Rank 2: what a shard admits and what memory may hold. Pure: the caller passes `now`.

mod permits;
mod shard_in;
mod shard_out;
mod token_bucket;

pub use permits::{Permit, Permits};
pub use shard_in::ShardIn;
pub use shard_out::ShardOut;
pub use token_bucket::TokenBucket;

#[cfg(test)]
mod tests;
