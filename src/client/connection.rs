//! One connection: hello, frames out, frames in.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::error::ClientError;
use super::incoming::Incoming;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::CoreId;
use crate::base::limits::{FRAME_HEADER_BYTES, RECEIVE_BYTES};
use crate::wire::frame::write_frame_with_body;
use crate::wire::hello::{ANY_CORE, Hello, HelloAnswer, PROTOCOL_VERSION};
use crate::wire::{Decode, DecodeError, FrameHeader, Opcode, Writer};

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Program and version, for the server's log.
    pub client_name: String,
    /// The core that should serve the connection, or [`ANY_CORE`].
    pub wanted_core: CoreId,
    /// How long connecting, one write and the answer to one request may take.
    pub timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            client_name: concat!("shardway/", env!("CARGO_PKG_VERSION")).to_owned(),
            wanted_core: ANY_CORE,
            timeout: Duration::from_secs(10),
        }
    }
}

/// What the server said about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The core that serves this connection.
    pub core: CoreId,
    /// Number of cores.
    pub cores: u16,
    /// Identity of the data dir.
    pub server: [u8; 16],
    /// The server's release.
    pub release: String,
}

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    addr: String,
    timeout: Duration,
    info: ServerInfo,
    correlation: u64,
    /// Frames being written.
    out: Vec<u8>,
    /// Receive buffer; `inbox[taken..filled]` has arrived and is not decoded yet.
    inbox: Vec<u8>,
    taken: usize,
    filled: usize,
    /// Frames that arrived while an answer was awaited.
    backlog: VecDeque<Incoming>,
}

impl Client {
    /// Connects to `addr` (`host:port`) and says hello.
    pub fn connect(addr: &str, options: ConnectOptions) -> Result<Client, ClientError> {
        let stream = open(addr, options.timeout)?;
        let failed = |source| ClientError::Io { context: format!("connecting to {addr}"), source };
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_write_timeout(Some(options.timeout)).map_err(failed)?;
        let mut client = Client {
            stream,
            addr: addr.to_owned(),
            timeout: options.timeout,
            info: ServerInfo { core: ANY_CORE, cores: 0, server: [0; 16], release: String::new() },
            correlation: 0,
            out: Vec::new(),
            inbox: Vec::new(),
            taken: 0,
            filled: 0,
            backlog: VecDeque::new(),
        };
        client.info = client.hello(&options)?;
        Ok(client)
    }

    fn hello(&mut self, options: &ConnectOptions) -> Result<ServerInfo, ClientError> {
        let hello = Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            features: 0,
            wanted_core: options.wanted_core,
            client: &options.client_name,
        };
        let payload = self.call(Opcode::Hello, Opcode::HelloAnswer, |w| hello.write(w))?;
        let answer = self.decoded(HelloAnswer::decode(&payload))?;
        if answer.version != PROTOCOL_VERSION {
            return Err(self.protocol(format!(
                "it answers with protocol version {}, this client speaks {PROTOCOL_VERSION}",
                answer.version
            )));
        }
        Ok(ServerInfo {
            core: answer.core,
            cores: answer.cores,
            server: answer.server,
            release: answer.release.to_owned(),
        })
    }

    /// What the server said about itself.
    #[must_use]
    pub fn server(&self) -> &ServerInfo {
        &self.info
    }

    /// The address that was given.
    #[must_use]
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Sends a request and waits for its answer; what else arrives is kept for
    /// [`Client::next_event`].
    pub(super) fn call(
        &mut self,
        request: Opcode,
        answer: Opcode,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Vec<u8>, ClientError> {
        let correlation = self.send(request, payload)?;
        match self.wait_for(correlation, self.timeout, request)? {
            Incoming::Answer { opcode, payload, .. } if opcode == answer => Ok(payload),
            other => Err(self.mismatch(request, &other)),
        }
    }

    /// Waits for the answer to `correlation`.
    pub(super) fn wait_for(
        &mut self,
        correlation: u64,
        timeout: Duration,
        request: Opcode,
    ) -> Result<Incoming, ClientError> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(incoming) = self.receive(Some(left))? else {
                return Err(ClientError::Io {
                    context: format!("{} has not answered {request:?}", self.addr),
                    source: ErrorKind::TimedOut.into(),
                });
            };
            match incoming {
                Incoming::Failed { correlation: c, error, .. } if c == correlation || c == 0 => {
                    return Err(error.into());
                }
                other if other.correlation() == Some(correlation) => return Ok(other),
                other => self.backlog.push_back(other),
            }
        }
    }

    /// Writes one frame and returns its correlation. A frame that the server would not read, since
    /// a name or the tags are too long, is refused here: there it would cost the connection.
    pub(super) fn send(
        &mut self,
        opcode: Opcode,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u64, ClientError> {
        self.out.clear();
        payload(&mut Writer::new(&mut self.out));
        let (bytes, max) = (self.out.len(), opcode.payload_max());
        if bytes > max {
            let why =
                format!("the request {opcode:?} has {bytes} bytes, at most {max} are allowed");
            return Err(ApiError::new(ErrorCode::Validation, why).into());
        }
        self.correlation += 1;
        let (payload_bytes, correlation) = (bytes as u32, self.correlation);
        let header = FrameHeader { opcode, payload_bytes, correlation }.encode();
        write_both(&mut self.stream, &header, &self.out)
            .map_err(|source| self.io("sending to", source))?;
        Ok(correlation)
    }

    /// Like [`Client::send`], with `body` behind the payload and without copying it.
    pub(super) fn send_with_body(
        &mut self,
        opcode: Opcode,
        payload: impl FnOnce(&mut Writer<'_>),
        body: &[u8],
    ) -> Result<u64, ClientError> {
        self.correlation += 1;
        self.out.clear();
        write_frame_with_body(&mut self.out, opcode, self.correlation, body.len(), payload);
        write_both(&mut self.stream, &self.out, body)
            .map_err(|source| self.io("sending to", source))?;
        Ok(self.correlation)
    }

    /// The next frame, whatever it is; `None` when none came within `timeout`.
    ///
    /// A frame that the server sends about the connection itself is an error here.
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<Incoming>, ClientError> {
        if let Some(kept) = self.backlog.pop_front() {
            return Ok(Some(kept));
        }
        not_about_the_connection(self.receive(Some(timeout))?)
    }

    /// The next frame, whatever it is; waits as long as it takes.
    pub fn recv(&mut self) -> Result<Incoming, ClientError> {
        if let Some(kept) = self.backlog.pop_front() {
            return Ok(kept);
        }
        let incoming = not_about_the_connection(self.receive(None)?)?;
        Ok(incoming.expect("without a timeout a receive ends with a frame or an error"))
    }

    /// One frame from the socket. A frame that has half arrived at the timeout is not lost.
    fn receive(&mut self, timeout: Option<Duration>) -> Result<Option<Incoming>, ClientError> {
        let deadline = timeout.map(|t| Instant::now() + t);
        loop {
            if let Some((header, payload)) = self.take_frame()? {
                let decoded = Incoming::decode(&header, payload);
                return self.decoded(decoded).map(Some);
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            match self.read_some(left) {
                Ok(0) => return Err(self.io("reading from", ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.io("reading from", e)),
            }
        }
    }

    /// The first frame of the inbox, if it is whole.
    fn take_frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, ClientError> {
        let arrived = &self.inbox[self.taken..self.filled];
        let Some((head, rest)) = arrived.split_first_chunk::<FRAME_HEADER_BYTES>() else {
            return Ok(None);
        };
        let header = FrameHeader::decode(head).map_err(|e| self.protocol(e.to_string()))?;
        let Some(payload) = rest.get(..header.payload_bytes as usize) else {
            return Ok(None);
        };
        let payload = payload.to_vec();
        self.taken += FRAME_HEADER_BYTES + payload.len();
        Ok(Some((header, payload)))
    }

    /// Reads once; waits at most `left`.
    fn read_some(&mut self, left: Option<Duration>) -> io::Result<usize> {
        // The system takes a timeout of zero for "for ever".
        let left = left.map(|l| l.max(Duration::from_micros(1)));
        self.stream.set_read_timeout(left)?;
        self.inbox.copy_within(self.taken..self.filled, 0);
        self.filled -= self.taken;
        self.taken = 0;
        if self.inbox.len() < self.filled + RECEIVE_BYTES {
            self.inbox.resize(self.filled + RECEIVE_BYTES, 0);
        }
        let read = self.stream.read(&mut self.inbox[self.filled..])?;
        self.filled += read;
        Ok(read)
    }

    fn io(&self, doing: &str, source: io::Error) -> ClientError {
        let source = match source.kind() {
            ErrorKind::UnexpectedEof => {
                io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")
            }
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => source,
        };
        ClientError::Io { context: format!("{doing} {}", self.addr), source }
    }

    pub(super) fn protocol(&self, cause: String) -> ClientError {
        ClientError::Protocol { addr: self.addr.clone(), cause }
    }

    pub(super) fn decoded<T>(&self, decoded: Result<T, DecodeError>) -> Result<T, ClientError> {
        decoded.map_err(|e| self.protocol(e.to_string()))
    }

    pub(super) fn mismatch(&self, request: Opcode, got: &Incoming) -> ClientError {
        self.protocol(format!("{request:?} was answered with {}", got.kind()))
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// An error frame without a request speaks of the connection: nothing can follow it.
fn not_about_the_connection(incoming: Option<Incoming>) -> Result<Option<Incoming>, ClientError> {
    match incoming {
        Some(Incoming::Failed { correlation: 0, error, .. }) => Err(error.into()),
        other => Ok(other),
    }
}

fn open(addr: &str, timeout: Duration) -> Result<TcpStream, ClientError> {
    let unreachable = |source| ClientError::Unreachable { addr: addr.to_owned(), source };
    let resolved = addr.to_socket_addrs().map_err(|source| ClientError::Io {
        context: format!("{addr} is not an address like 127.0.0.1:4570"),
        source,
    })?;
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for candidate in resolved {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(unreachable(last))
}

/// Both parts in order, in one system call where the socket takes them.
fn write_both(stream: &mut TcpStream, head: &[u8], body: &[u8]) -> io::Result<()> {
    let slices = [io::IoSlice::new(head), io::IoSlice::new(body)];
    let written = loop {
        match stream.write_vectored(&slices) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    if written < head.len() {
        stream.write_all(&head[written..])?;
    }
    stream.write_all(&body[written.saturating_sub(head.len())..])
}
