//! What is done to the stream, in order.

use shardway::record::HashRange;
use shardway::wire::reshard::Reshard;
use shardway::wire::shards::{ShardDescription, ShardMap};

/// Shards of the new stream.
pub const SHARDS: u32 = 4;
/// Its scalings: each within half and double of the one before, as AWS wants it.
const SCALINGS: [u32; 3] = [8, 4, 3];
/// Retention that it gets for a while, in hours.
const LONG_RETENTION: u32 = 48;
/// Retention before and after.
const SHORT_RETENTION: u32 = 24;

/// One thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The hash keys are divided evenly between so many shards.
    Scale(u32),
    /// The widest shard is split, the oldest of equals.
    Split,
    /// The narrowest neighbours are merged.
    Merge,
    /// The retention changes to so many hours.
    Retention(u32),
    /// The server takes over the number of shards, and doubles it under load.
    OnDemand,
}

/// 4 -> 8 -> 4 -> 3 shards with the retention up and down in between, splits and merges until there
/// were `reshards` of all kinds, and then, with `on_demand`, what the server does by itself.
#[must_use]
pub fn script(reshards: u32, on_demand: bool) -> Vec<Step> {
    let [eight, four, three] = SCALINGS.map(Step::Scale);
    let mut steps =
        vec![eight, Step::Retention(LONG_RETENTION), four, three, Step::Retention(SHORT_RETENTION)];
    let pairs = reshards.saturating_sub(SCALINGS.len() as u32).div_ceil(2);
    for _ in 0..pairs / 2 {
        steps.extend([Step::Split, Step::Split, Step::Merge, Step::Merge]);
    }
    if pairs % 2 == 1 {
        steps.extend([Step::Split, Step::Merge]);
    }
    if on_demand {
        steps.push(Step::OnDemand);
    }
    steps
}

impl Step {
    /// The reshard that this step is for a stream with these shards; none where it is none.
    #[must_use]
    pub fn reshard(self, map: &ShardMap) -> Option<Reshard> {
        match self {
            Step::Scale(target) => Some(Reshard::Scale { target }),
            Step::Split => {
                let widest = |s: &&ShardDescription| (width(s.range), std::cmp::Reverse(s.number));
                let shard = map.shards.iter().max_by_key(widest)?.number;
                Some(Reshard::Split { shard, at: None })
            }
            Step::Merge => {
                let mut shards = map.shards.clone();
                shards.sort_by_key(|shard| shard.range.start);
                let width = |pair: &&[ShardDescription]| {
                    width(HashRange { start: pair[0].range.start, end: pair[1].range.end })
                };
                let pair = shards.windows(2).min_by_key(width)?;
                Some(Reshard::Merge { shard: pair[0].number, adjacent: pair[1].number })
            }
            Step::Retention(_) | Step::OnDemand => None,
        }
    }
}

/// Coarse, so that what is left over when 2^128 is divided by 3 makes no difference.
fn width(range: HashRange) -> u64 {
    ((range.end.0 - range.start.0) >> 96) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardway::base::ids::{CoreId, Millis, ShardNumber, StreamUuid};

    fn map(ranges: &[HashRange]) -> ShardMap {
        let shard = |(n, range): (usize, &HashRange)| ShardDescription {
            number: ShardNumber(n as u32 + 10),
            home: CoreId(0),
            range: *range,
            parent: None,
            adjacent_parent: None,
            created: Millis(0),
            closed: None,
        };
        let shards = ranges.iter().enumerate().map(shard).collect();
        ShardMap { stream: StreamUuid([1; 16]), map_version: 1, shards }
    }

    fn reshards(steps: &[Step]) -> usize {
        let is_one = |step: &&Step| matches!(step, Step::Scale(_) | Step::Split | Step::Merge);
        steps.iter().filter(is_one).count()
    }

    #[test]
    fn a_script_has_the_reshards_that_were_asked_for_and_ends_with_three_shards() {
        for wanted in [0, 3, 4, 5, 9, 20, 21, 50] {
            let steps = script(wanted, true);
            assert!(reshards(&steps) >= wanted.max(3) as usize, "{wanted}: {steps:?}");
            assert!(reshards(&steps) <= wanted.max(3) as usize + 1, "{wanted}: {steps:?}");
            let count = |step| steps.iter().filter(|s| **s == step).count();
            assert_eq!(count(Step::Split), count(Step::Merge), "{wanted}");
            assert_eq!(steps.last(), Some(&Step::OnDemand));
        }
        assert!(!script(5, false).contains(&Step::OnDemand));
    }

    #[test]
    fn every_scaling_keeps_within_half_and_double() {
        let mut now = SHARDS;
        for step in script(5, true) {
            if let Step::Scale(target) = step {
                assert!((now.div_ceil(2)..=now * 2).contains(&target), "{now} to {target}");
                now = target;
            }
        }
    }

    #[test]
    fn the_oldest_of_the_widest_is_split_and_the_narrowest_pair_merged() {
        let thirds = HashRange::split_evenly(3);
        let split = Step::Split.reshard(&map(&thirds));
        assert_eq!(split, Some(Reshard::Split { shard: ShardNumber(10), at: None }));
        let sixths = HashRange::split_evenly(6);
        // By number: two thirds, then the halves of the first.
        let ranges = [thirds[1], thirds[2], sixths[0], sixths[1]];
        let merge = Step::Merge.reshard(&map(&ranges));
        let (shard, adjacent) = (ShardNumber(12), ShardNumber(13));
        assert_eq!(merge, Some(Reshard::Merge { shard, adjacent }));
        assert_eq!(Step::Merge.reshard(&map(&HashRange::split_evenly(1))), None);
    }
}
