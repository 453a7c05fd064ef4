//! HTTP/2 without TLS, known beforehand.

use std::sync::atomic::Ordering;

use super::raw_http2::{DATA, Frames, HEADERS, PING, RST_STREAM, WINDOW_UPDATE};
use super::server::{TestServer, until};
use crate::gateway::http::Limits;

#[test]
fn requests_of_a_connection_are_answered_each_in_its_time() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.request(1, "/wait", b"");
    for stream in (3..200).step_by(2) {
        let body = format!("body {stream}");
        assert_eq!(client.ask(stream, "/echo", body.as_bytes()), (200, body.into_bytes()));
    }
    server.shared.release.store(true, Ordering::Relaxed);
    assert_eq!(client.answer(1), (200, b"waited".to_vec()));
    assert_eq!(client.ask(201, "/nothing", b""), (404, Vec::new()));
}

#[test]
fn one_port_serves_both_protocols() {
    let server = TestServer::start();
    let mut new = Frames::open(server.connect());
    let mut old = server.raw();
    assert_eq!(new.ask(1, "/echo", b"two"), (200, b"two".to_vec()));
    assert_eq!(old.ask("/echo", b"one").text(), "one");
    let about = String::from_utf8(new.ask(3, "/about", b"").1).unwrap();
    assert_eq!(about, "POST HTTP/2.0 none localhost true false");
}

#[test]
fn a_request_without_authority_and_host_is_served() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.head(1, "/about", &[("content-length", "0")], true);
    let (status, about) = client.answer(1);
    assert_eq!((status, about.as_slice()), (200, &b"POST HTTP/2.0 none none true false"[..]));
}

#[test]
fn the_server_offers_many_streams_and_large_windows() {
    let server = TestServer::start();
    let client = Frames::open(server.connect());
    assert_eq!(client.settings.get(&3), Some(&10_000), "streams");
    assert_eq!(client.settings.get(&4), Some(&(1 << 20)), "window of a stream");
    assert_eq!(client.settings.get(&5), Some(&(64 << 10)), "bytes of a frame");
    assert_eq!(client.settings.get(&6), Some(&(64 << 10)), "bytes of a head");
}

#[test]
fn a_large_body_arrives_whole_and_goes_back_whole() {
    let server = TestServer::start();
    let mut client = Frames::with_settings(server.connect(), &[(4, 512 << 10)]);
    let body: Vec<u8> =
        (0..15u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (status, echoed) = client.ask(1, "/echo", &body);
    assert_eq!(status, 200);
    assert!(echoed == body, "the body has changed");
}

#[test]
fn thousands_of_requests_may_be_open() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    let streams: Vec<u32> = (0..5000).map(|i| 2 * i + 1).collect();
    for &stream in &streams {
        client.request(stream, "/wait", b"");
    }
    until("all", || server.shared.waiting.load(Ordering::Relaxed) == 5000);
    server.shared.release.store(true, Ordering::Relaxed);
    for &stream in &streams {
        assert_eq!(client.answer(stream), (200, b"waited".to_vec()));
    }
}

#[test]
fn pings_are_answered() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.send(PING, 0, 0, b"12345678");
    let pong = client.next_of(PING).unwrap();
    assert_eq!((pong.flags, pong.payload.as_slice()), (1, &b"12345678"[..]));
}

#[test]
fn a_stream_is_asked_for_no_more_than_its_client_has_room_for() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.takes = false;
    client.request(1, "/endless", b"");
    assert_eq!(client.next_on(1).unwrap().kind, HEADERS);
    let mut received = 0;
    while received < 65_535 {
        let frame = client.next_on(1).unwrap();
        assert_eq!(frame.kind, DATA);
        received += frame.payload.len();
    }
    assert_eq!(received, 65_535, "the window of a client that says nothing");
    // The connection lives: the stream alone waits.
    client.send(WINDOW_UPDATE, 0, 0, &100u32.to_be_bytes());
    assert_eq!(client.ask(3, "/echo", b"x"), (200, b"x".to_vec()));
    client.send(RST_STREAM, 0, 1, &8u32.to_be_bytes());
    assert_eq!(client.ask(5, "/echo", b"y"), (200, b"y".to_vec()));
}

#[test]
fn a_reset_ends_the_request() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.request(1, "/wait", b"");
    until("the request", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    client.send(RST_STREAM, 0, 1, &8u32.to_be_bytes());
    until("its end", || server.shared.dropped.load(Ordering::Relaxed) == 1);
    assert_eq!(client.ask(3, "/echo", b"x"), (200, b"x".to_vec()));
}

#[test]
fn an_answer_that_is_aborted_is_a_reset() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.request(1, "/broken", b"");
    let frame = loop {
        let frame = client.next_on(1).unwrap();
        if frame.kind != HEADERS && frame.kind != DATA {
            break frame;
        }
        assert_eq!(frame.flags & 1, 0, "no end");
    };
    assert_eq!(frame.kind, RST_STREAM);
}

#[test]
fn bodies_above_the_limit_and_bodies_that_do_not_come_are_refused() {
    let limits = Limits { body_bytes: 100_000, ..Limits::default() };
    let server = TestServer::with(limits);
    let mut client = Frames::open(server.connect());
    client.head(1, "/echo", &[("content-length", "100001")], false);
    assert_eq!(client.answer(1).0, 413);
    client.head(3, "/echo", &[], false);
    client.send(DATA, 0, 3, &[0; 60_000]);
    client.send(DATA, 0, 3, &[0; 60_000]);
    assert_eq!(client.answer(3).0, 413);
    client.head(5, "/echo", &[("content-length", "5")], false);
    client.send(DATA, 0, 5, b"four");
    let waited = std::thread::spawn(move || client.answer(5).0);
    server.advance_until("an answer", || waited.is_finished());
    assert_eq!(waited.join().unwrap(), 408);
}

#[test]
fn a_length_that_is_not_kept_is_an_error_of_the_stream() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.head(1, "/echo", &[("content-length", "5")], false);
    client.send(DATA, 1, 1, b"four");
    let frame = client.next_on(1).unwrap();
    assert!(frame.kind == RST_STREAM || frame.kind == HEADERS, "{frame:?}");
    client.head(3, "/echo", &[("content-length", "3")], false);
    client.send(DATA, 1, 3, b"four");
    let frame = client.next_on(3).unwrap();
    assert!(frame.kind == RST_STREAM || frame.kind == HEADERS, "{frame:?}");
    assert_eq!(server.shared.served.load(Ordering::Relaxed), 0);
}

#[test]
fn an_unused_connection_is_told_to_end() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.ask(1, "/echo", b"x");
    let ended = std::thread::spawn(move || client.expect_end());
    server.advance_until("the end", || ended.is_finished());
    ended.join().unwrap();
}

#[test]
fn a_client_that_answers_no_ping_is_given_up() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.request(1, "/wait", b"");
    until("the request", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    until("the connection", || server.connections() == 1);
    server.advance_until("the end", || server.connections() == 0);
}
