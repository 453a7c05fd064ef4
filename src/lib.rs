//! Shardway.
pub mod base;
pub mod catalog;
pub mod log;
pub mod metrics;
pub mod quota;
pub mod record;
pub mod security;
pub mod wire;
