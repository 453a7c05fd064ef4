//! Answers of HTTP/1.1, found whole in what has arrived.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::inbox::Inbox;

/// Header lines of an answer at most.
const HEADERS_MAX: usize = 64;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The body, without chunks.
    pub body: Cow<'a, [u8]>,
    /// Whether the server will close the connection.
    pub closes: bool,
}

/// Why a request was not served, in the API's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The operation.
    pub operation: String,
    /// The status.
    pub status: u16,
    /// The error's name.
    pub code: String,
    /// Its sentence.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { operation, status, code, message } = self;
        write!(f, "{operation} was answered {status} {code}: {message}")
    }
}

impl Refusal {
    /// From the answer to `operation`.
    #[must_use]
    pub fn of(operation: &str, status: u16, body: &[u8]) -> Refusal {
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "__type", default)]
            code: String,
            #[serde(alias = "Message", default)]
            message: String,
        }
        let body: Body = serde_json::from_slice(body).unwrap_or_else(|_no_json| {
            let text = String::from_utf8_lossy(body).trim().chars().take(200).collect();
            Body { code: String::new(), message: text }
        });
        // Some write the shape's whole name: `namespace#Name:uri`.
        let code = body.code.rsplit('#').next().unwrap_or_default();
        let code = code.split(':').next().unwrap_or_default().to_owned();
        Refusal { operation: operation.to_owned(), status, code, message: body.message }
    }

    /// Whether the server has too much to do: nothing was stored, and later it may be.
    #[must_use]
    pub fn is_throttling(&self) -> bool {
        self.status == 503
            || self.status == 429
            || matches!(
                self.code.as_str(),
                "ProvisionedThroughputExceededException"
                    | "LimitExceededException"
                    | "ThrottlingException"
                    | "KMSThrottlingException"
            )
    }
}

/// Takes the next whole answer out of `inbox`.
pub fn next_answer(inbox: &mut Inbox) -> Result<Option<Answer<'_>>> {
    let Some(parsed) = parse(inbox.unread())? else { return Ok(None) };
    let Parsed { status, closes, head_bytes, body_bytes, chunks } = parsed;
    let taken = inbox.take(head_bytes + body_bytes);
    let body = &taken[head_bytes..];
    let body = match chunks {
        None => Cow::Borrowed(body),
        Some(chunks) => {
            Cow::Owned(chunks.into_iter().flat_map(|range| body[range].iter().copied()).collect())
        }
    };
    Ok(Some(Answer { status, body, closes }))
}

struct Parsed {
    status: u16,
    closes: bool,
    head_bytes: usize,
    body_bytes: usize,
    chunks: Option<Vec<std::ops::Range<usize>>>,
}

fn parse(bytes: &[u8]) -> Result<Option<Parsed>> {
    let broken = |what: String| Failure::Protocol(format!("no answer of HTTP/1.1: {what}"));
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head_bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(broken(e.to_string())),
    };
    let status = response.code.expect("a complete head has a status");
    let (mut length, mut chunked) = (None, false);
    let mut closes = response.version == Some(0);
    for header in response.headers.iter() {
        let value = || std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            let number: usize =
                value().parse().map_err(|_| broken(format!("content-length {}", value())))?;
            length = Some(number);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value().eq_ignore_ascii_case("chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes = value().eq_ignore_ascii_case("close");
        }
    }
    let rest = &bytes[head_bytes..];
    if chunked {
        let Some((body_bytes, chunks)) = find_chunks(rest)? else { return Ok(None) };
        return Ok(Some(Parsed { status, closes, head_bytes, body_bytes, chunks: Some(chunks) }));
    }
    let body_bytes = match length {
        Some(length) => length,
        None if status == 204 => 0,
        None => return Err(broken("a body without a length".to_owned())),
    };
    let whole = rest.len() >= body_bytes;
    Ok(whole.then_some(Parsed { status, closes, head_bytes, body_bytes, chunks: None }))
}

/// The length of a chunked body, and where its data lies.
type Chunks = (usize, Vec<std::ops::Range<usize>>);

fn find_chunks(bytes: &[u8]) -> Result<Option<Chunks>> {
    let (mut at, mut chunks) = (0, Vec::new());
    loop {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Failure::Protocol("a chunk has no size".to_owned())),
        };
        let start = at + line;
        let Some(end) = usize::try_from(size).ok().and_then(|size| start.checked_add(size)) else {
            return Err(Failure::Protocol("a chunk has an impossible size".to_owned()));
        };
        if bytes.len() < end + 2 {
            return Ok(None);
        }
        at = end + 2;
        if size == 0 {
            // Trailers would stand here; no Kinesis sends any.
            return Ok(Some((at, chunks)));
        }
        chunks.push(start..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(bytes: &[u8]) -> Inbox {
        let mut inbox = Inbox::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            inbox.fill(&mut rest).expect("a slice can be read");
        }
        inbox
    }

    #[test]
    fn answers_are_found_whole_one_behind_the_other() {
        let first = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let second = b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\
                       Connection: close\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n";
        let all = [&first[..], &second[..]].concat();
        for cut in 0..first.len() {
            assert_eq!(next_answer(&mut inbox(&all[..cut])).expect("no mistake"), None);
        }
        for cut in 0..second.len() {
            assert_eq!(next_answer(&mut inbox(&second[..cut])).expect("no mistake"), None);
        }
        let mut inbox = inbox(&all);
        let answer = next_answer(&mut inbox).expect("valid").expect("whole");
        assert_eq!((answer.status, &*answer.body, answer.closes), (200, &b"hello"[..], false));
        let answer = next_answer(&mut inbox).expect("valid").expect("whole");
        assert_eq!((answer.status, &*answer.body, answer.closes), (400, &b"abcdefg"[..], true));
        assert_eq!(next_answer(&mut inbox).expect("valid"), None);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for text in [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(next_answer(&mut inbox(text.as_bytes())).is_err(), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_read_in_all_forms() {
        let of = |body: &str| Refusal::of("PutRecord", 400, body.as_bytes());
        let plain = of(r#"{"__type":"ResourceNotFoundException","message":"no"}"#);
        assert_eq!(
            (plain.code.as_str(), plain.message.as_str()),
            ("ResourceNotFoundException", "no")
        );
        let coral = of(r#"{"__type":"com.amazon#SerializationException:http://x","Message":"m"}"#);
        assert_eq!((coral.code.as_str(), coral.message.as_str()), ("SerializationException", "m"));
        assert_eq!(of("<html>").message, "<html>");
        assert!(of(r#"{"__type":"ProvisionedThroughputExceededException"}"#).is_throttling());
        assert!(Refusal::of("PutRecords", 503, b"").is_throttling() && !plain.is_throttling());
    }
}
