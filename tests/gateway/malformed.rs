//! Bodies that are no requests: each is refused by itself, at little cost, and its connection goes
//! on.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::call::{Refused, Wire, blob, check_headers, outcome};
use crate::endpoint::Endpoint;
use crate::http1::{Ask, Conn};

/// Asks with this body, which is no object.
#[track_caller]
fn assert_unreadable(conn: &mut Conn, wire: Wire, body: &[u8]) {
    // One operation is read by code of its own.
    for operation in ["ListStreams", "PutRecords"] {
        let answer = conn.ask(&Ask::new(operation, wire.content_type(), body));
        check_headers(&answer);
        let told = outcome(wire, &answer);
        let start = &body[..body.len().min(40)];
        assert_eq!(told, Err(Refused::new("SerializationException", "")), "{start:02x?}");
    }
}

/// The same, with `Records` of PutRecords in front of something that is wrong.
fn put_of(tail: &[u8]) -> Vec<u8> {
    let start = br#"{"StreamName":"a","Records":[{"Data":"","PartitionKey":"k"}]"#;
    [start, tail].concat()
}

#[test]
fn json_that_is_none_is_refused() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let bodies: Vec<Vec<u8>> = vec![
        b"{\"a\":".to_vec(),
        b"{\"a\":1,}".to_vec(),
        b"{\"a\":1 \"b\":2}".to_vec(),
        b"{a:1}".to_vec(),
        b"{'a':1}".to_vec(),
        b"{\"a\":01}".to_vec(),
        b"{\"a\":+1}".to_vec(),
        b"{\"a\":NaN}".to_vec(),
        b"{\"a\":Infinity}".to_vec(),
        b"{\"a\":1e999}".to_vec(),
        b"{\"a\":\"\n\"}".to_vec(),
        b"{\"a\":\"\\x\"}".to_vec(),
        b"{\"a\":\"\\ud800\"}".to_vec(),
        b"{\"a\":\"\xff\"}".to_vec(),
        b"{\"\xc3\x28\":1}".to_vec(),
        b"{\"a\":\"\xed\xa0\x80\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"a\":1}\0".to_vec(),
        b"{}}".to_vec(),
        b"{\"a\":1,\"a\":2}".to_vec(),
        b"{\"a\":{\"b\":1,\"b\":null}}".to_vec(),
        b"{\"Limit\":1,\"\\u004cimit\":1}".to_vec(),
        put_of(b""),
        put_of(b"}x"),
        put_of(br#","StreamName":"a"}"#),
        put_of(br#","Records":[]}"#),
        put_of(b",\"x\":\"\xff\"}"),
        br#"{"Records":[{"Data":"","Data":"","PartitionKey":"k"}]}"#.to_vec(),
    ];
    for body in bodies {
        assert_unreadable(&mut conn, Wire::Json, &body);
    }
    endpoint.assert_well();
}

#[test]
fn cbor_that_is_none_is_refused() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let bodies: Vec<Vec<u8>> = vec![
        vec![0xa1, 0x61, b'a'],
        vec![0xbf, 0x61, b'a', 0x01],
        vec![0xbf, 0x61, b'a', 0xff],
        vec![0xa0, 0xff],
        vec![0xff],
        vec![0xa1, 0x01, 0x01],
        vec![0xa1, 0x41, b'a', 0x01],
        vec![0xa2, 0x61, b'a', 0x01, 0x61, b'a', 0x01],
        // A map of 2^64 - 1 members, a list, a text and a blob of so many, in two of the bytes.
        vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xa1, 0x61, b'a', 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xa1, 0x61, b'a', 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'x'],
        vec![0xa1, 0x61, b'a', 0x5a, 0x7f, 0xff, 0xff, 0xff, b'x'],
        // Reserved lengths, a length that is none, a simple value that is none.
        vec![0xa1, 0x61, b'a', 0x1c],
        vec![0xa1, 0x61, b'a', 0x1f],
        vec![0xa1, 0x61, b'a', 0xdf, 0x00],
        vec![0xa1, 0x61, b'a', 0xf8, 0x10],
        vec![0xa1, 0x61, b'a', 0xe0],
        // Texts that are none, whole and in pieces, and pieces of another kind.
        vec![0xa1, 0x61, b'a', 0x62, 0xc3, 0x28],
        vec![0xa1, 0x61, b'a', 0x7f, 0x61, 0xc3, 0x61, 0xa9, 0xff],
        vec![0xa1, 0x61, b'a', 0x5f, 0x61, b'x', 0xff],
        vec![0xa1, 0x61, b'a', 0x5f, 0x5f, 0xff, 0xff],
        vec![0xa1, 0x61, b'a', 0x7f, 0x61, b'x'],
        // Times that are texts, lists and nothing; tags behind tags.
        vec![0xa1, 0x61, b'a', 0xc1, 0x61, b'x'],
        vec![0xa1, 0x61, b'a', 0xc1, 0x80],
        vec![0xa1, 0x61, b'a', 0xc1],
        [vec![0xa1, 0x61, b'a'], vec![0xc6; 1000], vec![0x01]].concat(),
    ];
    for body in bodies {
        assert_unreadable(&mut conn, Wire::Cbor, &body);
    }
    endpoint.assert_well();
}

#[test]
fn cbor_without_lengths_and_with_tags_is_understood() {
    let endpoint = Endpoint::shared();
    endpoint.json().stream("indefinite", 1);
    let mut conn = endpoint.connect();
    // All of it in pieces, as AWS's own encoder writes it, and a tag that says nothing.
    let mut body = vec![0xbf];
    body.extend(b"\x7f\x66Stream\x64Name\xff\x7f\x65indef\x65inite\xff");
    body.extend(b"\x67Records\x9f\xbf\x64Data\x5f\x42ab\x40\x41c\xff");
    body.extend(b"\x6cPartitionKey\xd9\xd9\xf7\x61k\xff\xff\xff");
    let answer = conn.ask(&Ask::new("PutRecords", Wire::Cbor.content_type(), body));
    let told = outcome(Wire::Cbor, &answer).unwrap();
    assert_eq!(told["FailedRecordCount"], 0, "{told}");
    let mut caller = endpoint.json();
    let iterator = caller.iterator("indefinite", 0, "TRIM_HORIZON", json!({}));
    let got = caller.ok("GetRecords", json!({ "ShardIterator": iterator }));
    assert_eq!(got["Records"][0]["Data"], blob("abc"));
}

#[test]
fn depth_costs_nothing_and_is_refused() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let deep = 1_000_000;
    let start = Instant::now();
    for open in ["[", "{\"a\":", "{\"a\":["] {
        let body = [b"{\"a\":".to_vec(), open.repeat(deep).into_bytes()].concat();
        assert_unreadable(&mut conn, Wire::Json, &body);
        let body = [b"{\"Records\":[".to_vec(), open.repeat(deep).into_bytes()].concat();
        assert_unreadable(&mut conn, Wire::Json, &body);
    }
    for open in [b"\x81".as_slice(), b"\xa1\x61a", b"\x9f", b"\xbf\x61a", b"\xc6", b"\xc1"] {
        let body = [b"\xa1\x61a".to_vec(), open.repeat(deep)].concat();
        assert_unreadable(&mut conn, Wire::Cbor, &body);
    }
    // What the model has no more than, it may have.
    let body = format!("{{\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
    let answer = conn.ask(&Ask::new("ListStreams", Wire::Json.content_type(), body));
    assert_eq!(answer.status, 200);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    endpoint.assert_well();
}

#[test]
fn bodies_of_many_small_values_do_not_grow_in_memory() {
    let endpoint = Endpoint::start();
    let mut conn = endpoint.connect();
    conn.ask(&Ask::new("ListStreams", Wire::Json.content_type(), "{}"));
    let before = endpoint.server.resident_bytes();
    let many = 5 << 20;
    let json = [b"{\"a\":[".to_vec(), b"0,".repeat(many), b"0]}".to_vec()].concat();
    let cbor = [b"\xa1\x61a\x9f".to_vec(), vec![0; 2 * many], b"\xff".to_vec()].concat();
    for _ in 0..3 {
        assert_unreadable(&mut conn, Wire::Json, &json);
        assert_unreadable(&mut conn, Wire::Cbor, &cbor);
    }
    let grown = endpoint.server.resident_bytes().saturating_sub(before);
    // The body itself, twice while it grows, and 100,000 values.
    assert!(grown < 80 << 20, "{} MiB more", grown >> 20);
    endpoint.assert_well();
}

#[test]
fn huge_numbers_are_clamped_as_on_aws() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let limits = [
        ("2147483648", "2147483647"),
        ("99999999999999999999999999999999", "2147483647"),
        ("1e308", "2147483647"),
        ("-9223372036854775809", "-2147483648"),
        ("-0.5", "-1"),
        ("0.99", "0"),
    ];
    for (limit, shown) in limits {
        let body = format!("{{\"Limit\":{limit}}}");
        let answer = conn.ask(&Ask::new("ListStreams", Wire::Json.content_type(), body));
        let told = outcome(Wire::Json, &answer).unwrap_err();
        let start = format!("1 validation error detected: Value '{shown}' at 'limit' failed");
        assert!(told.name == "ValidationException" && told.text.starts_with(&start), "{told:?}");
    }
    let ask = Ask::new("ListStreams", Wire::Json.content_type(), "{\"Limit\":10000.9}");
    assert_eq!(conn.ask(&ask).status, 200, "a fraction is cut off");
    let whole = [b"\xa1\x65Limit\x1b".to_vec(), vec![0xff; 8]].concat();
    let answer = conn.ask(&Ask::new("ListStreams", Wire::Cbor.content_type(), whole));
    assert_eq!(outcome(Wire::Cbor, &answer).unwrap_err().name, "ValidationException");
    let never = b"\xa1\x65Limit\xf9\x7e\x00";
    let answer = conn.ask(&Ask::new("ListStreams", Wire::Cbor.content_type(), never.to_vec()));
    assert_eq!(outcome(Wire::Cbor, &answer).unwrap_err().name, "ValidationException");
    for time in ["1e300", "-1e300", "99999999999999999999", "-1"] {
        let body = format!(
            "{{\"StreamName\":\"a\",\"ShardId\":\"0\",\"ShardIteratorType\":\"AT_TIMESTAMP\",\
             \"Timestamp\":{time}}}"
        );
        let answer = conn.ask(&Ask::new("GetShardIterator", Wire::Json.content_type(), body));
        assert_eq!(outcome(Wire::Json, &answer).unwrap_err().name, "ResourceNotFoundException");
    }
    endpoint.assert_well();
}

#[test]
fn a_clients_own_text_is_repeated_shortened_and_escaped() {
    let endpoint = Endpoint::shared();
    let mut caller = endpoint.json();
    let long = "é\"\\\u{1}<".repeat(100_000);
    let told = caller.refused("DescribeStream", json!({ "StreamName": long }));
    assert_eq!(told.name, "ValidationException");
    assert!(told.text.len() < 10_000, "{} bytes", told.text.len());
    assert!(told.text.contains("é\"\\\u{1}<"), "{}", told.text);
    let told = caller.refused("PutRecord", json!({"StreamName": "a", "Data": long}));
    assert_eq!(told.name, "SerializationException");
    assert!(told.text.len() < 10_000, "{} bytes", told.text.len());
    // A header has no place for what a name may hold.
    let mut conn = endpoint.connect();
    let ask = Ask::new("ListStreams", Wire::Json.content_type(), "{}");
    let answer = conn.ask(&ask.header("Authorization", &"x".repeat(30_000)));
    let told = outcome(Wire::Json, &answer).unwrap_err();
    assert_eq!(told.name, "IncompleteSignatureException");
}

#[test]
fn random_bytes_are_refused_whatever_they_are() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let seed = 0x5eed;
    let mut random = shardway::base::rng::SplitMix64::new(seed);
    let sound = [Wire::Json, Wire::Cbor].map(|wire| {
        let records = json!([{"Data": blob("abc"), "PartitionKey": "k", "ExplicitHashKey": "7"}]);
        (wire, wire.encode(&json!({"StreamName": "not-there", "Records": records})))
    });
    for round in 0..600 {
        let (wire, mut body) = sound[round % 2].clone();
        if round % 3 == 0 {
            body = vec![0; 1 + random.below(300) as usize];
            random.fill(&mut body);
        } else {
            for _ in 0..1 + random.below(3) {
                let at = random.below(body.len() as u64) as usize;
                body[at] ^= 1 << random.below(8);
            }
        }
        let answer = conn.ask(&Ask::new("PutRecords", wire.content_type(), body.clone()));
        check_headers(&answer);
        let told = outcome(wire, &answer).expect_err("there is no such stream");
        assert_eq!(told.status, 400, "seed {seed}, round {round}: {body:02x?}");
    }
    endpoint.assert_well();
}
