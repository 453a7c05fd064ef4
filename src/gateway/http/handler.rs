//! Who answers requests.

use http::StatusCode;

use super::request::{Head, Request};
use super::response::Response;

/// Answers the requests of a core.
pub trait Handler: 'static {
    /// Whether a request's body shall be read, asked before any of it is and before memory is
    /// taken for it. `limit` is what the options say.
    fn admit(&self, head: &Head, limit: usize) -> Admission {
        let _ = head;
        Admission::Read(limit)
    }

    /// Answers a whole request. The future is dropped when its client goes away.
    fn call(&self, request: Request) -> impl Future<Output = Response>;

    /// The answer to a request whose body does not come, or not in full.
    fn refuse(&self, head: &Head, refusal: Refusal) -> Response {
        let _ = head;
        Response::new(refusal.status())
    }
}

/// What becomes of a request whose head has come.
#[derive(Debug)]
pub enum Admission {
    /// Its body may have so many bytes.
    Read(usize),
    /// Its body is of no interest. A body that does not come along with the head ends a connection
    /// of HTTP/1.1.
    Answer(Response),
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
