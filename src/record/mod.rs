//! Rank 1: the batch, one layout for wire, memory and disk (drawn in `log/FORMAT.md`).
//!
//! A client fills the *client part* of the header and the body; the shard's home core fills the
//! *stamped part*. The body has its own CRC, so stamping never reads it again.

mod builder;
pub mod hash_key;
mod header;
mod view;

pub use builder::{BatchBuilder, TooLarge};
pub use hash_key::{HashKey, HashRange};
pub(crate) use header::header_crc;
pub use header::{BatchHeader, HeaderError, Stamp, stamp_in_place};
pub use view::{BatchView, InvalidBatch, RecordRef, Records};

#[cfg(test)]
mod tests;
