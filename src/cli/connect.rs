//! The server that a command talks to.

use clap::Args;

use super::failure::Failure;
use crate::base::ids::CoreId;
use crate::client::{Client, ConnectOptions};
use crate::wire::hello::ANY_CORE;

/// Which server.
#[derive(Args, Clone, Debug)]
pub(super) struct Server {
    /// Address of the server's native protocol
    #[arg(long, env = "SHARDWAY_SERVER", value_name = "ADDR", default_value = "127.0.0.1:4570")]
    pub(super) server: String,
}

impl Server {
    /// A connection that any core serves.
    pub(super) fn connect(&self) -> Result<Client, Failure> {
        self.connect_to(ANY_CORE)
    }

    /// A connection that `core` serves.
    pub(super) fn connect_to(&self, core: CoreId) -> Result<Client, Failure> {
        let options = ConnectOptions {
            client_name: concat!("shardway-cli/", env!("CARGO_PKG_VERSION")).to_owned(),
            wanted_core: core,
            ..ConnectOptions::default()
        };
        Ok(Client::connect(&self.server, options)?)
    }
}
