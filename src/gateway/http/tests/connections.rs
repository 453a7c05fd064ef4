//! Many connections.

use std::time::Duration;

use super::raw::Raw;
use super::server::{TestServer, until};
use crate::gateway::http::Limits;

#[test]
fn one_connection_too_many_is_closed_and_the_others_go_on() {
    let server = TestServer::with(Limits { connections: 3, ..Limits::default() });
    let mut clients: Vec<Raw> = (0..3).map(|_| server.raw()).collect();
    clients.iter_mut().for_each(|client| drop(client.ask("/echo", b"here")));
    let mut late = server.raw();
    late.expect_end();
    clients.iter_mut().for_each(|client| assert_eq!(client.ask("/echo", b"on").text(), "on"));
    clients.pop();
    until("room", || server.connections() == 2);
    assert_eq!(server.raw().ask("/echo", b"now").text(), "now");
}

#[test]
fn connections_that_come_and_go_leave_nothing() {
    let server = TestServer::start();
    for _ in 0..20 {
        let mut clients: Vec<Raw> = (0..50).map(|_| server.raw()).collect();
        for client in clients.iter_mut().step_by(2) {
            assert_eq!(client.ask("/echo", b"x").text(), "x");
        }
    }
    until("their end", || server.connections() == 0);
}

#[test]
fn a_stream_that_moves_much_lets_the_others_have_their_turn() {
    let server = TestServer::start();
    let mut busy = server.raw();
    busy.send(super::raw::post("/endless", b""));
    let reader = busy.0.get_ref().try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let mut reader = reader;
        let mut buffer = vec![0; 1 << 20];
        let mut read = 0usize;
        while read < 200 << 20 {
            match std::io::Read::read(&mut reader, &mut buffer) {
                Ok(n) if n > 0 => read += n,
                _ => break,
            }
        }
        read
    });
    let mut slowest = Duration::ZERO;
    while !reading.is_finished() {
        let asked = std::time::Instant::now();
        server.raw().ask("/echo", b"x");
        slowest = slowest.max(asked.elapsed());
    }
    assert!(reading.join().unwrap() >= 200 << 20);
    assert!(slowest < Duration::from_secs(5), "{slowest:?} for a request beside it");
}
