//! Shardway.
pub mod base;
pub mod catalog;
pub mod log;
pub mod record;
pub mod wire;
