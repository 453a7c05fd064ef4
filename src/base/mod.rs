//! Rank 0: the words every other module is written in.

pub mod aligned;
pub mod clock;
pub mod crc;
pub mod error;
pub mod ids;
pub mod limits;
pub mod rng;
pub mod stream;
