use super::*;

/// Open ranges of a stream in the order of their hash keys.
fn ranges(world: &World) -> Vec<HashRange> {
    let mut ranges: Vec<_> = world.stream("a").open_shards().map(|s| s.range).collect();
    ranges.sort_by_key(|range| range.start);
    ranges
}

#[test]
fn scaling_gives_shards_of_equal_width_by_as_few_shards_as_aws() {
    // From, to, and all shards afterwards: on AWS it is the same for these.
    for (from, to, all) in [(2, 4, 6), (4, 5, 15), (4, 2, 6), (4, 8, 12), (8, 4, 12)] {
        let mut world = World::with(&[("a", from)]);
        let plan = world.reshard("a", scale(to)).unwrap();
        assert!(plan.is_scaling);
        assert_eq!(ranges(&world), HashRange::split_evenly(to), "{from} to {to}");
        assert_eq!(world.stream("a").shards.len(), all, "{from} to {to}");
    }
}

#[test]
fn two_become_three_by_two_splits_and_a_merge() {
    let mut world = World::with(&[("a", 2)]);
    let plan = world.reshard("a", scale(3)).unwrap();
    assert_eq!(plan.parents, [ShardNumber(0), ShardNumber(1)]);
    let lineage: Vec<_> = plan
        .children
        .iter()
        .map(|c| (c.number.0, c.parent.0, c.adjacent_parent.map(|n| n.0), c.open))
        .collect();
    assert_eq!(
        lineage,
        [
            (2, 0, None, true),
            (3, 0, None, false),
            (4, 1, None, false),
            (5, 1, None, true),
            (6, 3, Some(4), true),
        ]
    );
    assert_eq!(world.open("a"), [2, 6, 5]);
    for joint in &world.stream("a").shards[3..5] {
        assert_eq!((joint.closed_at, joint.end), (Some(world.now), Some(Seq::ZERO)));
    }
    let created = |n: usize| world.stream("a").shards[n].created.0 - NOW.0;
    assert_eq!((created(3), created(6)), (1000, 2000));
}

#[test]
fn a_shard_that_is_as_wanted_stays_and_does_not_pause() {
    let mut world = World::with(&[("a", 4)]);
    world.reshard("a", split(0)).unwrap();
    let plan = world.reshard("a", scale(4)).unwrap();
    assert_eq!(plan.parents, [ShardNumber(4), ShardNumber(5)]);
    assert_eq!(world.open("a"), [6, 1, 2, 3]);
    let plan = world.reshard("a", scale(4)).unwrap();
    assert!(plan.is_empty() && plan.children.is_empty());
    assert_eq!(world.stream("a").map_version, 3);
}

#[test]
fn boundaries_that_differ_by_rounding_only_stay_where_they_are() {
    // A third is not twice a sixth in whole hash keys.
    for (from, to) in [(3, 6), (6, 3), (6, 12), (7, 14), (5, 10), (10, 5), (100, 200)] {
        let mut world = World::with(&[("a", from)]);
        let plan = world.reshard("a", scale(to)).unwrap();
        let all_used = plan.children.iter().all(|child| child.open);
        assert!(all_used, "{from} to {to} needs only splits or only merges");
        let width = u128::MAX / u128::from(to);
        for range in ranges(&world) {
            let differs = (range.end.0 - range.start.0).abs_diff(width);
            assert!(differs < 1000, "{from} to {to}: {differs} keys");
        }
    }
}

#[test]
fn uneven_shards_become_even_ones() {
    let mut world = World::with(&[("a", 1)]);
    for (shard, at) in [(0, 1000), (1, 500), (2, u128::MAX / 2), (6, u128::MAX - 7)] {
        world.reshard("a", split_at(shard, at)).unwrap();
    }
    assert_eq!(world.open("a").len(), 5);
    world.reshard("a", scale(7)).unwrap();
    assert_eq!(ranges(&world), HashRange::split_evenly(7));
    world.reshard("a", scale(4)).unwrap();
    world.reshard("a", scale(2)).unwrap();
    world.reshard("a", scale(1)).unwrap();
    assert_eq!(ranges(&world), HashRange::split_evenly(1));
}

#[test]
fn a_request_scales_to_between_half_and_double() {
    let world = World::with(&[("a", 5), ("b", 1)]);
    for (target, taken) in [(2, false), (3, true), (5, true), (10, true), (11, false)] {
        assert_eq!(world.plan("a", scale(target)).is_ok(), taken, "{target}");
        assert!(world.plan_by("a", scale(target), Cause::OnDemand).is_ok(), "{target}");
    }
    assert_eq!(
        refusal(world.plan("a", scale(11))),
        (
            ErrorCode::LimitExceeded,
            "UpdateShardCount cannot scale up over double your current open shard count. Current \
             open shard count: 5, Target shard count: 11"
                .into()
        )
    );
    assert_eq!(
        refusal(world.plan("a", scale(2))),
        (
            ErrorCode::LimitExceeded,
            "UpdateShardCount cannot scale down below half your current open shard count. Current \
             open shard count: 5, Target shard count: 2"
                .into()
        )
    );
    assert_eq!(code(world.plan("b", scale(0))), ErrorCode::Validation);
}

#[test]
fn a_stream_has_ten_thousand_shards_at_most() {
    let mut world = World::with(&[("a", 10_000)]);
    for by in [Cause::Request, Cause::OnDemand] {
        assert_eq!(code(world.plan_by("a", scale(10_001), by)), ErrorCode::LimitExceeded);
        assert_eq!(code(world.plan_by("a", split(0), by)), ErrorCode::LimitExceeded);
    }
    world.reshard("a", merge(0, 1)).unwrap();
    world.reshard("a", split(2)).unwrap();
}

#[test]
fn a_stream_is_scaled_ten_times_in_24_hours_where_rates_are_enforced() {
    let mut world = World::with(&[("a", 2)]);
    world.rules.control_rates = true;
    for target in [3, 4].repeat(5) {
        world.pass(HOUR);
        world.reshard("a", scale(target)).unwrap();
    }
    assert_eq!(code(world.reshard("a", scale(3))), ErrorCode::LimitExceeded);
    assert!(world.plan("a", split(world.open("a")[0])).is_ok(), "splits are not counted");
    assert!(world.plan_by("a", scale(3), Cause::OnDemand).is_ok(), "nor is the server's scaling");
    // The first was an hour after NOW.
    world.pass(15 * HOUR - 1);
    assert_eq!(code(world.reshard("a", scale(3))), ErrorCode::LimitExceeded);
    world.pass(1);
    world.reshard("a", scale(3)).unwrap();
    world.rules.control_rates = false;
    world.reshard("a", scale(4)).unwrap();
    assert_eq!(world.stream("a").scalings.len(), 10, "no more than what counts is kept");
}

#[test]
fn what_the_server_scales_is_not_counted() {
    let mut world = World::new();
    world.create("a", 0, on_demand()).unwrap();
    let plan = world.plan_by("a", scale(16), Cause::OnDemand).unwrap();
    world.carry_out(&plan);
    assert_eq!((world.open("a").len(), world.stream("a").scalings.len()), (16, 0));
}
