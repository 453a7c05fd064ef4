//! Rank 2: the only file I/O.

pub mod blocking;
