//! Connections that tasks read and write, in the core's one epoll set.
//!
//! A native connection is plain state that the turn itself serves. A connection of a protocol
//! that a library speaks is a task, and this is what such a task waits for. Each is reported once
//! when it becomes ready, and remembers that until a system call says otherwise: a request and its
//! answer cost one receive and one send.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::iovecs::IoVecs;
use super::poller::{Edges, Poller, Ready, Token};
use super::socket::{Received, Sent, Socket};

/// Marks the tokens of streams; native connections count from 0 in the same 32 bits.
const STREAM_BIT: u64 = 1 << 31;
/// Bytes that a stream moves before the others of its core get their turn.
const TURN_BYTES: usize = 1 << 20;

/// All streams of a core. Clones share them.
#[derive(Clone, Debug)]
pub struct Streams(Rc<Registry>);

#[derive(Debug)]
struct Registry {
    edges: Edges,
    places: RefCell<Places>,
}

#[derive(Debug, Default)]
struct Places {
    watched: Vec<Option<Rc<Readiness>>>,
    free: Vec<u32>,
}

impl Streams {
    /// None yet; they will be in the set of `poller`.
    pub fn new(poller: &Poller) -> io::Result<Streams> {
        let (edges, places) = (poller.edges()?, RefCell::default());
        Ok(Streams(Rc::new(Registry { edges, places })))
    }

    /// Whether a token is one of theirs.
    #[must_use]
    pub fn owns(token: Token) -> bool {
        token.0 & STREAM_BIT != 0
    }

    /// Makes a stream of a connected socket.
    pub fn open(&self, socket: Socket) -> io::Result<Stream> {
        let mut places = self.0.places.borrow_mut();
        let index = places.free.pop().unwrap_or_else(|| {
            places.watched.push(None);
            (places.watched.len() - 1) as u32
        });
        let token = Token(STREAM_BIT | u64::from(index));
        if let Err(error) = self.0.edges.add(&socket, token) {
            places.free.push(index);
            return Err(error);
        }
        let ready = Rc::new(Readiness::default());
        places.watched[index as usize] = Some(ready.clone());
        Ok(Stream { socket, ready, registry: self.0.clone(), index, received: Cell::new(0) })
    }

    /// A stream is ready: wakes whoever waits for that. An event of one that is gone does nothing.
    pub fn ready(&self, event: &Ready) {
        let index = (event.token.0 & (STREAM_BIT - 1)) as usize;
        let ready = self.0.places.borrow().watched.get(index).cloned().flatten();
        if let Some(ready) = ready {
            ready.set(event);
        }
    }
}

/// What is known of a socket without asking it, and who waits to know more.
#[derive(Debug)]
struct Readiness {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The last byte has arrived, read or not.
    finished: Cell<bool>,
    /// Bytes that may still be moved in this turn.
    budget: Cell<usize>,
    reader: Waiting,
    writer: Waiting,
}

impl Default for Readiness {
    /// Ready for all: a request often lies there when its connection is accepted.
    fn default() -> Readiness {
        Readiness {
            readable: Cell::new(true),
            writable: Cell::new(true),
            finished: Cell::new(false),
            budget: Cell::new(TURN_BYTES),
            reader: Waiting::default(),
            writer: Waiting::default(),
        }
    }
}

impl Readiness {
    fn set(&self, event: &Ready) {
        self.budget.set(TURN_BYTES);
        self.finished.set(self.finished.get() || event.finished);
        if event.readable {
            self.readable.set(true);
            self.reader.wake();
        }
        if event.writable {
            self.writable.set(true);
            self.writer.wake();
        }
    }
}

/// The task of this core that waits for something, if one does.
#[derive(Default)]
pub struct Waiting(Cell<Option<Waker>>);

impl Waiting {
    /// Makes the task of `cx` the one that waits.
    pub fn wait(&self, cx: &Context<'_>) {
        let known = self.0.take().filter(|waker| waker.will_wake(cx.waker()));
        self.0.set(Some(known.unwrap_or_else(|| cx.waker().clone())));
    }

    /// Wakes it. It runs later, not now.
    pub fn wake(&self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

/// A connection, for one task that reads and one that writes, often the same.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    ready: Rc<Readiness>,
    registry: Rc<Registry>,
    index: u32,
    received: Cell<u64>,
}

impl Stream {
    /// Bytes that have been received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// The other end.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.socket.peer()
    }

    /// Receives at least one byte into `into`, which is not empty; 0 is the end.
    pub fn poll_receive(
        &self,
        cx: &Context<'_>,
        into: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if !self.ready.readable.get() || self.is_out_of_turn()? {
            self.ready.reader.wait(cx);
            return Poll::Pending;
        }
        match self.socket.receive_uninit(into)? {
            Received::Bytes(n) => {
                self.spend(n);
                self.received.set(self.received.get() + n as u64);
                // A short receive has emptied the socket, and what comes is reported. The end is
                // not reported again.
                self.ready.readable.set(n == into.len() || self.ready.finished.get());
                Poll::Ready(Ok(n))
            }
            Received::Closed => Poll::Ready(Ok(0)),
            Received::Nothing => {
                self.ready.readable.set(false);
                self.ready.reader.wait(cx);
                Poll::Pending
            }
        }
    }

    /// Sends as much of `parts`, which are not empty, as fits now: at least one byte.
    pub fn poll_send(&self, cx: &Context<'_>, parts: &mut IoVecs<'_>) -> Poll<io::Result<usize>> {
        if !self.ready.writable.get() || self.is_out_of_turn()? {
            self.ready.writer.wait(cx);
            return Poll::Pending;
        }
        match self.socket.send(parts)? {
            Sent::Bytes(n) => {
                self.spend(n);
                Poll::Ready(Ok(n))
            }
            Sent::Full => {
                self.ready.writable.set(false);
                self.ready.writer.wait(cx);
                Poll::Pending
            }
        }
    }

    /// Tells the peer that nothing more comes.
    pub fn finish(&self) -> io::Result<()> {
        match self.socket.finish() {
            // It was faster.
            Err(e) if e.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        }
    }

    fn spend(&self, bytes: usize) {
        let left = self.ready.budget.get().saturating_sub(bytes);
        self.ready.budget.set(left);
    }

    /// Whether the stream has had its share of this turn. It is woken in the next one: a task
    /// that only yields runs again before the executor has looked at the ring.
    fn is_out_of_turn(&self) -> io::Result<bool> {
        if self.ready.budget.get() > 0 {
            return Ok(false);
        }
        self.ready.readable.set(false);
        self.ready.writable.set(false);
        self.registry.edges.again(&self.socket, Token(STREAM_BIT | u64::from(self.index)))?;
        Ok(true)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut places = self.registry.places.borrow_mut();
        places.watched[self.index as usize] = None;
        places.free.push(self.index);
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // SAFETY: nothing that is initialised becomes uninitialised: the kernel only writes.
        let n = ready!(self.poll_receive(cx, unsafe { buf.as_mut() }))?;
        // SAFETY: the kernel has filled the first `n` bytes.
        unsafe { buf.advance(n) };
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut parts = IoVecs::new();
        parts.push(bytes);
        self.poll_parts(cx, &mut parts)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut parts = IoVecs::new();
        // What does not fit is sent by the next call.
        let _ = slices.iter().all(|slice| parts.push(slice));
        self.poll_parts(cx, &mut parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

impl Stream {
    fn poll_parts(&self, cx: &Context<'_>, parts: &mut IoVecs<'_>) -> Poll<io::Result<usize>> {
        if parts.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_send(cx, parts)
    }
}
