use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use super::inbound::{Front, Inbound, front};
use super::outbound::{Flushed, Outbound};
use crate::base::limits::FRAME_HEADER_BYTES;
use crate::base::rng::SplitMix64;
use crate::disk::dma::{Chunk, WriteBuf};
use crate::net::Socket;
use crate::wire::{FrameError, FrameHeader, Opcode};

fn frame(opcode: Opcode, correlation: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::wire::frame::write_frame(&mut bytes, opcode, correlation, |w| {
        w.bytes(payload);
    });
    bytes
}

// ---- Inbound -----------------------------------------------------------------------------------

#[test]
fn a_frame_is_cut_where_its_header_says_wherever_the_bytes_end() {
    let bytes = [frame(Opcode::Ping, 7, b"hello"), frame(Opcode::Ping, 8, b"")].concat();
    let first = FRAME_HEADER_BYTES + 5;
    for end in 0..=bytes.len() {
        let expected = match end {
            0..FRAME_HEADER_BYTES => Front::Partial(FRAME_HEADER_BYTES),
            end if end < first => Front::Partial(first),
            _ => {
                let (opcode, payload_bytes, correlation) = (Opcode::Ping, 5, 7);
                Front::Frame(FrameHeader { opcode, payload_bytes, correlation }, first)
            }
        };
        assert_eq!(front(&bytes[..end]), Ok(expected), "{end} bytes");
    }
    let Ok(Front::Frame(header, second)) = front(&bytes[first..]) else { panic!() };
    assert_eq!((header.correlation, first + second), (8, bytes.len()));
}

#[test]
fn a_header_is_refused_before_its_payload_is_waited_for() {
    let mut damaged = frame(Opcode::Ping, 7, b"hello");
    damaged[9] ^= 1;
    assert_eq!(front(&damaged[..FRAME_HEADER_BYTES]), Err(FrameError::Crc));
    let header = FrameHeader { opcode: Opcode::Ping, payload_bytes: 1 << 30, correlation: 1 };
    let oversized = front(&header.encode());
    assert!(matches!(oversized, Err(FrameError::Oversized { .. })), "{oversized:?}");
}

#[test]
fn kept_bytes_come_back_without_those_that_were_used() {
    let mut inbound = Inbound::default();
    inbound.keep(b"abc");
    inbound.keep(b"defg");
    assert_eq!((inbound.bytes(), inbound.len()), (&b"abcdefg"[..], 7));
    let taken = inbound.take();
    assert!(inbound.is_empty());
    inbound.put_back(taken, 3);
    assert_eq!(inbound.bytes(), b"defg");
    let taken = inbound.take();
    inbound.put_back(taken, 4);
    assert!(inbound.is_empty());
    inbound.keep(b"x");
    assert_eq!(inbound.bytes(), b"x");
}

// ---- Outbound ----------------------------------------------------------------------------------

/// The two ends of a connection that has little room.
fn connection() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_nonblocking(true).unwrap();
    let socket = listener.accept().unwrap().0;
    let (bytes, size) = (128 * 1024, size_of::<libc::c_int>() as libc::socklen_t);
    let value: *const libc::c_int = &raw const bytes;
    // SAFETY: the option is an int, and both it and the descriptor outlive the call.
    let set = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, value.cast(), size)
    };
    assert_eq!(set, 0);
    (Socket::new(socket).unwrap(), client)
}

/// Adds what has arrived, at most `most` bytes.
fn receive(client: &mut TcpStream, most: usize, into: &mut Vec<u8>) {
    let mut bytes = vec![0; most];
    match client.read(&mut bytes) {
        Ok(n) => into.extend_from_slice(&bytes[..n]),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}"),
    }
}

/// A part of a buffer that others have parts of as well.
fn chunk(rng: &mut SplitMix64, bytes: usize) -> Chunk {
    let start = rng.below(100) as usize;
    let mut buffer = WriteBuf::alloc(start + bytes);
    rng.fill(buffer.bytes_mut());
    let whole = buffer.bytes().len();
    Chunk::written(buffer.freeze(whole), start, bytes)
}

#[test]
fn frames_and_batches_leave_in_order_in_one_flush() {
    let ((socket, mut client), mut rng) = (connection(), SplitMix64::new(1));
    let mut out = Outbound::default();
    let (large, small) = (chunk(&mut rng, 5000), chunk(&mut rng, 100));
    out.frames(|bytes| bytes.extend_from_slice(b"first"));
    out.chunk(&large);
    out.frames(|bytes| bytes.extend_from_slice(b"second"));
    out.chunk(&small);
    out.frames(|_| {});
    let expected = [b"first", &large[..], b"second", &small[..]].concat();
    assert_eq!(out.waiting(), expected.len());
    assert_eq!(out.flush(&socket).unwrap(), Flushed::All);
    assert_eq!(out.waiting(), 0);
    assert_eq!(out.flush(&socket).unwrap(), Flushed::All, "nothing to send is all sent");
    let mut got = Vec::new();
    while got.len() < expected.len() {
        receive(&mut client, 100_000, &mut got);
    }
    assert_eq!(got, expected);
}

/// A client that reads a little now and then: the kernel takes what fits, wherever that ends.
#[test]
fn a_slow_client_gets_every_byte_in_order_whatever_each_send_takes() {
    for seed in 0..4 {
        let ((socket, mut client), mut rng) = (connection(), SplitMix64::new(seed));
        let (mut out, mut expected, mut got) = (Outbound::default(), Vec::new(), Vec::new());
        let mut waited = 0;
        for step in 0..100 {
            for _ in 0..rng.below(40) {
                if rng.below(3) == 0 {
                    let most = if rng.below(16) == 0 { 300_000 } else { 4000 };
                    let bytes = 1 + rng.below(most);
                    let chunk = chunk(&mut rng, bytes as usize);
                    expected.extend_from_slice(&chunk);
                    out.chunk(&chunk);
                } else {
                    let mut frame = vec![0; rng.below(300) as usize];
                    rng.fill(&mut frame);
                    expected.extend_from_slice(&frame);
                    out.frames(|bytes| bytes.extend_from_slice(&frame));
                }
            }
            let before = out.waiting();
            match out.flush(&socket).unwrap() {
                Flushed::All => assert_eq!(out.waiting(), 0, "step {step}"),
                Flushed::Waiting => {
                    assert!(0 < out.waiting() && out.waiting() <= before, "step {step}");
                    waited += 1;
                }
            }
            let most = 1 + rng.below(60_000) as usize;
            receive(&mut client, most, &mut got);
        }
        assert!(waited > 0, "seed {seed}: the client was never too slow");
        while got.len() < expected.len() {
            let _ = out.flush(&socket).unwrap();
            receive(&mut client, 1 << 20, &mut got);
        }
        assert!(got == expected, "seed {seed}: other bytes than those that were sent");
        assert_eq!(out.waiting(), 0);
    }
}
