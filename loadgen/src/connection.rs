//! A nonblocking connection of the native protocol.

use std::io;
use std::net::TcpStream;
use std::ops::Range;

use shardway::wire::error::ErrorFrame;
use shardway::wire::{Decode, FrameHeader};

use crate::failure::{Failure, Result};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::poll::Poller;

/// Reads of one turn: no connection starves the others.
const READS_PER_TURN: usize = 4;

/// A connection whose hello is done.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    token: usize,
    wants_write: bool,
    inbox: Inbox,
    /// What is to be sent.
    pub outbox: Outbox,
}

impl Connection {
    /// Makes `stream` nonblocking and watches it as `token`. `inbox` holds what already arrived.
    pub fn new(
        stream: TcpStream,
        inbox: Inbox,
        poller: &Poller,
        token: usize,
    ) -> io::Result<Connection> {
        stream.set_nonblocking(true)?;
        poller.add(&stream, token)?;
        Ok(Connection { stream, token, wants_write: false, inbox, outbox: Outbox::default() })
    }

    /// Sends what can be sent; the poller tells when the rest can go. Until it does, a full socket
    /// is not tried again.
    pub fn flush(&mut self, poller: &Poller, writable: bool) -> Result<()> {
        if self.wants_write && !writable {
            return Ok(());
        }
        self.outbox.flush(&mut self.stream).map_err(Failure::io("sending"))?;
        let wants_write = !self.outbox.is_empty();
        if wants_write != self.wants_write {
            poller
                .want_write(&self.stream, self.token, wants_write)
                .map_err(Failure::io("watching a connection"))?;
            self.wants_write = wants_write;
        }
        Ok(())
    }

    /// Reads what has arrived and hands over its frames.
    pub fn receive(
        &mut self,
        mut frame: impl FnMut(FrameHeader, &[u8], &mut Outbox) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..READS_PER_TURN {
            let drained = match self.inbox.fill(&mut self.stream) {
                Ok(0) => return Err(Failure::Stalled("it closed a connection".to_owned())),
                // A read that leaves room has emptied the socket: no second call to learn so.
                Ok(_) => self.inbox.has_room(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::io("receiving")(e)),
            };
            while let Some((header, range)) = self.inbox.next_frame()? {
                frame(header, self.inbox.payload(range), &mut self.outbox)?;
            }
            if drained {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Decodes a payload.
pub fn decode<'a, T: Decode<'a>>(header: &FrameHeader, payload: &'a [u8]) -> Result<T> {
    T::decode(payload).map_err(|e| Failure::Protocol(format!("{:?}: {e}", header.opcode)))
}

/// The failure that an error frame says.
pub fn server_error(header: &FrameHeader, payload: &[u8]) -> Failure {
    match decode::<ErrorFrame<'_>>(header, payload) {
        Ok(error) => Failure::Server { code: error.code, message: error.message.to_owned() },
        Err(failure) => failure,
    }
}

/// A received frame that lies in an inbox.
pub type Received = (FrameHeader, Range<usize>);
