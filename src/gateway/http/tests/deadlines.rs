//! Clients that take their time.

use std::io::Read;
use std::time::Duration;

use super::raw::post;
use super::raw_http2::Frames;
use super::server::{TestServer, until};
use crate::gateway::http::Limits;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_head_that_does_not_end_is_given_up() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.ask("/echo", b"first");
    client.send("POST /echo HTTP/1.1\r\nHo");
    server.advance_until("an answer", || client.has_news());
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    client.expect_end();
}

#[test]
fn a_head_that_trickles_is_given_up() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send("POST /echo HTTP/1.1\r\n");
    server.advance_until("an answer", || {
        client.has_news() || {
            client.send("X: y\r\n");
            false
        }
    });
    assert_eq!(client.answer().status, 408);
}

#[test]
fn a_connection_that_never_says_enough_to_tell_its_protocol_is_closed() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send("PRI *");
    server.advance_until("the end", || client.has_news());
    client.expect_end();
}

#[test]
fn a_body_that_does_not_come_is_given_up() {
    let server = TestServer::start();
    let mut client = server.raw();
    let request = post("/echo", b"body");
    client.send(&request[..request.len() - 1]);
    server.advance_until("an answer", || client.has_news());
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert_eq!(answer.header("x-refused"), Some("TooSlow"));
    client.finish();
    client.expect_end();
}

#[test]
fn a_body_that_trickles_is_given_up() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    server.advance_until("an answer", || {
        client.has_news() || {
            client.send("x");
            false
        }
    });
    assert_eq!(client.answer().status, 408);
}

#[test]
fn an_unused_connection_is_closed_after_the_idle_time_and_not_before() {
    let server = TestServer::start();
    let (mut fresh, mut used) = (server.raw(), server.raw());
    used.ask("/echo", b"first");
    until("both", || server.connections() == 2);
    server.advance(Limits::default().idle - 10 * SECOND);
    // Each look at the connections comes with a tick: this one has seen both.
    assert_eq!(server.raw().ask("/echo", b"other").text(), "other");
    assert_eq!(used.ask("/echo", b"second").text(), "second", "still there");
    server.advance_until("the end of the fresh one", || fresh.has_news());
    fresh.expect_end();
    server.advance_until("the end of the used one", || used.has_news());
    used.expect_end();
}

#[test]
fn a_request_may_take_as_long_as_it_takes() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(post("/wait", b""));
    until("the request", || server.shared.waiting.load(std::sync::atomic::Ordering::Relaxed) == 1);
    server.advance(Duration::from_secs(3600));
    std::thread::sleep(Duration::from_millis(50));
    server.shared.release.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(client.answer().text(), "waited");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_given_up() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(post("/large", b""));
    until("the beginning", || client.has_news() && server.connections() == 1);
    server.advance_until("the end", || server.connections() == 0);
}

#[test]
fn a_client_of_http2_that_takes_nothing_of_its_answer_is_given_up() {
    let server = TestServer::start();
    let mut client = Frames::open(server.connect());
    client.takes = false;
    client.request(1, "/large", b"");
    let reading = std::thread::spawn(move || client.expect_end());
    until("the connection", || server.connections() == 1);
    server.advance_until("the end", || server.connections() == 0);
    reading.join().unwrap();
}

#[test]
fn a_client_that_takes_its_answer_slowly_gets_it() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send("GET /large HTTP/1.1\r\nConnection: close\r\n\r\n");
    let (mut read, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        server.advance(3 * SECOND);
        std::thread::sleep(Duration::from_millis(10));
        match client.0.read(&mut piece).unwrap() {
            0 => break,
            n => read += n,
        }
    }
    assert!(read > 64 << 20, "{read} bytes of an answer of 64 MiB, its head and its end");
}

#[test]
fn a_slow_consumer_of_a_stream_is_waited_for() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(post("/endless", b""));
    until("the beginning", || client.has_news());
    server.advance(Duration::from_secs(3600));
    std::thread::sleep(Duration::from_millis(50));
    let mut bytes = vec![0; 32 << 20];
    client.0.read_exact(&mut bytes).unwrap();
    assert_eq!(server.connections(), 1);
}
