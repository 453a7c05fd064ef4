use super::*;
use crate::wire::shards::{ShardFilter, ShardList};

/// One stream with a history, a reshard each hour from the first on:
/// 0 1 | 0 → 2 3 | 3 1 → 4 | 2 4 scaled to 3.
fn world() -> World {
    let mut world = World::with(&[("a", 2)]);
    for reshard in [split(0), merge(3, 1), scale(3)] {
        world.pass(HOUR);
        world.reshard("a", reshard).unwrap();
    }
    world.pass(HOUR);
    world
}

fn list(world: &World, filter: ShardFilter) -> Vec<u32> {
    numbers(&page(world, filter, None, 10_000).unwrap())
}

fn page(
    world: &World,
    filter: ShardFilter,
    after: Option<u32>,
    limit: u32,
) -> Result<ShardList, ApiError> {
    let view = world.view();
    let stream = view.by_name("a").unwrap();
    stream.list_shards(filter, after.map(ShardNumber), limit, world.now)
}

fn numbers(list: &ShardList) -> Vec<u32> {
    list.shards.iter().map(|shard| shard.number.0).collect()
}

fn hour(n: u64) -> Millis {
    Millis(NOW.0 + n * HOUR)
}

/// Whether these shards own each hash key once.
fn covers(world: &World, numbers: &[u32]) -> bool {
    let mut ranges: Vec<_> =
        numbers.iter().map(|n| world.stream("a").shard(ShardNumber(*n)).unwrap().range).collect();
    ranges.sort_by_key(|range| range.start);
    ranges.first().is_some_and(|range| range.start.0 == 0)
        && ranges.last().is_some_and(|range| range.end.0 == u128::MAX)
        && ranges.windows(2).all(|pair| pair[0].end.0 + 1 == pair[1].start.0)
}

#[test]
fn without_a_filter_everything_that_is_retained_is_listed() {
    let mut world = world();
    let all: Vec<_> = (0..world.stream("a").next_number()).collect();
    assert_eq!(list(&world, ShardFilter::FromTrimHorizon), all);
    assert_eq!(list(&world, ShardFilter::AfterShard(ShardNumber(2))), all[3..]);
    // Shard 0 was closed at hour 1, shards 3 and 1 at hour 2.
    world.now = Millis(hour(26).0);
    assert_eq!(list(&world, ShardFilter::FromTrimHorizon), all[1..]);
    world.now.0 += 1;
    assert_eq!(list(&world, ShardFilter::FromTrimHorizon), [&[2], &all[4..]].concat());
    assert_eq!(list(&world, ShardFilter::AfterShard(ShardNumber(2))), all[4..]);
}

#[test]
fn at_latest_are_the_open_shards() {
    let world = world();
    let mut open = world.open("a");
    open.sort_unstable();
    assert_eq!(list(&world, ShardFilter::AtLatest), open);
}

#[test]
fn at_a_timestamp_are_the_shards_that_were_open_then() {
    let world = world();
    let at = |time| list(&world, ShardFilter::AtTimestamp(time));
    let half = HOUR / 2;
    assert_eq!(at(Millis(0)), [0, 1], "before the stream is when it was created");
    assert_eq!(at(hour(0)), [0, 1]);
    assert_eq!(at(Millis(hour(0).0 + half)), [0, 1]);
    assert_eq!(at(Millis(hour(1).0 + half)), [1, 2, 3]);
    assert_eq!(at(Millis(hour(2).0 + half)), [2, 4]);
    assert_eq!(at(Millis(hour(3).0 + half)), list(&world, ShardFilter::AtLatest));
    assert_eq!(at(Millis(u64::MAX)), list(&world, ShardFilter::AtLatest));
}

#[test]
fn at_every_timestamp_each_hash_key_has_one_shard() {
    let world = world();
    let reshards = [hour(1).0, hour(2).0, hour(3).0];
    let near = reshards.iter().flat_map(|at| (at - 2)..(at + 3));
    // Children seem to be created up to some seconds later.
    let behind = reshards.iter().flat_map(|at| [at + 500, at + 1000, at + 2000, at + 5000]);
    for time in near.chain(behind) {
        let shards = list(&world, ShardFilter::AtTimestamp(Millis(time)));
        assert!(covers(&world, &shards), "{shards:?} at {}", time - NOW.0);
    }
}

#[test]
fn from_a_timestamp_are_the_shards_that_were_open_then_or_later() {
    let world = world();
    let all = list(&world, ShardFilter::FromTrimHorizon);
    let from = |time| list(&world, ShardFilter::FromTimestamp(time));
    assert_eq!(from(Millis(0)), all);
    assert_eq!(from(hour(1)), all, "a record of that moment may be in the parent");
    assert_eq!(from(Millis(hour(1).0 + 1)), all[1..]);
    assert_eq!(from(Millis(hour(2).0 + 1)), [&[2], &all[4..]].concat());
    assert_eq!(from(Millis(u64::MAX)), list(&world, ShardFilter::AtLatest));
}

#[test]
fn at_the_trim_horizon_are_the_shards_of_the_oldest_records() {
    let mut world = world();
    assert_eq!(list(&world, ShardFilter::AtTrimHorizon), [0, 1], "nothing has expired");
    for (hours, shards) in [(25, [0, 1].as_slice()), (26, &[1, 2, 3]), (27, &[2, 4])] {
        world.now = hour(hours);
        assert_eq!(list(&world, ShardFilter::AtTrimHorizon), shards, "hour {hours}");
        assert!(covers(&world, shards));
        // A timestamp before the horizon is the horizon.
        assert_eq!(list(&world, ShardFilter::AtTimestamp(hour(0))), shards);
        let from = list(&world, ShardFilter::FromTimestamp(hour(0)));
        assert_eq!(from, list(&world, ShardFilter::FromTrimHorizon));
        // Whether they were removed makes no difference.
        world.expire();
        assert_eq!(list(&world, ShardFilter::AtTrimHorizon), shards);
    }
    world.now = hour(100);
    assert_eq!(list(&world, ShardFilter::AtTrimHorizon), list(&world, ShardFilter::AtLatest));
}

#[test]
fn a_listing_is_paged_by_number_and_says_when_there_is_more() {
    let world = world();
    let get = |filter, after, limit| {
        let list = page(&world, filter, after, limit).unwrap();
        (numbers(&list), list.more)
    };
    let all = ShardFilter::FromTrimHorizon;
    assert_eq!(get(all, None, 2), (vec![0, 1], true));
    assert_eq!(get(all, Some(1), 3), (vec![2, 3, 4], true));
    let last = world.stream("a").next_number() - 1;
    assert_eq!(get(all, Some(last - 1), 3), (vec![last], false));
    assert_eq!(get(all, Some(last), 3), (vec![], false));
    // Matching shards alone fill a page and say whether there are more.
    let at = ShardFilter::AtTimestamp(Millis(hour(2).0 + 1));
    assert_eq!(get(at, None, 1), (vec![2], true));
    assert_eq!(get(at, Some(2), 1), (vec![4], false));
    // Of two starts the later counts.
    let after = ShardFilter::AfterShard(ShardNumber(3));
    assert_eq!(get(after, Some(1), 1), (vec![4], true));
    assert_eq!(get(after, Some(4), 1), (vec![5], true));
    assert_eq!(code(page(&world, all, None, 0)), ErrorCode::Validation);
    assert_eq!(code(page(&world, all, None, 10_001)), ErrorCode::Validation);
}

#[test]
fn shards_are_listed_while_a_stream_is_active_or_updating_only() {
    let mut world = world();
    for (status, listed) in [
        (StreamStatus::Creating, false),
        (StreamStatus::Active, true),
        (StreamStatus::Updating, true),
        (StreamStatus::Deleting, false),
    ] {
        world.state.streams.get_mut("a").unwrap().status = status;
        let list = page(&world, ShardFilter::AtLatest, None, 10);
        assert_eq!(list.is_ok(), listed);
        if !listed {
            assert_eq!(code(list), ErrorCode::ResourceInUse);
        }
    }
}
