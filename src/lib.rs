//! Shardway.
pub mod base;
pub mod catalog;
pub mod client;
pub mod config;
pub mod disk;
pub mod fanout;
pub mod log;
pub mod mesh;
pub mod metrics;
pub mod native;
pub mod net;
pub mod quota;
pub mod record;
pub mod security;
pub mod service;
pub mod shard;
pub mod wire;
