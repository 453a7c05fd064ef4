//! What a client may cost.

use std::time::Duration;

use crate::base::limits;

/// Bounds of a core's HTTP connections. The defaults stand in `base::limits` with their reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's head; above it the answer is 431.
    pub head_bytes: usize,
    /// Bytes of a request's body, unless the handler says otherwise; above it the answer is 413.
    pub body_bytes: usize,
    /// Bytes of all bodies of the core; requests that find no room wait, and then get a 503. The
    /// handler may bound its answers by it, too.
    pub bodies_bytes: usize,
    /// Connections of the core; one more is closed at once.
    pub connections: usize,
    /// Requests at a time on a connection of HTTP/2.
    pub streams: u32,
    /// For a head, from its first byte; then the answer is 408.
    pub head_wait: Duration,
    /// For each piece of a body, and for a client to take something of an answer; then 408.
    pub body_wait: Duration,
    /// For the next request.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes: limits::HTTP_HEAD_BYTES,
            body_bytes: limits::HTTP_BODY_BYTES,
            bodies_bytes: limits::HTTP_BODIES_BYTES,
            connections: limits::HTTP_CONNECTIONS,
            streams: limits::HTTP_STREAMS,
            head_wait: Duration::from_secs(limits::HTTP_HEAD_SECONDS),
            body_wait: Duration::from_secs(limits::HTTP_BODY_SECONDS),
            idle: Duration::from_secs(limits::HTTP_IDLE_SECONDS),
        }
    }
}
