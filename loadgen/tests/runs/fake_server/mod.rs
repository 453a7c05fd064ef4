//! A server in memory that speaks the native protocol, and can be made to misbehave.

mod requests;
mod reshard;
mod shard;
mod stream;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::wire::frame::write_frame;
use shardway::wire::{FrameHeader, Opcode, Writer};

use requests::State;

/// What one read may bring.
const RECEIVE_BYTES: usize = 256 << 10;

/// How the server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// The 20th batch of a shard is acknowledged but not kept.
    Lost,
    /// The 20th batch of a shard is delivered with another batch's bytes, validly stamped.
    Replaced,
    /// Every 10th put is refused as throttled: legitimate.
    Throttled,
    /// The 20th batch of a shard is stored behind the 60th.
    Late,
    /// The last batch of a shard that is closed is acknowledged but not kept.
    LostAtClose,
    /// The last batch of a shard that is closed is stored in a child too.
    TwiceAtClose,
    /// Puts by an old map are stored in the wrong child.
    Misrouted,
    /// Buckets are filled twice as fast as the limits say.
    Generous,
}

/// Starts a server on a free port; it runs until the process ends.
pub fn start(fault: Fault) -> SocketAddr {
    start_with_news(fault).0
}

/// The same, and what is asked of it.
pub fn start_with_news(fault: Fault) -> (SocketAddr, Receiver<Opcode>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("a socket");
    let (tell, news) = channel();
    thread::spawn(move || serve(&listener, fault, &tell));
    (address, news)
}

/// One thread for all connections, as a core of the real server has.
fn serve(listener: &TcpListener, fault: Fault, tell: &Sender<Opcode>) {
    let mut state = State::new(fault);
    let mut connections: Vec<Connection> = Vec::new();
    let mut buffer = vec![0; RECEIVE_BYTES];
    let mut idle_turns = 0;
    loop {
        idle_turns += 1;
        if let Ok((stream, _)) = listener.accept() {
            connections.push(Connection::new(stream));
        }
        connections.retain_mut(|connection| {
            let alive = connection.turn(&mut state, &mut buffer, tell);
            if alive == Some(true) {
                idle_turns = 0;
            }
            alive.is_some()
        });
        state.tick();
        if idle_turns > 1000 {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// What is to be written to a client.
type Out = Rc<RefCell<VecDeque<u8>>>;

/// Queues a frame.
fn send(out: &Out, opcode: Opcode, correlation: u64, write: impl FnOnce(&mut Writer<'_>)) {
    let mut frame = Vec::new();
    write_frame(&mut frame, opcode, correlation, write);
    out.borrow_mut().extend(&frame);
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    out: Out,
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).expect("a socket");
        Connection { stream, received: Vec::new(), out: Out::default() }
    }

    /// Reads, answers, writes. None when the client is gone, else whether there was anything.
    fn turn(
        &mut self,
        state: &mut State,
        buffer: &mut [u8],
        tell: &Sender<Opcode>,
    ) -> Option<bool> {
        let read = self.stream.read(buffer);
        match &read {
            Ok(0) => return None,
            Ok(n) => self.received.extend_from_slice(&buffer[..*n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        let mut at = 0;
        while let Some(head) = self.received[at..].first_chunk::<FRAME_HEADER_BYTES>() {
            let header = FrameHeader::decode(head).expect("a valid frame");
            let payload = at + FRAME_HEADER_BYTES;
            let end = payload + header.payload_bytes as usize;
            if end > self.received.len() {
                break;
            }
            // Most tests do not listen.
            let _ = tell.send(header.opcode);
            state.request(&header, &self.received[payload..end], &self.out);
            at = end;
        }
        self.received.drain(..at);
        let mut out = self.out.borrow_mut();
        let wants_write = !out.is_empty();
        while !out.is_empty() {
            let written = match self.stream.write(out.as_slices().0) {
                Ok(written) => written,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return None,
            };
            out.drain(..written);
        }
        Some(read.is_ok() || wants_write)
    }
}
