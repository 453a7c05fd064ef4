//! An answer, in bytes that are there or in chunks that come.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

use super::entry::{OpenAnswer, OpenRequest};
use crate::base::limits::HTTP_BUFFER_BYTES;

/// An answer.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers. Length, date and what belongs to the connection are added.
    pub headers: HeaderMap,
    /// Its body.
    pub body: ResponseBody,
}

/// The body of an answer.
#[derive(Default)]
pub enum ResponseBody {
    /// Of no bytes.
    #[default]
    Empty,
    /// Of these bytes.
    Bytes(Bytes),
    /// Of these bytes behind each other. Nothing is copied where the connection can do without.
    Chunks(VecDeque<Bytes>),
    /// Of chunks that are asked for as the client takes them. Its length is not known.
    Stream(Box<dyn ChunkSource>),
}

/// Chunks of a body that is made while it is sent. Dropped when the client goes away.
pub trait ChunkSource {
    /// The next chunk, which is not empty; `None` is the end. Called when the client has room for
    /// more: what it does not ask for costs no memory here.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>>;
}

/// A body that ends early: its client sees a broken connection or stream, not an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the answer was aborted")]
pub struct Aborted;

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: StatusCode) -> Response {
        Response { status, headers: HeaderMap::new(), body: ResponseBody::Empty }
    }

    /// The same with a body.
    #[must_use]
    pub fn with_body(self, body: ResponseBody) -> Response {
        Response { body, ..self }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Response {
        self.headers.append(name, value);
        self
    }
}

impl ResponseBody {
    /// Bytes of it, where that is known.
    #[must_use]
    pub fn len(&self) -> Option<usize> {
        match self {
            ResponseBody::Empty => Some(0),
            ResponseBody::Bytes(bytes) => Some(bytes.len()),
            ResponseBody::Chunks(chunks) => Some(chunks.iter().map(Bytes::len).sum()),
            ResponseBody::Stream(_) => None,
        }
    }

    /// Whether it is known to have no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        let bytes = match self {
            ResponseBody::Empty => None,
            ResponseBody::Bytes(bytes) => Some(piece(bytes)),
            ResponseBody::Chunks(chunks) => match chunks.front_mut() {
                Some(first) if first.len() > PIECE_BYTES => Some(piece(first)),
                _ => chunks.pop_front(),
            },
            ResponseBody::Stream(source) => return source.poll_chunk(cx),
        };
        Poll::Ready(bytes.filter(|bytes| !bytes.is_empty()).map(Ok))
    }
}

impl From<Vec<u8>> for ResponseBody {
    fn from(bytes: Vec<u8>) -> ResponseBody {
        ResponseBody::Bytes(bytes.into())
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> ResponseBody {
        ResponseBody::Bytes(bytes)
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            Some(bytes) => write!(f, "ResponseBody({bytes} bytes)"),
            None => f.write_str("ResponseBody(stream)"),
        }
    }
}

fn piece(bytes: &mut Bytes) -> Bytes {
    bytes.split_to(bytes.len().min(PIECE_BYTES))
}

/// A body on its way, as hyper takes it. Its request is open until it is dropped.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: ResponseBody,
    open: Open,
}

#[derive(Debug)]
enum Open {
    Whole(OpenAnswer),
    Stream(#[expect(dead_code, reason = "it only ends")] OpenRequest),
}

/// A piece of an answer, given to a connection that has room for some of it. What it has given up
/// on is then at most this.
const PIECE_BYTES: usize = HTTP_BUFFER_BYTES;

impl Outgoing {
    pub(super) fn new(body: ResponseBody, open: OpenRequest) -> Outgoing {
        // Of empty chunks one would end the body.
        let body = match body {
            ResponseBody::Chunks(mut chunks) => {
                chunks.retain(|chunk| !chunk.is_empty());
                ResponseBody::Chunks(chunks)
            }
            body => body,
        };
        let open = match &body {
            ResponseBody::Stream(_) => Open::Stream(open),
            _ => Open::Whole(open.answer()),
        };
        Outgoing { body, open }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        if let Open::Whole(answer) = &self.open {
            answer.moved();
        }
        self.body.poll_next(cx).map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.len().map_or_else(SizeHint::default, |len| SizeHint::with_exact(len as u64))
    }
}
