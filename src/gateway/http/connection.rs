//! The life of a connection: which protocol, the requests, the end.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::rt::{Executor, Read, ReadBuf, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;

use super::entry::{Entry, Order, Phase, poll_guarded};
use super::exchange::exchange;
use super::front::{Host, Place, Shared};
use super::handler::Handler;
use super::io::{Io, Transport};
use crate::base::limits::{
    HTTP_BUFFER_BYTES, HTTP_CONNECTION_WINDOW, HTTP_FRAME_BYTES, HTTP_STREAM_WINDOW,
};

/// How HTTP/2 begins, and nothing else (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What a connection says first is looked at in pieces of this size.
const SNIFF_BYTES: usize = 2048;
/// The answer to a head that does not end. HTTP/2 has none.
const EXPIRED: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// A client that is silent for so long is asked whether it is there, and has so long to answer.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Serves a connection until it ends.
pub(super) async fn connection<H: Handler>(
    place: Place<H>,
    entry: Rc<Entry>,
    transport: Transport,
    host: impl Host,
) {
    let mut io = Io::new(transport, entry.clone());
    match sniff(&mut io, &entry).await {
        Some(Protocol::Http1) => Box::pin(serve_http1(place.shared.clone(), entry, io)).await,
        Some(Protocol::Http2) => {
            Box::pin(serve_http2(place.shared.clone(), entry, io, host)).await;
        }
        None => {}
    }
}

enum Protocol {
    Http1,
    Http2,
}

/// Reads until it is clear which protocol the client speaks; `None` when it goes away.
async fn sniff(io: &mut Io, entry: &Entry) -> Option<Protocol> {
    let mut seen = Vec::new();
    loop {
        let more = read_some(io, entry).await?;
        seen.extend_from_slice(&more);
        let common = seen.iter().zip(PREFACE).take_while(|(a, b)| a == b).count();
        if common == PREFACE.len() {
            io.unread(seen);
            return Some(Protocol::Http2);
        }
        if common < seen.len() {
            io.unread(seen);
            return Some(Protocol::Http1);
        }
    }
}

/// Some bytes; `None` is the end.
async fn read_some(io: &mut Io, entry: &Entry) -> Option<Vec<u8>> {
    poll_fn(|cx| {
        poll_guarded(entry, cx, |cx| {
            let mut bytes = [std::mem::MaybeUninit::uninit(); SNIFF_BYTES];
            let mut buf = ReadBuf::uninit(&mut bytes);
            let read = ready!(Pin::new(&mut *io).poll_read(cx, buf.unfilled()));
            Poll::Ready(read.ok().map(|()| buf.filled().to_vec()))
        })
    })
    .await
    .flatten()
    .filter(|bytes| !bytes.is_empty())
}

async fn serve_http1<H: Handler>(shared: Rc<Shared<H>>, entry: Rc<Entry>, io: Io) {
    let service = service_fn(|request| exchange(shared.clone(), entry.clone(), request));
    let mut conn = http1::Builder::new()
        .max_header_size(shared.limits.head_bytes)
        .max_buf_size(HTTP_BUFFER_BYTES.max(shared.limits.head_bytes))
        .serve_connection(io, service);
    let mut draining = false;
    let end = poll_fn(|cx| {
        match entry.order(cx) {
            Order::Serve => {}
            Order::Drain if draining => {}
            Order::Drain => {
                draining = true;
                Pin::new(&mut conn).graceful_shutdown();
            }
            Order::Expire => return Poll::Ready(End::Expired),
            Order::Kill => return Poll::Ready(End::Broken),
        }
        Pin::new(&mut conn).poll(cx).map(|done| match done {
            Ok(()) => End::Said,
            // What is no request was answered too, and more of it may come.
            Err(error) if error.is_parse() => {
                entry.leave_unread();
                End::Said
            }
            Err(_) => End::Broken,
        })
    })
    .await;
    let mut io = conn.into_parts().io;
    match end {
        End::Said if entry.has_unread() => linger(io, &entry, shared.limits.body_bytes).await,
        End::Said | End::Broken => {}
        // Nothing is under way, so that this cannot stand inside another answer. A client that
        // has no room for it gets none.
        End::Expired => {
            poll_fn(|cx| {
                let _ = Pin::new(&mut io).poll_write(cx, EXPIRED);
                let _ = Pin::new(&mut io).poll_shutdown(cx);
                Poll::Ready(())
            })
            .await;
        }
    }
}

enum End {
    /// The last answer was sent, and that it was the last.
    Said,
    Expired,
    Broken,
}

/// Reads away what the client still sends, until it has seen the answer and closes. A connection
/// that is closed with unread bytes is reset, and its client may lose what it was sent.
async fn linger(mut io: Io, entry: &Entry, bytes_max: usize) {
    entry.enter(Phase::Lingering);
    let mut read = 0;
    while read < bytes_max {
        match read_some(&mut io, entry).await {
            Some(bytes) => read += bytes.len(),
            None => return,
        }
    }
}

async fn serve_http2<H: Handler>(shared: Rc<Shared<H>>, entry: Rc<Entry>, io: Io, host: impl Host) {
    entry.multiplex();
    let service = service_fn(|request| exchange(shared.clone(), entry.clone(), request));
    let limits = &shared.limits;
    let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    let conn = http2::Builder::new(Tasks(host))
        .timer(shared.timers.clone())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .initial_stream_window_size(HTTP_STREAM_WINDOW)
        .initial_connection_window_size(HTTP_CONNECTION_WINDOW)
        .max_frame_size(HTTP_FRAME_BYTES)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(head_bytes)
        .max_send_buf_size(HTTP_BUFFER_BYTES)
        .serve_connection(io, service);
    let mut conn = pin!(conn);
    let mut draining = false;
    poll_fn(|cx| {
        match entry.order(cx) {
            Order::Serve => {}
            Order::Drain if draining => {}
            Order::Drain => {
                draining = true;
                conn.as_mut().graceful_shutdown();
            }
            Order::Expire | Order::Kill => return Poll::Ready(()),
        }
        // Its errors are those of its client.
        conn.as_mut().poll(cx).map(drop)
    })
    .await;
}

/// Starts hyper's tasks: one for each request of HTTP/2.
#[derive(Clone)]
struct Tasks<S>(S);

impl<S: Host, F: Future<Output = ()> + 'static> Executor<F> for Tasks<S> {
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}
