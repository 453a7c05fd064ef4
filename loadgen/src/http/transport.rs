//! A connection as bytes: a plain socket, or TLS over one.
//!
//! The TLS handshake blocks, in front of the run; from then on both kinds are nonblocking sockets
//! that the poller watches.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::endpoint::Endpoint;
use crate::failure::{Failure, Result};

/// A server that does not answer for so long has stopped.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// What is spoken over a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// How an endpoint's TLS is checked.
#[derive(Clone)]
pub struct Tls {
    roots: Arc<RootCertStore>,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?}, {} roots)", self.name, self.roots.len())
    }
}

impl Tls {
    /// Certificates for `host` count if they come from the authorities of a PEM file, or else of
    /// the system.
    pub fn new(host: &str, ca_file: Option<&Path>) -> Result<Tls> {
        let usage = |what: String| Failure::Usage(what);
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name)
            .map_err(|e| usage(format!("--endpoint https://{host}: {e}")))?;
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let unreadable = |e| usage(format!("--ca-file {}: {e}", path.display()));
                let found = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
                for certificate in found {
                    let certificate = certificate.map_err(unreadable)?;
                    roots
                        .add(certificate)
                        .map_err(|e| usage(format!("--ca-file {}: {e}", path.display())))?;
                }
            }
            None => {
                // A broken certificate among the system's does not spoil the others.
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        if roots.is_empty() {
            return Err(usage("no authority to trust: name one with --ca-file".to_owned()));
        }
        Ok(Tls { roots: Arc::new(roots), name })
    }

    fn connect(&self, mut socket: TcpStream, spoken: Spoken) -> Result<Transport> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has both versions of TLS");
        let mut config =
            builder.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        config.alpn_protocols = match spoken {
            Spoken::Http1 => vec![b"http/1.1".to_vec()],
            Spoken::Http2 => vec![b"h2".to_vec()],
        };
        let not_begun = |e: io::Error| Failure::io("beginning TLS")(e);
        let mut session = ClientConnection::new(Arc::new(config), self.name.clone())
            .map_err(|e| not_begun(io::Error::other(e)))?;
        while session.is_handshaking() {
            session.complete_io(&mut socket).map_err(not_begun)?;
        }
        if spoken == Spoken::Http2 && session.alpn_protocol() != Some(b"h2") {
            let what = "it does not speak HTTP/2 over TLS (ALPN h2)".to_owned();
            return Err(Failure::Protocol(what));
        }
        Ok(Transport { socket, session: Some(Box::new(session)) })
    }
}

/// A connection.
pub struct Transport {
    socket: TcpStream,
    session: Option<Box<ClientConnection>>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.session.is_some() { "TLS" } else { "plain" };
        write!(f, "Transport({kind}, {:?})", self.socket)
    }
}

impl Transport {
    /// Connects, and shakes hands where the endpoint has TLS. It blocks, with a time limit.
    pub fn connect(endpoint: &Endpoint, spoken: Spoken) -> Result<Transport> {
        let address = endpoint.address;
        let socket = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)
            .map_err(Failure::io(format!("connecting to {address}")))?;
        socket
            .set_nodelay(true)
            .and_then(|()| socket.set_read_timeout(Some(ANSWER_TIMEOUT)))
            .map_err(Failure::io("setting up a connection"))?;
        match &endpoint.tls {
            Some(tls) => tls.connect(socket, spoken),
            None => Ok(Transport { socket, session: None }),
        }
    }

    /// From now on nothing blocks.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Whether bytes that were taken still have to leave.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.wants_write())
    }

    /// Sends what is owed; `WouldBlock` if the socket is full.
    fn pay(&mut self) -> io::Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        while session.wants_write() {
            session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Ends the sending side.
    pub fn end(&mut self) -> io::Result<()> {
        if let Some(session) = &mut self.session {
            session.send_close_notify();
        }
        // Whoever hears no farewell sees the socket's end.
        let _ = self.pay();
        self.socket.shutdown(Shutdown::Write)
    }
}

impl AsRawFd for Transport {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Read for Transport {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(session) = &mut self.session else { return self.socket.read(bytes) };
        loop {
            match session.reader().read(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // AWS closes without a farewell; answers say themselves how long they are.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            if session.read_tls(&mut self.socket)? == 0 && !session.wants_read() {
                return Ok(0);
            }
            session.process_new_packets().map_err(io::Error::other)?;
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.session.is_none() {
            return self.socket.write_vectored(parts);
        }
        // What is owed goes first: the session would take everything, and memory is not endless.
        self.pay()?;
        let session = self.session.as_mut().expect("it was just looked at");
        let taken = session.writer().write_vectored(parts)?;
        match self.pay() {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pay()
    }
}
