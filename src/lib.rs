//! Shardway.
pub mod base;
pub mod client;
pub mod log;
pub mod record;
pub mod wire;
