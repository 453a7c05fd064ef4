use super::*;
use crate::wire::shards::ShardFilter;

#[test]
fn a_closed_shard_disappears_when_its_last_record_has_expired() {
    let mut world = World::with(&[("a", 2), ("b", 1)]);
    world.pass(HOUR);
    world.reshard("a", split(0)).unwrap();
    let map_version = world.stream("a").map_version;
    world.pass(24 * HOUR);
    assert_eq!(world.expire(), 0, "its last record is readable for this one millisecond");
    world.pass(1);
    assert_eq!(world.expire(), 1);
    let stream = world.stream("a");
    assert_eq!(stream.shard(ShardNumber(0)), None);
    assert_eq!(stream.map_version, map_version + 1);
    let child = stream.shard(ShardNumber(2)).unwrap();
    assert_eq!(child.parent, Some(ShardNumber(0)), "it keeps naming its parent");
    world.pass(10_000 * HOUR);
    assert_eq!(world.expire(), 0, "open shards stay");
}

#[test]
fn what_has_expired_is_in_no_listing_even_before_it_is_removed() {
    let mut world = World::with(&[("a", 2)]);
    world.reshard("a", split(0)).unwrap();
    world.pass(24 * HOUR);
    let listed = |world: &World| {
        let view = world.view();
        let stream = view.by_name("a").unwrap();
        stream.list_shards(ShardFilter::FromTrimHorizon, None, 10, world.now).unwrap().shards.len()
    };
    assert_eq!(listed(&world), 4);
    world.pass(1);
    assert_eq!(listed(&world), 3);
}

#[test]
fn a_shorter_retention_takes_closed_shards_with_it_and_a_longer_one_does_not_return_them() {
    let mut world = World::with(&[("a", 1)]);
    world.reshard("a", split(0)).unwrap();
    world.pass(2 * HOUR);
    let retention = |hours| StreamChange::Retention { hours, direction: Direction::Any };
    world.alter("a", retention(1)).unwrap();
    world.alter("a", retention(100)).unwrap();
    assert_eq!(world.expire(), 1);
}

#[test]
fn numbers_are_not_used_again_when_the_last_shards_are_gone() {
    let mut world = World::with(&[("a", 1)]);
    // An older log does not know the next number.
    world.state.streams.get_mut("a").unwrap().next_number = 0;
    world.reshard("a", split(0)).unwrap();
    world.reshard("a", merge(1, 2)).unwrap();
    world.pass(25 * HOUR);
    assert_eq!(world.expire(), 3);
    world.reshard("a", split(3)).unwrap();
    assert_eq!(world.open("a"), [4, 5]);
    assert_eq!(world.stream("a").shard(ShardNumber(0)), None);
    assert_eq!(world.stream("a").shard(ShardNumber(4)).unwrap().parent, Some(ShardNumber(3)));
}

#[test]
fn a_deleted_stream_expires_as_a_whole() {
    let mut world = World::with(&[("a", 1)]);
    world.reshard("a", split(0)).unwrap();
    world.delete("a", false).unwrap();
    world.pass(25 * HOUR);
    assert_eq!(world.expire(), 0);
}
