use super::*;

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

fn create_request(options: StreamOptions, tags: Vec<(String, String)>) -> CreateStream<'static> {
    CreateStream { name: "a", shards: 0, options, tags }
}

#[test]
fn an_on_demand_stream_begins_with_four_shards_whatever_was_asked_for() {
    let mut world = World::new();
    world.create("a", 0, on_demand()).unwrap();
    world.create("b", 9, on_demand()).unwrap();
    assert_eq!((world.open("a").len(), world.open("b").len()), (4, 4));
    let provisioned = world.create("c", 0, StreamOptions::default());
    assert_eq!(code(provisioned), ErrorCode::Validation);
}

#[test]
fn warm_throughput_needs_the_commitment_and_on_demand_mode_and_brings_its_shards() {
    let mut world = World::new();
    let warm = |warm_mib| StreamOptions { warm_mib, ..on_demand() };
    assert_eq!(code(world.create("a", 0, warm(1))), ErrorCode::Validation);
    world.commit(true).unwrap();
    world.create("a", 0, warm(3)).unwrap();
    world.create("b", 0, warm(12)).unwrap();
    assert_eq!((world.open("a").len(), world.open("b").len()), (4, 12));
    let provisioned = StreamOptions { warm_mib: 1, ..StreamOptions::default() };
    assert_eq!(code(world.create("c", 1, provisioned)), ErrorCode::Validation);
    assert_eq!(code(world.create("c", 0, warm(10_001))), ErrorCode::Validation);
}

#[test]
fn automatic_distribution_is_for_on_demand_streams_only() {
    let mut world = World::new();
    let auto = |options| StreamOptions { distribution: Distribution::Auto, ..options };
    let refused = world.create("a", 1, auto(StreamOptions::default()));
    assert_eq!(code(refused), ErrorCode::InvalidArgument);
    world.create("a", 0, auto(on_demand())).unwrap();
}

#[test]
fn a_stream_beyond_the_accounts_shards_is_refused_and_deleted_ones_do_not_count() {
    let mut world = World::with(&[("a", 3)]);
    world.rules.shards_max = 5;
    let options = StreamOptions::default();
    assert_eq!(
        refusal(world.create("b", 3, options)),
        (
            ErrorCode::LimitExceeded,
            "This request would exceed the shard limit for the account 000000000000 in us-east-1. \
             Current shard count for the account: 3. Limit: 5. Number of additional shards that \
             would have resulted from this request: 3. Refer to the AWS Service Limits page \
             (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for current \
             limits and how to request higher limits."
                .into()
        )
    );
    world.create("b", 2, options).unwrap();
    world.delete("a", false).unwrap();
    world.create("c", 3, options).unwrap();
    world.rules.shards_max = 0;
    world.create("d", 100, options).unwrap();
}

#[test]
fn an_on_demand_stream_beyond_the_accounts_limit_is_refused() {
    let mut world = World::with(&[("p", 1)]);
    world.rules.on_demand_max = 2;
    world.create("a", 0, on_demand()).unwrap();
    world.create("b", 0, on_demand()).unwrap();
    assert_eq!(code(world.create("c", 0, on_demand())), ErrorCode::LimitExceeded);
    let mode = |mode| StreamChange::Mode { mode, warm_mib: 0 };
    assert_eq!(code(world.alter("p", mode(StreamMode::OnDemand))), ErrorCode::LimitExceeded);
    world.alter("a", mode(StreamMode::Provisioned)).unwrap();
    world.create("c", 0, on_demand()).unwrap();
}

#[test]
fn at_most_five_streams_are_being_created() {
    let mut world = World::with(&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]);
    for stream in world.state.streams.values_mut() {
        stream.status = StreamStatus::Creating;
    }
    let options = StreamOptions::default();
    assert_eq!(code(world.create("f", 1, options)), ErrorCode::LimitExceeded);
    world.state.streams.get_mut("c").unwrap().status = StreamStatus::Active;
    world.create("f", 1, options).unwrap();
}

#[test]
fn a_stream_with_consumers_is_deleted_only_with_them() {
    let mut world = World::with(&[("a", 1)]);
    world.register("a", "reader").unwrap();
    assert_eq!(code(world.delete("a", false)), ErrorCode::ResourceInUse);
    world.delete("a", true).unwrap();
    assert_eq!(world.stream("a").status, StreamStatus::Deleting);
}

#[test]
fn a_stream_is_created_with_its_tags_or_not_at_all() {
    let state = empty();
    let decide = |tags| {
        let request = create_request(on_demand(), tags);
        decide::create_stream(&state, &Rules::default(), &request, NOW, StreamUuid([1; 16]))
    };
    let event = decide(tags(&[("team", "blue"), ("tier", "")])).unwrap();
    let mut state = empty();
    state.apply(&event);
    assert_eq!(state.stream("a").unwrap().tags.len(), 2);
    assert_eq!(code(decide(tags(&[("", "blue")]))), ErrorCode::Validation);
    assert_eq!(code(decide(tags(&[("team", "50%")]))), ErrorCode::InvalidArgument);
}
