//! Rank 2: signatures and keys, pure.

pub mod iterator;
mod utc_text;
