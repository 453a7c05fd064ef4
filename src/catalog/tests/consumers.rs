use super::*;
use crate::base::stream::ConsumerStatus;

fn deregister(world: &mut World, stream: &str, consumer: &str) -> Result<(), ApiError> {
    let event = decide::deregister_consumer(&world.state, &world.rules, stream, consumer)?;
    world.apply(event);
    Ok(())
}

fn tag(
    world: &mut World,
    consumer: &str,
    add: &[(&str, &str)],
    remove: &[&str],
) -> Result<bool, ApiError> {
    let remove: Vec<_> = remove.iter().map(|key| (*key).to_owned()).collect();
    let event =
        decide::tag_consumer(&world.state, &world.rules, "a", consumer, &tags(add), &remove)?;
    Ok(event.map(|event| world.apply(event)).is_some())
}

#[test]
fn a_consumer_is_registered_once_described_and_deregistered() {
    let mut world = World::with(&[("a", 1)]);
    world.register("a", "reader").unwrap();
    assert_eq!(code(world.register("a", "reader")), ErrorCode::ResourceInUse);
    let view = world.view();
    let stream = view.by_name("a").unwrap();
    let consumer = stream.consumer("reader").unwrap();
    assert_eq!((consumer.status, consumer.created), (ConsumerStatus::Active, NOW));
    assert_eq!(
        consumer.arn,
        "arn:aws:kinesis:us-east-1:000000000000:stream/a/consumer/reader:1700000000"
    );
    assert_eq!(stream.summary().consumers, 1);
    let missing = (
        ErrorCode::ResourceNotFound,
        "Consumer arn:aws:kinesis:us-east-1:000000000000:stream/a/consumer/other, account \
         000000000000 not found."
            .to_owned(),
    );
    assert_eq!(refusal(stream.consumer("other")), missing);
    assert_eq!(refusal(stream.consumer_tags("other")), missing);
    assert_eq!(refusal(deregister(&mut world, "a", "other")), missing);
    deregister(&mut world, "a", "reader").unwrap();
    world.register("a", "reader").unwrap();
}

#[test]
fn a_consumer_needs_a_name_and_an_active_stream() {
    let mut world = World::with(&[("a", 1)]);
    for name in ["", "a b", &"x".repeat(129)] {
        assert_eq!(code(world.register("a", name)), ErrorCode::Validation, "{name:?}");
    }
    let longest = "x".repeat(128);
    world.register("a", &longest).unwrap();
    assert_eq!(code(world.register("b", "reader")), ErrorCode::ResourceNotFound);
    world.delete("a", true).unwrap();
    assert_eq!(code(world.register("a", "reader")), ErrorCode::ResourceInUse);
}

#[test]
fn a_stream_has_twenty_consumers_and_fifty_under_the_commitment() {
    let mut world = World::with(&[("a", 1), ("b", 1)]);
    let fill = |world: &mut World, stream: &str| {
        let from = world.stream(stream).consumers.len();
        let refused = (from..200).find(|n| world.register(stream, &format!("c{n}")).is_err());
        let refused = refused.expect("there is a limit");
        assert_eq!(code(world.register(stream, "more")), ErrorCode::LimitExceeded);
        refused
    };
    assert_eq!(fill(&mut world, "a"), 20);
    world.commit(true).unwrap();
    assert_eq!(fill(&mut world, "a"), 50);
    world.rules.consumers_max = 7;
    assert_eq!(fill(&mut world, "b"), 7, "what the operator has set holds");
    world.rules.consumers_max = 0;
    for n in 0..100 {
        world.register("b", &format!("d{n}")).unwrap();
    }
}

#[test]
fn consumers_are_listed_by_name_in_pages() {
    let mut world = World::with(&[("a", 1)]);
    for name in ["d", "a", "c", "b"] {
        world.register("a", name).unwrap();
    }
    let view = world.view();
    let stream = view.by_name("a").unwrap();
    let page = |after, limit| {
        let list = stream.list_consumers(after, limit).unwrap();
        let names: Vec<_> = list.consumers.into_iter().map(|c| c.name).collect();
        (names.concat(), list.more)
    };
    assert_eq!(page("", 3), ("abc".into(), true));
    assert_eq!(page("c", 3), ("d".into(), false));
    assert_eq!(page("", 4), ("abcd".into(), false));
    assert_eq!(page("bb", 1), ("c".into(), true), "the name need not exist");
    assert_eq!(page("d", 1), (String::new(), false));
    assert_eq!(code(stream.list_consumers("", 0)), ErrorCode::Validation);
    assert_eq!(code(stream.list_consumers("", 10_001)), ErrorCode::Validation);
}

#[test]
fn a_consumers_tags_follow_the_rules_of_a_streams() {
    let mut world = World::with(&[("a", 1)]);
    world.register("a", "reader").unwrap();
    assert_eq!(tag(&mut world, "reader", &[("k", "v"), ("l", "w")], &[]), Ok(true));
    assert_eq!(tag(&mut world, "reader", &[("k", "v")], &["m"]), Ok(false));
    assert_eq!(tag(&mut world, "reader", &[("k", "x")], &["l"]), Ok(true));
    let view = world.view();
    let listed = view.by_name("a").unwrap().consumer_tags("reader").unwrap();
    assert_eq!(listed.0, tags(&[("k", "x")]));
    assert_eq!(code(tag(&mut world, "reader", &[("", "x")], &[])), ErrorCode::Validation);
    assert_eq!(code(tag(&mut world, "reader", &[("!", "x")], &[])), ErrorCode::InvalidArgument);
    assert_eq!(code(tag(&mut world, "other", &[], &[])), ErrorCode::ResourceNotFound);
    let many: Vec<_> = (0..51).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(|key| (key.as_str(), "")).collect();
    let (code, text) = refusal(tag(&mut world, "reader", &many, &[]));
    assert_eq!(code, ErrorCode::InvalidArgument);
    assert!(text.contains("a given consumer cannot have more than 50 tags"), "{text}");
}
