//! The least of an HTTP client.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::process::HANG;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Head of the answer, in lower case.
    pub head: String,
    pub body: String,
}

/// The answer to a GET.
pub fn get(addr: &str, path: &str) -> Answer {
    ask(addr, "GET", path).expect("the admin port answers")
}

/// The answer to a POST of JSON.
pub fn post(addr: &str, path: &str, json: &str) -> Answer {
    let head = format!("host: {addr}\r\ncontent-type: application/json\r\n");
    post_with(addr, path, &head, json)
}

/// The answer to a POST with these lines in its head.
pub fn post_with(addr: &str, path: &str, head: &str, body: &str) -> Answer {
    let length = format!("content-length: {}\r\n", body.len());
    exchange(addr, &format!("POST {path} HTTP/1.1\r\n{head}{length}"), body).expect("an answer")
}

/// The answer to a request without a body; `None` where the port is closed or closes.
pub fn ask(addr: &str, method: &str, path: &str) -> Option<Answer> {
    exchange(addr, &format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\n"), "")
}

fn exchange(addr: &str, head: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(addr).ok()?;
    stream.set_read_timeout(Some(HANG)).expect("a time");
    let request = format!("{head}connection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).expect("pages are text");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    Some(Answer { status, head: head.to_lowercase(), body: body.to_owned() })
}
