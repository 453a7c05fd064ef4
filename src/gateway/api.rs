//! The AWS API as a handler of HTTP requests: what is checked before an operation, in the order of
//! AWS, and what every answer carries.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use crate::base::rng::SplitMix64;
use crate::gateway::answers::Answers;
use crate::gateway::error::{ERROR_TYPE_HEADER, Refusal};
use crate::gateway::host::Host;
use crate::gateway::http::{
    Aborted, ChunkSource, Handler, Head, Refusal as HttpRefusal, Request, Response, ResponseBody,
};
use crate::gateway::model::Operation;
use crate::gateway::operations::subscribe::Subscription;
use crate::gateway::operations::{Answer, Settings, serve};
use crate::gateway::value::{self, Format};
use crate::metrics::{HttpClass, HttpRequests, HttpStatus};
use crate::security::sigv4::{Request as SignedRequest, Verifier};
use crate::security::{BodyHash, Credentials};

/// The keys that count now. Whoever reads their file replaces them.
pub type SharedCredentials = Rc<RefCell<Arc<Credentials>>>;

/// How requests were answered, for whoever shows it.
pub type SharedRequests = Rc<RefCell<HttpRequests>>;

/// See the module. One for each core.
pub struct Api<H: Host> {
    host: Rc<H>,
    settings: Settings,
    verifier: RefCell<Verifier>,
    credentials: SharedCredentials,
    answers: Answers,
    requests: SharedRequests,
    ids: RefCell<SplitMix64>,
}

/// A content type that only old clients send; AWS answers in the form of an older protocol.
const OLD_JSON: &str = "application/json";
/// What browsers may read of an answer (AWS).
const EXPOSED: &str = "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,\
                       x-amzn-ErrorMessage,Date";
/// Seconds for which a browser may keep the answer to OPTIONS (AWS).
const CORS_MAX_AGE: &str = "172800";
/// Bytes behind `x-amz-id-2` (AWS: 64 to 80).
const EXTENDED_ID_BYTES: usize = 72;

/// How a body of an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Aws(Format),
    OldJson,
    Xml,
}

impl<H: Host> fmt::Debug for Api<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<H: Host> Api<H> {
    /// Serves what `host` has. `answers` is the budget of what is not taken yet, `seed` makes the
    /// ids of its requests.
    #[must_use]
    pub fn new(
        host: Rc<H>,
        settings: Settings,
        verifier: Verifier,
        credentials: SharedCredentials,
        answers: Answers,
        requests: SharedRequests,
        seed: u64,
    ) -> Api<H> {
        let (verifier, ids) = (RefCell::new(verifier), RefCell::new(SplitMix64::new(seed)));
        Api { host, settings, verifier, credentials, answers, requests, ids }
    }

    async fn answer(&self, request: &Request) -> Response {
        let head = &request.head;
        let origin = head.headers.contains_key(ORIGIN);
        if head.method == Method::OPTIONS && origin {
            return self.preflight(head);
        }
        let kind = kind_of(head);
        let served = match self.read_head(request, kind) {
            Ok((operation, format)) => self.serve(operation, format, request).await,
            Err((kind, refusal)) => Err((kind, refusal)),
        };
        let response = match served {
            Ok(response) => response,
            Err((kind, refusal)) => refuse(kind, &refusal),
        };
        self.finish(response, origin)
    }

    /// What can be refused without a look at the body's content.
    fn read_head(
        &self,
        request: &Request,
        kind: Option<Kind>,
    ) -> Result<(Operation, Format), (Kind, Refusal)> {
        let head = &request.head;
        if head.method != Method::POST {
            return Err((Kind::Xml, access_denied()));
        }
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let operation = operation_of(head);
        let body = request.body.bytes();
        if body.is_empty() {
            let refusal = match operation {
                Some(_) => Refusal::serialization(""),
                None => Refusal::unknown_operation(),
            };
            let exactly_json = kind == Some(Kind::Aws(Format::Json));
            let format = if exactly_json { Format::Json } else { Format::Cbor };
            return Err((Kind::Aws(format), refusal));
        }
        match (kind, operation, target) {
            (None | Some(Kind::Xml), _, None) => Err((Kind::Xml, access_denied())),
            (None | Some(Kind::Xml), ..) => {
                Err((Kind::Xml, Refusal { status: 404, ..Refusal::unknown_operation() }))
            }
            (Some(Kind::OldJson), ..) if value::parse(Format::Json, body).is_err() => {
                Err((Kind::OldJson, Refusal::serialization("")))
            }
            (Some(Kind::OldJson), ..) => Err((Kind::OldJson, Refusal::unknown_operation())),
            (Some(Kind::Aws(format)), None, _) => {
                let refusal = match is_object(format, body) {
                    true => Refusal::unknown_operation(),
                    false => Refusal::serialization(""),
                };
                Err((Kind::Aws(format), refusal))
            }
            (Some(Kind::Aws(format)), Some(operation), _) => Ok((operation, format)),
        }
    }

    async fn serve(
        &self,
        operation: Operation,
        format: Format,
        request: &Request,
    ) -> Result<Response, (Kind, Refusal)> {
        let body = request.body.bytes();
        let refused = |refusal| (Kind::Aws(format), refusal);
        if let Err(refusal) = self.authenticate(request) {
            // A body that cannot be read is found first (AWS).
            let readable = is_object(format, body);
            return Err(refused(if readable { refusal } else { Refusal::serialization("") }));
        }
        let answer = serve(&self.host, &self.settings, operation, format, body).await;
        let (content_type, body) = match answer.map_err(refused)? {
            Answer::Body(body) if body.is_empty() => (format.content_type(), ResponseBody::Empty),
            // Whoever is told that a put failed puts again: its answer always has room.
            Answer::Body(body)
                if self.answers.is_full_for(body.len()) && operation != Operation::PutRecords =>
            {
                let text = "too many answers wait for their clients; try again";
                let refusal = Refusal::client("ServiceUnavailable", text);
                return Err(refused(Refusal { status: 503, ..refusal }));
            }
            Answer::Body(body) => {
                (format.content_type(), ResponseBody::Bytes(self.answers.hold(body)))
            }
            Answer::Events(subscription) => {
                let events = ResponseBody::Stream(Box::new(Events(*subscription)));
                ("application/vnd.amazon.eventstream", events)
            }
        };
        let content_type = HeaderValue::from_static(content_type);
        Ok(Response::new(StatusCode::OK).with_header(CONTENT_TYPE, content_type).with_body(body))
    }

    fn authenticate(&self, request: &Request) -> Result<(), Refusal> {
        let Head { method, uri, headers, .. } = &request.head;
        let mut verifier = self.verifier.borrow_mut();
        let body_sha256 = match verifier.needs_body_hash() {
            true => BodyHash::of(request.body.bytes()),
            false => [0; 32],
        };
        let named: Vec<(&str, &[u8])> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let signed = SignedRequest {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            authority: uri.authority().map(|authority| authority.as_str()),
            headers: named.iter().copied(),
            body_sha256: &body_sha256,
        };
        let now = self.host.look(|_, _, now| now.wall);
        let credentials = self.credentials.borrow().clone();
        match verifier.verify(&signed, &credentials, now) {
            Ok(_) => Ok(()),
            Err(error) => Err(Refusal::client(error.code().name(), error.message())),
        }
    }

    /// The answer to a browser that asks what it may send.
    fn preflight(&self, head: &Head) -> Response {
        let max_age = HeaderValue::from_static(CORS_MAX_AGE);
        let mut response =
            Response::new(StatusCode::OK).with_header(ACCESS_CONTROL_MAX_AGE, max_age);
        let echoed = [
            (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
            (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        ];
        for (asked, allowed) in echoed {
            if let Some(value) = head.headers.get(asked) {
                response = response.with_header(allowed, value.clone());
            }
        }
        with_cors(self.with_request_id(response))
    }

    /// Adds what every answer has.
    fn finish(&self, response: Response, origin: bool) -> Response {
        let mut bytes = [0; EXTENDED_ID_BYTES];
        self.random(&mut bytes);
        let id = HeaderValue::try_from(STANDARD.encode(bytes)).expect("base64 is visible ASCII");
        let response =
            self.with_request_id(response).with_header(HeaderName::from_static("x-amz-id-2"), id);
        if origin { with_cors(response) } else { response }
    }

    fn with_request_id(&self, response: Response) -> Response {
        let mut bytes = [0; 16];
        self.random(&mut bytes);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string();
        let id = HeaderValue::try_from(id).expect("an id is visible ASCII");
        response.with_header(HeaderName::from_static("x-amzn-requestid"), id)
    }

    fn count(&self, head: &Head, status: StatusCode) {
        let class = operation_of(head).map_or(HttpClass::Unknown, Operation::class);
        self.requests.borrow_mut().add(class, HttpStatus::of(status.as_u16()));
    }

    fn random(&self, bytes: &mut [u8]) {
        self.ids.borrow_mut().fill(bytes);
    }
}

impl<H: Host> Handler for Api<H> {
    async fn call(&self, request: Request) -> Response {
        let response = self.answer(&request).await;
        self.count(&request.head, response.status);
        response
    }

    fn refuse(&self, head: &Head, refusal: HttpRefusal) -> Response {
        let status = refusal.status();
        let (code, text) = match refusal {
            HttpRefusal::TooLarge(bytes) => {
                ("RequestEntityTooLargeException", format!("a request has at most {bytes} bytes"))
            }
            HttpRefusal::TooSlow => {
                ("RequestTimeoutException", "the request did not come in time".to_owned())
            }
            HttpRefusal::Broken | HttpRefusal::Coding => {
                ("SerializationException", "the body cannot be read".to_owned())
            }
            HttpRefusal::Busy => {
                ("ServiceUnavailable", "too many requests wait for memory; try again".to_owned())
            }
        };
        let kind = kind_of(head).unwrap_or(Kind::Aws(Format::Json));
        let refusal = Refusal { status: status.as_u16(), ..Refusal::client(code, text) };
        self.count(head, status);
        self.finish(refuse(kind, &refusal), head.headers.contains_key(ORIGIN))
    }
}

/// The body of a subscription's answer.
struct Events<H: Host>(Subscription<H>);

impl<H: Host> ChunkSource for Events<H> {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        self.0.poll_frames(cx).map(|frames| frames.map(|frames| Ok(Bytes::from(frames))))
    }
}

fn operation_of(head: &Head) -> Option<Operation> {
    let target = head.headers.get("x-amz-target")?;
    target.to_str().ok().and_then(Operation::by_target)
}

/// The form that the content type asks for; `None` for one that AWS does not take.
fn kind_of(head: &Head) -> Option<Kind> {
    let content_type = head.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let name = content_type.split(';').next().unwrap_or_default().trim();
    match Format::of_content_type(content_type) {
        Some(format) => Some(Kind::Aws(format)),
        None if name == OLD_JSON => Some(Kind::OldJson),
        None => None,
    }
}

fn is_object(format: Format, body: &[u8]) -> bool {
    matches!(value::parse(format, body), Ok(value::Value::Map(_)))
}

fn access_denied() -> Refusal {
    let text = "Unable to determine service/operation name to be authorized";
    Refusal { status: 403, ..Refusal::client("AccessDeniedException", text) }
}

fn refuse(kind: Kind, refusal: &Refusal) -> Response {
    let mut body = Vec::new();
    let content_type = match kind {
        Kind::Aws(format) => {
            refusal.encode(format, &mut body);
            format.content_type()
        }
        Kind::OldJson => {
            body = refusal.old_json().into_bytes();
            OLD_JSON
        }
        Kind::Xml => {
            body = refusal.xml().into_bytes();
            "text/xml"
        }
    };
    let status = StatusCode::from_u16(refusal.status).expect("refusals have statuses of HTTP");
    let mut response = Response::new(status)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(content_type))
        .with_body(ResponseBody::Bytes(Bytes::from(body)));
    if let Ok(code) = HeaderValue::from_str(&refusal.code) {
        let name = ERROR_TYPE_HEADER.to_ascii_lowercase();
        let name = HeaderName::try_from(name).expect("a header's name");
        response = response.with_header(name, code);
    }
    response
}

fn with_cors(response: Response) -> Response {
    response
        .with_header(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
        .with_header(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED))
}
