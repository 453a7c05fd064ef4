//! The server that is measured unless another is named, in this process on a core of its own.

use std::net::SocketAddr;
use std::path::Path;

use shardway::log::progress::NoProgress;
use shardway::runtime::{Server, ServerOptions};
use shardway::security::sigv4::AuthMode;
use tempfile::TempDir;

use crate::failure::{Failure, Result};
use crate::http::Identity;

/// A running server with a temporary data dir. Dropping it stops it and removes the data.
pub struct Embedded {
    /// Where it takes native connections.
    pub address: SocketAddr,
    /// Where it takes requests of the AWS API, if it was asked to.
    pub http: Option<SocketAddr>,
    server: Option<Server>,
    /// Goes last: the server writes into it until it has stopped.
    _data_dir: TempDir,
}

/// The AWS API of an embedded server.
#[derive(Clone, Debug)]
pub struct Api {
    /// The only key that counts; without one it looks at the form of signatures only.
    pub key: Option<Identity>,
}

/// Starts a server pinned to `cpu`, with its data below `dir`. When it returns, the server takes
/// connections.
pub fn start(cpu: usize, dir: &Path, api: Option<&Api>) -> Result<Embedded> {
    let data_dir = TempDir::with_prefix_in("shardway-quick-", dir)
        .map_err(|e| Failure::Usage(format!("no temporary data dir can be made here: {e}")))?;
    let mut options = ServerOptions::new(data_dir.path().to_owned(), vec![cpu]);
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    options.listen = any_port;
    options.http = api.map(|_| any_port);
    let key = api.and_then(|api| api.key.as_ref());
    if key.is_some() {
        options.access.auth = AuthMode::SigV4;
    }
    let server = Server::start(options, &mut NoProgress)
        .map_err(|e| Failure::Usage(format!("the embedded server does not start: {e}")))?;
    if let Some(key) = key {
        server.set_credentials(key.credentials()?);
    }
    let (address, http) = (server.native_addr(), server.http_addr());
    Ok(Embedded { address, http, server: Some(server), _data_dir: data_dir })
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(server) = self.server.take()
            && let Err(reason) = server.stop()
        {
            eprintln!("loadgen: the embedded server did not stop in order: {reason}");
        }
    }
}
