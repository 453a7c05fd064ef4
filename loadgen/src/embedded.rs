//! The server that `quick` measures, in this process on a core of its own.

use std::net::SocketAddr;
use std::path::Path;

use crate::failure::{Failure, Result};

/// A running server with a temporary data dir. Dropping it stops it and removes the data.
pub struct Embedded {
    /// Where it takes native connections.
    pub address: SocketAddr,
}

/// Starts a server pinned to `cpu`, its data in a new directory inside `dir`.
pub fn start(cpu: usize, dir: &Path) -> Result<Embedded> {
    let _ = (cpu, dir);
    Err(Failure::Usage("the embedded server is not linked yet; name one with --server".to_owned()))
}
