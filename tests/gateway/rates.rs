//! The rates of the control plane, where the operator wants AWS's.

use std::time::Instant;

use serde_json::{Value, json};

use crate::call::{Caller, Refused};
use crate::endpoint::Endpoint;
use crate::process::HANG;

/// Asks until it was too often. Only a client that is slower than the rate could go on for ever.
fn ask_too_often(caller: &mut Caller, operation: &str, body: &Value) -> (usize, Refused) {
    let deadline = Instant::now() + HANG;
    for served in 0.. {
        match caller.call(operation, body) {
            Ok(_) => assert!(Instant::now() < deadline, "{operation} is always served"),
            Err(refused) => return (served, refused),
        }
    }
    unreachable!("there is a deadline")
}

#[test]
fn whoever_describes_and_lists_too_often_is_told_so() {
    let endpoint = Endpoint::with(|setup| setup.flag("--control-rates", "aws"));
    let mut caller = endpoint.json();
    let arn = caller.stream("a", 1);
    let consumer = json!({"StreamARN": arn, "ConsumerName": "c"});
    caller.ok("RegisterStreamConsumer", consumer.clone());
    let (stream, everything, resource) =
        (json!({"StreamName": "a"}), json!({}), json!({ "ResourceARN": arn }));
    let by_arn = json!({ "StreamARN": arn });
    for (operation, body, rate, of) in [
        ("DescribeStream", &stream, 10, "stream a"),
        ("DescribeStreamSummary", &stream, 20, "stream a"),
        ("ListStreams", &everything, 5, "stream *"),
        ("DescribeStreamConsumer", &consumer, 20, "stream a"),
        ("ListStreamConsumers", &by_arn, 5, "stream a"),
        ("ListTagsForStream", &stream, 5, "stream a"),
        ("DescribeLimits", &everything, 1, "stream *"),
        ("DescribeAccountSettings", &everything, 5, "stream *"),
        ("GetResourcePolicy", &resource, 5, "stream *"),
    ] {
        let (served, refused) = ask_too_often(&mut caller, operation, body);
        let text = format!("Rate exceeded for {of} under account 000000000000.");
        assert_eq!(refused, Refused::new("LimitExceededException", &text), "{operation}");
        // One was perhaps taken before.
        assert!(served + 1 >= rate, "{operation} was refused after {served}");
    }
}
