//! Splits that did not help. One partition key's load stays in one shard however narrow it is, so
//! each such split is followed by a longer pause before the next.

use std::collections::BTreeMap;

use super::OnDemandOptions;
use super::layout::Layout;
use crate::base::ids::{Millis, ShardNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Trials {
    /// The shard that is being split, and how many splits in vain have led to it.
    splitting: Option<(ShardNumber, u32)>,
    /// Open shards that came from a split, until it has helped.
    halves: BTreeMap<ShardNumber, Trial>,
}

#[derive(Debug)]
struct Trial {
    in_vain: u32,
    /// Not to be split before; `None` while nothing is known.
    paused: Option<Millis>,
}

impl Trials {
    /// The split of `shard` was decided.
    pub(super) fn splitting(&mut self, shard: ShardNumber) {
        let in_vain = self.halves.get(&shard).map_or(0, |trial| trial.in_vain);
        self.splitting = Some((shard, in_vain));
    }

    /// The shards have changed.
    pub(super) fn follow(&mut self, layout: &Layout) {
        let mut halves = BTreeMap::new();
        for shard in layout.shards() {
            if let Some(known) = self.halves.remove(&shard.number) {
                halves.insert(shard.number, known);
            }
            match self.splitting {
                Some((parent, in_vain)) if shard.split_from == Some(parent) => {
                    halves.insert(shard.number, Trial { in_vain, paused: None });
                }
                _ => {}
            }
        }
        self.halves = halves;
        self.splitting = None;
    }

    /// A half is hot again; `share` is its part of both halves' load.
    pub(super) fn judge(
        &mut self,
        half: ShardNumber,
        share: Option<f64>,
        options: &OnDemandOptions,
        now: Millis,
    ) {
        let Some(trial) = self.halves.get_mut(&half) else { return };
        if trial.paused.is_some() {
            return;
        }
        if share.is_some_and(|share| share > options.lopsided) {
            let pause = options.lopsided_pause_ms << trial.in_vain.min(16);
            trial.in_vain += 1;
            trial.paused = Some(Millis(now.0 + pause));
        } else {
            self.halves.remove(&half);
        }
    }

    /// Whether a split of `shard` should wait.
    pub(super) fn is_paused(&self, shard: ShardNumber, now: Millis) -> bool {
        let paused = self.halves.get(&shard).and_then(|trial| trial.paused);
        paused.is_some_and(|until| now < until)
    }

    /// Forgets what was in vain for shards whose pause is over and which are not hot any more.
    pub(super) fn forget_cooled(&mut self, now: Millis, is_hot: impl Fn(ShardNumber) -> bool) {
        self.halves
            .retain(|shard, trial| trial.paused.is_none_or(|until| now < until) || is_hot(*shard));
    }
}
