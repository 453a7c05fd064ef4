use super::*;
use crate::wire::shards::ChildShard;

#[test]
fn a_split_closes_one_shard_and_opens_two_at_one_moment() {
    let mut world = World::with(&[("a", 2)]);
    world.pass(HOUR);
    let plan = world.reshard("a", split(1)).unwrap();
    assert_eq!((&plan.parents[..], plan.is_scaling), (&[ShardNumber(1)][..], false));
    let keys: Vec<_> = plan.parent_keys().collect();
    assert_eq!(keys, [ShardKey { stream: world.stream("a").uuid, number: ShardNumber(1) }]);
    let shards = &world.stream("a").shards;
    let parent = shards[1];
    assert_eq!((parent.open, parent.closed_at), (false, Some(world.now)));
    assert_eq!(parent.end, Some(Seq(1)));
    let HashRange { start, end } = parent.range;
    let middle = HashKey(start.0 + (1 << 126));
    let below = HashRange { start, end: HashKey(middle.0 - 1) };
    assert_eq!((shards[2].range, shards[3].range), (below, HashRange { start: middle, end }));
    for child in &shards[2..] {
        assert!(child.open);
        assert_eq!((child.parent, child.adjacent_parent), (Some(ShardNumber(1)), None));
        assert_eq!(child.created, world.now);
    }
    assert_eq!(world.open("a"), [0, 2, 3]);
    assert_eq!(world.stream("a").map_version, 2);
    let view = world.view();
    let stream = view.by_name("a").unwrap();
    let child = |n, range| ChildShard {
        number: ShardNumber(n),
        parent: ShardNumber(1),
        adjacent_parent: None,
        range,
    };
    assert_eq!(
        stream.children(ShardNumber(1)),
        [child(2, shards[2].range), child(3, shards[3].range)]
    );
    assert_eq!(stream.children(ShardNumber(0)), []);
    assert_eq!(stream.route(middle), ShardNumber(3));
}

#[test]
fn a_merge_closes_two_neighbours_and_opens_one() {
    let mut world = World::with(&[("a", 3)]);
    let plan = world.reshard("a", merge(1, 2)).unwrap();
    assert_eq!(plan.parents, [ShardNumber(1), ShardNumber(2)]);
    let shards = &world.stream("a").shards;
    let child = shards[3];
    assert_eq!((child.parent, child.adjacent_parent), (Some(ShardNumber(1)), Some(ShardNumber(2))));
    assert_eq!((child.range.start, child.range.end), (shards[1].range.start, shards[2].range.end));
    assert_eq!(shards[2].end, Some(Seq(2)));
    let view = world.view();
    let stream = view.by_name("a").unwrap();
    assert_eq!(stream.children(ShardNumber(1)), stream.children(ShardNumber(2)));
    assert_eq!(stream.children(ShardNumber(2))[0].adjacent_parent, Some(ShardNumber(2)));
}

#[test]
fn the_parents_of_a_merge_are_named_in_the_order_of_their_hash_keys() {
    let mut world = World::with(&[("a", 1)]);
    world.reshard("a", split(0)).unwrap();
    world.reshard("a", split(1)).unwrap();
    // 3 and 4 lie below 2.
    let plan = world.reshard("a", merge(4, 2)).unwrap();
    assert_eq!(plan.parents, [ShardNumber(2), ShardNumber(4)], "by number");
    let child = plan.children[0];
    assert_eq!((child.parent, child.adjacent_parent), (ShardNumber(4), Some(ShardNumber(2))));
    assert_eq!(world.open("a"), [3, 5]);
}

#[test]
fn children_are_a_second_younger_than_their_parents_at_least() {
    let mut world = World::with(&[("a", 1)]);
    world.reshard("a", split(0)).unwrap();
    world.pass(300);
    world.reshard("a", merge(1, 2)).unwrap();
    let created: Vec<_> = world.stream("a").shards.iter().map(|s| s.created.0 - NOW.0).collect();
    assert_eq!(created, [0, 1000, 1000, 2000]);
    // The parents' closing is never before their creation.
    assert_eq!(world.stream("a").shards[1].closed_at, Some(Millis(NOW.0 + 1000)));
}

#[test]
fn the_new_starting_hash_key_lies_well_inside_of_the_shard() {
    let world = World::with(&[("a", 2)]);
    let shard = world.stream("a").shards[1].range;
    let (start, end) = (shard.start.0, shard.end.0);
    for (at, taken) in
        [(0, false), (start, false), (start + 1, false), (start + 2, true), (end - 1, true)]
    {
        assert_eq!(world.plan("a", split_at(1, at)).is_ok(), taken, "at {at}");
    }
    assert_eq!(
        refusal(world.plan("a", split_at(1, end))),
        (
            ErrorCode::InvalidArgument,
            "NewStartingHashKey 340282366920938463463374607431768211455 used in SplitShard() on \
             shard shardId-000000000001 in stream a under account 000000000000 is not both \
             greater than one plus the shard's StartingHashKey \
             170141183460469231731687303715884105728 and less than the shard's EndingHashKey \
             340282366920938463463374607431768211455."
                .into()
        )
    );
}

#[test]
fn a_shard_of_few_hash_keys_is_split_while_it_can_be() {
    let mut world = World::with(&[("a", 1)]);
    world.reshard("a", split_at(0, 4)).unwrap();
    let plan = world.reshard("a", split(1)).unwrap();
    assert_eq!(plan.children[1].range, HashRange { start: HashKey(2), end: HashKey(3) });
    assert_eq!(code(world.reshard("a", split(3))), ErrorCode::InvalidArgument);
    // The last hash key alone: nothing overflows.
    world.reshard("a", split_at(2, u128::MAX - 1)).unwrap();
    assert_eq!(code(world.reshard("a", split(6))), ErrorCode::InvalidArgument);
    assert_eq!(code(world.reshard("a", split_at(6, u128::MAX))), ErrorCode::InvalidArgument);
}

#[test]
fn only_neighbours_are_merged_and_the_lower_one_comes_first() {
    let world = World::with(&[("a", 3)]);
    for (shard, adjacent) in [(1, 0), (0, 2), (0, 0), (2, 0)] {
        let refused = refusal(world.plan("a", merge(shard, adjacent)));
        assert_eq!(refused.0, ErrorCode::InvalidArgument);
        assert_eq!(
            refused.1,
            format!(
                "Shards {} and {} in stream a under account 000000000000 are not an adjacent pair \
                 of shards eligible for merging",
                ShardNumber(shard),
                ShardNumber(adjacent)
            )
        );
    }
}

#[test]
fn a_closed_or_unknown_shard_is_neither_split_nor_merged() {
    let mut world = World::with(&[("a", 2)]);
    world.reshard("a", split(0)).unwrap();
    let closed = (
        ErrorCode::InvalidArgument,
        "Shard shardId-000000000000 in stream a under account 000000000000 has already been \
         merged or split, and thus is not eligible for merging or splitting."
            .to_owned(),
    );
    assert_eq!(refusal(world.plan("a", split(0))), closed);
    assert_eq!(refusal(world.plan("a", merge(0, 1))), closed);
    let unknown = (
        ErrorCode::ResourceNotFound,
        "Could not find shard shardId-000000000009 in stream a under account 000000000000."
            .to_owned(),
    );
    assert_eq!(refusal(world.plan("a", split(9))), unknown);
    assert_eq!(refusal(world.plan("a", merge(1, 9))), unknown);
}

#[test]
fn only_the_server_reshards_an_on_demand_stream() {
    let mut world = World::new();
    world.create("a", 0, on_demand()).unwrap();
    let refused = (
        ErrorCode::Validation,
        "Request is invalid. Stream a under account 000000000000 is in On-Demand mode.".to_owned(),
    );
    for reshard in [split(0), merge(0, 1), scale(8)] {
        assert_eq!(refusal(world.plan("a", reshard)), refused);
        assert!(world.plan_by("a", reshard, Cause::OnDemand).is_ok());
    }
}

#[test]
fn a_reshard_beyond_the_accounts_shards_is_refused_for_the_server_too() {
    let mut world = World::with(&[("a", 2), ("b", 2)]);
    world.rules.shards_max = 4;
    for by in [Cause::Request, Cause::OnDemand] {
        let refused = refusal(world.plan_by("a", split(0), by));
        assert_eq!(refused.0, ErrorCode::LimitExceeded);
        assert!(
            refused.1.contains("additional shards that would have resulted from this request: 1.")
        );
        assert_eq!(code(world.plan_by("a", scale(4), by)), ErrorCode::LimitExceeded);
    }
    world.reshard("a", merge(0, 1)).unwrap();
    world.reshard("b", scale(3)).unwrap();
    assert_eq!(code(world.reshard("b", scale(4))), ErrorCode::LimitExceeded);
}

#[test]
fn a_stream_that_is_not_active_is_not_resharded() {
    let mut world = World::with(&[("a", 1)]);
    world.delete("a", false).unwrap();
    assert_eq!(code(world.plan("a", split(0))), ErrorCode::ResourceInUse);
    assert_eq!(code(world.plan("b", split(0))), ErrorCode::ResourceNotFound);
}

#[test]
#[should_panic(expected = "every parent has one end")]
fn a_reshard_without_the_end_of_a_parent_is_a_bug() {
    let world = World::with(&[("a", 2)]);
    let plan = world.plan("a", merge(0, 1)).unwrap();
    let _ = decide::reshard(&plan, &[(ShardNumber(0), Seq(1))], &world.state, NOW);
}

#[test]
fn a_stream_may_be_altered_while_it_is_resharded() {
    let mut world = World::with(&[("a", 2)]);
    let plan = world.plan("a", scale(3)).unwrap();
    world.alter("a", StreamChange::Limits(ShardLimits::OFF)).unwrap();
    world.register("a", "reader").unwrap();
    world.carry_out(&plan);
    assert_eq!(world.open("a").len(), 3);
}
