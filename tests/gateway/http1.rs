//! A client of HTTP/1.1 in bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::process::{HANG, text};

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice: {self:?}");
        first
    }

    pub fn text(&self) -> String {
        text(&self.body)
    }
}

/// A request, as it is put together.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A signature whose form is right.
pub const SIGNED: &str = "AWS4-HMAC-SHA256 \
                          Credential=AKID/20260101/us-east-1/kinesis/aws4_request, \
                          SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=00";
/// When it would have been made.
pub const SIGNED_AT: &str = "20260101T000000Z";
pub const JSON: &str = "application/x-amz-json-1.1";
pub const CBOR: &str = "application/x-amz-cbor-1.1";

impl Ask {
    /// As an SDK would send it.
    pub fn new(operation: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Ask {
        let target = format!("Kinesis_20131202.{operation}");
        let headers = [
            ("Host", "localhost"),
            ("Content-Type", content_type),
            ("X-Amz-Target", &target),
            ("X-Amz-Date", SIGNED_AT),
            ("Authorization", SIGNED),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Ask { method: "POST".into(), path: "/".into(), headers, body: body.into() }
    }

    pub fn method(self, method: &str) -> Ask {
        Ask { method: method.to_owned(), ..self }
    }

    pub fn path(self, path: &str) -> Ask {
        Ask { path: path.to_owned(), ..self }
    }

    pub fn without(mut self, name: &str) -> Ask {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// With this header instead of any other of the name.
    pub fn header(self, name: &str, value: &str) -> Ask {
        let mut ask = self.without(name);
        ask.headers.push((name.to_owned(), value.to_owned()));
        ask
    }

    /// The head alone, with the length of the body.
    pub fn head(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        let length = ("Content-Length".to_owned(), self.body.len().to_string());
        for (name, value) in self.headers.iter().chain([&length]) {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head(), self.body.clone()].concat()
    }
}

/// A connection.
pub struct Conn {
    io: TcpStream,
    /// Read, and not taken yet.
    ahead: Vec<u8>,
}

impl Conn {
    pub fn connect(addr: SocketAddr) -> Conn {
        Conn::of(TcpStream::connect(addr).expect("the server listens"))
    }

    pub fn of(io: TcpStream) -> Conn {
        io.set_read_timeout(Some(HANG)).expect("sockets have timeouts");
        io.set_write_timeout(Some(HANG)).expect("sockets have timeouts");
        io.set_nodelay(true).expect("TCP has it");
        Conn { io, ahead: Vec::new() }
    }

    /// Keeps its receive buffer as small as the system allows: what it does not read waits in the
    /// server.
    pub fn deafen(&self) {
        let bytes: libc::c_int = 2048;
        // SAFETY: the option takes an int, which lives through the call.
        let result = unsafe {
            libc::setsockopt(
                self.io.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw const bytes).cast(),
                size_of_val(&bytes) as libc::socklen_t,
            )
        };
        assert_eq!(result, 0, "sockets have buffers");
    }

    pub fn socket(&self) -> &TcpStream {
        &self.io
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.io.write_all(bytes).expect("the server takes it");
    }

    /// Whether the server took it all.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.io.write_all(bytes).is_ok()
    }

    /// Nothing more will be sent.
    pub fn finish_sending(&mut self) {
        self.io.shutdown(Shutdown::Write).expect("it is connected");
    }

    pub fn ask(&mut self, ask: &Ask) -> Answer {
        self.send(&ask.bytes());
        let end = ask.method == "HEAD";
        self.answer_to(end).expect("an answer, and not the end of the connection")
    }

    /// The next answer; `None` when the connection ends instead.
    pub fn answer(&mut self) -> Option<Answer> {
        self.answer_to(false)
    }

    fn answer_to(&mut self, no_body: bool) -> Option<Answer> {
        let mut answer = self.answer_head()?;
        if no_body {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk() {
                answer.body.extend(chunk);
            }
        } else {
            answer.body = self.body_of(&answer);
        }
        Some(answer)
    }

    /// The body of a head that says its length.
    pub fn body_of(&mut self, head: &Answer) -> Vec<u8> {
        let length = head.header("content-length").expect("a length").parse().expect("a number");
        self.exactly(length).expect("as many bytes as were declared")
    }

    /// Status and headers of the next answer.
    pub fn answer_head(&mut self) -> Option<Answer> {
        let status = self.line()?;
        let mut words = status.splitn(3, ' ');
        assert_eq!(words.next(), Some("HTTP/1.1"), "{status}");
        let status = words.next().and_then(|code| code.parse().ok());
        let mut answer = Answer { status: status.expect("three digits"), ..Answer::default() };
        loop {
            let line = self.line().expect("the rest of a head");
            if line.is_empty() {
                return Some(answer);
            }
            let (name, value) = line.split_once(':').expect("a header");
            answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next chunk of a chunked body; `None` is its end.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let chunk = self.try_chunk().expect("a chunk, and not the end of the connection");
        (!chunk.is_empty()).then_some(chunk)
    }

    /// The same, where the connection may end: then, too, it is `None`, and at the end of the body
    /// it is empty.
    pub fn try_chunk(&mut self) -> Option<Vec<u8>> {
        let length = self.line()?;
        let length = usize::from_str_radix(&length, 16).expect("of hexadecimal digits");
        let chunk = self.exactly(length)?;
        assert_eq!(self.line()?, "", "the end of a chunk");
        Some(chunk)
    }

    /// The end, or the end of all there is within `wait`: nothing more was said.
    pub fn is_silent_for(&mut self, wait: Duration) -> bool {
        self.io.set_read_timeout(Some(wait)).expect("sockets have timeouts");
        let silent = self.ahead.is_empty() && !self.fill();
        self.io.set_read_timeout(Some(HANG)).expect("sockets have timeouts");
        silent
    }

    /// Waits for the end of the connection. What comes before it is lost.
    pub fn wait_end(&mut self) {
        loop {
            self.ahead.clear();
            match self.io.read(&mut [0; 4096]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                Err(error) => panic!("{error} instead of the end"),
            }
        }
    }

    /// All answers up to the end of the connection.
    pub fn answers_to_end(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.answer()).collect()
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|two| two == b"\r\n") {
                let line = text(&self.ahead[..end]);
                self.ahead.drain(..end + 2);
                return Some(line);
            }
            if !self.fill() {
                assert!(self.ahead.is_empty(), "an answer was cut off: {:?}", text(&self.ahead));
                return None;
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.ahead.len() < length {
            if !self.fill() {
                return None;
            }
        }
        Some(self.ahead.drain(..length).collect())
    }

    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.io.read(&mut bytes) {
            Ok(n) => {
                self.ahead.extend(&bytes[..n]);
                n > 0
            }
            Err(_ended_or_silent) => false,
        }
    }
}
