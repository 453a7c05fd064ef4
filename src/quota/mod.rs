//! Rank 2: what a shard admits, what memory may hold and how often the control plane may be asked.
//! Pure: the caller passes `now`.

mod control_rates;
mod permits;
mod shard_in;
mod shard_out;
mod token_bucket;

pub use control_rates::{ControlCall, ControlRates};
pub use permits::{Permit, Permits};
pub use shard_in::ShardIn;
pub use shard_out::ShardOut;
pub use token_bucket::TokenBucket;

#[cfg(test)]
mod tests;
