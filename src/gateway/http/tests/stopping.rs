//! The end of a server.

use std::sync::atomic::Ordering;

use super::raw::post;
use super::raw_http2::{Frames, GOAWAY};
use super::server::{TestServer, until};

#[test]
fn a_drain_ends_connections_after_what_they_have_begun() {
    let server = TestServer::start();
    let (mut idle, mut fresh, mut busy) = (server.raw(), server.raw(), server.raw());
    idle.ask("/echo", b"x");
    busy.send(post("/wait", b""));
    until("the request", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    until("all", || server.connections() == 3);
    server.drain();
    idle.expect_end();
    fresh.expect_end();
    assert!(!busy.has_news());
    server.shared.release.store(true, Ordering::Relaxed);
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("waited", Some("close")));
    busy.expect_end();
    until("the end of all", || server.connections() == 0);
    server.raw().expect_end();
}

#[test]
fn a_drain_says_goodbye_on_http2_and_finishes_what_is_open() {
    let server = TestServer::start();
    let (mut idle, mut busy) = (Frames::open(server.connect()), Frames::open(server.connect()));
    idle.ask(1, "/echo", b"x");
    busy.request(1, "/wait", b"");
    until("the request", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    server.drain();
    assert!(idle.next_of(GOAWAY).is_some());
    assert!(busy.next_of(GOAWAY).is_some());
    idle.expect_end();
    server.shared.release.store(true, Ordering::Relaxed);
    assert_eq!(busy.answer(1), (200, b"waited".to_vec()));
    busy.expect_end();
}

#[test]
fn an_abort_ends_everything_at_once() {
    let server = TestServer::start();
    let (mut idle, mut busy) = (server.raw(), server.raw());
    let mut frames = Frames::open(server.connect());
    idle.ask("/echo", b"x");
    busy.send(post("/wait", b""));
    frames.request(1, "/wait", b"");
    until("the requests", || server.shared.waiting.load(Ordering::Relaxed) == 2);
    server.abort();
    until("the end", || server.connections() == 0);
    until("no request is left", || server.shared.dropped.load(Ordering::Relaxed) == 2);
}
