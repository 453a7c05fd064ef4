//! The bytes of a connection, on their way to hyper: with what was read before hyper was asked,
//! and with news for the connection's entry.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use super::entry::Entry;
use crate::net::{Stream, TlsStream};

/// Bytes are read away in pieces of this size.
const READ_AWAY_BYTES: usize = 512;
/// More than this is no farewell.
const READ_AWAY_MAX: usize = 16 << 10;

/// What carries the bytes.
#[derive(Debug)]
pub enum Transport {
    /// TCP.
    Plain(Stream),
    /// TLS.
    Tls(Box<TlsStream>),
}

impl Transport {
    pub(super) fn is_secure(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            Transport::Tls(_) => true,
        }
    }

    fn received(&self) -> u64 {
        match self {
            Transport::Plain(stream) => stream.received(),
            Transport::Tls(stream) => stream.received(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Io {
    transport: Transport,
    /// Read before it was known who would take it.
    ahead: Bytes,
    entry: Rc<Entry>,
    /// Bytes that nobody wanted.
    read_away: usize,
}

impl Io {
    pub(super) fn new(transport: Transport, entry: Rc<Entry>) -> Io {
        Io { transport, ahead: Bytes::new(), entry, read_away: 0 }
    }

    /// Makes the next reads return `bytes` first.
    pub(super) fn unread(&mut self, bytes: Vec<u8>) {
        self.ahead = bytes.into();
    }

    /// Waits until the client has closed its side, and reads away what it still sends: a farewell,
    /// and no flood.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut bytes = [MaybeUninit::uninit(); READ_AWAY_BYTES];
            let mut buf = ReadBuf::uninit(&mut bytes);
            match Pin::new(&mut *self).poll_read(cx, buf.unfilled()) {
                Poll::Ready(Ok(())) if self.read_away > READ_AWAY_MAX => return Poll::Ready(()),
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.read_away += buf.filled().len();
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let n = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..n]);
            self.ahead.advance(n);
            return Poll::Ready(Ok(()));
        }
        let before = self.transport.received();
        let outcome = match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buf),
        };
        if self.transport.received() != before {
            self.entry.heard();
        }
        outcome
    }
}

impl Write for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Transport::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Transport::Tls(stream) => Pin::new(&mut **stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.entry.leaves_first() && self.poll_gone(cx).is_pending() {
            return Poll::Pending;
        }
        match &mut self.transport {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}
