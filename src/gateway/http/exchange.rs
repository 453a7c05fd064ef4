//! One request and its answer.

use std::convert::Infallible;
use std::rc::Rc;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::entry::Entry;
use super::front::Shared;
use super::handler::{Admission, Handler, Refusal};
use super::request::{Head, Request};
use super::response::{Outgoing, Response};

/// Serves a request of the connection behind `entry`.
pub(super) async fn exchange<H: Handler>(
    shared: Rc<Shared<H>>,
    entry: Rc<Entry>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Outgoing>, Infallible> {
    let open = entry.begin();
    let (parts, mut incoming) = request.into_parts();
    let head = Head {
        method: parts.method,
        uri: parts.uri,
        version: parts.version,
        headers: parts.headers,
        peer: entry.peer,
        secure: entry.secure,
    };
    let version = head.version;
    let (response, read) = answer(&shared, head, &mut incoming).await;
    // A body in chunks does not know that it has ended.
    let unread = !read && !incoming.is_end_stream();
    if unread {
        entry.leave_unread();
    }
    Ok(finish(response, version, unread, open))
}

/// The answer, and whether the body was read to its end.
async fn answer<H: Handler>(
    shared: &Shared<H>,
    head: Head,
    incoming: &mut Incoming,
) -> (Response, bool) {
    let handler = &shared.handler;
    if has_unknown_coding(&head.headers) {
        return (handler.refuse(&head, Refusal::Coding), false);
    }
    let limit = match handler.admit(&head, shared.limits.body_bytes) {
        Admission::Read(limit) => limit,
        Admission::Answer(response) => return (response, false),
    };
    match shared.bodies.read(incoming, limit).await {
        Ok(body) => (handler.call(Request { head, body }).await, true),
        Err(refusal) => (handler.refuse(&head, refusal), false),
    }
}

/// Whether the body is framed in a way that hyper passes on undone, such as `gzip, chunked`.
fn has_unknown_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || codings.next().is_some()
}

fn finish(
    response: Response,
    version: Version,
    unread: bool,
    open: super::entry::OpenRequest,
) -> http::Response<Outgoing> {
    let Response { status, mut headers, body } = response;
    // What an answer's length is, its body says.
    headers.remove(CONTENT_LENGTH);
    if unread && version < Version::HTTP_2 {
        // The rest of the body stands where the next request would.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let mut response = http::Response::new(Outgoing::new(body, open));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
