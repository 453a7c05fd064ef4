//! Loopback round trip: a small message to a blocking echo thread on the other core and back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::latency::{Latencies, Percentiles};
use crate::pin::{Cpus, pin};
use crate::stop;

/// About a put answer.
pub const MESSAGE_BYTES: usize = 64;
/// Round trips before the measured ones.
const WARMUP_TRIPS: usize = 200;

/// Round trips.
#[derive(Clone, Debug, Serialize)]
pub struct LoopbackFloor {
    /// Each way.
    pub message_bytes: usize,
    /// Whether both ends had a CPU of their own.
    pub apart: bool,
    /// Times of the round trips.
    pub round_trip: Percentiles,
}

/// Exchanges messages for about `each`. This end waits as a run does: without sleeping.
pub fn measure(cpus: Cpus, each: Duration) -> Result<LoopbackFloor> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(Failure::io("listening on loopback"))?;
    let address = listener.local_addr().map_err(Failure::io("listening on loopback"))?;
    let echo = thread::spawn(move || -> Result<()> {
        pin(cpus.other)?;
        let (stream, _) = listener.accept().map_err(Failure::io("accepting"))?;
        echo(stream).map_err(Failure::io("echoing"))
    });
    let stream = TcpStream::connect(address).map_err(Failure::io("connecting to loopback"))?;
    let times = exchange(stream, cpus.apart(), each).map_err(Failure::io("exchanging"))?;
    echo.join().expect("the echo thread does not panic")?;
    let round_trip = times.percentiles().expect("at least one round trip was measured");
    Ok(LoopbackFloor { message_bytes: MESSAGE_BYTES, apart: cpus.apart(), round_trip })
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut message = [0; MESSAGE_BYTES];
    loop {
        match stream.read_exact(&mut message) {
            Ok(()) => stream.write_all(&message)?,
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

fn exchange(mut stream: TcpStream, spin: bool, each: Duration) -> io::Result<Latencies> {
    stream.set_nodelay(true)?;
    // On a single CPU a spinning end would keep the other from answering.
    stream.set_nonblocking(spin)?;
    let mut times = Latencies::new();
    for _ in 0..WARMUP_TRIPS {
        round_trip(&mut stream)?;
    }
    let end = now_ns() + nanos(each);
    loop {
        let start = now_ns();
        round_trip(&mut stream)?;
        let now = now_ns();
        times.record(now - start, 1);
        if now >= end || stop::requested() {
            return Ok(times);
        }
    }
}

fn round_trip(stream: &mut TcpStream) -> io::Result<()> {
    let mut message = [7; MESSAGE_BYTES];
    // A message is far below the socket buffer: it goes out whole.
    stream.write_all(&message)?;
    let mut received = 0;
    while received < MESSAGE_BYTES {
        match stream.read(&mut message[received..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => received += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
