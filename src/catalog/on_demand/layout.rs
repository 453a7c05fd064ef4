//! The open shards of a stream in the order of their hash keys.

use crate::base::ids::ShardNumber;
use crate::catalog::state::StreamRecord;
use crate::record::HashRange;

/// A split needs a key in the middle that is neither of the two lowest nor the highest (AWS).
const SPLIT_WIDTH_MIN: u128 = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Layout {
    map_version: u64,
    open: Vec<OpenShard>,
}

/// An open shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenShard {
    /// Its number.
    pub number: ShardNumber,
    /// What it was split from, if it was.
    pub split_from: Option<ShardNumber>,
    range: HashRange,
}

impl OpenShard {
    /// Its last key minus its first.
    pub(super) fn width(&self) -> u128 {
        self.range.end.0 - self.range.start.0
    }

    /// Whether there is a place to split it.
    pub(super) fn can_split(&self) -> bool {
        self.width() >= SPLIT_WIDTH_MIN
    }
}

impl Layout {
    pub(super) fn of(stream: &StreamRecord) -> Layout {
        let mut open: Vec<_> = stream
            .open_shards()
            .map(|shard| OpenShard {
                number: shard.number,
                split_from: shard.parent.filter(|_| shard.adjacent_parent.is_none()),
                range: shard.range,
            })
            .collect();
        open.sort_unstable_by_key(|shard| shard.range.start);
        Layout { map_version: stream.map_version, open }
    }

    /// Whether `stream` has not changed since.
    pub(super) fn is_of(&self, stream: &StreamRecord) -> bool {
        self.map_version == stream.map_version
    }

    pub(super) fn same_shards(&self, other: &Layout) -> bool {
        self.open == other.open
    }

    /// The shards by their hash keys.
    pub(super) fn shards(&self) -> &[OpenShard] {
        &self.open
    }

    /// Their number.
    pub(super) fn len(&self) -> u32 {
        self.open.len() as u32
    }

    /// Which part of the load of a split shard this half of it has. `None` if it is no half, or
    /// the other one has been changed since.
    pub(super) fn share_of_split(
        &self,
        half: ShardNumber,
        load: impl Fn(ShardNumber) -> f64,
    ) -> Option<f64> {
        let shard = self.open.iter().find(|shard| shard.number == half)?;
        let from = Some(shard.split_from?);
        let other = self.open.iter().find(|s| s.split_from == from && s.number != half)?;
        let (mine, its) = (load(half), load(other.number));
        (mine + its > 0.0).then(|| mine / (mine + its))
    }

    /// The highest load of a shard if the keys were divided evenly between `count` shards, and
    /// each shard's load spread evenly over its keys.
    pub(super) fn busiest_of_even(&self, count: u32, load: impl Fn(ShardNumber) -> f64) -> f64 {
        let even = HashRange::split_evenly(count);
        let (mut busiest, mut from) = (0f64, 0);
        for range in even {
            let mut sum = 0.0;
            // Both are in order: shards that end before this range end before all that follow.
            while self.open[from].range.end < range.start {
                from += 1;
            }
            let touching =
                self.open[from..].iter().take_while(|shard| shard.range.start <= range.end);
            for shard in touching {
                let start = shard.range.start.max(range.start).0;
                let end = shard.range.end.min(range.end).0;
                sum += load(shard.number) * keys(start, end) / keys_of(shard);
            }
            busiest = busiest.max(sum);
        }
        busiest
    }
}

fn keys_of(shard: &OpenShard) -> f64 {
    keys(shard.range.start.0, shard.range.end.0)
}

fn keys(start: u128, end: u128) -> f64 {
    (end - start) as f64 + 1.0
}
