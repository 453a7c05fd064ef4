//! What waits to be sent on a connection: small frames in one buffer, batches by reference.

use std::collections::VecDeque;
use std::io;

use crate::disk::dma::Chunk;
use crate::net::{IoVecs, Sent, Socket};

/// See the module.
#[derive(Debug, Default)]
pub struct Outbound {
    /// Frames without their batches.
    bytes: Vec<u8>,
    /// How much of it is sent already.
    sent: usize,
    /// In sending order.
    parts: VecDeque<Part>,
    /// Bytes in all parts.
    waiting: usize,
    /// The socket took no more at the last try.
    full: bool,
}

#[derive(Debug)]
enum Part {
    /// The next so many of `bytes`.
    Frames(usize),
    /// A batch, from this byte on.
    Chunk(Chunk, usize),
}

/// Outcome of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is sent.
    All,
    /// The client's window is full: wait until it can be written again.
    Waiting,
}

impl Outbound {
    /// Bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Appends what `write` adds to the buffer.
    pub fn frames(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let added = self.bytes.len() - before;
        self.waiting += added;
        match self.parts.back_mut() {
            Some(Part::Frames(len)) => *len += added,
            _ => self.parts.push_back(Part::Frames(added)),
        }
    }

    /// Appends a batch without copying it.
    pub fn chunk(&mut self, chunk: &Chunk) {
        self.waiting += chunk.len();
        // A vectored part costs more than copying a small one. And what has to wait for a slow
        // client is copied, since a reference would keep the whole commit around it in memory.
        if chunk.len() <= COPY_MAX || self.full {
            let bytes = chunk.len();
            self.waiting -= bytes;
            self.frames(|out| out.extend_from_slice(chunk));
        } else {
            self.parts.push_back(Part::Chunk(chunk.clone(), 0));
        }
    }

    /// Sends what the socket takes now.
    pub fn flush(&mut self, socket: &Socket) -> io::Result<Flushed> {
        while self.waiting > 0 {
            let mut vectors = IoVecs::new();
            let mut at = self.sent;
            for part in &self.parts {
                let slice = match part {
                    Part::Frames(len) => {
                        at += len;
                        &self.bytes[at - len..at]
                    }
                    Part::Chunk(chunk, from) => &chunk[*from..],
                };
                if !vectors.push(slice) {
                    break;
                }
            }
            let offered = vectors.bytes();
            match socket.send(&mut vectors)? {
                Sent::Full => {
                    self.full = true;
                    return Ok(Flushed::Waiting);
                }
                Sent::Bytes(n) => {
                    self.advance(n);
                    if n < offered {
                        self.full = true;
                        return Ok(Flushed::Waiting);
                    }
                }
            }
        }
        self.full = false;
        Ok(Flushed::All)
    }

    fn advance(&mut self, mut n: usize) {
        self.waiting -= n;
        while n > 0 {
            let done = match self.parts.front_mut().expect("what was sent was waiting") {
                Part::Frames(len) => {
                    let take = n.min(*len);
                    *len -= take;
                    self.sent += take;
                    n -= take;
                    *len == 0
                }
                Part::Chunk(chunk, from) => {
                    let take = n.min(chunk.len() - *from);
                    *from += take;
                    n -= take;
                    *from == chunk.len()
                }
            };
            if done {
                self.parts.pop_front();
            }
        }
        if self.waiting == 0 {
            self.bytes.clear();
            self.parts.clear();
            self.sent = 0;
            if self.bytes.capacity() > KEEP_CAPACITY {
                self.bytes = Vec::new();
            }
        } else if self.sent > KEEP_CAPACITY {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

/// Smaller batches are copied behind their frame.
const COPY_MAX: usize = 2048;
/// A buffer that grew beyond this is given back when it is empty.
const KEEP_CAPACITY: usize = 64 * 1024;
