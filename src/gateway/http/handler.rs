//! Who answers requests.

use http::StatusCode;

use super::request::{Head, Request};
use super::response::Response;

/// Answers the requests of a core.
pub trait Handler: 'static {
    /// How many bytes a request's body may have, asked before any of it is read. `limit` is what
    /// the options say. A response refuses the request at once.
    fn admit(&self, head: &Head, limit: usize) -> Result<usize, Response> {
        let _ = head;
        Ok(limit)
    }

    /// Answers a whole request. The future is dropped when its client goes away.
    fn call(&self, request: Request) -> impl Future<Output = Response>;

    /// The answer to a request whose body does not come, or not in full.
    fn refuse(&self, head: &Head, refusal: Refusal) -> Response {
        let _ = head;
        Response::new(refusal.status())
    }
}

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The body has more bytes than this.
    TooLarge(usize),
    /// The body does not come.
    TooSlow,
    /// The body ends too early, or its framing is broken.
    Broken,
    /// The body has a coding that nobody here knows.
    Coding,
    /// Other bodies have all the memory.
    Busy,
}

impl Refusal {
    /// The status that HTTP has for it.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::Broken => StatusCode::BAD_REQUEST,
            Refusal::Coding => StatusCode::NOT_IMPLEMENTED,
            Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
