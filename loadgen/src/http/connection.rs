//! A nonblocking connection of HTTP/1.1, with one request at a time.

use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use super::answer::{Answer, next_answer};
use super::endpoint::Endpoint;
use super::pool::Pool;
use super::transport::{Spoken, Transport};
use crate::failure::{Failure, Result};
use crate::inbox::Inbox;
use crate::poll::Poller;

/// A connection that is kept open.
#[derive(Debug)]
pub struct Connection {
    endpoint: Endpoint,
    token: usize,
    stream: Transport,
    inbox: Inbox,
    wants_write: bool,
    request: Option<Outgoing>,
    /// Whether the server will close it: the next request takes another.
    closing: bool,
}

/// A request without its answer.
#[derive(Debug)]
struct Outgoing {
    head: Rc<[u8]>,
    pool: Rc<Pool>,
    slot: usize,
    sent: usize,
}

impl Outgoing {
    fn parts(&self) -> [&[u8]; 2] {
        [&self.head, &self.pool.batch(self.slot).body]
    }

    fn write(&mut self, stream: &mut Transport) -> io::Result<usize> {
        let [head, body] = self.parts();
        let head_left = &head[self.sent.min(head.len())..];
        let body_left = &body[self.sent.saturating_sub(head.len())..];
        let written = stream.write_vectored(&[IoSlice::new(head_left), IoSlice::new(body_left)])?;
        self.sent += written;
        Ok(written)
    }

    fn is_sent(&self) -> bool {
        self.sent == self.parts().iter().map(|part| part.len()).sum::<usize>()
    }
}

impl Connection {
    /// Connects; the poller knows it as `token`.
    pub fn open(endpoint: &Endpoint, poller: &Poller, token: usize) -> Result<Connection> {
        Ok(Connection {
            endpoint: endpoint.clone(),
            token,
            stream: watched(endpoint, poller, token)?,
            inbox: Inbox::default(),
            wants_write: false,
            request: None,
            closing: false,
        })
    }

    /// Sends a request; the one before was answered.
    pub fn send(
        &mut self,
        head: Rc<[u8]>,
        pool: &Rc<Pool>,
        slot: usize,
        poller: &Poller,
    ) -> Result<()> {
        assert!(self.request.is_none(), "one request at a time");
        if self.closing {
            self.reopen(poller)?;
        }
        self.request = Some(Outgoing { head, pool: Rc::clone(pool), slot, sent: 0 });
        self.flush(poller)
    }

    /// Sends what can be sent; the poller tells when the rest can go.
    pub fn flush(&mut self, poller: &Poller) -> Result<()> {
        let Some(request) = &mut self.request else { return Ok(()) };
        while !request.is_sent() {
            match request.write(&mut self.stream) {
                Ok(0) => return Err(Failure::io("sending")(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Failure::io("sending")(e)),
            }
        }
        if request.is_sent() {
            match self.stream.flush() {
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => {
                    return Err(Failure::io("sending")(e));
                }
                _ => {}
            }
        }
        let wants_write = !request.is_sent() || self.stream.owes();
        if wants_write != self.wants_write {
            poller
                .want_write(&self.stream, self.token, wants_write)
                .map_err(Failure::io("watching a connection"))?;
            self.wants_write = wants_write;
        }
        Ok(())
    }

    /// Reads what has arrived, and hands over the answer if it is whole.
    pub fn receive<T>(
        &mut self,
        poller: &Poller,
        take: impl FnOnce(Answer<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        loop {
            let drained = match self.inbox.fill(&mut self.stream) {
                Ok(0) => return self.ended(poller).map(|()| None),
                Ok(_) => self.inbox.has_room(),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => true,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::io("receiving")(e)),
            };
            if let Some(answer) = next_answer(&mut self.inbox)? {
                let Some(request) = self.request.take() else {
                    return Err(Failure::Protocol("an answer that nobody asked for".to_owned()));
                };
                // Whoever answers before the end of a request does not read the rest of it.
                self.closing = answer.closes || !request.is_sent();
                return take(answer).map(Some);
            }
            if drained {
                return Ok(None);
            }
        }
    }

    /// Between requests a server may close a connection.
    fn ended(&mut self, poller: &Poller) -> Result<()> {
        if self.request.is_some() {
            return Err(Failure::Stalled("it closed a connection instead of answering".to_owned()));
        }
        self.reopen(poller)
    }

    fn reopen(&mut self, poller: &Poller) -> Result<()> {
        self.stream = watched(&self.endpoint, poller, self.token)?;
        (self.inbox, self.wants_write, self.closing) = (Inbox::default(), false, false);
        Ok(())
    }
}

fn watched(endpoint: &Endpoint, poller: &Poller, token: usize) -> Result<Transport> {
    let stream = Transport::connect(endpoint, Spoken::Http1)?;
    stream
        .set_nonblocking()
        .and_then(|()| poller.add(&stream, token))
        .map_err(Failure::io("watching a connection"))?;
    Ok(stream)
}
