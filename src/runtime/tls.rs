//! The certificate of a server: its owner's, or one that it makes for itself once.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::disk::blocking::{self, BlockingFile, DiskError};
use crate::log::layout;
use crate::net::{SelfSigned, TlsError, TlsServer};
use crate::runtime::host;
use crate::runtime::options::StartError;

/// Where a server's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Made by the server and kept in the data dir.
    SelfSigned,
    /// Files of its owner, PEM.
    Files {
        /// The chain, the server's own certificate first.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// What clients of the TLS port may speak, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

impl Certificate {
    /// Reads it, or makes it for clients that connect to `addresses`. The caller holds the data
    /// dir's lock. Also the file that clients of a self-signed one have to trust.
    pub fn load(
        &self,
        data_dir: &Path,
        addresses: &[SocketAddr],
    ) -> Result<(TlsServer, Option<PathBuf>), StartError> {
        let (made_cert, made_key) = layout::tls_files(data_dir);
        let (cert, key) = match self {
            Certificate::Files { cert, key } => (cert, key),
            Certificate::SelfSigned => {
                make_once(&made_cert, &made_key, addresses)?;
                (&made_cert, &made_key)
            }
        };
        let (chain, secret) = (blocking::read_file(cert)?, blocking::read_file(key)?);
        let server = TlsServer::new(&chain, &secret, &PROTOCOLS);
        let server = server.map_err(|error| unusable(cert, key, error))?;
        Ok((server, (*self == Certificate::SelfSigned).then_some(made_cert)))
    }

    /// Reads it again, for those who connect from now on.
    pub fn renew(&self, data_dir: &Path, server: &TlsServer) -> Result<(), StartError> {
        let (cert, key) = match self {
            Certificate::Files { cert, key } => (cert.clone(), key.clone()),
            Certificate::SelfSigned => layout::tls_files(data_dir),
        };
        let (chain, secret) = (blocking::read_file(&cert)?, blocking::read_file(&key)?);
        server.renew(&chain, &secret).map_err(|error| unusable(&cert, &key, error))
    }
}

fn unusable(cert: &Path, key: &Path, error: TlsError) -> StartError {
    let file = if matches!(error, TlsError::Key(_)) { key } else { cert };
    StartError::Tls { file: file.to_owned(), error }
}

/// The key first: where there is a certificate, there is its key.
fn make_once(cert: &Path, key: &Path, addresses: &[SocketAddr]) -> Result<(), StartError> {
    if blocking::read_file_if_exists(cert)?.is_some() {
        return Ok(());
    }
    let made = SelfSigned::make(names(addresses));
    let made = made.map_err(|error| StartError::Tls { file: cert.to_owned(), error })?;
    blocking::create_dir_durable(cert.parent().expect("it is in a directory"))?;
    write_private(key, made.key.as_bytes())?;
    Ok(blocking::replace_file(cert, made.certificate.as_bytes())?)
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let file = BlockingFile::create_private(path)?;
    file.write_at(0, bytes)?;
    file.sync()
}

/// The names that clients of this machine use.
fn names(addresses: &[SocketAddr]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    // A name that no certificate may have is none that a client may use.
    names.extend(host::name().filter(|name| {
        name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    }));
    let ips = addresses.iter().map(SocketAddr::ip).filter(|ip: &IpAddr| !ip.is_unspecified());
    names.extend(ips.map(|ip| ip.to_string()));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
