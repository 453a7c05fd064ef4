//! Shardway.
pub mod base;
pub mod disk;
pub mod log;
pub mod record;
pub mod wire;
