//! Limits of size, and requests whose end could be in two places.

use std::sync::atomic::Ordering;

use super::raw::post;
use super::server::TestServer;
use crate::gateway::http::Limits;

fn limits() -> Limits {
    Limits { head_bytes: 10_000, body_bytes: 100_000, ..Limits::default() }
}

#[test]
fn a_body_above_the_limit_is_refused_before_it_comes() {
    let server = TestServer::with(limits());
    let mut client = server.raw();
    assert_eq!(client.ask("/echo", &[0; 100_000]).body.len(), 100_000, "at the limit");
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert_eq!(answer.header("x-refused"), Some("TooLarge(100000)"));
    client.finish();
    client.expect_end();
}

#[test]
fn a_client_that_sends_too_much_sees_the_answer_all_the_same() {
    let server = TestServer::with(limits());
    for _ in 0..20 {
        let mut client = server.raw();
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 150000\r\n\r\n");
        client.send(vec![0; 80_000]);
        client.send(vec![0; 70_000]);
        assert_eq!(client.answer().status, 413);
    }
}

#[test]
fn a_chunked_body_above_the_limit_is_refused_when_it_gets_there() {
    let server = TestServer::with(limits());
    let mut client = server.raw();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(format!("186a0\r\n{}\r\n1\r\n", "x".repeat(100_000)));
    assert!(!client.has_news());
    client.send("x\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
}

#[test]
fn the_handler_decides_about_each_body() {
    let server = TestServer::with(limits());
    assert_eq!(server.raw().ask("/small", b"ten bytes.").text(), "ten bytes.");
    assert_eq!(server.raw().ask("/small", b"ten bytes..").status, 413);
    let mut client = server.raw();
    client.send("POST /forbidden HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
    assert_eq!(client.answer().status, 403, "before the body was sent");
}

#[test]
fn a_head_above_the_limit_is_refused() {
    let server = TestServer::with(limits());
    let head =
        |bytes: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    let mut client = server.raw();
    client.send(head(9_900));
    assert_eq!(client.answer().status, 404);
    client.send(head(11_000));
    assert_eq!(client.answer().status, 431);
    client.finish();
    client.expect_end();
    let mut client = server.raw();
    let headers: String = (0..200).map(|i| format!("X-{i}: y\r\n")).collect();
    client.send(format!("GET / HTTP/1.1\r\n{headers}\r\n"));
    assert_eq!(client.answer().status, 431);
}

/// Sends a request that another server could read differently, with one more behind it. The answer
/// must be `status`, and the last one: what stands behind it is nobody's.
fn last_answer_to(request: &str, status: u16) {
    let server = TestServer::with(limits());
    let mut client = server.raw();
    let hidden = "GET /about HTTP/1.1\r\nHost: hidden\r\n\r\n";
    client.send(format!("{request}{hidden}"));
    let answer = client.answer();
    assert_eq!(answer.status, status, "{request:?}");
    client.finish();
    client.expect_end();
    let served = server.shared.served.load(Ordering::Relaxed);
    assert!(served <= usize::from(status == 200), "{request:?}: {served} requests");
}

#[test]
fn a_request_whose_end_is_in_doubt_is_the_last_of_its_connection() {
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\n";
    // RFC 9112, 6.1: served as chunked, if at all, and the connection is closed.
    let both = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    last_answer_to(&format!("{head}{both}"), 200);
    let both = "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n";
    last_answer_to(&format!("{head}{both}"), 200);
    for (headers, status) in [
        ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        ("Content-Length: 3, 3\r\n\r\nabc", 400),
        ("Content-Length: +3\r\n\r\nabc", 400),
        ("Content-Length: -3\r\n\r\nabc", 400),
        ("Content-Length: 0x3\r\n\r\nabc", 400),
        ("Content-Length: 99999999999999999999\r\n\r\nabc", 400),
        ("Content-Length : 3\r\n\r\nabc", 400),
        ("X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", 400),
        (" Content-Length: 3\r\n\r\nabc", 400),
        ("Transfer-Encoding: identity\r\n\r\nabc", 400),
        ("Transfer-Encoding: chunked, gzip\r\n\r\nabc", 400),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
    ] {
        last_answer_to(&format!("{head}{headers}"), status);
    }
    last_answer_to("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

#[test]
fn equal_lengths_are_one_length() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.answer().text(), "abc");
    assert_eq!(client.ask("/echo", b"next").text(), "next");
}

#[test]
fn what_is_no_http_is_refused() {
    let server = TestServer::start();
    for nonsense in ["\0\0\0\0\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]
    {
        let mut client = server.raw();
        client.send(nonsense);
        assert_eq!(client.answer().status, 400, "{nonsense:?}");
        client.finish();
        client.expect_end();
    }
    assert_eq!(server.shared.served.load(Ordering::Relaxed), 0);
}

#[test]
fn a_body_that_ends_early_is_no_request() {
    let server = TestServer::start();
    let mut client = server.raw();
    let request = post("/echo", b"twelve bytes");
    client.send(&request[..request.len() - 1]);
    client.finish();
    let _ = client.rest();
    super::server::until("the end", || server.connections() == 0);
    assert_eq!(server.shared.served.load(Ordering::Relaxed), 0);
}
