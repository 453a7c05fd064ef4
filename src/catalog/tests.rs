use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, home_core};
use crate::base::stream::{Durability, ShardLimits, StreamOptions, StreamStatus};
use crate::record::{HashKey, HashRange};
use crate::wire::streams::CreateStream;

const NOW: Millis = Millis(1_700_000_000_000);

fn empty() -> State {
    State::new([7; 32])
}

fn create(state: &State, name: &str, shards: u32) -> Result<Event, ApiError> {
    let uuid = StreamUuid((u128::from(state.version) + 1).to_be_bytes());
    create_with(state, name, shards, StreamOptions::default(), uuid)
}

fn create_with(
    state: &State,
    name: &str,
    shards: u32,
    options: StreamOptions,
    uuid: StreamUuid,
) -> Result<Event, ApiError> {
    let request = CreateStream { name, shards, options, tags: Vec::new() };
    decide::create_stream(state, &Rules::default(), &request, NOW, uuid)
}

fn delete(state: &State, name: &str) -> Result<Event, ApiError> {
    decide::delete_stream(state, &Rules::default(), name)
}

fn view_of(state: &State, cores: u16) -> View {
    View::of(state, cores, Arc::default())
}

fn with_streams(streams: &[(&str, u32)]) -> State {
    let mut state = empty();
    for (name, shards) in streams {
        let event = create(&state, name, *shards).unwrap();
        state.apply(&event);
    }
    state
}

#[test]
fn a_stream_lives_from_creation_to_removal_and_its_name_is_free_again() {
    let mut state = with_streams(&[("orders", 4)]);
    let first = state.stream("orders").unwrap().clone();
    assert_eq!((first.status, first.shards.len()), (StreamStatus::Active, 4));
    assert_eq!(decide::remove_stream(&state, first.uuid), None);
    state.apply(&delete(&state, "orders").unwrap());
    assert_eq!(state.stream("orders").unwrap().status, StreamStatus::Deleting);
    assert_eq!(create(&state, "orders", 1).unwrap_err().code, ErrorCode::ResourceInUse);
    state.apply(&decide::remove_stream(&state, first.uuid).unwrap());
    assert_eq!(state.stream("orders"), None);
    state.apply(&create(&state, "orders", 1).unwrap());
    assert_ne!(state.stream("orders").unwrap().uuid, first.uuid);
    assert_eq!(state.version, 4);
}

#[test]
fn refusals_have_the_texts_of_the_api() {
    let mut state = with_streams(&[("orders", 1)]);
    let text = |e: ApiError| (e.code, e.message);
    assert_eq!(
        text(create(&state, "orders", 1).unwrap_err()),
        (
            ErrorCode::ResourceInUse,
            "Stream orders under account 000000000000 already exists.".into()
        )
    );
    assert_eq!(
        text(delete(&state, "absent").unwrap_err()),
        (ErrorCode::ResourceNotFound, "Stream absent under account 000000000000 not found.".into())
    );
    state.apply(&delete(&state, "orders").unwrap());
    assert_eq!(
        text(delete(&state, "orders").unwrap_err()),
        (
            ErrorCode::ResourceInUse,
            "Stream orders under account 000000000000 not ACTIVE, instead in state DELETING".into()
        )
    );
    assert_eq!(
        text(create(&state, "a b", 0).unwrap_err()),
        (
            ErrorCode::Validation,
            "2 validation errors detected: Value 'a b' at 'streamName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value \
             '0' at 'shardCount' failed to satisfy constraint: Member must have value greater \
             than or equal to 1"
                .into()
        )
    );
}

#[test]
fn names_and_shard_counts_are_taken_up_to_their_limits_and_no_further() {
    let state = empty();
    let longest = "x".repeat(128);
    for name in ["a", "A-z_0.9", longest.as_str()] {
        assert!(create(&state, name, 1).is_ok(), "{name:?} is a name");
    }
    let too_long = "x".repeat(129);
    for name in ["", " ", "a/b", "ü", "a\0b", too_long.as_str()] {
        let error = create(&state, name, 1).unwrap_err();
        assert_eq!(error.code, ErrorCode::Validation, "{name:?} is no name");
    }
    for (shards, taken) in [(0, false), (1, true), (10_000, true), (10_001, false)] {
        assert_eq!(create(&state, "a", shards).is_ok(), taken, "{shards} shards");
    }
}

#[test]
fn options_are_taken_up_to_their_limits_and_no_further() {
    let decide =
        |options| create_with(&empty(), "a", 1, options, StreamUuid([1; 16])).map_err(|e| e.code);
    let default = StreamOptions::default();
    for (hours, taken) in [(0, false), (1, true), (24, true), (8760, true), (8761, false)] {
        let options = StreamOptions { retention_hours: hours, ..default };
        assert_eq!(decide(options).is_ok(), taken, "{hours} h");
    }
    let mib = 1024 * 1024;
    for (bytes, taken) in [(1023, false), (1024, true), (10 * mib, true), (10 * mib + 1, false)] {
        let options = StreamOptions { record_bytes_max: bytes, ..default };
        assert_eq!(decide(options).is_ok(), taken, "{bytes} bytes");
    }
    let error = decide(StreamOptions { retention_hours: 0, ..default }).unwrap_err();
    assert_eq!(error, ErrorCode::InvalidArgument);
}

#[test]
#[should_panic(expected = "which does not exist")]
fn an_event_that_was_not_decided_for_this_state_is_a_bug() {
    empty().apply(&Event::StreamRemoved { name: "a".into(), uuid: StreamUuid([1; 16]) });
}

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

/// A random history. `u8` picks one of four names, so that the steps meet.
#[derive(Clone, Debug)]
enum Step {
    Create(u8, u32, StreamOptions),
    Delete(u8),
    Remove(u8),
}

fn any_options() -> impl Strategy<Value = StreamOptions> {
    (0..3u8, 1..8760u32, 1024..1_000_000u32, any::<bool>()).prop_map(
        |(durability, retention_hours, record_bytes_max, aws)| StreamOptions {
            durability: Durability::from_wire(durability).unwrap(),
            limits: if aws { ShardLimits::AWS } else { ShardLimits::OFF },
            retention_hours,
            record_bytes_max,
            ..StreamOptions::default()
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 1..20u32, any_options()).prop_map(|(n, shards, o)| Step::Create(n, shards, o)),
        (0..4u8).prop_map(Step::Delete),
        (0..4u8).prop_map(Step::Remove),
    ]
}

/// Runs `steps` as the server would and returns the final state and every event.
fn run(steps: &[Step]) -> (State, Vec<Event>) {
    let (mut state, mut events) = (empty(), Vec::new());
    for (i, step) in steps.iter().enumerate() {
        let uuid = StreamUuid((i as u128 + 1).to_be_bytes());
        let name = |n: &u8| format!("stream-{n}");
        let event = match step {
            Step::Create(n, shards, options) => {
                create_with(&state, &name(n), *shards, *options, uuid).ok()
            }
            Step::Delete(n) => delete(&state, &name(n)).ok(),
            Step::Remove(n) => {
                state.stream(&name(n)).and_then(|s| decide::remove_stream(&state, s.uuid))
            }
        };
        if let Some(event) = event {
            state.apply(&event);
            events.push(event);
        }
    }
    (state, events)
}

proptest! {
    #[test]
    fn replaying_the_events_gives_the_state(steps in prop::collection::vec(any_step(), 0..60)) {
        let (state, events) = run(&steps);
        let mut store = MemoryStore::new(empty());
        for event in &events {
            store.append(event).unwrap();
        }
        prop_assert_eq!(store.load().unwrap(), state);
    }

    #[test]
    fn a_snapshot_anywhere_is_as_good_as_the_events_before_it(
        steps in prop::collection::vec(any_step(), 0..60),
        at in any::<prop::sample::Index>(),
    ) {
        let (state, events) = run(&steps);
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
    fn every_hash_key_has_exactly_one_open_shard(
        shards in 1..200u32,
        splits in prop::collection::vec(any::<(prop::sample::Index, u128)>(), 0..20),
        keys in prop::collection::vec(any::<u128>(), 1..50),
    ) {
        let mut state = with_streams(&[("a", shards)]);
        let stream = state.streams.get_mut("a").unwrap();
        for (pick, key) in splits {
            split(&mut stream.shards, pick, key);
        }
        let record = stream.clone();
        let view = view_of(&state, 3);
        let view = view.by_name("a").unwrap();
        let edges = record.shards.iter().flat_map(|s| [s.range.start.0, s.range.end.0]);
        for key in keys.into_iter().chain(edges).map(HashKey) {
            let owners: Vec<_> =
                record.shards.iter().filter(|s| s.open && s.range.contains(key)).collect();
            prop_assert_eq!(owners.len(), 1);
            prop_assert_eq!(view.route(key), owners[0].number);
        }
    }
}

/// Splits the picked shard at `key`, as resharding will, if it is open and wide enough.
fn split(shards: &mut Vec<ShardRecord>, pick: prop::sample::Index, key: u128) {
    let at = pick.index(shards.len());
    let parent = shards[at];
    let HashRange { start, end } = parent.range;
    if !parent.open || end.0 - start.0 < 2 {
        return;
    }
    let middle = start.0 + 1 + key % (end.0 - start.0);
    shards[at].open = false;
    shards[at].closed_at = Some(NOW);
    shards[at].end = Some(Seq::ZERO);
    for range in
        [HashRange { start, end: HashKey(middle - 1) }, HashRange { start: HashKey(middle), end }]
    {
        let number = ShardNumber(shards.len() as u32);
        shards.push(ShardRecord { number, range, parent: Some(parent.number), ..parent });
    }
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
