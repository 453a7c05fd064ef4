use super::*;

const UUID: StreamUuid = StreamUuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// A stream of two shards.
fn world() -> World {
    let mut world = World::with(&[("a", 2)]);
    assert_eq!(world.stream("a").uuid, UUID);
    world.register("a", "reader").unwrap();
    world
}

/// The event of a scaling from 2 to 3, changed.
fn changed(change: impl FnOnce(&mut Vec<(ShardNumber, Seq)>, &mut Vec<PlannedShard>)) -> Event {
    let world = world();
    let plan = world.plan("a", scale(3)).unwrap();
    let ends = [(ShardNumber(0), Seq(5)), (ShardNumber(1), Seq(6))];
    let mut event = decide::reshard(&plan, &ends, &world.state, NOW);
    let Event::Resharded { parents, children, .. } = &mut event else { unreachable!() };
    change(parents, children);
    event
}

#[test]
#[should_panic(expected = "which does not exist")]
fn an_event_that_was_not_decided_for_this_state_is_a_bug() {
    empty().apply(&Event::StreamRemoved { name: "a".into(), uuid: StreamUuid([1; 16]) });
}

#[test]
fn a_reshard_hands_every_hash_key_on_exactly_once() {
    let world = world();
    assert_eq!(world.state.check(&changed(|_, _| {})), Ok(()));
    type Change = fn(&mut Vec<(ShardNumber, Seq)>, &mut Vec<PlannedShard>);
    let table: [(&str, Change); 14] = [
        ("a parent less", |parents, _| parents.truncate(1)),
        ("a parent twice", |parents, _| parents.push(parents[0])),
        ("an unknown parent", |parents, _| parents[0].0 = ShardNumber(7)),
        ("a child less", |_, children| children.truncate(4)),
        ("no child", |_, children| children.clear()),
        ("nothing", |parents, children| {
            parents.clear();
            children.clear();
        }),
        ("another number", |_, children| children[4].number = ShardNumber(9)),
        ("a parent that stays open", |_, children| children[4].parent = ShardNumber(2)),
        ("a parent that comes later", |_, children| children[0].parent = ShardNumber(6)),
        ("a parent for itself", |_, children| children[4].parent = ShardNumber(6)),
        ("one parent twice", |_, children| children[4].adjacent_parent = Some(ShardNumber(3))),
        ("a hole", |_, children| children[1].range.start.0 += 1),
        ("an overlap", |_, children| children[0].range.end.0 += 1),
        ("a joint without heir", |_, children| {
            children[0].open = false;
        }),
    ];
    for (what, change) in table {
        let checked = world.state.check(&changed(change));
        assert!(matches!(checked, Err(Misfit::Reshard { .. })), "{what}: {checked:?}");
    }
}

#[test]
fn an_event_names_the_stream_by_its_identity_and_finds_it_alive() {
    let mut world = world();
    let (name, uuid) = ("a".to_owned(), StreamUuid([9; 16]));
    let other = Event::ShardsExpired { name, uuid, shards: vec![ShardNumber(0)] };
    assert!(matches!(world.state.check(&other), Err(Misfit::Missing { .. })));
    let reshard = changed(|_, _| {});
    world.delete("a", true).unwrap();
    assert!(matches!(world.state.check(&reshard), Err(Misfit::Status { .. })));
}

#[test]
fn only_closed_shards_expire_each_once_and_in_order() {
    let mut world = world();
    world.reshard("a", split(0)).unwrap();
    world.reshard("a", split(1)).unwrap();
    let expired = |shards: &[u32]| Event::ShardsExpired {
        name: "a".into(),
        uuid: UUID,
        shards: shards.iter().copied().map(ShardNumber).collect(),
    };
    assert_eq!(world.state.check(&expired(&[0, 1])), Ok(()));
    for shards in [&[][..], &[1, 0], &[0, 0], &[2], &[9]] {
        let checked = world.state.check(&expired(shards));
        assert!(matches!(checked, Err(Misfit::Reshard { .. })), "{shards:?}: {checked:?}");
    }
}

#[test]
fn consumers_are_registered_once_and_changed_while_they_exist() {
    let world = world();
    let registered = |consumer: &str| Event::ConsumerRegistered {
        stream: "a".into(),
        uuid: UUID,
        consumer: consumer.into(),
        created: NOW,
        tags: BTreeMap::new(),
    };
    let gone = |consumer: &str| Event::ConsumerDeregistered {
        stream: "a".into(),
        uuid: UUID,
        consumer: consumer.into(),
    };
    assert_eq!(world.state.check(&registered("new")), Ok(()));
    let again = world.state.check(&registered("reader"));
    assert!(matches!(again, Err(Misfit::ConsumerExists { .. })), "{again:?}");
    assert_eq!(world.state.check(&gone("reader")), Ok(()));
    let missing = world.state.check(&gone("new"));
    assert!(matches!(missing, Err(Misfit::ConsumerMissing { .. })), "{missing:?}");
}

#[test]
fn an_event_says_which_stream_it_changes() {
    let mut world = world();
    world.commit(true).unwrap();
    world.reshard("a", split(0)).unwrap();
    let streams: Vec<_> = world.events.iter().map(Event::stream).collect();
    assert_eq!(streams, [Some("a"), Some("a"), None, Some("a")]);
}
