//! Rank 4: a shard on its home core: throttle, sequence, stage, acknowledge, tail.

mod intake;
mod marks;
mod segments;
mod state;

pub use segments::{SegmentRead, Segments};
pub use state::{ReadSource, Shard, ShardOf, Watermarks};

#[cfg(test)]
mod tests;
