//! Bodies wait for memory, and get it in turn.

use std::sync::atomic::Ordering;

use super::raw::post;
use super::server::{TestServer, until};
use crate::gateway::http::Limits;

/// Room for one body of this size, and not for a second one.
const BODY: usize = 60_000;

fn server() -> TestServer {
    TestServer::with(Limits { body_bytes: BODY, bodies_bytes: 100_000, ..Limits::default() })
}

#[test]
fn a_body_waits_until_there_is_memory_for_it() {
    let server = server();
    let (mut first, mut second, mut small) = (server.raw(), server.raw(), server.raw());
    first.send(post("/wait", &[1; BODY]));
    until("the first", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    second.send(post("/echo", &[2; BODY]));
    // Its head must have arrived before the small one asks, and nothing shows that: ask often.
    until("the queue", || {
        small.send(post("/echo", b"small"));
        std::thread::sleep(std::time::Duration::from_millis(20));
        let waits = !small.has_news();
        if !waits {
            assert_eq!(small.answer().text(), "small");
        }
        waits
    });
    assert!(!second.has_news());
    server.shared.release.store(true, Ordering::Relaxed);
    assert_eq!(first.answer().text(), "waited");
    assert_eq!(second.answer().body, [2; BODY]);
    assert_eq!(small.answer().text(), "small", "behind the large one, not before it");
}

#[test]
fn a_body_that_finds_no_memory_in_time_is_refused() {
    let server = server();
    let (mut first, mut second) = (server.raw(), server.raw());
    first.send(post("/wait", &[1; BODY]));
    until("the first", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    second.send(post("/echo", &[2; BODY]));
    server.advance_until("an answer", || second.has_news());
    let answer = second.answer();
    assert_eq!((answer.status, answer.header("x-refused")), (503, Some("Busy")));
    // Whoever gives up takes nothing with him.
    server.shared.release.store(true, Ordering::Relaxed);
    assert_eq!(first.answer().text(), "waited");
    assert_eq!(server.raw().ask("/echo", &[3; BODY]).body, [3; BODY]);
}

#[test]
fn a_body_of_unknown_length_is_refused_when_it_outgrows_the_memory() {
    let server = server();
    let (mut first, mut second) = (server.raw(), server.raw());
    first.send(post("/wait", &[1; BODY]));
    until("the first", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    second.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    second.send(format!("{BODY:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(BODY)));
    assert_eq!(second.answer().status, 503);
    server.shared.release.store(true, Ordering::Relaxed);
    assert_eq!(first.answer().text(), "waited");
    let mut third = server.raw();
    third.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    third.send(format!("{BODY:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(BODY)));
    assert_eq!(third.answer().body.len(), BODY);
}

#[test]
fn memory_comes_back_whatever_becomes_of_a_request() {
    let server = server();
    for round in 0..50 {
        let mut client = server.raw();
        let request = post("/echo", &[1; BODY]);
        client.send(&request[..request.len() - round % 2]);
        if round % 2 == 0 {
            assert_eq!(client.answer().body.len(), BODY);
        }
    }
    assert_eq!(server.raw().ask("/echo", &[2; BODY]).body, [2; BODY]);
}
