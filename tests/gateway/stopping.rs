//! A server that stops: what is in flight is answered, and everybody else is told.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::{Wire, blob, outcome, string};
use crate::endpoint::Endpoint;
use crate::events::{Event, Events, TRANSPORTS, from};
use crate::frames::{DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, head};
use crate::http1::{Ask, Conn, JSON};
use crate::process::{cpus, until};

fn put_of(stream: &str, data: &str) -> String {
    json!({"StreamName": stream, "Data": blob(data), "PartitionKey": "k"}).to_string()
}

#[test]
fn requests_in_flight_are_answered_and_nothing_new_is_taken() {
    let endpoint = Endpoint::start();
    endpoint.json().stream("stopping", 1);
    let ask = Ask::new("PutRecord", JSON, put_of("stopping", "half"));
    let whole = ask.bytes();
    let (first, rest) = whole.split_at(whole.len() - 5);
    let mut half = endpoint.connect();
    half.send(first);
    let mut frames = Frames::open(endpoint.addr);
    frames.send(HEADERS, END_HEADERS, 1, &head("PutRecord"));
    frames.send(DATA, 0, 1, &ask.body[..10]);
    assert!(frames.is_served(3), "the other request is there");
    let mut idle = endpoint.connect();
    assert_eq!(idle.ask(&Ask::new("ListStreams", JSON, "{}")).status, 200);
    let mut silent = endpoint.connect();
    endpoint.server.signal(libc::SIGTERM);
    idle.wait_end();
    silent.wait_end();
    assert!(frames.next_of(GOAWAY).is_some(), "clients of HTTP/2 are told");
    until("nobody is let in", || std::net::TcpStream::connect(endpoint.addr).is_err());
    half.send(rest);
    let answer = half.answer().expect("its answer");
    assert_eq!(answer.header("connection"), Some("close"));
    let half_number = string(&outcome(Wire::Json, &answer).unwrap()["SequenceNumber"]);
    half.wait_end();
    frames.send(DATA, END_STREAM, 1, &ask.body[10..]);
    assert!(frames.next_of(HEADERS).expect("its answer").is_ok());
    while frames.read().is_some() {}
    // Both are there when it starts again.
    let endpoint = endpoint.restart();
    let mut caller = endpoint.caller(Wire::Cbor);
    let iterator = caller.iterator("stopping", 0, "TRIM_HORIZON", json!({}));
    let got = caller.ok("GetRecords", json!({ "ShardIterator": iterator }));
    let numbers: Vec<&Value> =
        got["Records"].as_array().unwrap().iter().map(|record| &record["SequenceNumber"]).collect();
    assert_eq!(numbers.len(), 2);
    assert_eq!(numbers[0], &json!(half_number));
}

#[test]
fn subscriptions_end_in_order() {
    let endpoint = Endpoint::start();
    let mut caller = endpoint.json();
    let stream = caller.stream("ended", 1);
    let mut both: Vec<Events> = TRANSPORTS
        .iter()
        .map(|transport| {
            let body = json!({"StreamARN": stream, "ConsumerName": format!("{transport:?}")});
            let consumer = caller.ok("RegisterStreamConsumer", body);
            let arn = string(&consumer["Consumer"]["ConsumerARN"]);
            let position = json!({"Type": "LATEST"});
            Events::open(endpoint.addr, *transport, &from(&arn, 0, position)).unwrap()
        })
        .collect();
    caller.ok("PutRecord", serde_json::from_str(&put_of("ended", "last")).unwrap());
    for events in &mut both {
        assert_eq!(events.records()["Records"][0]["Data"], blob("last"));
    }
    drop(caller);
    endpoint.server.signal(libc::SIGTERM);
    for events in &mut both {
        while let Some(event) = events.next() {
            assert!(matches!(event, Event::Records(_)), "an end is no error: {event:?}");
        }
    }
    let ended = endpoint.server.wait();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[test]
fn whatever_was_acknowledged_before_and_while_it_stops_is_there_afterwards() {
    let endpoint = Endpoint::with(|setup| setup.cores(cpus().len().min(2) as u16));
    crate::unlimited_stream(&endpoint, "pressed", 2);
    let addr = endpoint.addr;
    let clients: Vec<_> = (0..4)
        .map(|client| {
            thread::spawn(move || {
                let mut conn = Conn::connect(addr);
                let mut acknowledged = Vec::new();
                for n in 0.. {
                    let data = format!("{client}-{n}");
                    let ask = Ask::new("PutRecord", JSON, put_of("pressed", &data));
                    if !conn.try_send(&ask.bytes()) {
                        break;
                    }
                    let Some(answer) = conn.answer() else { break };
                    match outcome(Wire::Json, &answer) {
                        Ok(_) => acknowledged.push(data),
                        Err(refused) => assert!(refused.status >= 500, "{refused:?}"),
                    }
                    if answer.header("connection") == Some("close") {
                        break;
                    }
                }
                acknowledged
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    endpoint.server.signal(libc::SIGTERM);
    let endpoint = endpoint.restart();
    let acknowledged: Vec<Vec<String>> =
        clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(acknowledged.iter().all(|some| !some.is_empty()));
    let mut caller = endpoint.json();
    let mut stored = std::collections::BTreeSet::new();
    for shard in 0..2 {
        let mut iterator = caller.iterator("pressed", shard, "TRIM_HORIZON", json!({}));
        loop {
            let got = caller.ok("GetRecords", json!({ "ShardIterator": iterator }));
            for record in got["Records"].as_array().unwrap() {
                let data = crate::call::data(record["Data"].as_str().unwrap());
                assert!(stored.insert(String::from_utf8(data).unwrap()), "twice: {record}");
            }
            if got["MillisBehindLatest"] == 0 {
                break;
            }
            iterator = string(&got["NextShardIterator"]);
        }
    }
    for data in acknowledged.iter().flatten() {
        assert!(stored.contains(data), "{data} was acknowledged and is lost");
    }
}
