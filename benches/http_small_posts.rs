//! What a small request over HTTP/1.1 costs a core before any of it is looked at: receive, parse,
//! answer, send. The floor is one receive and one send, about 10 us of a core of 2.5 GHz.
//!
//! The server has CPU 0 and the client CPU 1. One connection shows the latency, 64 the rate.
//! `--tls` is not measured: the client would be the slower one.

#![allow(clippy::print_stdout, reason = "it reports")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use shardway::runtime::{Server, ServerOptions};

const REQUEST: &[u8] = b"POST / HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: Kinesis_20131202.Nothing\r\n\
    Content-Length: 2\r\n\r\n{}";
const WARM_UP: Duration = Duration::from_millis(500);
const TIME: Duration = Duration::from_secs(3);

struct Silent;

impl shardway::log::progress::Progress for Silent {
    fn total_bytes(&mut self, _: u64) {}
    fn advance(&mut self, _: u64) {}
    fn message(&mut self, _: &str) {}
}

fn main() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("target can be written");
    let mut options = ServerOptions::new(dir.path().to_owned(), vec![0]);
    options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    options.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    options.journal_file_bytes = 16 << 20;
    let server = Server::start(options, &mut Silent).expect("it starts");
    let address = server.http_addr().expect("it was asked for");
    core_affinity::set_for_current(core_affinity::CoreId { id: 1 });
    for connections in [1, 8, 64] {
        measure(address, connections);
    }
    server.stop().expect("it stops");
}

fn measure(address: SocketAddr, connections: usize) {
    let mut clients: Vec<TcpStream> = (0..connections).map(|_| connect(address)).collect();
    // SAFETY: epoll_create1 takes no pointers.
    let epoll = unsafe { libc::epoll_create1(0) };
    assert!(epoll >= 0);
    for (i, client) in clients.iter_mut().enumerate() {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: i as u64 };
        // SAFETY: both descriptors are open and `event` outlives the call.
        let added =
            unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, client.as_raw_fd(), &mut event) };
        assert_eq!(added, 0);
        client.write_all(REQUEST).expect("there is room");
    }
    let mut sent = vec![Instant::now(); connections];
    let mut latency = Histogram::<u64>::new(3).expect("three digits");
    let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let mut buffer = [0; 4096];
    let started = Instant::now();
    while started.elapsed() < WARM_UP + TIME {
        // SAFETY: `events` has room for 64 entries.
        let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 64, 1000) };
        assert!(n > 0, "no answer for a second");
        for event in &events[..n as usize] {
            let i = event.u64 as usize;
            let len = clients[i].read(&mut buffer).expect("an answer");
            assert!(buffer[..len].starts_with(b"HTTP/1.1 "), "the connection has ended");
            let now = Instant::now();
            if now - started > WARM_UP {
                latency.record((now - sent[i]).as_nanos() as u64).expect("it is in range");
            }
            sent[i] = now;
            clients[i].write_all(REQUEST).expect("there is room");
        }
    }
    let us = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "{connections:3} connections: {:7.0} requests/s, p50 {:.1} us, p99 {:.1} us, max {:.0} us",
        latency.len() as f64 / TIME.as_secs_f64(),
        us(0.5),
        us(0.99),
        us(1.0)
    );
    // SAFETY: the descriptor is ours and used no more.
    unsafe { libc::close(epoll) };
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}
