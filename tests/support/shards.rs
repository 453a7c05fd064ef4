//! The shards of a stream: what may be done with them, and what must hold of them at all times.

use std::collections::BTreeMap;

use shardway::base::ids::{Seq, ShardNumber};
use shardway::base::rng::SplitMix64;
use shardway::record::{HashKey, HashRange};
use shardway::wire::reshard::{Reshard, Resharded};
use shardway::wire::shards::ShardDescription;

/// Open shards, by their hash keys.
pub fn open_of(shards: &[ShardDescription]) -> Vec<ShardDescription> {
    let mut open: Vec<_> = shards.iter().filter(|shard| shard.is_open()).copied().collect();
    open.sort_by_key(|shard| shard.range.start);
    open
}

/// A random reshard that is allowed, after which there are at most `max` open shards.
pub fn any_reshard(random: &mut SplitMix64, shards: &[ShardDescription], max: usize) -> Reshard {
    let open = open_of(shards);
    loop {
        match random.below(3) {
            0 if open.len() < max => {
                let ShardDescription { number, range, .. } = open[below(random, open.len())];
                let width = range.end.0 - range.start.0;
                // Anywhere in the middle half, or where the server likes.
                let inside = range.start.0 + width / 4 + width / 128 * u128::from(random.below(64));
                let at = (random.below(2) == 0).then_some(HashKey(inside));
                return Reshard::Split { shard: number, at };
            }
            1 if open.len() > 1 => {
                let at = below(random, open.len() - 1);
                let (shard, adjacent) = (open[at].number, open[at + 1].number);
                return Reshard::Merge { shard, adjacent };
            }
            2 => {
                let (low, high) = (open.len().div_ceil(2), (2 * open.len()).min(max));
                let target = low + below(random, high - low + 1);
                return Reshard::Scale { target: target as u32 };
            }
            _ => {}
        }
    }
}

fn below(random: &mut SplitMix64, bound: usize) -> usize {
    random.below(bound as u64) as usize
}

/// Asserts what is promised of all shards that a stream has had, none of which has expired.
pub fn assert_sound(shards: &[ShardDescription]) {
    let numbers = shards.iter().map(|shard| shard.number.0);
    assert!(numbers.eq(0..shards.len() as u32), "numbers are dense: {shards:#?}");
    assert_cover(&open_of(shards), HashRange { start: HashKey(0), end: HashKey(u128::MAX) });
    let mut children: BTreeMap<ShardNumber, Vec<ShardDescription>> = BTreeMap::new();
    for shard in shards {
        for parent in shard.parents() {
            assert!(parent < shard.number, "{parent} is a parent of {}", shard.number);
            let closed = shards[parent.0 as usize].closed.expect("parents are closed");
            assert!(closed.at <= shard.created, "{} is older than {parent}'s end", shard.number);
            children.entry(parent).or_default().push(*shard);
        }
    }
    for parent in shards {
        let of_parent = children.remove(&parent.number).unwrap_or_default();
        assert_eq!(of_parent.is_empty(), parent.is_open(), "children of {}", parent.number);
        if parent.is_open() {
            continue;
        }
        let mut parts: Vec<_> = of_parent
            .into_iter()
            .map(|child| {
                let start = child.range.start.max(parent.range.start);
                let range = HashRange { start, end: child.range.end.min(parent.range.end) };
                ShardDescription { range, ..child }
            })
            .collect();
        parts.sort_by_key(|part| part.range.start);
        assert_cover(&parts, parent.range);
    }
}

/// Asserts that the shards have each hash key of `range` once. They are in its order.
fn assert_cover(shards: &[ShardDescription], range: HashRange) {
    let first = shards.first().expect("at least one shard covers it");
    let last = shards.last().expect("as before");
    assert_eq!((first.range.start, last.range.end), (range.start, range.end));
    for pair in shards.windows(2) {
        let [low, high] = pair else { unreachable!("windows of two") };
        assert!(low.range.end.0.checked_add(1) == Some(high.range.start.0), "{low:?}, {high:?}");
    }
}

/// Asserts that `after` is what `reshard` makes of `before`: all of it, and nothing else.
pub fn assert_done(before: &[ShardDescription], after: &[ShardDescription], reshard: Reshard) {
    let open = open_of(after);
    let born = &after[before.len()..];
    let closed: Vec<ShardNumber> = before
        .iter()
        .zip(after)
        .filter(|(was, is)| was.is_open() && !is.is_open())
        .map(|(was, _)| was.number)
        .collect();
    let range_of = |number: ShardNumber| before[number.0 as usize].range;
    match reshard {
        Reshard::Split { shard, at } => {
            assert_eq!((closed, born.len()), (vec![shard], 2), "a split: {born:?}");
            let (low, high) = (born[0].range, born[1].range);
            assert_eq!((low.start, high.end), (range_of(shard).start, range_of(shard).end));
            assert!(at.is_none_or(|at| at == high.start), "{at:?}: {high:?}");
            assert!(born.iter().all(ShardDescription::is_open));
        }
        Reshard::Merge { shard, adjacent } => {
            let mut merged = [shard, adjacent];
            merged.sort();
            assert_eq!((&closed[..], born.len()), (&merged[..], 1), "a merge: {born:?}");
            let (low, high) = (range_of(shard), range_of(adjacent));
            assert_eq!(born[0].range, HashRange { start: low.start, end: high.end });
            assert!(born[0].is_open());
        }
        Reshard::Scale { target } => {
            assert_eq!(open.len() as u32, target);
            let evenly = HashRange::split_evenly(target);
            for (shard, wanted) in open.iter().zip(evenly) {
                let off = shard.range.start.0.abs_diff(wanted.start.0);
                assert!(off <= u128::MAX / u128::from(target) / 1000, "{shard:?}: {wanted:?}");
            }
            let joints = born.iter().filter(|shard| !shard.is_open());
            for joint in joints {
                let end = joint.closed.map(|closed| closed.end);
                assert_eq!(end, Some(Seq::ZERO), "a shard that was closed when it was made");
            }
        }
    }
}

/// Notes what a reshard has done in a listing of all shards.
pub fn apply(shards: &mut Vec<ShardDescription>, done: &Resharded) {
    for changed in &done.shards {
        match shards.get_mut(changed.number.0 as usize) {
            Some(known) => *known = *changed,
            None => {
                assert_eq!(changed.number.0 as usize, shards.len(), "the next number");
                shards.push(*changed);
            }
        }
    }
}
