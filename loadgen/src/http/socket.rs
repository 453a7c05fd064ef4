//! A socket as hyper wants one, watched by the load generator's poller.

use std::cell::{Cell, RefCell};
use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::endpoint::Endpoint;
use super::transport::{Spoken, Transport};
use crate::failure::{Failure, Result};
use crate::poll::{Poller, Ready};

/// What one read may bring.
const READ_BYTES: usize = 64 << 10;

/// A watched socket. Clones are the same socket: one is hyper's, one hears from the poller.
#[derive(Clone, Debug)]
pub struct Socket(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: RefCell<Transport>,
    token: usize,
    poller: Rc<Poller>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
    wants_write: Cell<bool>,
    buffer: RefCell<Box<[u8]>>,
}

impl Socket {
    /// Connects; the poller knows it as `token`.
    pub fn open(endpoint: &Endpoint, poller: &Rc<Poller>, token: usize) -> Result<Socket> {
        let stream = Transport::connect(endpoint, Spoken::Http2)?;
        stream
            .set_nonblocking()
            .and_then(|()| poller.add(&stream, token))
            .map_err(Failure::io("watching a connection"))?;
        Ok(Socket(Rc::new(Shared {
            stream: RefCell::new(stream),
            token,
            poller: Rc::clone(poller),
            reader: RefCell::default(),
            writer: RefCell::default(),
            wants_write: Cell::new(false),
            buffer: RefCell::new(vec![0; READ_BYTES].into()),
        })))
    }

    /// The poller says that it can go on.
    pub fn ready(&self, event: Ready) {
        let writer = if event.writable { self.0.writer.take() } else { None };
        for waker in [self.0.reader.take(), writer].into_iter().flatten() {
            waker.wake();
        }
    }

    fn want_write(&self, on: bool) -> io::Result<()> {
        if self.0.wants_write.replace(on) != on {
            self.0.poller.want_write(&*self.0.stream.borrow(), self.0.token, on)?;
        }
        Ok(())
    }
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut buffer = self.0.buffer.borrow_mut();
        let room = buf.remaining().min(READ_BYTES);
        loop {
            match self.0.stream.borrow_mut().read(&mut buffer[..room]) {
                Ok(n) => {
                    buf.put_slice(&buffer[..n]);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    *self.0.reader.borrow_mut() = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let written = self.0.stream.borrow_mut().write(bytes);
            match written {
                Ok(n) => {
                    self.want_write(false)?;
                    return Poll::Ready(Ok(n));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    *self.0.writer.borrow_mut() = Some(cx.waker().clone());
                    self.want_write(true)?;
                    return Poll::Pending;
                }
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.0.stream.borrow_mut().flush();
        match flushed {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                *self.0.writer.borrow_mut() = Some(cx.waker().clone());
                self.want_write(true)?;
                Poll::Pending
            }
            Ok(()) => {
                self.want_write(false)?;
                Poll::Ready(Ok(()))
            }
            Err(e) => Poll::Ready(Err(e)),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.stream.borrow_mut().end())
    }
}
