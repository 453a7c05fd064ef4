//! The server that `quick` measures, in this process on a core of its own.

use std::net::SocketAddr;

use crate::failure::{Failure, Result};

/// A running server with a temporary data dir. Dropping it stops it and removes the data.
pub struct Embedded {
    /// Where it takes native connections.
    pub address: SocketAddr,
}

/// Starts a server pinned to `cpu`.
pub fn start(cpu: usize) -> Result<Embedded> {
    let _ = cpu;
    Err(Failure::Usage("the embedded server is not linked yet; name one with --server".to_owned()))
}
