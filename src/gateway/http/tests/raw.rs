//! A client of HTTP/1.1 that sends what it is told, and reads answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use super::server::TestServer;

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A connection.
pub struct Raw<S: Read + Write = TcpStream>(pub BufReader<S>);

impl TestServer {
    pub fn raw(&self) -> Raw {
        Raw(BufReader::new(self.connect()))
    }
}

/// A request with a body of known length.
pub fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

impl Raw {
    /// Says that nothing more comes.
    pub fn finish(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Whether there is something to read, or the end.
    pub fn has_news(&self) -> bool {
        let stream = self.0.get_ref();
        stream.set_nonblocking(true).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        !matches!(peeked, Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
    }
}

impl<S: Read + Write> Raw<S> {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send(post(path, body));
        self.answer()
    }

    /// The next answer.
    pub fn answer(&mut self) -> Answer {
        self.try_answer().expect("the connection has ended")
    }

    /// The next answer, or the end.
    pub fn try_answer(&mut self) -> Option<Answer> {
        let line = self.line()?;
        let mut parts = line.split(' ');
        assert!(parts.next().is_some_and(|version| version.starts_with("HTTP/1.")), "{line:?}");
        let status: u16 = parts.next().unwrap().parse().unwrap();
        let mut headers = BTreeMap::new();
        loop {
            let line = self.line().unwrap();
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "");
                break;
            };
            let doubled = headers.insert(name.to_lowercase(), value.trim().to_owned());
            assert_eq!(doubled, None, "{name} twice");
        }
        let body = if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") {
            self.chunked()
        } else {
            let len = headers.get("content-length").map_or(0, |len| len.parse().unwrap());
            let mut body = vec![0; len];
            self.0.read_exact(&mut body).unwrap();
            body
        };
        Some(Answer { status, headers, body })
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
            Err(e) => panic!("{e} instead of a line"),
        }
    }

    fn chunked(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line().unwrap(), 16).unwrap();
            let start = body.len();
            body.resize(start + size, 0);
            self.0.read_exact(&mut body[start..]).unwrap();
            assert_eq!(self.line().as_deref(), Some(""));
            if size == 0 {
                return body;
            }
        }
    }

    /// Everything until the end.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Expects that the server closes, and says nothing before it does.
    pub fn expect_end(&mut self) {
        assert_eq!(String::from_utf8_lossy(&self.rest()), "", "after the last answer");
    }
}
