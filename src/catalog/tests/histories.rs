//! Random histories: what must hold after each of their steps, and that their events give the
//! same state again.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::base::stream::Durability;

/// A step. `u8` picks one of three names, so that the steps meet; an [`Index`] picks a shard.
#[derive(Clone, Debug)]
enum Step {
    Create(u8, u32, StreamOptions),
    Delete(u8, bool),
    Remove(u8),
    Split(u8, Index, Option<u128>),
    Merge(u8, Index),
    Scale(u8, u32),
    Alter(u8, StreamChange),
    Register(u8, u8),
    Deregister(u8, u8),
    Commit(bool),
    Peak(u8, u64),
    Expire(u64),
    Pass(u64),
}

fn any_options() -> impl Strategy<Value = StreamOptions> {
    (0..3u8, 1..48u32, 1024..1_000_000u32, any::<bool>(), any::<bool>()).prop_map(
        |(durability, retention_hours, record_bytes_max, aws, on_demand)| StreamOptions {
            durability: Durability::from_wire(durability).unwrap(),
            limits: if aws { ShardLimits::AWS } else { ShardLimits::OFF },
            retention_hours,
            record_bytes_max,
            mode: if on_demand { StreamMode::OnDemand } else { StreamMode::Provisioned },
            ..StreamOptions::default()
        },
    )
}

fn any_change() -> impl Strategy<Value = StreamChange> {
    let retention = |hours| StreamChange::Retention { hours, direction: Direction::Any };
    let mode = |on_demand, warm_mib| StreamChange::Mode {
        mode: if on_demand { StreamMode::OnDemand } else { StreamMode::Provisioned },
        warm_mib,
    };
    prop_oneof![
        (1..48u32).prop_map(retention),
        (any::<bool>(), 0..3u32).prop_map(move |(on_demand, warm)| mode(on_demand, warm)),
        (0..3u32).prop_map(StreamChange::WarmThroughput),
        (0..2u8).prop_map(|n| StreamChange::Distribution(Distribution::from_wire(n).unwrap())),
        "[a-c]".prop_map(|key| StreamChange::Tag(vec![(key, "x".into())])),
        "[a-c]".prop_map(|key| StreamChange::Untag(vec![key])),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let name = 0..3u8;
    prop_oneof![
        2 => (name.clone(), 1..9u32, any_options()).prop_map(|(n, s, o)| Step::Create(n, s, o)),
        1 => (name.clone(), any::<bool>()).prop_map(|(n, with)| Step::Delete(n, with)),
        1 => name.clone().prop_map(Step::Remove),
        6 => (name.clone(), any::<Index>(), any::<Option<u128>>())
            .prop_map(|(n, i, at)| Step::Split(n, i, at)),
        6 => (name.clone(), any::<Index>()).prop_map(|(n, i)| Step::Merge(n, i)),
        6 => (name.clone(), 1..20u32).prop_map(|(n, target)| Step::Scale(n, target)),
        3 => (name.clone(), any_change()).prop_map(|(n, change)| Step::Alter(n, change)),
        1 => (name.clone(), 0..3u8).prop_map(|(n, c)| Step::Register(n, c)),
        1 => (name.clone(), 0..3u8).prop_map(|(n, c)| Step::Deregister(n, c)),
        1 => any::<bool>().prop_map(Step::Commit),
        1 => (name, 0..9u64).prop_map(|(n, rate)| Step::Peak(n, rate)),
        3 => (0..30u64).prop_map(Step::Expire),
        3 => (0..2000u64).prop_map(Step::Pass),
    ]
}

/// Takes one step as the server would, if it is allowed.
fn take(world: &mut World, step: &Step) {
    let name = |n: &u8| format!("stream-{n}");
    match step {
        Step::Create(n, shards, options) => drop(world.create(&name(n), *shards, *options)),
        Step::Delete(n, with_consumers) => drop(world.delete(&name(n), *with_consumers)),
        Step::Remove(n) => {
            let uuid = world.state.stream(&name(n)).map(|s| s.uuid);
            let event = uuid.and_then(|uuid| decide::remove_stream(&world.state, uuid));
            event.into_iter().for_each(|event| world.apply(event));
        }
        Step::Split(n, pick, at) => change_shards(world, &name(n), |open| {
            let shard = open[pick.index(open.len())];
            // Where the shard is, so that it is allowed nearly always.
            let width = (shard.range.end.0 - shard.range.start.0).max(1);
            let at = at.map(|at| HashKey(shard.range.start.0.saturating_add(at % width)));
            Reshard::Split { shard: shard.number, at }
        }),
        Step::Merge(n, pick) => change_shards(world, &name(n), |open| {
            let at = pick.index(open.len());
            let next = (at + 1) % open.len();
            Reshard::Merge { shard: open[at].number, adjacent: open[next].number }
        }),
        Step::Scale(n, target) => change_shards(world, &name(n), |_| scale(*target)),
        Step::Alter(n, change) => drop(world.alter(&name(n), change.clone())),
        Step::Register(n, c) => drop(world.register(&name(n), &name(c))),
        Step::Deregister(n, c) => {
            let (stream, consumer) = (name(n), name(c));
            let event = decide::deregister_consumer(&world.state, &world.rules, &stream, &consumer);
            event.into_iter().for_each(|event| world.apply(event));
        }
        Step::Commit(commitment) => drop(world.commit(*commitment)),
        Step::Peak(n, rate) => {
            let day = (world.now.0 / (24 * HOUR)) as u32;
            let uuid = world.state.stream(&name(n)).map(|s| s.uuid);
            let event =
                uuid.and_then(|u| decide::observe_peak(&world.state, u, day, *rate, 9 - rate));
            event.into_iter().for_each(|event| world.apply(event));
        }
        Step::Expire(hours) => {
            world.pass(hours * HOUR);
            world.expire();
        }
        Step::Pass(ms) => world.pass(*ms),
    }
}

/// Plans and carries out a reshard of the open shards, in the order of their hash keys. On-demand
/// streams are resharded by the server.
fn change_shards(world: &mut World, name: &str, choose: impl FnOnce(&[ShardRecord]) -> Reshard) {
    let Some(stream) = world.state.stream(name) else { return };
    let mut open: Vec<_> = stream.open_shards().copied().collect();
    open.sort_by_key(|shard| shard.range.start);
    let by = match stream.options.mode {
        StreamMode::Provisioned => Cause::Request,
        StreamMode::OnDemand => Cause::OnDemand,
    };
    if let Ok(plan) = world.plan_by(name, choose(&open), by) {
        world.carry_out(&plan);
    }
}

/// What is promised of the shards of every stream at every time.
fn assert_sound(stream: &StreamRecord) {
    let mut open: Vec<_> = stream.open_shards().collect();
    open.sort_by_key(|shard| shard.range.start);
    assert_eq!(open[0].range.start.0, 0);
    assert_eq!(open.last().unwrap().range.end.0, u128::MAX);
    for pair in open.windows(2) {
        assert_eq!(pair[0].range.end.0 + 1, pair[1].range.start.0, "a hole or an overlap");
    }
    assert!(stream.shards.is_sorted_by(|a, b| a.number < b.number));
    assert!(stream.shards.iter().all(|shard| shard.number.0 < stream.next_number()));
    for shard in &stream.shards {
        assert_eq!((shard.closed_at.is_none(), shard.end.is_none()), (shard.open, shard.open));
        assert!(shard.parent.is_some() || shard.adjacent_parent.is_none());
        assert!(shard.parent.is_none_or(|parent| parent < shard.number));
        assert!(shard.adjacent_parent.is_none_or(|parent| parent < shard.number));
        // Expired parents are not known any more.
        let known = |n: Option<ShardNumber>| n.and_then(|n| stream.shard(n));
        let (parent, adjacent) = (known(shard.parent), known(shard.adjacent_parent));
        for parent in [parent, adjacent].into_iter().flatten() {
            assert!(!parent.open, "{} has an open parent", shard.number);
            assert!(shard.created.0 >= parent.created.0 + 1000);
        }
        match (parent, adjacent) {
            (Some(low), Some(high)) => {
                assert_eq!(low.range.end.0 + 1, high.range.start.0, "neighbours");
                assert_eq!(shard.range.start, low.range.start);
                assert_eq!(shard.range.end, high.range.end);
            }
            (Some(parent), None) if shard.adjacent_parent.is_none() => {
                assert!(parent.range.contains(shard.range.start));
                assert!(parent.range.contains(shard.range.end));
                assert_ne!(parent.range, shard.range);
            }
            _ => {}
        }
    }
}

/// A shard that was closed when it was made never had a record.
fn assert_joints_are_empty(world: &World) {
    for event in &world.events {
        let Event::Resharded { uuid, children, .. } = event else { continue };
        let Some(stream) = world.state.by_uuid(*uuid) else { continue };
        for joint in children.iter().filter(|child| !child.open) {
            let end = stream.shard(joint.number).map(|shard| shard.end);
            assert!(end.is_none_or(|end| end == Some(Seq::ZERO)));
        }
    }
}

fn run(steps: &[Step]) -> World {
    let mut world = World::new();
    for step in steps {
        take(&mut world, step);
    }
    world
}

proptest! {
    #[test]
    fn after_every_step_each_hash_key_has_one_open_shard_and_lineage_is_right(
        steps in prop::collection::vec(any_step(), 0..80),
    ) {
        let mut world = World::new();
        for step in &steps {
            take(&mut world, step);
            world.state.streams.values().for_each(assert_sound);
        }
        assert_joints_are_empty(&world);
    }

    #[test]
    fn a_view_that_followed_every_event_is_the_view_of_the_state(
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let mut world = World::new();
        let mut view = world.view();
        for step in &steps {
            let known = world.events.len();
            take(&mut world, step);
            // A step of several events is applied as a whole here.
            for event in &world.events[known..] {
                view = match event.stream() {
                    Some(name) => view.next(&world.state, name, &Passing::default()),
                    None => view.with_account(&world.state),
                };
            }
        }
        let fresh = world.view();
        prop_assert_eq!(view.version(), world.events.len() as u64);
        prop_assert_eq!(view.account(world.now), fresh.account(world.now));
        prop_assert_eq!(view.streams().len(), fresh.streams().len());
        for (one, other) in view.streams().iter().zip(fresh.streams()) {
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
            prop_assert_eq!(&view.by_uuid(one.uuid).unwrap().name, &one.name);
        }
    }

    #[test]
    fn replaying_the_events_gives_the_state(steps in prop::collection::vec(any_step(), 0..60)) {
        let World { state, events, .. } = run(&steps);
        let mut store = MemoryStore::new(empty());
        for event in &events {
            let mut bytes = Vec::new();
            ciborium::into_writer(event, &mut bytes).unwrap();
            store.append(&ciborium::from_reader(&bytes[..]).unwrap()).unwrap();
        }
        prop_assert_eq!(store.load().unwrap(), state);
    }

    #[test]
    fn a_snapshot_anywhere_is_as_good_as_the_events_before_it(
        steps in prop::collection::vec(any_step(), 0..60),
        at in any::<Index>(),
    ) {
        let World { state, events, .. } = run(&steps);
        let at = at.index(events.len() + 1);
        let mut before = empty();
        events[..at].iter().for_each(|event| before.apply(event));
        let mut bytes = Vec::new();
        ciborium::into_writer(&before, &mut bytes).unwrap();
        let mut back: State = ciborium::from_reader(&bytes[..]).unwrap();
        prop_assert_eq!(&back, &before);
        events[at..].iter().for_each(|event| back.apply(event));
        prop_assert_eq!(back, state);
    }

    #[test]
    fn every_hash_key_is_routed_to_its_open_shard(
        steps in prop::collection::vec(any_step(), 0..40),
        keys in prop::collection::vec(any::<u128>(), 1..50),
    ) {
        let world = run(&steps);
        let view = world.view();
        for record in world.state.streams.values() {
            let stream = view.by_name(&record.name).unwrap();
            let edges = record.shards.iter().flat_map(|s| [s.range.start.0, s.range.end.0]);
            for key in keys.iter().copied().chain(edges).map(HashKey) {
                let mut owners = record.open_shards().filter(|s| s.range.contains(key));
                prop_assert_eq!(owners.next().map(|s| s.number), Some(stream.route(key)));
                prop_assert!(owners.next().is_none());
            }
        }
    }
}
