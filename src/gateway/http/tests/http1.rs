//! What every client of HTTP/1.1 does.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;

use super::raw::post;
use super::server::{TestServer, until};

#[test]
fn a_connection_serves_one_request_after_the_other() {
    let server = TestServer::start();
    let mut client = server.raw();
    for i in 0..200 {
        let body = format!("body {i}");
        let answer = client.ask("/echo", body.as_bytes());
        assert_eq!((answer.status, answer.text()), (200, body.as_str()));
        assert!(answer.header("date").is_some() && answer.header("connection").is_none());
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start();
    let mut client = server.raw();
    let bodies: Vec<_> = (0..100).map(|i| format!("body {i}")).collect();
    let requests: Vec<_> = bodies.iter().map(|body| post("/echo", body.as_bytes())).collect();
    client.send(requests.concat());
    for body in &bodies {
        assert_eq!(client.answer().text(), body);
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let server = TestServer::start();
    let mut client = server.raw();
    for byte in post("/echo", b"slowly") {
        client.send([byte]);
        std::thread::yield_now();
    }
    assert_eq!(client.answer().text(), "slowly");
}

#[test]
fn a_chunked_body_arrives_whole() {
    let server = TestServer::start();
    let mut client = server.raw();
    let large = vec![b'x'; 300_000];
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send("3\r\none\r\n4;note=none\r\n two\r\n");
    client.send(format!("{:x}\r\n", large.len()));
    client.send(&large);
    client.send("\r\n0\r\nTrailer: ignored\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.body, [b"one two".as_slice(), &large].concat());
    assert_eq!(client.ask("/echo", b"next").text(), "next");
}

#[test]
fn a_large_body_arrives_whole_and_goes_back_whole() {
    let server = TestServer::start();
    let mut client = server.raw();
    let body: Vec<u8> =
        (0..15u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut writer = client.0.get_ref().try_clone().unwrap();
    let request = post("/echo", &body);
    let sender = std::thread::spawn(move || writer.write_all(&request).unwrap());
    let answer = client.answer();
    sender.join().unwrap();
    assert!(answer.body == body, "the body has changed");
}

#[test]
fn an_answer_of_chunks_has_one_length_and_a_stream_has_none() {
    let server = TestServer::start();
    let mut client = server.raw();
    let answer = client.ask("/chunks", b"");
    assert_eq!((answer.text(), answer.header("content-length")), ("one two three", Some("13")));
    let answer = client.ask("/stream", b"");
    assert_eq!((answer.text(), answer.header("content-length")), ("chunk chunk ", None));
    let answer = client.ask("/nothing", b"");
    assert_eq!((answer.status, answer.header("content-length")), (404, Some("0")));
}

#[test]
fn an_answer_that_is_aborted_has_no_end() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(post("/broken", b""));
    let mut all = Vec::new();
    let _ = client.0.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains("half") && !text.ends_with("0\r\n\r\n"), "{text}");
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on_or_why_not() {
    let server = TestServer::start();
    let mut client = server.raw();
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
    };
    client.send(head("/echo"));
    assert_eq!(client.answer().status, 100);
    client.send("body");
    assert_eq!(client.answer().text(), "body");
    client.send(head("/forbidden"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.header("connection")), (403, Some("close")));
}

#[test]
fn a_request_knows_where_it_came_from() {
    let server = TestServer::start();
    let mut client = server.raw();
    assert_eq!(client.ask("/about", b"").text(), "POST HTTP/1.1 localhost none true false");
    client.send("GET /about HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "GET HTTP/1.0 none none true false");
    client.expect_end();
}

#[test]
fn the_answer_to_a_client_that_has_gone_is_not_waited_for() {
    let server = TestServer::start();
    let mut client = server.raw();
    client.send(post("/wait", b""));
    until("the request", || server.shared.waiting.load(Ordering::Relaxed) == 1);
    drop(client);
    until("its end", || server.shared.dropped.load(Ordering::Relaxed) == 1);
    until("the connection's end", || server.connections() == 0);
}
