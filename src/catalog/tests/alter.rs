use super::*;
use crate::base::stream::ShardMetrics;

fn retention(hours: u32, direction: Direction) -> StreamChange {
    StreamChange::Retention { hours, direction }
}

fn mode(mode: StreamMode) -> StreamChange {
    StreamChange::Mode { mode, warm_mib: 0 }
}

#[test]
fn retention_grows_by_increase_and_shrinks_by_decrease_only() {
    let mut world = World::with(&[("a", 1)]);
    world.alter("a", retention(48, Direction::Increase)).unwrap();
    let refused = |world: &mut World, hours, direction| {
        refusal(world.alter("a", retention(hours, direction)))
    };
    let invalid = ErrorCode::InvalidArgument;
    assert_eq!(
        refused(&mut world, 47, Direction::Increase),
        (
            invalid,
            "Requested retention period (47 hours) for stream a can not be shorter than existing \
             retention period (48 hours). Use DecreaseRetentionPeriod API."
                .into()
        )
    );
    assert_eq!(
        refused(&mut world, 49, Direction::Decrease),
        (
            invalid,
            "Requested retention period (49 hours) for stream a can not be longer than existing \
             retention period (48 hours). Use IncreaseRetentionPeriod API."
                .into()
        )
    );
    assert_eq!(refused(&mut world, 48, Direction::Increase).0, invalid);
    assert_eq!(refused(&mut world, 48, Direction::Decrease).0, invalid);
    assert_eq!(
        refused(&mut world, 8761, Direction::Increase),
        (
            invalid,
            "Maximum allowed retention period is 8760 hours. Requested retention period (8761 \
             hours) is too long."
                .into()
        )
    );
    assert_eq!(refused(&mut world, 0, Direction::Decrease).0, invalid);
    assert_eq!(world.alter("a", retention(48, Direction::Any)), Ok(false));
    assert_eq!(world.alter("a", retention(1, Direction::Decrease)), Ok(true));
    assert_eq!(world.alter("a", retention(8760, Direction::Any)), Ok(true));
    assert_eq!(world.stream("a").options.retention_hours, 8760);
}

#[test]
fn a_longer_retention_does_not_bring_back_what_had_expired() {
    let mut world = World::with(&[("a", 1)]);
    world.pass(100 * HOUR);
    let cutoff = world.stream("a").retention_cutoff(world.now);
    assert_eq!(cutoff, Millis(world.now.0 - 24 * HOUR));
    world.alter("a", retention(72, Direction::Increase)).unwrap();
    assert_eq!(world.stream("a").retention_cutoff(world.now), cutoff);
    world.pass(47 * HOUR);
    assert_eq!(world.stream("a").retention_cutoff(world.now), cutoff, "nothing is 72 h old yet");
    world.pass(2 * HOUR);
    let later = Millis(cutoff.0 + HOUR);
    assert_eq!(world.stream("a").retention_cutoff(world.now), later);
    let view = world.view();
    assert_eq!(view.by_name("a").unwrap().retention_cutoff(world.now), later);
}

#[test]
fn a_shorter_retention_drops_at_once_and_for_good() {
    let mut world = World::with(&[("a", 1)]);
    world.pass(100 * HOUR);
    world.alter("a", retention(1, Direction::Decrease)).unwrap();
    let cutoff = world.stream("a").retention_cutoff(world.now);
    assert_eq!(cutoff, Millis(world.now.0 - HOUR));
    world.alter("a", retention(24, Direction::Increase)).unwrap();
    assert_eq!(world.stream("a").retention_cutoff(world.now), cutoff);
}

#[test]
fn the_mode_changes_twice_in_24_hours_where_rates_are_enforced() {
    let mut world = World::with(&[("a", 3)]);
    world.rules.control_rates = true;
    world.alter("a", mode(StreamMode::OnDemand)).unwrap();
    assert_eq!(world.open("a").len(), 3, "the shards stay");
    assert_eq!(world.alter("a", mode(StreamMode::OnDemand)), Ok(false), "this is no change");
    world.pass(HOUR);
    world.alter("a", mode(StreamMode::Provisioned)).unwrap();
    let refused = world.alter("a", mode(StreamMode::OnDemand));
    assert_eq!(code(refused), ErrorCode::LimitExceeded);
    world.pass(23 * HOUR - 1);
    assert_eq!(code(world.alter("a", mode(StreamMode::OnDemand))), ErrorCode::LimitExceeded);
    world.pass(1);
    world.alter("a", mode(StreamMode::OnDemand)).unwrap();
    assert_eq!(code(world.alter("a", mode(StreamMode::Provisioned))), ErrorCode::LimitExceeded);
    world.rules.control_rates = false;
    world.alter("a", mode(StreamMode::Provisioned)).unwrap();
    assert_eq!(world.stream("a").mode_changes.len(), 2, "no more than what counts is kept");
}

#[test]
fn encryption_starts_and_stops_25_times_in_24_hours_where_rates_are_enforced() {
    let mut world = World::with(&[("a", 1)]);
    world.rules.control_rates = true;
    let start = |n: u32| StreamChange::Encryption(Some(format!("alias/{n}")));
    let stop = StreamChange::Encryption(None);
    for n in 0..24 {
        world.alter("a", start(n)).unwrap();
        world.pass(1);
        world.alter("a", stop.clone()).unwrap();
        assert_eq!(world.alter("a", stop.clone()), Ok(false), "this is no change");
        world.pass(1);
    }
    world.alter("a", start(24)).unwrap();
    assert_eq!(code(world.alter("a", start(25))), ErrorCode::LimitExceeded);
    world.alter("a", stop.clone()).unwrap();
    assert_eq!(code(world.alter("a", start(25))), ErrorCode::LimitExceeded);
    world.pass(24 * HOUR);
    world.alter("a", start(25)).unwrap();
    world.rules.control_rates = false;
    for n in 26..60 {
        world.alter("a", start(n)).unwrap();
    }
    assert_eq!(world.stream("a").encryption_starts.len(), 25, "no more than what counts is kept");
}

#[test]
fn automatic_distribution_keeps_a_stream_on_demand() {
    let mut world = World::with(&[("a", 1)]);
    let auto = StreamChange::Distribution(Distribution::Auto);
    assert_eq!(code(world.alter("a", auto.clone())), ErrorCode::InvalidArgument);
    world.alter("a", mode(StreamMode::OnDemand)).unwrap();
    assert_eq!(world.alter("a", auto.clone()), Ok(true));
    assert_eq!(world.alter("a", auto), Ok(false));
    let refused = refusal(world.alter("a", mode(StreamMode::Provisioned)));
    assert_eq!(refused.0, ErrorCode::InvalidArgument);
    assert!(refused.1.contains("USER_PARTITION_KEY first"), "{}", refused.1);
    world.alter("a", StreamChange::Distribution(Distribution::UserPartitionKey)).unwrap();
    world.alter("a", mode(StreamMode::Provisioned)).unwrap();
}

#[test]
fn warm_throughput_is_set_under_the_commitment_and_removed_without() {
    let mut world = World::with(&[("p", 1)]);
    world.create("a", 0, on_demand()).unwrap();
    let warm = StreamChange::WarmThroughput;
    assert_eq!(code(world.alter("a", warm(8))), ErrorCode::Validation);
    world.commit(true).unwrap();
    assert_eq!(world.alter("a", warm(8)), Ok(true));
    assert_eq!(code(world.alter("p", warm(8))), ErrorCode::Validation);
    assert_eq!(code(world.alter("a", warm(10_001))), ErrorCode::Validation);
    world.rules.shards_max = 20;
    assert_eq!(code(world.alter("a", warm(21))), ErrorCode::LimitExceeded);
    let with_warm = StreamChange::Mode { mode: StreamMode::OnDemand, warm_mib: 9 };
    assert_eq!(world.alter("p", with_warm.clone()), Ok(true));
    assert_eq!(world.alter("p", with_warm), Ok(false));
    assert_eq!(world.stream("p").options.warm_mib, 9);
    // The way back ends it.
    assert_eq!(world.alter("p", mode(StreamMode::Provisioned)), Ok(true));
    assert_eq!(world.stream("p").options.warm_mib, 0);
    assert_eq!(world.alter("a", warm(0)), Ok(true));
    assert_eq!(world.alter("a", warm(0)), Ok(false));
}

#[test]
fn limits_record_size_and_metrics_change_and_the_same_again_is_no_change() {
    let mut world = World::with(&[("a", 1)]);
    let metrics = ShardMetrics::named("IncomingBytes").unwrap();
    let changes = [
        StreamChange::Limits(ShardLimits::OFF),
        StreamChange::RecordBytesMax(10 << 20),
        StreamChange::RecordBytesMax(1024),
        StreamChange::EnableMetrics(ShardMetrics::ALL),
        StreamChange::DisableMetrics(metrics),
    ];
    for change in changes {
        assert_eq!(world.alter("a", change.clone()), Ok(true), "{change:?}");
        assert_eq!(world.alter("a", change.clone()), Ok(false), "{change:?} again");
    }
    let stream = world.stream("a");
    assert_eq!((stream.options.limits, stream.options.record_bytes_max), (ShardLimits::OFF, 1024));
    assert_eq!(stream.metrics, ShardMetrics::ALL.without(metrics));
    for bytes in [1023, (10 << 20) + 1] {
        let refused = world.alter("a", StreamChange::RecordBytesMax(bytes));
        assert_eq!(code(refused), ErrorCode::InvalidArgument, "{bytes} bytes");
    }
}

#[test]
fn only_an_active_stream_is_altered() {
    let mut world = World::with(&[("a", 1), ("b", 1)]);
    let change = || StreamChange::Limits(ShardLimits::OFF);
    world.state.streams.get_mut("b").unwrap().status = StreamStatus::Updating;
    assert_eq!(
        refusal(world.alter("b", change())),
        (
            ErrorCode::ResourceInUse,
            "Stream b under account 000000000000 not ACTIVE, instead in state UPDATING".into()
        )
    );
    world.delete("a", false).unwrap();
    assert_eq!(code(world.alter("a", change())), ErrorCode::ResourceInUse);
    assert_eq!(code(world.alter("c", change())), ErrorCode::ResourceNotFound);
    assert_eq!(code(world.alter("", change())), ErrorCode::Validation);
}

#[test]
fn tags_are_added_replaced_and_removed() {
    let mut world = World::with(&[("a", 1)]);
    let add = |pairs: &[(&str, &str)]| StreamChange::Tag(tags(pairs));
    assert_eq!(world.alter("a", add(&[("team", "blue"), ("tier", "")])), Ok(true));
    assert_eq!(world.alter("a", add(&[("team", "blue")])), Ok(false));
    assert_eq!(world.alter("a", add(&[("team", "Grün 1_./=+-@:")])), Ok(true));
    let untag = |key: &str| StreamChange::Untag(vec![key.to_owned()]);
    assert_eq!(world.alter("a", untag("tier")), Ok(true));
    assert_eq!(world.alter("a", untag("tier")), Ok(false), "what is not there is no error");
    let view = world.view();
    let listed = view.by_name("a").unwrap().tags();
    assert_eq!(listed.0, tags(&[("team", "Grün 1_./=+-@:")]));
}

#[test]
fn a_stream_has_fifty_tags_at_most() {
    let mut world = World::with(&[("a", 1)]);
    let numbered = |range: std::ops::Range<u32>| {
        StreamChange::Tag(range.map(|n| (n.to_string(), String::new())).collect())
    };
    world.alter("a", numbered(0..50)).unwrap();
    assert_eq!(
        refusal(world.alter("a", numbered(50..51))),
        (
            ErrorCode::InvalidArgument,
            "Failed to add tags to stream a under account 000000000000 because a given stream \
             cannot have more than 50 tags associated with it."
                .into()
        )
    );
    world.alter("a", StreamChange::Tag(tags(&[("7", "replaced")]))).unwrap();
    world.alter("a", StreamChange::Untag(vec!["8".into()])).unwrap();
    world.alter("a", numbered(50..51)).unwrap();
}

#[test]
fn tags_have_the_lengths_and_characters_of_aws() {
    let mut world = World::with(&[("a", 1)]);
    let mut add =
        |key: &str, value: &str| world.alter("a", StreamChange::Tag(tags(&[(key, value)])));
    // Characters are counted, not bytes.
    let (key, value) = ("ü".repeat(128), "ü".repeat(256));
    add(&key, &value).unwrap();
    assert_eq!(
        refusal(add("", "x")),
        (
            ErrorCode::Validation,
            "1 validation error detected: Value '{=x}' at 'tags' failed to satisfy constraint: \
             Map keys must satisfy constraint: [Member must have length less than or equal to \
             128, Member must have length greater than or equal to 1]"
                .into()
        )
    );
    assert_eq!(code(add(&format!("{key}x"), "x")), ErrorCode::Validation);
    assert_eq!(code(add("x", &format!("{value}x"))), ErrorCode::Validation);
    for text in ["a!", "a,b", "a\0", "a;b", "a\"b"] {
        let (code, text) = refusal(add(text, "x"));
        assert_eq!(code, ErrorCode::InvalidArgument);
        assert!(text.starts_with("Some tags contain invalid characters."), "{text}");
    }
    let (_, text) = refusal(add("x", "50%"));
    assert!(text.contains("because some tags contained illegal characters"), "{text}");
    let untag = |keys: &[&str]| StreamChange::Untag(keys.iter().map(|k| (*k).into()).collect());
    assert_eq!(code(world.alter("a", untag(&["x", ""]))), ErrorCode::Validation);
    assert_eq!(code(world.alter("a", untag(&["a!"]))), ErrorCode::InvalidArgument);
    assert_eq!(code(world.alter("a", untag(&["a%"]))), ErrorCode::InvalidArgument);
}
