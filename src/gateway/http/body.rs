//! Reads a request's body: memory first, then bytes, with an eye on the time.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use hyper::body::Incoming;

use super::handler::Refusal;
use super::memory::{Held, Memory};
use super::request::Payload;
use super::timers::{Deadline, Timers};
use crate::base::limits::HTTP_PROGRESS_BYTES;

/// Room for the first bytes of a body that does not say its length.
const FIRST_BYTES: usize = 16 << 10;

/// What bodies are read with.
#[derive(Debug)]
pub(super) struct BodyReader {
    pub(super) memory: Memory,
    pub(super) timers: Timers,
    pub(super) wait: Duration,
}

impl BodyReader {
    /// The whole body, of at most `limit` bytes.
    pub(super) async fn read(
        &self,
        incoming: &mut Incoming,
        limit: usize,
    ) -> Result<Payload, Refusal> {
        if incoming.is_end_stream() {
            return Ok(Payload::default());
        }
        let limit = limit.min(self.memory.total());
        match incoming.size_hint().exact() {
            Some(declared) => match usize::try_from(declared).ok().filter(|n| *n <= limit) {
                Some(declared) => self.read_declared(incoming, declared).await,
                None => Err(Refusal::TooLarge(limit)),
            },
            None => self.read_growing(incoming, limit).await,
        }
    }

    async fn read_declared(
        &self,
        incoming: &mut Incoming,
        declared: usize,
    ) -> Result<Payload, Refusal> {
        let held = self.take(declared).await?;
        let mut pace = Pace::new(self);
        let first = pace.next(incoming).await?.unwrap_or_default();
        if first.len() == declared {
            // Small bodies arrive whole: they stay where they were received.
            pace.end(incoming).await?;
            return Ok(Payload::new(first, held));
        }
        let mut bytes = BytesMut::with_capacity(declared);
        bytes.extend_from_slice(&first);
        while bytes.len() < declared {
            match pace.next(incoming).await? {
                Some(more) => bytes.extend_from_slice(&more),
                None => return Err(Refusal::Broken),
            }
        }
        pace.end(incoming).await?;
        Ok(Payload::new(bytes.freeze(), held))
    }

    async fn read_growing(
        &self,
        incoming: &mut Incoming,
        limit: usize,
    ) -> Result<Payload, Refusal> {
        let mut room = FIRST_BYTES.min(limit);
        let mut held = self.take(room).await?;
        let mut pace = Pace::new(self);
        let mut bytes = BytesMut::with_capacity(room);
        while let Some(more) = pace.next(incoming).await? {
            let needed = bytes.len() + more.len();
            if needed > limit {
                return Err(Refusal::TooLarge(limit));
            }
            if needed > room {
                let larger = needed.max(2 * room).min(limit);
                // Growing copies: for a moment there are both. The old one is the smaller half.
                if !held.grow(larger - room) {
                    return Err(Refusal::Busy);
                }
                bytes.reserve(larger - bytes.len());
                room = larger;
            }
            bytes.extend_from_slice(&more);
        }
        Ok(Payload::new(bytes.freeze(), held))
    }

    async fn take(&self, bytes: usize) -> Result<Held, Refusal> {
        if let Some(held) = self.memory.try_take(bytes) {
            return Ok(held);
        }
        let mut take = pin!(self.memory.take(bytes));
        let mut deadline = pin!(self.timers.deadline(self.wait));
        poll_fn(|cx| match take.as_mut().poll(cx) {
            Poll::Ready(held) => Poll::Ready(Ok(held)),
            Poll::Pending => deadline.as_mut().poll(cx).map(|()| Err(Refusal::Busy)),
        })
        .await
    }
}

/// How fast a body comes.
struct Pace<'a> {
    reader: &'a BodyReader,
    /// Set when the body has been waited for: most are there at once.
    deadline: Option<Deadline>,
    /// Bytes since then.
    progress: usize,
}

impl Pace<'_> {
    fn new(reader: &BodyReader) -> Pace<'_> {
        Pace { reader, deadline: None, progress: 0 }
    }

    /// The next piece, which is not empty; `None` is the end.
    async fn next(&mut self, incoming: &mut Incoming) -> Result<Option<Bytes>, Refusal> {
        poll_fn(|cx| self.poll_next(incoming, cx)).await
    }

    /// Waits for the end behind the last byte. HTTP/2 may say it later; left unheard, it would
    /// look like a body that nobody wants.
    async fn end(&mut self, incoming: &mut Incoming) -> Result<(), Refusal> {
        if incoming.is_end_stream() || self.next(incoming).await?.is_none() {
            return Ok(());
        }
        Err(Refusal::Broken)
    }

    fn poll_next(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Refusal>> {
        loop {
            match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Refusal::Broken)),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers say nothing here.
                    let bytes = frame.into_data().unwrap_or_default();
                    if !bytes.is_empty() {
                        self.advance(bytes.len());
                        return Poll::Ready(Ok(Some(bytes)));
                    }
                }
                Poll::Pending => {
                    let reader = self.reader;
                    let late = || reader.timers.deadline(reader.wait);
                    let deadline = self.deadline.get_or_insert_with(late);
                    return Pin::new(deadline).poll(cx).map(|()| Err(Refusal::TooSlow));
                }
            }
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.progress += bytes;
        if self.progress >= HTTP_PROGRESS_BYTES {
            (self.deadline, self.progress) = (None, 0);
        }
    }
}
