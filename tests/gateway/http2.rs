//! Clients of HTTP/2 that break its rules, or keep them so that it hurts. Each loses its connection
//! or its stream and nothing else: others are served, and memory stays bounded.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::call::blob;
use crate::endpoint::Endpoint;
use crate::frames::{
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR, Frames, GOAWAY, HEADERS, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, head, literal,
};

const MIB: u64 = 1 << 20;

/// Memory that a hostile client may cost, with its buffers and the allocator's slack.
const COST_MAX: u64 = 24 * MIB;

/// Runs `hostile` and checks that it has cost no more than its buffers, and nobody else anything.
fn bounded(endpoint: &Endpoint, hostile: impl FnOnce()) {
    let mut calm = Frames::open(endpoint.addr);
    assert!(calm.is_served(1));
    let before = endpoint.server.resident_bytes();
    hostile();
    let grown = endpoint.server.resident_bytes().saturating_sub(before);
    assert!(grown < COST_MAX, "{} MiB more", grown / MIB);
    assert!(calm.is_served(3), "a connection that was there before");
    endpoint.assert_well();
}

fn endpoint() -> Endpoint {
    let endpoint = Endpoint::start();
    // What a first request needs is there by now.
    assert!(Frames::open(endpoint.addr).is_served(1));
    endpoint
}

#[test]
fn breaches_of_the_rules_end_their_connection_with_a_reason() {
    let endpoint = Endpoint::shared();
    let head = head("ListStreams");
    let request = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head);
    let cases: Vec<(&str, Vec<u8>, u32)> = vec![
        ("a frame above the limit", frame(DATA, 0, 1, &vec![0; 70 << 10]), FRAME_SIZE_ERROR),
        ("a frame of 16 MiB", vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1], FRAME_SIZE_ERROR),
        ("settings cut", frame(SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE_ERROR),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), PROTOCOL_ERROR),
        ("a short ping", frame(PING, 0, 0, &[0; 7]), FRAME_SIZE_ERROR),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), PROTOCOL_ERROR),
        ("data of no stream", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
        ("data of an idle stream", frame(DATA, 0, 1, b"x"), PROTOCOL_ERROR),
        ("headers of no stream", frame(HEADERS, END_HEADERS, 0, &head), PROTOCOL_ERROR),
        ("headers of our own stream", frame(HEADERS, END_HEADERS, 2, &head), PROTOCOL_ERROR),
        ("a reset of an idle stream", frame(RST_STREAM, 0, 9, &[0; 4]), PROTOCOL_ERROR),
        ("a promise", frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]), PROTOCOL_ERROR),
        ("a continuation of nothing", frame(CONTINUATION, 0, 1, &head), PROTOCOL_ERROR),
        (
            "another frame inside of headers",
            [frame(HEADERS, 0, 1, &head), frame(PING, 0, 0, &[0; 8])].concat(),
            PROTOCOL_ERROR,
        ),
        ("no window more", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), PROTOCOL_ERROR),
        ("a window too large", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]), {
            FLOW_CONTROL_ERROR
        }),
        (
            "a stream back in time",
            [
                frame(HEADERS, END_HEADERS | END_STREAM, 5, &head),
                frame(HEADERS, END_HEADERS | END_STREAM, 3, &head),
            ]
            .concat(),
            PROTOCOL_ERROR,
        ),
        (
            "an initial window too large",
            { frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]) },
            FLOW_CONTROL_ERROR,
        ),
        ("a frame size too small", frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 1]), PROTOCOL_ERROR),
        (
            "headers that cannot be unpacked",
            { frame(HEADERS, END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff]) },
            COMPRESSION_ERROR,
        ),
        ("an index that is not there", frame(HEADERS, END_HEADERS, 1, &[0xfe]), COMPRESSION_ERROR),
        ("padding beyond the frame", frame(DATA, 8, 1, &[200, 1]), PROTOCOL_ERROR),
    ];
    for (what, bytes, code) in cases {
        let mut frames = Frames::open(endpoint.addr);
        frames.write(&bytes);
        frames.write(&request);
        let _ = frames.io.shutdown(Shutdown::Write);
        // One code stands for all (RFC 9113, 7).
        let told = frames.goodbye().unwrap_or_else(|| panic!("{what}: no word"));
        assert!(told == code || told == PROTOCOL_ERROR, "{what}: {told} instead of {code}");
    }
    endpoint.assert_well();
}

#[test]
fn what_follows_the_preface_has_to_be_settings() {
    let endpoint = Endpoint::shared();
    for bytes in [frame(PING, 0, 0, &[0; 8]), b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![0; 100]] {
        let mut conn = endpoint.connect();
        conn.try_send(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), bytes].concat());
        conn.finish_sending();
        conn.wait_end();
    }
    endpoint.assert_well();
}

#[test]
fn malformed_requests_are_not_served() {
    let endpoint = Endpoint::shared();
    let base = head("ListStreams");
    let with = |name: &str, value: &str| [base.clone(), literal(name, value)].concat();
    let malformed = [
        ("an upper-case name", with("X-Upper", "y")),
        ("a connection's header", with("connection", "close")),
        ("a transfer coding", with("transfer-encoding", "chunked")),
        ("a pseudo-header behind headers", with(":path", "/")),
        ("an unknown pseudo-header", [literal(":x", "y"), base.clone()].concat()),
        ("no method", [literal(":scheme", "http"), literal(":path", "/")].concat()),
        ("a length that is none", with("content-length", "-1")),
        ("two lengths", [with("content-length", "2"), literal("content-length", "3")].concat()),
    ];
    for (what, block) in malformed {
        let mut frames = Frames::open(endpoint.addr);
        frames.send(HEADERS, END_HEADERS, 1, &block);
        frames.send(DATA, END_STREAM, 1, b"{}");
        loop {
            // Its stream's end or its connection's.
            match frames.read() {
                Some(frame) if frame.kind == HEADERS => assert!(!frame.is_ok(), "{what}"),
                Some(frame) if frame.kind != RST_STREAM && frame.kind != GOAWAY => continue,
                _ => {}
            }
            break;
        }
    }
    endpoint.assert_well();
}

#[test]
fn a_length_that_is_not_kept_is_no_request() {
    let endpoint = Endpoint::start();
    let mut frames = Frames::open(endpoint.addr);
    let body = json!({"StreamName": "cut", "ShardCount": 1}).to_string();
    for (at, length) in [body.len() + 1, body.len() - 1].into_iter().enumerate() {
        let stream = 2 * at as u32 + 1;
        let length = literal("content-length", &length.to_string());
        let block = [head("CreateStream"), length].concat();
        frames.send(HEADERS, END_HEADERS, stream, &block);
        frames.send(DATA, END_STREAM, stream, body.as_bytes());
    }
    assert!(frames.is_served(101));
    assert_eq!(endpoint.json().ok("ListStreams", json!({}))["StreamNames"], json!([]));
}

#[test]
fn headers_that_unpack_to_much_are_refused() {
    let endpoint = endpoint();
    bounded(&endpoint, || {
        let mut frames = Frames::open(endpoint.addr);
        // 4,000 bytes that the table remembers, and then a byte for each time they are meant.
        let mut entry = vec![0x40];
        entry.extend(&literal("x-bomb", &"b".repeat(3900))[1..]);
        let mut stream = 1;
        for round in 0..200 {
            let mut block = head("ListStreams");
            if round == 0 {
                block.extend(&entry);
            }
            block.extend(vec![0xbe; 15_000]);
            let sent = frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            if !sent {
                break;
            }
            stream += 2;
        }
        let _ = frames.io.shutdown(Shutdown::Write);
        while let Some(frame) = frames.read() {
            assert!(frame.kind != HEADERS || !frame.is_ok(), "58 MB of headers were taken");
        }
    });
}

#[test]
fn headers_without_an_end_are_given_up() {
    let endpoint = endpoint();
    bounded(&endpoint, || {
        for payload in [vec![], literal("x", "y"), literal("x-long", &"y".repeat(16_000))] {
            let mut frames = Frames::open(endpoint.addr);
            frames.send(HEADERS, 0, 1, &head("ListStreams"));
            let more = frame(CONTINUATION, 0, 1, &payload).repeat(100);
            let start = Instant::now();
            // Far more than any client has to say; the server ends it before.
            let mut sent = 0;
            while frames.write(&more) && sent < 256 * MIB as usize {
                sent += more.len();
                assert!(start.elapsed() < Duration::from_secs(20), "{sent} bytes were taken");
            }
            assert!(sent < 256 * MIB as usize, "{sent} bytes were taken");
        }
    });
}

#[test]
fn requests_that_are_taken_back_at_once_are_counted_and_end_the_connection() {
    let endpoint = endpoint();
    let hello = head("ListStreams");
    bounded(&endpoint, || {
        let start = Instant::now();
        for flags in [END_HEADERS, END_HEADERS | END_STREAM] {
            let mut frames = Frames::open(endpoint.addr);
            let mut stream = 1;
            let mut over = false;
            while stream < 400_000 && !over && start.elapsed() < Duration::from_secs(15) {
                let mut bytes = Vec::new();
                for _ in 0..100 {
                    bytes.extend(frame(HEADERS, flags, stream, &hello));
                    bytes.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
                    stream += 2;
                }
                over = !frames.write(&bytes);
            }
            assert!(over || stream > 2000, "only {} requests were taken", stream / 2);
        }
    });
}

#[test]
fn more_data_than_the_window_allows_is_refused() {
    let endpoint = Endpoint::with(|setup| setup.flag("--http-bodies-bytes", "16MiB").cores(1));
    assert!(Frames::open(endpoint.addr).is_served(1));
    bounded(&endpoint, || {
        let mut frames = Frames::open(endpoint.addr);
        // The first takes all the memory that there is for bodies, the second waits for some.
        let all = literal("content-length", &(16 << 20).to_string());
        frames.send(HEADERS, END_HEADERS, 1, &[head("PutRecord"), all.clone()].concat());
        frames.send(HEADERS, END_HEADERS, 3, &[head("PutRecord"), all].concat());
        let piece = vec![b' '; 16 << 10];
        let taken = (0..1024).take_while(|_| frames.send(DATA, 0, 3, &piece)).count();
        let told = loop {
            match frames.read() {
                Some(frame) if matches!(frame.kind, GOAWAY | RST_STREAM) => break frame.error(),
                Some(_) => {}
                None => panic!("no word after {taken} pieces"),
            }
        };
        assert_eq!(told, FLOW_CONTROL_ERROR);
    });
}

#[test]
fn a_window_that_overflows_ends_its_stream() {
    let endpoint = Endpoint::shared();
    let mut frames = Frames::open(endpoint.addr);
    frames.send(HEADERS, END_HEADERS, 1, &head("ListStreams"));
    frames.send(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]);
    let reset = frames.next_of(RST_STREAM).expect("the stream's end, not the connection's");
    assert_eq!((reset.stream, reset.error()), (1, FLOW_CONTROL_ERROR));
    assert!(frames.is_served(3));
}

#[test]
fn floods_of_frames_that_want_an_answer_cost_no_memory() {
    let endpoint = endpoint();
    let floods = [
        ("pings", frame(PING, 0, 0, &[7; 8])),
        ("settings", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1].repeat(100))),
        ("acknowledgements", frame(PING, ACK, 0, &[7; 8])),
        ("priorities", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("unknown frames", frame(0x77, 0, 0, &[0; 100])),
        ("windows", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
    ];
    for (what, bytes) in floods {
        bounded(&endpoint, || {
            let mut frames = Frames::open(endpoint.addr);
            frames.io.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
            let many = bytes.repeat((256 << 10) / bytes.len());
            // Nobody reads the answers: at some time the server takes no more, or ends it.
            let taken = (0..12).take_while(|_| frames.write(&many)).count();
            println!("{what}: {taken} quarters of a MiB were taken");
        });
    }
}

#[test]
fn empty_data_and_streams_without_an_end_are_bounded() {
    let endpoint = Endpoint::with(|setup| setup.flag("--http-streams", "100"));
    assert!(Frames::open(endpoint.addr).is_served(1));
    bounded(&endpoint, || {
        let mut frames = Frames::open(endpoint.addr);
        frames.send(HEADERS, END_HEADERS, 1, &head("ListStreams"));
        let empty = frame(DATA, 0, 1, &[]).repeat(100_000);
        for _ in 0..5 {
            frames.write(&empty);
        }
        let mut frames = Frames::open(endpoint.addr);
        for stream in (1..20_000).step_by(2) {
            if !frames.send(HEADERS, END_HEADERS, stream, &head("ListStreams")) {
                break;
            }
        }
        let refused = frames.next_of(RST_STREAM).is_some();
        assert!(refused, "more streams than the settings allow");
    });
}

#[test]
fn answers_that_nobody_takes_have_a_budget_in_common() {
    let endpoint = Endpoint::with(|setup| setup.flag("--http-bodies-bytes", "32MiB").cores(1));
    let mut json = endpoint.json();
    crate::unlimited_stream(&endpoint, "large", 1);
    // One batch, which one answer carries: 6 MiB of base64.
    let record = json!({"Data": blob(vec![7; 900 << 10]), "PartitionKey": "k"});
    json.ok("PutRecords", json!({"StreamName": "large", "Records": vec![record; 5]}));
    let iterator = json.iterator("large", 0, "TRIM_HORIZON", json!({}));
    let body = json!({ "ShardIterator": iterator }).to_string();
    let before = endpoint.server.resident_bytes();
    // No window at all: whatever the answer is, it waits.
    let mut frames = Frames::with_settings(endpoint.addr, &[(4, 0)]);
    for stream in (1..81).step_by(2) {
        assert!(frames.ask(stream, "GetRecords", body.as_bytes()));
    }
    let mut served = 0;
    for _ in 0..40 {
        served += usize::from(frames.next_of(HEADERS).expect("heads need no window").is_ok());
    }
    assert!((4..=5).contains(&served), "{served} answers of 6 MiB in 32");
    let grown = endpoint.server.resident_bytes().saturating_sub(before);
    assert!(grown < 80 * MIB, "{} MiB more", grown / MIB);
    // Small answers need no budget, and all of it comes back.
    endpoint.assert_well();
    drop(frames);
    crate::process::until("there is room again", || {
        json.call("GetRecords", &json!({ "ShardIterator": iterator })).is_ok()
    });
}
