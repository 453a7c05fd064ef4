//! The server that `quick` measures, in this process on a core of its own.

use std::net::SocketAddr;
use std::path::Path;

use shardway::log::progress::NoProgress;
use shardway::runtime::{Server, ServerOptions};
use tempfile::TempDir;

use crate::failure::{Failure, Result};

/// A running server with a temporary data dir. Dropping it stops it and removes the data.
pub struct Embedded {
    /// Where it takes native connections.
    pub address: SocketAddr,
    server: Option<Server>,
    /// Goes last: the server writes into it until it has stopped.
    _data_dir: TempDir,
}

/// Starts a server pinned to `cpu`, with its data below `dir`. When it returns, the server takes
/// connections.
pub fn start(cpu: usize, dir: &Path) -> Result<Embedded> {
    let data_dir = TempDir::with_prefix_in("shardway-quick-", dir)
        .map_err(|e| Failure::Usage(format!("no temporary data dir can be made here: {e}")))?;
    let mut options = ServerOptions::new(data_dir.path().to_owned(), vec![cpu]);
    options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(options, &mut NoProgress)
        .map_err(|e| Failure::Usage(format!("the embedded server does not start: {e}")))?;
    Ok(Embedded { address: server.native_addr(), server: Some(server), _data_dir: data_dir })
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
