//! Records that are numbered within their partition key, and whether readers get each of them
//! once and in order, through whatever shards they went.
//!
//! A key belongs to one writer, which sends the key's records in the order of their counters. What
//! was acknowledged is one [`Ledger`], what a reader reads is another; in the end both must have
//! the same counters and the same hash for every key.

mod keys;
mod ledger;
mod reading;

pub use keys::{Keys, STAMP_BYTES};
pub use ledger::{KeyMismatch, Ledger};
pub use reading::Reading;
