//! A socket that says what a client never would.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::wire::error::ErrorFrame;
use shardway::wire::frame::write_frame;
use shardway::wire::hello::{ANY_CORE, Hello};
use shardway::wire::{Decode, FrameHeader, Opcode, Writer};

use super::process::HANG;

/// A connection without a client in front of it.
pub struct Raw(TcpStream);

/// How a server ends a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// With an error frame of this code and correlation.
    Error {
        /// The request, or 0.
        correlation: u64,
        /// The name of the error.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// Without a word.
    Silent,
}

impl Raw {
    /// Connects and says nothing.
    pub fn connect(addr: &str) -> Raw {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(HANG)).expect("sockets have timeouts");
        stream.set_write_timeout(Some(HANG)).expect("sockets have timeouts");
        Raw(stream)
    }

    /// Connects with the smallest receive buffer that the system allows: what is not read soon
    /// waits in the server.
    pub fn deaf(addr: &str) -> Raw {
        let socket = Raw::connect(addr);
        let bytes: libc::c_int = 2048;
        // SAFETY: the option takes an int, which lives through the call.
        let result = unsafe {
            libc::setsockopt(
                socket.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUF,
                (&raw const bytes).cast(),
                size_of_val(&bytes) as libc::socklen_t,
            )
        };
        assert_eq!(result, 0, "sockets have buffers");
        socket
    }

    /// Says hello and is greeted.
    pub fn greet(mut self) -> Raw {
        self.send(&hello());
        let (header, _) = self.receive().expect("an answer to the hello");
        assert_eq!(header.opcode, Opcode::HelloAnswer);
        self
    }

    /// Connects and is greeted.
    pub fn greeted(addr: &str) -> Raw {
        Raw::connect(addr).greet()
    }

    /// Sends bytes. A server that has closed already is not this function's business.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// No more bytes will come from here.
    pub fn end(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Write);
    }

    /// The next frame; `None` when the connection is closed.
    pub fn receive(&mut self) -> Option<(FrameHeader, Vec<u8>)> {
        let mut head = [0; FRAME_HEADER_BYTES];
        if !self.read_exact(&mut head) {
            return None;
        }
        let header = FrameHeader::decode(&head).expect("the server's frames are sound");
        let mut payload = vec![0; header.payload_bytes as usize];
        assert!(self.read_exact(&mut payload), "a frame of the server is cut off");
        Some((header, payload))
    }

    fn read_exact(&mut self, into: &mut [u8]) -> bool {
        match self.0.read_exact(into) {
            Ok(()) => true,
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                false
            }
            Err(e) => panic!("neither a frame nor the end of the connection: {e}"),
        }
    }

    /// Reads to the end of the connection, and says how it came. Whatever else the server sent
    /// before is passed to `other`.
    pub fn goodbye(&mut self, mut other: impl FnMut(FrameHeader, Vec<u8>)) -> Goodbye {
        let mut last = Goodbye::Silent;
        while let Some((header, payload)) = self.receive() {
            assert_eq!(last, Goodbye::Silent, "nothing follows a frame that closes");
            if header.opcode == Opcode::Error {
                let error = ErrorFrame::decode(&payload).expect("a sound error");
                if error.closes {
                    let (code, message) = (error.code.name(), error.message.to_owned());
                    last = Goodbye::Error { correlation: header.correlation, code, message };
                    continue;
                }
            }
            other(header, payload);
        }
        last
    }
}

/// A whole frame.
pub fn frame(opcode: Opcode, correlation: u64, payload: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(&mut out, opcode, correlation, payload);
    out
}

/// A header that says what it likes, with the right CRC.
pub fn header(opcode: u16, payload_bytes: u32, correlation: u64) -> Vec<u8> {
    let mut bytes = vec![0; FRAME_HEADER_BYTES];
    bytes[..4].copy_from_slice(&payload_bytes.to_le_bytes());
    bytes[4..6].copy_from_slice(&opcode.to_le_bytes());
    bytes[8..16].copy_from_slice(&correlation.to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// Makes the CRC of a header right.
pub fn seal(header: &mut [u8]) {
    let crc = shardway::base::crc::crc32(&header[..20]);
    header[20..24].copy_from_slice(&crc.to_le_bytes());
}

/// A hello that any server greets.
pub fn hello() -> Vec<u8> {
    let hello =
        Hello { version_min: 1, version_max: 1, features: 0, wanted_core: ANY_CORE, client: "raw" };
    frame(Opcode::Hello, 1, |w| hello.write(w))
}
