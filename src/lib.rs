//! Shardway.
pub mod base;
pub mod disk;
pub mod log;
pub mod mesh;
pub mod net;
pub mod record;
pub mod wire;
