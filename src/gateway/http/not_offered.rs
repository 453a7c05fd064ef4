//! The answer where nothing is offered.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use super::handler::Handler;
use super::request::Request;
use super::response::Response;

/// Answers every request with 404.
#[derive(Clone, Copy, Debug, Default)]
pub struct NotOffered;

impl Handler for NotOffered {
    fn call(&self, _: Request) -> impl Future<Output = Response> {
        let body = br#"{"__type":"UnknownOperationException"}"#.to_vec();
        let kind = HeaderValue::from_static("application/x-amz-json-1.1");
        let response = Response::new(StatusCode::NOT_FOUND).with_header(CONTENT_TYPE, kind);
        std::future::ready(response.with_body(body.into()))
    }
}
