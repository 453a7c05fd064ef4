//! Rank 6: what the API does, whoever asks: one file per operation, and the one durable turn.
//!
//! Everything here is synchronous. Answers leave as effects; what belongs to another core leaves
//! as a message. Both protocols end in these functions, so quotas and errors cannot drift apart.

pub mod advance;
pub mod core;
pub mod get;
pub mod get_iterator;
mod held;
pub mod message;
mod pending;
pub mod put_records;
mod rates;
pub mod reads;
pub mod report;
pub mod reshard;
mod sample;
pub mod split;
pub mod stats;
pub mod subscribe;
pub mod view_change;
pub mod write_behind;

pub use core::{Core, CoreSpec};
pub use message::{
    ControlAnswer, ControlOperation, ControlOutcome, ControlRequest, Envelope, Message, Outgoing,
    ShardOperation, ShardRequest,
};
pub use report::{HotShard, Question, Report, StreamLoad};

#[cfg(test)]
mod tests;
