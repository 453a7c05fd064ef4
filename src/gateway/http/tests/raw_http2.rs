//! A client of HTTP/2 in frames: it packs no headers, and reads of an answer's only the status.

use std::collections::BTreeMap;
use std::io::{Read, Write};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// A frame.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A connection.
pub struct Frames<S> {
    io: S,
    /// What the server has set.
    pub settings: BTreeMap<u16, u32>,
    /// Frames that were read while another was looked for.
    kept: Vec<Frame>,
    /// What may still be sent: on the connection, on a new stream.
    windows: (i64, i64),
    /// Window updates are sent for what is received.
    pub takes: bool,
}

impl<S: Read + Write> Frames<S> {
    /// Says hello with settings and reads the server's.
    pub fn open(io: S) -> Frames<S> {
        Frames::with_settings(io, &[])
    }

    pub fn with_settings(mut io: S, settings: &[(u16, u32)]) -> Frames<S> {
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let (kept, windows) = (Vec::new(), (65_535, 65_535));
        let mut frames = Frames { io, settings: BTreeMap::new(), kept, windows, takes: true };
        let encode =
            |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        // No table: each header block then stands for itself.
        let settings = [&[(1, 0)], settings].concat();
        frames.send(SETTINGS, 0, 0, &settings.iter().flat_map(encode).collect::<Vec<u8>>());
        let theirs = frames.next_of(SETTINGS).unwrap();
        for entry in theirs.payload.chunks(6) {
            let id = u16::from_be_bytes([entry[0], entry[1]]);
            let value = u32::from_be_bytes(entry[2..].try_into().unwrap());
            frames.settings.insert(id, value);
        }
        if let Some(&window) = frames.settings.get(&4) {
            frames.windows.1 = i64::from(window);
        }
        frames.send(SETTINGS, ACK, 0, &[]);
        frames
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.try_send(kind, flags, stream, payload).unwrap();
    }

    fn try_send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let len = (payload.len() as u32).to_be_bytes();
        let mut bytes = len[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        self.io.write_all(&bytes)
    }

    /// A head, with these headers more.
    pub fn head(&mut self, stream: u32, path: &str, more: &[(&str, &str)], end: bool) {
        let mut block = Vec::new();
        let always = [(":method", "POST"), (":scheme", "http"), (":path", path)];
        for (name, value) in always.iter().chain(more) {
            // A literal that nobody is to remember (RFC 7541, 6.2.3).
            block.push(0x10);
            for text in [name, value] {
                assert!(text.len() < 127);
                block.push(text.len() as u8);
                block.extend(text.as_bytes());
            }
        }
        let flags = END_HEADERS | if end { END_STREAM } else { 0 };
        self.send(HEADERS, flags, stream, &block);
    }

    /// A whole request.
    pub fn request(&mut self, stream: u32, path: &str, body: &[u8]) {
        let len = body.len().to_string();
        let more = [(":authority", "localhost"), ("content-length", len.as_str())];
        self.head(stream, path, &more, body.is_empty());
        let mut window = self.windows.1;
        let frame = self.settings.get(&5).map_or(16_384, |max| *max as usize);
        let mut rest = body;
        while !rest.is_empty() {
            let room = self.windows.0.min(window).max(0) as usize;
            if room == 0 {
                let update = self.next_of(WINDOW_UPDATE).expect("more room");
                let more = u32::from_be_bytes(update.payload[..4].try_into().unwrap());
                match update.stream {
                    0 => self.windows.0 += i64::from(more),
                    other if other == stream => window += i64::from(more),
                    _ => {}
                }
                continue;
            }
            let (now, later) = rest.split_at(rest.len().min(room).min(frame));
            let flags = if later.is_empty() { END_STREAM } else { 0 };
            self.send(DATA, flags, stream, now);
            self.windows.0 -= now.len() as i64;
            window -= now.len() as i64;
            rest = later;
        }
    }

    /// A whole request and its answer.
    pub fn ask(&mut self, stream: u32, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        self.request(stream, path, body);
        self.answer(stream)
    }

    /// The status and body of an answer.
    pub fn answer(&mut self, stream: u32) -> (u16, Vec<u8>) {
        let (mut code, mut body) = (None, Vec::new());
        loop {
            let frame = self.next_on(stream).expect("the connection has ended");
            match frame.kind {
                HEADERS => code = Some(status(&frame.payload)),
                DATA => body.extend(&frame.payload),
                RST_STREAM if code.is_some() => return (code.unwrap(), body),
                other => panic!("frame {other} in an answer: {frame:?}"),
            }
            if frame.flags & END_STREAM != 0 {
                return (code.unwrap(), body);
            }
        }
    }

    /// The next frame of a kind; `None` is the end. Others are kept.
    pub fn next_of(&mut self, kind: u8) -> Option<Frame> {
        self.find(|frame| frame.kind == kind)
    }

    /// The next frame of a stream, apart from window updates.
    pub fn next_on(&mut self, stream: u32) -> Option<Frame> {
        self.find(|frame| frame.stream == stream && frame.kind != WINDOW_UPDATE)
    }

    fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return Some(self.kept.remove(at));
        }
        loop {
            let frame = self.read()?;
            if wanted(&frame) {
                return Some(frame);
            }
            self.kept.push(frame);
        }
    }

    fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.io.read_exact(&mut head) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return None,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(e) => panic!("{e} instead of a frame"),
        }
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        let mut payload = vec![0; len];
        self.io.read_exact(&mut payload).unwrap();
        let frame = Frame { kind: head[3], flags: head[4], stream, payload };
        // The server may have closed behind what is read here.
        if frame.kind == PING && frame.flags & ACK == 0 {
            let _ = self.try_send(PING, ACK, 0, &frame.payload);
        }
        if frame.kind == DATA && self.takes && len > 0 {
            let more = (len as u32).to_be_bytes();
            let _ = self.try_send(WINDOW_UPDATE, 0, 0, &more);
            let _ = self.try_send(WINDOW_UPDATE, 0, stream, &more);
        }
        Some(frame)
    }

    /// Expects that the server closes.
    pub fn expect_end(&mut self) {
        while self.read().is_some() {}
    }
}

/// The status at the front of a header block: one of the static table, or three digits.
fn status(block: &[u8]) -> u16 {
    // What comes first may be a change of the table's size.
    let block = if block[0] & 0xE0 == 0x20 { &block[1..] } else { block };
    let known = [200, 204, 206, 304, 400, 404, 500];
    if (0x88..=0x8e).contains(&block[0]) {
        return known[usize::from(block[0] - 0x88)];
    }
    let (packed, len) = (block[1] & 0x80 != 0, usize::from(block[1] & 0x7F));
    let value = &block[2..2 + len];
    if !packed {
        return std::str::from_utf8(value).unwrap().parse().unwrap();
    }
    // Digits have 5 or 6 bits (RFC 7541, appendix B).
    let mut bits = value.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let mut next =
        |n: usize| bits.by_ref().take(n).fold(0u16, |all, bit| all << 1 | u16::from(bit));
    let mut digit = || match next(5) {
        small @ 0..=2 => small,
        large => (large << 1 | next(1)) - 0b011001 + 3,
    };
    digit() * 100 + digit() * 10 + digit()
}
