//! A client of HTTP/2 in frames, which keeps no rule that it is not told to keep.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::http1::{SIGNED, SIGNED_AT};
use crate::process::HANG;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

pub const PROTOCOL_ERROR: u32 = 1;
pub const FLOW_CONTROL_ERROR: u32 = 3;
pub const FRAME_SIZE_ERROR: u32 = 6;
pub const COMPRESSION_ERROR: u32 = 9;

/// A frame that was received.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The code of GOAWAY and RST_STREAM.
    pub fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    /// Whether the answer begins with status 200, which has a place in the static table.
    pub fn is_ok(&self) -> bool {
        assert_eq!(self.kind, HEADERS, "{self:?}");
        // A change of the table's size may come first.
        self.payload.iter().find(|byte| *byte & 0xe0 != 0x20) == Some(&0x88)
    }
}

/// A connection.
pub struct Frames {
    pub io: TcpStream,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header that nobody is to remember, unpacked.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut block = vec![0x10];
    for text in [name, value] {
        // A length in a prefix of seven bits.
        let mut rest = text.len();
        if rest < 127 {
            block.push(rest as u8);
        } else {
            block.push(127);
            rest -= 127;
            while rest >= 128 {
                block.push(0x80 | (rest % 128) as u8);
                rest /= 128;
            }
            block.push(rest as u8);
        }
        block.extend(text.as_bytes());
    }
    block
}

/// The headers of a request as an SDK sends it.
pub fn head(operation: &str) -> Vec<u8> {
    let target = format!("Kinesis_20131202.{operation}");
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "localhost"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", &target),
        ("x-amz-date", SIGNED_AT),
        ("authorization", SIGNED),
    ];
    headers.iter().flat_map(|(name, value)| literal(name, value)).collect()
}

impl Frames {
    /// Says the preface and these settings.
    pub fn with_settings(addr: SocketAddr, settings: &[(u16, u32)]) -> Frames {
        let io = TcpStream::connect(addr).expect("the server listens");
        io.set_read_timeout(Some(HANG)).expect("sockets have timeouts");
        io.set_write_timeout(Some(HANG)).expect("sockets have timeouts");
        let mut frames = Frames { io };
        frames.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let settings = settings
            .iter()
            .flat_map(|(id, value)| [id.to_be_bytes().as_slice(), &value.to_be_bytes()].concat());
        frames.send(SETTINGS, 0, 0, &settings.collect::<Vec<u8>>());
        frames
    }

    pub fn open(addr: SocketAddr) -> Frames {
        Frames::with_settings(addr, &[])
    }

    /// Whether the server took it all.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.io.write_all(bytes).is_ok()
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// A whole request.
    pub fn ask(&mut self, stream: u32, operation: &str, body: &[u8]) -> bool {
        self.send(HEADERS, END_HEADERS, stream, &head(operation))
            && self.send(DATA, END_STREAM, stream, body)
    }

    /// The next frame; `None` is the end. Settings are acknowledged, pings are not.
    pub fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        let mut read = |bytes: &mut [u8]| match self.io.read_exact(bytes) {
            Ok(()) => true,
            Err(error) => {
                let kinds = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                assert!(kinds.contains(&error.kind()), "{error} instead of a frame");
                false
            }
        };
        if !read(&mut head) {
            return None;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        if !read(&mut payload) {
            return None;
        }
        let stream = u32::from_be_bytes(head[5..].try_into().expect("four bytes"));
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            self.send(SETTINGS, ACK, 0, &[]);
        }
        Some(frame)
    }

    /// The next frame of a kind; what comes before it is lost.
    pub fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// What the server says about the connection before it ends it: the code, if it says one.
    pub fn goodbye(&mut self) -> Option<u32> {
        let code = self.next_of(GOAWAY).map(|frame| frame.error());
        while self.read().is_some() {}
        code
    }

    /// Whether a request is served here.
    pub fn is_served(&mut self, stream: u32) -> bool {
        self.ask(stream, "ListStreams", b"{}");
        loop {
            match self.read() {
                Some(frame) if frame.kind == HEADERS && frame.stream == stream => {
                    return frame.is_ok();
                }
                Some(frame) if frame.kind == RST_STREAM && frame.stream == stream => return false,
                Some(_) => {}
                None => return false,
            }
        }
    }
}
