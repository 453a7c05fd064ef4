//! Rank 4: which streams and shards exist, what was chosen for them, and which core owns what.
//!
//! A change is *decided* against the current [`State`] ([`decide`]), which gives an [`Event`] or
//! the API's error; the event is *appended* to a [`MetaStore`]; only then is it *applied*, and a
//! new [`View`] handed to every core. Deciding and applying draw no random numbers and read no
//! clock, so the same events always give the same state.

pub mod decide;
mod describe;
mod event;
mod file_store;
mod frames;
mod state;
mod store;
mod validation;
mod view;

pub use event::{Event, Misfit};
pub use file_store::FileStore;
pub use state::{ShardRecord, State, StreamRecord};
pub use store::{MemoryStore, MetaStore, StoreError};
pub use view::{ShardView, StreamView, View};

#[cfg(test)]
mod tests;

/// The account in error texts until accounts exist (AWS account ids have 12 digits).
pub const ACCOUNT: &str = "000000000000";
