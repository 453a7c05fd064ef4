use super::*;

#[test]
fn a_view_finds_streams_by_name_and_identity_and_names_what_is_missing() {
    let state = with_streams(&[("b", 3), ("a", 1), ("c", 2)]);
    let view = view_of(&state, 2);
    assert_eq!((view.version(), view.cores()), (0, 2));
    for name in ["a", "b", "c"] {
        let stream = view.require_name(name).unwrap();
        assert_eq!(stream.name, name);
        assert_eq!(view.require_uuid(stream.uuid).unwrap().name, name);
        for shard in &stream.shards {
            let key = ShardKey { stream: stream.uuid, number: shard.number };
            assert_eq!(stream.key(shard.number), key);
            assert_eq!(shard.home, home_core(key, 2));
        }
    }
    assert_eq!(
        view.require_name("d").unwrap_err().message,
        "Stream d under account 000000000000 not found."
    );
    assert!(view.by_uuid(StreamUuid([0xFF; 16])).is_none());
    let b = view.by_name("b").unwrap();
    assert_eq!(b.shard(ShardNumber(2)), Some(&b.shards[2]));
    assert_eq!(
        b.require_shard(ShardNumber(3)).unwrap_err().message,
        "Shard shardId-000000000003 in stream b under account 000000000000 does not exist"
    );
    assert_eq!(b.shard(ShardNumber::ANY), None);
}

#[test]
fn a_deleted_stream_is_listed_but_takes_and_gives_nothing() {
    let mut state = with_streams(&[("a", 1)]);
    assert_eq!(view_of(&state, 1).by_name("a").unwrap().require_usable(), Ok(()));
    state.apply(&delete(&state, "a").unwrap());
    let view = view_of(&state, 1);
    let stream = view.by_name("a").unwrap();
    assert_eq!(stream.require_usable().unwrap_err().code, ErrorCode::ResourceNotFound);
    assert_eq!(stream.require_active().unwrap_err().code, ErrorCode::ResourceInUse);
    assert_eq!(view.list("", 10).unwrap().streams[0].status, StreamStatus::Deleting);
}

#[test]
fn descriptions_say_what_the_state_says() {
    let state = with_streams(&[("a", 3)]);
    let view = view_of(&state, 4);
    let stream = view.by_name("a").unwrap();
    let description = stream.describe(None, 10).unwrap();
    let record = state.stream("a").unwrap();
    let summary = &description.summary;
    assert_eq!(summary.name, "a");
    assert_eq!((summary.uuid, summary.created, summary.map_version), (record.uuid, NOW, 1));
    let ranges: Vec<_> = description.shards.iter().map(|s| s.range).collect();
    assert_eq!(ranges, HashRange::split_evenly(3));
    let map = stream.shard_map();
    assert_eq!((map.stream, map.map_version, &map.shards), (record.uuid, 1, &description.shards));
    assert_eq!(stream.summary().open_shards, 3);
}

#[test]
fn a_listing_is_paged_by_name_and_says_when_there_is_more() {
    let state = with_streams(&[("d", 1), ("a", 1), ("c", 1), ("b", 1)]);
    let view = view_of(&state, 1);
    let page = |after, limit| {
        let list = view.list(after, limit).unwrap();
        (list.streams.iter().map(|s| s.name.clone()).collect::<Vec<_>>().concat(), list.more)
    };
    assert_eq!(page("", 3), ("abc".into(), true));
    assert_eq!(page("c", 3), ("d".into(), false));
    assert_eq!(page("", 4), ("abcd".into(), false));
    assert_eq!(page("bb", 1), ("c".into(), true), "the name need not exist");
    assert_eq!(page("d", 1), (String::new(), false));
    assert_eq!(view.list("", 0).unwrap_err().code, ErrorCode::Validation);
    assert_eq!(view.list("", 10_001).unwrap_err().code, ErrorCode::Validation);
}

#[test]
fn a_shard_is_found_when_lower_numbers_are_gone() {
    let mut state = with_streams(&[("a", 1)]);
    let stream = state.streams.get_mut("a").unwrap();
    stream.shards[0].number = ShardNumber(5);
    let view = view_of(&state, 1);
    let stream = view.by_name("a").unwrap();
    assert_eq!(stream.shard(ShardNumber(5)).unwrap().home, CoreId(0));
    assert_eq!(stream.shard(ShardNumber(0)), None);
    assert_eq!(stream.route(HashKey(3)), ShardNumber(5));
}

#[test]
#[should_panic(expected = "do not cover the hash keys exactly once")]
fn a_hole_in_the_hash_keys_is_never_routed_over() {
    let mut state = with_streams(&[("a", 3)]);
    state.streams.get_mut("a").unwrap().shards[1].open = false;
    state.streams.get_mut("a").unwrap().shards[1].closed_at = Some(NOW);
    state.streams.get_mut("a").unwrap().shards[1].end = Some(Seq::ZERO);
    let _ = view_of(&state, 1);
}

#[test]
fn a_snapshot_from_before_a_field_existed_still_opens() {
    // As an early version wrote it: neither parents nor the time of closing.
    #[derive(serde::Serialize)]
    struct OldShard {
        number: ShardNumber,
        range: HashRange,
        open: bool,
        created: Millis,
        forgotten: u8,
    }
    let range = HashRange::split_evenly(1)[0];
    let old = OldShard { number: ShardNumber(0), range, open: true, created: NOW, forgotten: 1 };
    let mut bytes = Vec::new();
    ciborium::into_writer(&old, &mut bytes).unwrap();
    let new: ShardRecord = ciborium::from_reader(&bytes[..]).unwrap();
    assert_eq!((new.range, new.parent, new.closed_at), (range, None, None));
}

#[test]
fn a_view_is_shared_between_cores_and_a_store_moves_to_a_blocking_thread() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<View>();
    moved::<FileStore>();
}

#[test]
fn the_iterator_key_is_not_printed() {
    let state = State::new([0xAB; 32]);
    let text = format!("{state:?}");
    assert!(!text.contains("171") && !text.to_lowercase().contains("ab, "), "{text}");
    assert_eq!(state.streams, BTreeMap::new());
}
