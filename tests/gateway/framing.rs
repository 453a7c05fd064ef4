//! Requests of HTTP/1.1 whose beginning or end is wrong or in doubt. Nothing that may belong to a
//! body is ever answered as a request of its own.

use std::time::Duration;

use serde_json::json;

use crate::call::outcome;
use crate::call::{BOTH, Wire, blob, check_headers};
use crate::endpoint::Endpoint;
use crate::http1::{Answer, Ask, JSON};

/// A request that would leave a trace if it were served.
fn smuggled() -> Vec<u8> {
    let body = json!({"StreamName": "smuggled", "ShardCount": 1}).to_string();
    Ask::new("CreateStream", JSON, body).bytes()
}

/// A head with these lines instead of a length.
fn head_with(lines: &str) -> Vec<u8> {
    let ask = Ask::new("ListStreams", JSON, "{}");
    let head = String::from_utf8(ask.head()).unwrap();
    head.replace("Content-Length: 2\r\n", lines).into_bytes()
}

/// Sends it with a request behind it: the answers, up to the end of the connection.
fn answers_to(endpoint: &Endpoint, bytes: &[u8]) -> Vec<Answer> {
    let mut conn = endpoint.connect();
    conn.try_send(&[bytes, &smuggled()].concat());
    // It may have closed already.
    let _ = conn.socket().shutdown(std::net::Shutdown::Write);
    conn.answers_to_end()
}

#[track_caller]
fn assert_nothing_smuggled(endpoint: &Endpoint) {
    let streams = endpoint.json().ok("ListStreams", json!({}));
    assert!(!streams.to_string().contains("smuggled"), "{streams}");
}

#[test]
fn a_body_whose_length_is_in_doubt_is_refused_and_nothing_behind_it_is_served() {
    let endpoint = Endpoint::start();
    let doubtful = [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 2 2\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 2\r\n",
        "Content-Length\t: 2\r\n",
        " Content-Length: 2\r\n",
        "X: y\r\n Content-Length: 2\r\n",
        "X: y\r\n\tfolded\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\n folded\r\n",
        "Content-Length: 2\rX: y\r\n",
        "Content-Length: 2\0\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\r\n",
    ];
    for lines in doubtful {
        let answers = answers_to(&endpoint, &[head_with(lines), b"{}".to_vec()].concat());
        let refused: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(refused[..], [] | [400] | [501]), "{lines:?}: {refused:?}");
        assert_nothing_smuggled(&endpoint);
    }
    endpoint.assert_well();
}

#[test]
fn bodies_in_chunks_are_read_and_broken_ones_are_refused() {
    let endpoint = Endpoint::start();
    let chunked = head_with("Transfer-Encoding: chunked\r\n");
    let mut conn = endpoint.connect();
    for chunks in ["2\r\n{}\r\n0\r\n\r\n", "1;a=b\r\n{\r\n01\r\n}\r\n0\r\nTrailer: x\r\n\r\n"] {
        conn.send(&[&chunked, chunks.as_bytes()].concat());
        let answer = conn.answer().unwrap();
        assert!(outcome(Wire::Json, &answer).is_ok(), "{chunks:?}: {answer:?}");
    }
    let broken = [
        "-1\r\n{}\r\n0\r\n\r\n",
        "x\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{} \r\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "2\n{}\n0\n\n",
    ];
    for chunks in broken {
        let answers = answers_to(&endpoint, &[&chunked, chunks.as_bytes()].concat());
        let codes: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(matches!(codes[..], [] | [400]), "{chunks:?}: {codes:?}");
        assert_nothing_smuggled(&endpoint);
    }
    // Extensions and trailers are bounded, too.
    for endless in [b"2;".as_slice(), b"2\r\n{}\r\n0\r\nX: "] {
        let bytes = [&chunked, endless, &vec![b'a'; 1 << 20]].concat();
        let codes = answers_to(&endpoint, &bytes).iter().map(|answer| answer.status).max();
        assert!(codes.is_none_or(|code| code >= 400), "{codes:?}");
    }
    endpoint.assert_well();
}

#[test]
fn a_length_of_more_than_there_is_waits_and_one_of_less_leaves_no_request() {
    let endpoint = Endpoint::start();
    let mut conn = endpoint.connect();
    let longer = head_with("Content-Length: 10\r\n");
    conn.send(&[&longer, b"{}".as_slice()].concat());
    assert!(conn.is_silent_for(Duration::from_millis(200)));
    conn.finish_sending();
    let answers = conn.answers_to_end();
    let codes: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert!(matches!(codes[..], [] | [400]), "{codes:?}");
    // One byte less: the rest begins no request that is like one.
    let shorter = head_with("Content-Length: 1\r\n");
    let answers = answers_to(&endpoint, &[&shorter, b"{}".as_slice()].concat());
    assert_eq!(outcome(Wire::Json, &answers[0]).unwrap_err().name, "SerializationException");
    assert!(answers[1..].iter().all(|answer| answer.status == 400), "{answers:?}");
    assert_nothing_smuggled(&endpoint);
}

#[test]
fn what_is_no_request_is_refused() {
    let endpoint = Endpoint::shared();
    let lines = [
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        "GET / HTTP/1.2\r\n\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "G\u{e9}T / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: nameless\r\n\r\n",
        "GET / HTTP/1.1\r\nX Y: z\r\n\r\n",
        "GET / HTTP/1.1\r\nX: \x01\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03",
        "PRI * HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "\0\0\0\0",
    ];
    for line in lines {
        let mut conn = endpoint.connect();
        conn.send(line.as_bytes());
        let _ = conn.socket().shutdown(std::net::Shutdown::Write);
        let codes: Vec<u16> = conn.answers_to_end().iter().map(|answer| answer.status).collect();
        assert!(matches!(codes[..], [] | [400] | [403] | [505]), "{line:?}: {codes:?}");
    }
    endpoint.assert_well();
}

#[test]
fn requests_cut_at_every_byte_hold_nobody_up() {
    let endpoint = Endpoint::start();
    let body = json!({"StreamName": "cut", "ShardCount": 1}).to_string();
    let whole = Ask::new("CreateStream", JSON, body).bytes();
    let mut open = Vec::new();
    for cut in 0..whole.len() {
        let mut conn = endpoint.connect();
        conn.send(&whole[..cut]);
        match cut % 3 {
            0 => open.push(conn),
            1 => {
                conn.finish_sending();
                let codes: Vec<u16> = conn.answers_to_end().iter().map(|a| a.status).collect();
                assert!(matches!(codes[..], [] | [400]), "{cut} bytes: {codes:?}");
            }
            _ => {}
        }
    }
    let streams = endpoint.json().ok("ListStreams", json!({}));
    assert_eq!(streams["StreamNames"], json!([]), "a part of a request does nothing");
    endpoint.assert_well();
    // And in pieces of one byte it is a request like any other.
    let mut conn = endpoint.connect();
    for byte in &whole {
        conn.send(&[*byte]);
    }
    assert_eq!(conn.answer().unwrap().status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let endpoint = Endpoint::shared();
    let mut conn = endpoint.connect();
    let mut bytes = Vec::new();
    let asks: Vec<(Wire, String)> =
        (0..40).map(|at| (BOTH[at % 2], format!("pipelined-{at}"))).collect();
    for (wire, name) in &asks {
        let body = wire.encode(&json!({ "StreamName": name }));
        bytes.extend(Ask::new("DescribeStream", wire.content_type(), body).bytes());
    }
    conn.send(&bytes);
    for (wire, name) in &asks {
        let answer = conn.answer().expect("an answer for each");
        check_headers(&answer);
        let told = outcome(*wire, &answer).unwrap_err();
        assert!(told.text.contains(&format!("Stream {name} under")), "{told:?}");
    }
}

#[test]
fn heads_and_bodies_above_their_limits_are_refused_and_cost_no_memory() {
    let endpoint = Endpoint::with(|setup| {
        let setup = setup.flag("--http-head-bytes", "16KiB").flag("--http-body-bytes", "1MiB");
        setup.flag("--http-bodies-bytes", "8MiB")
    });
    let before = endpoint.server.resident_bytes();
    let long = "x".repeat(64 << 20);
    for line in [format!("GET /{long}"), format!("GET / HTTP/1.1\r\nX: {long}")] {
        let mut conn = endpoint.connect();
        // It stops taking it long before the end.
        conn.try_send(line.as_bytes());
        let codes: Vec<u16> = conn.answers_to_end().iter().map(|answer| answer.status).collect();
        assert!(matches!(codes[..], [] | [414] | [431]), "{codes:?}");
    }
    let many: String = (0..10_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let mut conn = endpoint.connect();
    conn.try_send(format!("POST / HTTP/1.1\r\n{many}\r\n").as_bytes());
    let codes: Vec<u16> = conn.answers_to_end().iter().map(|answer| answer.status).collect();
    assert!(matches!(codes[..], [] | [431]), "{codes:?}");
    // A body that says how long it is, and one that does not.
    let large = Ask::new("PutRecord", JSON, vec![b' '; (1 << 20) + 1]);
    let answer = endpoint.connect().ask(&large);
    check_headers(&answer);
    assert_eq!(answer.status, 413);
    let told = outcome(Wire::Json, &answer).unwrap_err();
    assert_eq!(told.text, "a request has at most 1048576 bytes");
    let mut conn = endpoint.connect();
    conn.send(&head_with("Transfer-Encoding: chunked\r\n"));
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    for _ in 0..64 {
        if !conn.try_send(&chunk) {
            break;
        }
    }
    let codes: Vec<u16> = conn.answers_to_end().iter().map(|answer| answer.status).collect();
    assert!(matches!(codes[..], [] | [413]), "{codes:?}");
    let grown = endpoint.server.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB more", grown >> 20);
    endpoint.assert_well();
}

#[test]
fn many_large_bodies_that_never_end_have_a_budget_in_common() {
    let endpoint = Endpoint::with(|setup| {
        let setup = setup.flag("--http-bodies-bytes", "16MiB").flag("--http-body-seconds", "1");
        setup.cores(1)
    });
    endpoint.json().stream("budget", 1);
    let before = endpoint.server.resident_bytes();
    let body = json!({"StreamName": "budget", "Data": blob(vec![7; 5 << 20]), "PartitionKey": "k"});
    let ask = Ask::new("PutRecord", JSON, body.to_string());
    let whole = ask.bytes();
    let mut stalled: Vec<_> = (0..40).map(|_| endpoint.connect()).collect();
    for conn in &mut stalled {
        // As much as its socket takes: the rest never comes.
        let head = &whole[..ask.head().len() + (100 << 10)];
        assert!(conn.try_send(head));
    }
    // Small requests pass all the same, or are told to come again.
    let answer = endpoint.connect().ask(&Ask::new("ListStreams", JSON, "{}"));
    assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    let grown = endpoint.server.resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "{} MiB more", grown >> 20);
    for mut conn in stalled {
        let answer = conn.answer().expect("why it is given up");
        check_headers(&answer);
        let told = outcome(Wire::Json, &answer).unwrap_err();
        let names = ["RequestTimeoutException", "ServiceUnavailable"];
        assert!(names.contains(&told.name.as_str()), "{told:?}");
        conn.wait_end();
    }
    endpoint.assert_well();
}

#[test]
fn slow_heads_and_bodies_are_given_up_and_idle_connections_are_closed() {
    let endpoint = Endpoint::with(|setup| {
        let setup = setup.flag("--http-head-seconds", "1").flag("--http-body-seconds", "1");
        setup.flag("--http-idle-seconds", "2")
    });
    let ask = Ask::new("ListStreams", JSON, "{}");
    let (head, whole) = (ask.head(), ask.bytes());
    let mut slow_head = endpoint.connect();
    slow_head.send(&head[..20]);
    let mut nothing = endpoint.connect();
    let mut slow_body = endpoint.connect();
    slow_body.send(&whole[..whole.len() - 1]);
    let mut idle = endpoint.connect();
    assert_eq!(idle.ask(&ask).status, 200);
    let mut trickling = endpoint.connect();
    let mut sent = 0;
    // A byte now and then is no progress.
    while sent < head.len() && trickling.try_send(&head[sent..=sent]) {
        sent += 1;
        if !trickling.is_silent_for(Duration::from_millis(100)) {
            break;
        }
    }
    assert!(sent < 40, "it was given up after {sent} bytes");
    let answer = slow_head.answer().expect("why it is given up");
    assert_eq!(answer.status, 408);
    slow_head.wait_end();
    let answer = slow_body.answer().expect("why it is given up");
    check_headers(&answer);
    assert_eq!(outcome(Wire::Json, &answer).unwrap_err().name, "RequestTimeoutException");
    slow_body.wait_end();
    idle.wait_end();
    nothing.wait_end();
    endpoint.assert_well();
}

#[test]
fn connections_above_the_limit_are_closed_and_those_that_are_there_go_on() {
    let endpoint = Endpoint::with(|setup| setup.flag("--http-connections", "10").cores(1));
    let ask = Ask::new("ListStreams", JSON, "{}");
    let mut there: Vec<_> = (0..10).map(|_| endpoint.connect()).collect();
    for conn in &mut there {
        assert_eq!(conn.ask(&ask).status, 200);
    }
    for _ in 0..50 {
        let mut conn = endpoint.connect();
        conn.try_send(&ask.bytes());
        conn.wait_end();
    }
    for conn in &mut there {
        assert_eq!(conn.ask(&ask).status, 200);
    }
    drop(there);
    crate::process::until("room for new ones", || {
        let mut conn = endpoint.connect();
        conn.try_send(&ask.bytes()) && conn.answer().is_some_and(|answer| answer.status == 200)
    });
    endpoint.assert_well();
}
