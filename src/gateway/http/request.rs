//! A request, whole.

use std::net::SocketAddr;
use std::ops::Deref;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};

use super::memory::Held;

/// Everything in front of a body.
#[derive(Clone, Debug)]
pub struct Head {
    /// As sent.
    pub method: Method,
    /// As sent. HTTP/2 has the host here, as authority, and often in no header.
    pub uri: Uri,
    /// Of the connection.
    pub version: Version,
    /// As sent, names in lower case.
    pub headers: HeaderMap,
    /// The client, or the last proxy before us.
    pub peer: Option<SocketAddr>,
    /// Whether it came through TLS.
    pub secure: bool,
}

/// A request with its body.
#[derive(Debug)]
pub struct Request {
    /// Everything in front of the body.
    pub head: Head,
    /// The body.
    pub body: Payload,
}

/// A body, and the permit for its memory: that ends with this value, so keep it as long as the
/// bytes.
#[derive(Debug, Default)]
pub struct Payload {
    bytes: Bytes,
    held: Option<Held>,
}

impl Payload {
    /// Bytes that a permit was taken for.
    #[must_use]
    pub(super) fn new(bytes: Bytes, held: Held) -> Payload {
        Payload { bytes, held: Some(held) }
    }

    /// The bytes, to be shared.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes and the permit for them.
    #[must_use]
    pub fn into_parts(self) -> (Bytes, Option<Held>) {
        (self.bytes, self.held)
    }
}

/// A body that costs nothing, for tests of handlers.
impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload { bytes, held: None }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
