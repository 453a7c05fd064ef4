//! Rank 4: which streams and shards exist, what was chosen for them, and which core owns what.
//!
//! A change is *decided* against the current [`State`] ([`decide`]), which gives an [`Event`] or
//! the API's error; the event is *appended* to a [`MetaStore`]; only then is it *applied*, and a
//! new [`View`] handed to every core. Deciding and applying draw no random numbers and read no
//! clock, so the same events always give the same state.

mod apply;
mod check;
mod consumer_list;
pub mod decide;
mod describe;
mod event;
mod file_store;
mod frames;
mod log_ends;
pub mod on_demand;
mod rules;
mod shard_list;
mod state;
mod store;
mod validation;
mod view;

pub use check::Misfit;
pub use event::{Alteration, Event, PlannedShard};
pub use file_store::FileStore;
pub use rules::Rules;
pub use state::{AccountRecord, ConsumerRecord, PeakDay, ShardRecord, State, StreamRecord};
pub use store::{MemoryStore, MetaStore, StoreError};
pub use view::{Passing, ShardView, StreamView, View};

#[cfg(test)]
mod tests;
