//! Shardway.
pub mod base;
pub mod log;
pub mod record;
pub mod wire;
