//! A stream behind TLS.

use std::fmt;
use std::io::{self, BufRead, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustls::ServerConnection;

use super::iovecs::IoVecs;
use super::stream::Stream;
use super::tls::TlsServer;

/// Bytes of one receive: two full records. The library itself would ask for 4 KiB at a time.
const RECEIVE_BYTES: usize = 32 * 1024;

/// A connection that speaks TLS. The handshake is part of the first reads.
pub struct TlsStream {
    stream: Stream,
    tls: ServerConnection,
    /// Received, and not yet taken by the library: it takes no more than a record ahead.
    inbox: Vec<u8>,
    /// Bytes at the front of the inbox that it has taken.
    taken: usize,
    closing: bool,
}

impl TlsStream {
    /// Begins as the server of a handshake.
    pub fn new(stream: Stream, server: &TlsServer) -> io::Result<TlsStream> {
        let tls = ServerConnection::new(server.config.clone()).map_err(io::Error::other)?;
        Ok(TlsStream { stream, tls, inbox: Vec::new(), taken: 0, closing: false })
    }

    /// Bytes that have been received, as they were sent.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.stream.received()
    }

    /// Sends what there is to send; ready when that is all.
    fn poll_send(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut wire = Wire { stream: &self.stream, cx };
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut wire) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Receives once, and answers what is no data.
    fn poll_receive(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.taken == self.inbox.len() {
            let mut bytes = [MaybeUninit::uninit(); RECEIVE_BYTES];
            let n = ready!(self.stream.poll_receive(cx, &mut bytes))?;
            // SAFETY: the kernel has filled the first `n` bytes.
            self.inbox = unsafe { bytes[..n].assume_init_ref() }.to_vec();
            self.taken = 0;
        }
        // Of no bytes, at the end, the library learns that it is the end.
        self.taken += self.tls.read_tls(&mut &self.inbox[self.taken..])?;
        if self.taken == self.inbox.len() {
            (self.inbox, self.taken) = (Vec::new(), 0);
        }
        let outcome = self.tls.process_new_packets();
        // Handshakes, new keys, or the alert that says what is wrong. What does not fit now is
        // sent by the next call.
        let sent = self.poll_send(cx);
        outcome.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        match sent {
            Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Moves data that was received into `buf`. `None`: nothing is there now.
    fn take_data(&mut self, buf: &mut ReadBufCursor<'_>) -> Option<io::Result<()>> {
        let mut taken = false;
        while buf.remaining() > 0 {
            let mut reader = self.tls.reader();
            let n = match reader.fill_buf() {
                // The peer has said that this is the end.
                Ok([]) => return Some(Ok(())),
                Ok(data) => {
                    let n = data.len().min(buf.remaining());
                    buf.put_slice(&data[..n]);
                    n
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                // What was received is given first.
                Err(_) if taken => break,
                Err(e) => return Some(Err(e)),
            };
            reader.consume(n);
            taken = true;
        }
        taken.then_some(Ok(()))
    }

    fn poll_write_with(
        &mut self,
        cx: &Context<'_>,
        write: impl Fn(&mut ServerConnection) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let taken = write(&mut self.tls)?;
            let sent = self.poll_send(cx)?;
            if taken > 0 {
                return Poll::Ready(Ok(taken));
            }
            // The library holds as much as it may. There is room again when that has gone.
            ready!(sent);
        }
    }
}

impl Read for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if let Some(taken) = self.take_data(&mut buf) {
                return Poll::Ready(taken);
            }
            if let Poll::Ready(Err(e)) = self.poll_send(cx) {
                return Poll::Ready(Err(e));
            }
            ready!(self.poll_receive(cx))?;
        }
    }
}

impl Write for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.poll_write_with(cx, |tls| tls.writer().write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.poll_write_with(cx, |tls| tls.writer().write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            self.closing = true;
            self.tls.send_close_notify();
        }
        ready!(self.poll_send(cx))?;
        Poll::Ready(self.stream.finish())
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsStream({:?})", self.stream)
    }
}

/// The stream as the library wants it: what would wait is an error of its own kind.
struct Wire<'a, 'b, 'c> {
    stream: &'a Stream,
    cx: &'b Context<'c>,
}

impl io::Write for Wire<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut parts = IoVecs::new();
        // What does not fit is sent by the next call.
        let _ = slices.iter().all(|slice| parts.push(slice));
        match self.stream.poll_send(self.cx, &mut parts) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
