//! SubscribeToShard over both versions of HTTP: what comes, when, and how it ends.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shardway::base::ids::CoreId;
use shardway::client::Client;

use crate::call::{Caller, Wire, blob, check_headers, outcome, string};
use crate::endpoint::Endpoint;
use crate::events::{Event, Events, GUARD, TRANSPORTS, Transport, from};
use crate::frames::{END_HEADERS, END_STREAM, Frames, HEADERS, literal};
use crate::http1::{Ask, CBOR, JSON};
use crate::process::until;
use crate::unlimited_stream;

fn latest() -> Value {
    json!({"Type": "LATEST"})
}

fn from_start() -> Value {
    json!({"Type": "TRIM_HORIZON"})
}

fn consumer(caller: &mut Caller, stream: &str, name: &str) -> String {
    let arn = format!("arn:aws:kinesis:us-east-1:000000000000:stream/{stream}");
    let body = json!({"StreamARN": arn, "ConsumerName": name});
    string(&caller.ok("RegisterStreamConsumer", body)["Consumer"]["ConsumerARN"])
}

fn put(caller: &mut Caller, stream: &str, data: &str) -> String {
    let body = json!({"StreamName": stream, "Data": blob(data), "PartitionKey": "k"});
    string(&caller.ok("PutRecord", body)["SequenceNumber"])
}

fn open_subscriptions(client: &mut Client, stream: &str) -> u32 {
    let stream = client.describe_stream(stream).expect("it exists").summary.uuid;
    // The servers of these tests have one core.
    let stats = client.shard_stats(stream, CoreId(0)).expect("it exists");
    stats.iter().map(|stats| stats.subscriptions).sum()
}

#[test]
fn records_come_at_once_and_heartbeats_within_five_seconds() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("beats", 1);
    let consumers = ["one", "two"].map(|name| consumer(&mut caller, "beats", name));
    let mut both: Vec<Events> = TRANSPORTS
        .iter()
        .zip(&consumers)
        .map(|(transport, arn)| {
            let start = Instant::now();
            let events = Events::open(endpoint.addr, *transport, &from(arn, 0, latest())).unwrap();
            assert!(start.elapsed() < Duration::from_secs(3), "before any record or heartbeat");
            events
        })
        .collect();
    let number = put(&mut caller, "beats", "now");
    for events in &mut both {
        let event = events.records();
        let record = &event["Records"][0];
        assert_eq!((&record["Data"], &record["PartitionKey"]), (&json!(blob("now")), &json!("k")));
        assert_eq!(record["SequenceNumber"], number);
        assert_eq!(event["MillisBehindLatest"], 0);
        assert!(event.get("ChildShards").is_none(), "{event}");
    }
    thread::scope(|scope| {
        for events in &mut both {
            scope.spawn(|| {
                let before = events.last;
                let Some(Event::Records(event)) = events.next() else { panic!("no heartbeat") };
                let waited = before.elapsed();
                assert!(waited <= Duration::from_secs(5), "{waited:?}");
                assert_eq!(event["Records"], json!([]));
                assert!(event["ContinuationSequenceNumber"].is_string());
                assert!(event.get("ChildShards").is_none(), "{event}");
            });
        }
    });
}

#[test]
fn a_subscription_goes_on_behind_its_last_continuation() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("continued", 1);
    let numbers: Vec<String> =
        (0..6).map(|n| put(&mut caller, "continued", &format!("r{n}"))).collect();
    for transport in TRANSPORTS {
        let mut at = 0;
        let mut position = from_start();
        // One consumer for each: the same may come back only after five seconds.
        for round in 0..2 {
            let arn = consumer(&mut caller, "continued", &format!("{transport:?}-{round}"));
            let mut events =
                Events::open(endpoint.addr, transport, &from(&arn, 0, position)).unwrap();
            let wanted = if round == 0 { 6 } else { 8 };
            let mut continuation = Value::Null;
            while at < wanted {
                if round == 1 && at == 6 {
                    put(&mut caller, "continued", "r6");
                    put(&mut caller, "continued", "r7");
                    at = 100;
                }
                let event = events.records();
                for record in event["Records"].as_array().unwrap() {
                    let n = if at >= 100 { at - 100 + 6 } else { at };
                    assert_eq!(record["Data"], blob(format!("r{}", n % 8)), "{transport:?}");
                    at += 1;
                }
                continuation = event["ContinuationSequenceNumber"].clone();
                if at >= 100 {
                    break;
                }
            }
            position = json!({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": continuation});
        }
    }
    // A record's own number, and the number in front of the first.
    let arn = consumer(&mut caller, "continued", "by-number");
    let at = json!({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": numbers[2]});
    let mut events = Events::open(endpoint.addr, Transport::Http2, &from(&arn, 0, at)).unwrap();
    assert_eq!(events.records()["Records"][0]["Data"], blob("r2"));
}

#[test]
fn the_end_of_a_shard_names_its_children_and_no_continuation() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("ending", 1);
    for n in 0..3 {
        put(&mut caller, "ending", &format!("r{n}"));
    }
    let consumers = ["one", "two"].map(|name| consumer(&mut caller, "ending", name));
    let mut both: Vec<Events> = TRANSPORTS
        .iter()
        .zip(&consumers)
        .map(|(transport, arn)| {
            Events::open(endpoint.addr, *transport, &from(arn, 0, from_start())).unwrap()
        })
        .collect();
    let half = "170141183460469231731687303715884105728";
    let split = json!({"StreamName": "ending", "ShardToSplit": "0", "NewStartingHashKey": half});
    caller.ok("SplitShard", split);
    for events in &mut both {
        let mut seen = Vec::new();
        let last = loop {
            let Some(Event::Records(event)) = events.next() else { panic!("no end of the shard") };
            seen.extend(event["Records"].as_array().unwrap().clone());
            if event.get("ContinuationSequenceNumber").is_none() {
                break event;
            }
            assert!(event.get("ChildShards").is_none(), "{event}");
        };
        let data: Vec<&Value> = seen.iter().map(|record| &record["Data"]).collect();
        assert_eq!(data, [&json!(blob("r0")), &json!(blob("r1")), &json!(blob("r2"))]);
        let children = last["ChildShards"].as_array().expect("its children");
        let ranges =
            [("0", "170141183460469231731687303715884105727"), (half, &u128::MAX.to_string())];
        for (at, (child, (start, end))) in children.iter().zip(ranges).enumerate() {
            assert_eq!(child["ShardId"], format!("shardId-{:012}", at + 1));
            assert_eq!(child["ParentShards"], json!(["shardId-000000000000"]));
            let range = json!({"StartingHashKey": start, "EndingHashKey": end});
            assert_eq!(child["HashKeyRange"], range);
        }
        assert_eq!(children.len(), 2);
        assert!(events.next().is_none(), "and that is the end");
    }
    // Who comes later finds the end, too, from everywhere.
    for (name, position) in [("late", latest()), ("early", from_start())] {
        let arn = consumer(&mut caller, "ending", name);
        let mut events =
            Events::open(endpoint.addr, Transport::Http1, &from(&arn, 0, position)).unwrap();
        let last = std::iter::from_fn(|| events.next()).last();
        let Some(Event::Records(last)) = last else { panic!("{last:?}") };
        assert_eq!(last["ChildShards"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn a_second_subscription_is_refused_for_five_seconds_and_then_takes_over() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("taken", 2);
    let arn = consumer(&mut caller, "taken", "c");
    let open =
        |transport, shard| Events::open(endpoint.addr, transport, &from(&arn, shard, latest()));
    let start = Instant::now();
    let mut first = open(Transport::Http1, 0).unwrap();
    for transport in TRANSPORTS {
        let refused = open(transport, 0).err().expect("the same consumer, the same shard");
        assert_eq!((refused.status, refused.name.as_str()), (400, "ResourceInUseException"));
    }
    // Another shard is another matter.
    drop(open(Transport::Http2, 1).unwrap());
    let mut second = loop {
        assert!(start.elapsed() < GUARD * 4, "it is never taken over");
        thread::sleep(Duration::from_millis(100));
        if let Ok(events) = open(Transport::Http2, 0) {
            break events;
        }
    };
    let waited = start.elapsed();
    assert!(waited >= GUARD, "it was taken over after {waited:?}");
    let end = std::iter::from_fn(|| first.next()).last();
    let Some(Event::Exception(end)) = end else { panic!("{end:?}") };
    assert_eq!(end.name, "ResourceInUseException");
    // The new one is in place: it gets what comes.
    let body =
        json!({"StreamName": "taken", "Data": "", "PartitionKey": "k", "ExplicitHashKey": "0"});
    caller.ok("PutRecord", body);
    assert_eq!(second.records()["Records"].as_array().unwrap().len(), 1);
}

#[test]
fn subscriptions_that_cannot_be_are_refused_before_they_begin() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("refusing", 1);
    let arn = consumer(&mut caller, "refusing", "c");
    let unknown = arn.replace("/consumer/c:", "/consumer/d:");
    let older = format!("{}:1", arn.rsplit_once(':').unwrap().0);
    let other_stream = arn.replace("refusing", "not-there");
    let number = |kind: &str| json!({ "Type": kind });
    let cases = [
        (from(&unknown, 0, latest()), "ResourceNotFoundException"),
        (from(&older, 0, latest()), "ResourceNotFoundException"),
        (from(&other_stream, 0, latest()), "ResourceNotFoundException"),
        (from(&arn, 7, latest()), "ResourceNotFoundException"),
        (from("x", 0, latest()), "ValidationException"),
        (from(&arn, 0, json!({"Type": "HERE"})), "ValidationException"),
        (from(&arn, 0, json!(7)), "SerializationException"),
        (from(&arn, 0, Value::Null), "ValidationException"),
        (from(&arn, 0, number("AT_SEQUENCE_NUMBER")), "InvalidArgumentException"),
        (from(&arn, 0, number("AFTER_SEQUENCE_NUMBER")), "InvalidArgumentException"),
        (from(&arn, 0, number("AT_TIMESTAMP")), "InvalidArgumentException"),
        (from(&arn, 0, json!({"Type": "AT_TIMESTAMP", "Timestamp": 9e9})), {
            "InvalidArgumentException"
        }),
        (from(&arn, 0, json!({"Type": "LATEST", "SequenceNumber": "0"})), {
            "InvalidArgumentException"
        }),
        (from(&arn, 0, json!({"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "0"})), {
            "InvalidArgumentException"
        }),
    ];
    for transport in TRANSPORTS {
        for (body, name) in &cases {
            let refused = Events::open(endpoint.addr, transport, body).err();
            let refused = refused.unwrap_or_else(|| panic!("{body} is served"));
            assert_eq!(
                (refused.status, refused.name.as_str()),
                (400, *name),
                "{body}: {refused:?}"
            );
        }
        let mut dry = from(&arn, 0, latest());
        dry["DryRun"] = json!(true);
        let refused = Events::open(endpoint.addr, transport, &dry).err().unwrap();
        assert_eq!(refused.name, "DryRunOperationException");
    }
    // None of them was a subscription: this is the first of its consumer.
    assert!(Events::open(endpoint.addr, Transport::Http1, &from(&arn, 0, latest())).is_ok());
}

#[test]
fn a_request_in_cbor_gets_frames_with_json() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("cbor-events", 1);
    let arn = consumer(&mut caller, "cbor-events", "c");
    let mut conn = endpoint.connect();
    let body =
        Wire::Cbor.encode(&from(&arn, 0, json!({"Type": "AT_TIMESTAMP", "Timestamp": 1.7e9})));
    conn.send(&Ask::new("SubscribeToShard", CBOR, body).bytes());
    let head = conn.answer_head().unwrap();
    check_headers(&head);
    assert_eq!(head.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let first = conn.chunk().expect("the first event");
    assert!(first.windows(16).any(|bytes| bytes == b"initial-response"), "{first:02x?}");
}

#[test]
fn a_client_that_goes_away_leaves_no_subscription() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("gone", 1);
    let mut client = endpoint.server.client();
    for transport in TRANSPORTS {
        let arn = consumer(&mut caller, "gone", &format!("{transport:?}"));
        let events = Events::open(endpoint.addr, transport, &from(&arn, 0, latest())).unwrap();
        assert_eq!(open_subscriptions(&mut client, "gone"), 1);
        let start = Instant::now();
        drop(events);
        until("its subscription has gone", || open_subscriptions(&mut client, "gone") == 0);
        assert!(start.elapsed() < Duration::from_secs(3), "not only with the next heartbeat");
    }
    // A stream that is taken back, on a connection that goes on.
    let arn = consumer(&mut caller, "gone", "reset");
    let mut frames = subscribe_in_frames(&endpoint, &arn, &[]);
    assert!(frames.next_of(HEADERS).unwrap().is_ok());
    assert_eq!(open_subscriptions(&mut client, "gone"), 1);
    frames.send(crate::frames::RST_STREAM, 0, 1, &8u32.to_be_bytes());
    until("its subscription has gone", || open_subscriptions(&mut client, "gone") == 0);
    assert!(frames.is_served(3));
}

/// Subscribes from the start on stream 1.
fn subscribe_in_frames(endpoint: &Endpoint, arn: &str, settings: &[(u16, u32)]) -> Frames {
    let mut frames = Frames::with_settings(endpoint.addr, settings);
    subscribe_on(&mut frames, 1, arn);
    frames
}

fn subscribe_on(frames: &mut Frames, stream: u32, arn: &str) {
    let body = from(arn, 0, from_start()).to_string();
    let length = literal("content-length", &body.len().to_string());
    let head = [crate::frames::head("SubscribeToShard"), length].concat();
    frames.send(HEADERS, END_HEADERS, stream, &head);
    frames.send(crate::frames::DATA, END_STREAM, stream, body.as_bytes());
}

#[test]
fn subscribers_that_do_not_read_cost_bounded_memory_and_hold_nobody_up() {
    let endpoint = Endpoint::with(|setup| {
        setup.flag("--tail-bytes", "16MiB").flag("--http-body-seconds", "3").cores(1)
    });
    unlimited_stream(&endpoint, "deaf", 1);
    let mut caller = endpoint.json();
    let data = blob(vec![7; 100 << 10]);
    let record = json!({"Data": data, "PartitionKey": "k"});
    let records = json!({"StreamName": "deaf", "Records": vec![record; 10]});
    let mut fill = |times: usize| {
        for _ in 0..times {
            assert_eq!(caller.ok("PutRecords", records.clone())["FailedRecordCount"], 0);
        }
    };
    fill(40);
    let before = endpoint.server.resident_bytes();
    let mut registrar = endpoint.json();
    let mut arn = |n: u32| consumer(&mut registrar, "deaf", &format!("c{n}"));
    let mut deaf = Vec::new();
    for n in 0..6 {
        let mut conn = endpoint.connect();
        conn.deafen();
        let body = from(&arn(n), 0, from_start()).to_string();
        conn.send(&Ask::new("SubscribeToShard", JSON, body).bytes());
        deaf.push(conn);
    }
    // On one connection, each with a window of its own, and with hardly any.
    let mut frames = subscribe_in_frames(&endpoint, &arn(6), &[(4, 1000)]);
    for n in 7..12 {
        subscribe_on(&mut frames, 2 * n - 11, &arn(n));
    }
    let mut client = endpoint.server.client();
    until("all of them are open", || open_subscriptions(&mut client, "deaf") == 12);
    let body = from(&arn(12), 0, from_start());
    let mut reading = Events::open(endpoint.addr, Transport::Http2, &body).unwrap();
    fill(20);
    let mut seen = 0;
    while seen < 600 {
        seen += reading.records()["Records"].as_array().unwrap().len();
    }
    let grown = endpoint.server.resident_bytes().saturating_sub(before);
    // For each, what its credit lets through, as JSON and once more on its way.
    assert!(grown < 12 * (6 << 20), "{} MiB more", grown >> 20);
    drop(reading);
    // Those that take nothing at all are given up.
    until("those of HTTP/1.1 are given up", || open_subscriptions(&mut client, "deaf") <= 6);
    endpoint.assert_well();
}

#[test]
fn a_consumer_and_a_stream_that_go_end_their_subscriptions() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    caller.stream("removed", 1);
    for transport in TRANSPORTS {
        let arn = consumer(&mut caller, "removed", &format!("{transport:?}"));
        let mut events = Events::open(endpoint.addr, transport, &from(&arn, 0, latest())).unwrap();
        caller.ok("DeregisterStreamConsumer", json!({ "ConsumerARN": arn }));
        let end = std::iter::from_fn(|| events.next()).last();
        let Some(Event::Exception(end)) = end else { panic!("{end:?}") };
        assert_eq!(end.name, "ResourceNotFoundException");
    }
    let arn = consumer(&mut caller, "removed", "last");
    let mut events =
        Events::open(endpoint.addr, Transport::Http2, &from(&arn, 0, latest())).unwrap();
    caller.ok("DeleteStream", json!({"StreamName": "removed", "EnforceConsumerDeletion": true}));
    let end = std::iter::from_fn(|| events.next()).last();
    let Some(Event::Exception(end)) = end else { panic!("{end:?}") };
    assert_eq!(end.name, "ResourceNotFoundException");
    let answer = endpoint.connect().ask(&Ask::new("ListStreams", JSON, "{}"));
    assert!(outcome(Wire::Json, &answer).is_ok());
}
