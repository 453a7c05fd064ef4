//! Which change of the shards brings a stream nearer to what it needs.

use super::OnDemandOptions;
use super::layout::{Layout, OpenShard};
use super::window::Rate;
use crate::base::ids::ShardNumber;
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::wire::reshard::Reshard;

const MIB: u64 = 1024 * 1024;

/// What one shard takes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    /// Bytes a second.
    pub bytes: u64,
    /// Records a second.
    pub records: u64,
}

impl Capacity {
    /// A rate as a part of it.
    pub(super) fn part(&self, rate: Rate) -> f64 {
        let bytes = rate.bytes as f64 / self.bytes as f64;
        bytes.max(rate.records as f64 / self.records as f64)
    }

    /// The shards that take `times` the rate.
    pub(super) fn shards_for(&self, rate: Rate, times: u64) -> u32 {
        let shards = |rate: u64, one: u64| rate.saturating_mul(times).div_ceil(one);
        capped(shards(rate.bytes, self.bytes).max(shards(rate.records, self.records)))
    }

    /// The shards that take so many MiB a second (AWS: one for each).
    pub(super) fn shards_for_warm(&self, mib: u32) -> u32 {
        capped((u64::from(mib) * MIB).div_ceil(self.bytes))
    }
}

fn capped(shards: u64) -> u32 {
    shards.min(STREAM_SHARDS_MAX as u64) as u32
}

/// The shards with load, by number.
#[derive(Debug, Default)]
pub(super) struct Load(Vec<Loaded>);

/// One of them, in parts of what a shard takes at most.
#[derive(Clone, Copy, Debug)]
struct Loaded {
    shard: ShardNumber,
    now: f64,
    recent: f64,
}

impl Load {
    /// Adds a shard, with what it takes now and the most that it has taken since merges were last
    /// possible. They come by number.
    pub(super) fn add(&mut self, shard: ShardNumber, now: f64, recent: f64) {
        debug_assert!(self.0.last().is_none_or(|last| last.shard < shard));
        self.0.push(Loaded { shard, now, recent });
    }

    /// What the shard takes now.
    pub(super) fn now(&self, shard: ShardNumber) -> f64 {
        self.find(shard).map_or(0.0, |loaded| loaded.now)
    }

    /// The most that it has taken since merges were last possible.
    pub(super) fn recent(&self, shard: ShardNumber) -> f64 {
        self.find(shard).map_or(0.0, |loaded| loaded.recent)
    }

    /// The hot shards, by number.
    pub(super) fn hot(&self, options: &OnDemandOptions) -> Vec<ShardNumber> {
        self.0.iter().filter(|loaded| loaded.now > options.hot).map(|l| l.shard).collect()
    }

    fn highest(&self) -> f64 {
        self.0.iter().fold(0.0, |highest, loaded| highest.max(loaded.now))
    }

    fn find(&self, shard: ShardNumber) -> Option<&Loaded> {
        let at = self.0.binary_search_by_key(&shard, |loaded| loaded.shard);
        at.ok().map(|at| &self.0[at])
    }
}

/// A stream at the moment of a decision.
pub(super) struct Situation<'a> {
    pub options: &'a OnDemandOptions,
    pub layout: &'a Layout,
    pub load: &'a Load,
    /// Shards that its throughput asks for.
    pub need: u32,
    /// Those of them that were asked for beforehand.
    pub warm: u32,
}

impl Situation<'_> {
    /// More shards, if they are needed. Those that are `paused` are not split.
    pub(super) fn grow(&self, paused: impl Fn(ShardNumber) -> bool) -> Option<Reshard> {
        let open = self.layout.len();
        let may_split = |shard: &&OpenShard| shard.can_split() && !paused(shard.number);
        let mut candidates: Vec<_> = Vec::new();
        let hot = self.load.hot(self.options);
        if !hot.is_empty() {
            let is_hot = |shard: &&OpenShard| hot.binary_search(&shard.number).is_ok();
            candidates.extend(self.layout.shards().iter().filter(is_hot).filter(may_split));
        }
        if let Some(target) = self.scaled_up(candidates.len() as u32) {
            return Some(Reshard::Scale { target });
        }
        if open >= self.most() {
            return None;
        }
        if candidates.is_empty() && open < self.need {
            candidates.extend(self.layout.shards().iter().filter(may_split));
        }
        let busier = |one: &OpenShard, other: &OpenShard| {
            let loads = self.load.now(one.number).total_cmp(&self.load.now(other.number));
            // Of equal ones the first, for its lower hash keys.
            loads.then(one.width().cmp(&other.width())).then(other.number.cmp(&one.number))
        };
        let shard = candidates.into_iter().max_by(|one, other| busier(one, other))?.number;
        Some(Reshard::Split { shard, at: None })
    }

    /// The number of shards that are as many as a load of all of them asks for.
    ///
    /// A stream doubles at most, like AWS's, but reaches its warm throughput at once. It doubles
    /// also when it needs a little less or nearly all shards are hot: then each shard is split,
    /// and none of them has to be put together anew from parts of its neighbours.
    fn scaled_up(&self, hot: u32) -> Option<u32> {
        let open = self.layout.len();
        let all = self.need.saturating_mul(4) >= open * 7 || hot * 4 >= open * 3;
        let doubled = if all { (open * 2).min(self.most()) } else { 0 };
        let target = doubled.max(self.warm);
        // A single shard is better split: then it is known whether that has helped.
        if target <= open || (open, target) == (1, 2) {
            return None;
        }
        // What was split because it was hot would become one again.
        let busiest = self.layout.busiest_of_even(target, |shard| self.load.now(shard));
        (busiest <= self.load.highest() * 1.001).then_some(target)
    }

    /// The most shards that hot ones are split into.
    fn most(&self) -> u32 {
        let asked = self.need.max(self.options.shards_min);
        asked.saturating_mul(self.options.splits_max).min(STREAM_SHARDS_MAX as u32)
    }

    /// Fewer shards, if there are cold ones and more than needed.
    pub(super) fn shrink(&self) -> Option<Reshard> {
        let open = self.layout.len();
        let goal = self.need.max(self.options.shards_min);
        if open <= goal {
            return None;
        }
        let recent = |shard| self.load.recent(shard);
        if open >= goal.saturating_mul(2) {
            let target = open.div_ceil(2);
            if self.layout.busiest_of_even(target, recent) < self.options.cold {
                return Some(Reshard::Scale { target });
            }
        }
        let pairs = self.layout.shards().windows(2);
        let joint = |pair: &[OpenShard]| recent(pair[0].number) + recent(pair[1].number);
        let coldest = pairs.min_by(|one, other| {
            let widths = |pair: &[OpenShard]| pair[0].width().saturating_add(pair[1].width());
            joint(one).total_cmp(&joint(other)).then(widths(one).cmp(&widths(other)))
        })?;
        let [first, second] = coldest else { unreachable!("a pair has two") };
        (joint(coldest) < self.options.cold)
            .then_some(Reshard::Merge { shard: first.number, adjacent: second.number })
    }
}
