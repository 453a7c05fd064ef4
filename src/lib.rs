//! Shardway.
pub mod base;
pub mod client;
pub mod config;
pub mod log;
pub mod record;
pub mod wire;
