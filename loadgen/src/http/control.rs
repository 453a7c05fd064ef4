//! One request at a time: streams, consumers, shards, and reading back.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use shardway::security::BodyHash;
use shardway::security::sigv4::Signer;

use super::answer::{Refusal, next_answer};
use super::endpoint::{Endpoint, Identity, wall_clock};
use super::request::head;
use super::transport::{ANSWER_TIMEOUT, Spoken, Transport};
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::inbox::Inbox;

/// What is refused for being too much is asked for again for so long.
const RETRY_TIME: Duration = Duration::from_secs(60);
/// And so often.
const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// A connection that was idle for longer may have been closed: another is opened.
const IDLE: Duration = Duration::from_secs(2);

/// A blocking client of the API.
#[derive(Debug)]
pub struct Control {
    endpoint: Endpoint,
    signer: Signer,
    connection: Option<(Transport, Inbox)>,
    used_ns: u64,
}

impl Control {
    /// Connects when it is first used.
    #[must_use]
    pub fn new(endpoint: &Endpoint, identity: &Identity) -> Control {
        let (endpoint, signer) = (endpoint.clone(), identity.signer());
        Control { endpoint, signer, connection: None, used_ns: 0 }
    }

    /// Asks for an operation; an answer without a body is null.
    pub fn call(&mut self, operation: &str, input: &Value) -> Result<Value> {
        self.ask(operation, input, |body| {
            if body.is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_slice(body).map_err(|e| not_json(operation, &e))
        })
    }

    /// Asks for an operation and hands its answer over as it came. What is throttled is asked for
    /// again, for a while.
    pub fn ask<T>(
        &mut self,
        operation: &str,
        input: &Value,
        take: impl FnMut(&[u8]) -> Result<T>,
    ) -> Result<T> {
        self.send(operation, input.to_string().as_bytes(), take)
    }

    /// The same, with a body that is written already.
    pub fn send<T>(
        &mut self,
        operation: &str,
        body: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let deadline = now_ns() + nanos(RETRY_TIME);
        loop {
            match self.attempt(operation, body, &mut take) {
                Err(Failure::Refused(refusal))
                    if refusal.is_throttling() && now_ns() < deadline =>
                {
                    thread::sleep(RETRY_PAUSE);
                }
                result => return result,
            }
        }
    }

    fn attempt<T>(
        &mut self,
        operation: &str,
        body: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let hash = BodyHash::of(body);
        let size = (body.len(), &hash);
        let mut request = head(&mut self.signer, &self.endpoint, operation, size, wall_clock());
        request.extend_from_slice(body);
        if now_ns() > self.used_ns + nanos(IDLE) {
            self.connection = None;
        }
        let (mut stream, mut inbox) = match self.connection.take() {
            Some(connection) => connection,
            None => (Transport::connect(&self.endpoint, Spoken::Http1)?, Inbox::default()),
        };
        stream.write_all(&request).map_err(Failure::io(format!("sending {operation}")))?;
        loop {
            if let Some(answer) = next_answer(&mut inbox)? {
                let closes = answer.closes;
                let result = match answer.status {
                    200 => take(&answer.body),
                    status => Err(Failure::Refused(Refusal::of(operation, status, &answer.body))),
                };
                if !closes {
                    self.connection = Some((stream, inbox));
                }
                self.used_ns = now_ns();
                return result;
            }
            match inbox.fill(&mut stream) {
                Ok(0) => return Err(Failure::Stalled("it closed a connection".to_owned())),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    let what = format!("no answer to {operation} within {ANSWER_TIMEOUT:?}");
                    return Err(Failure::Stalled(what));
                }
                Err(e) => return Err(Failure::io("receiving")(e)),
            }
        }
    }
}

/// An answer that is none.
pub fn not_json(operation: &str, error: &serde_json::Error) -> Failure {
    Failure::Protocol(format!("the answer to {operation} is not as the API has it: {error}"))
}
