//! The server that a command talks to.

use std::time::Duration;

use clap::Args;

use super::failure::Failure;
use crate::base::ids::CoreId;
use crate::client::{Client, ConnectOptions};
use crate::wire::hello::ANY_CORE;

/// Which server.
#[derive(Args, Clone, Debug)]
pub(super) struct Server {
    /// Address of the server's native protocol
    #[arg(
        long,
        env = "SHARDWAY_SERVER",
        value_name = "ADDR",
        default_value = "127.0.0.1:4570",
        display_order = 100
    )]
    pub(super) server: String,
}

impl Server {
    /// A connection that any core serves.
    pub(super) fn connect(&self) -> Result<Client, Failure> {
        self.connect_to(ANY_CORE)
    }

    /// A connection for changes that are answered when they are done, which may take a while.
    pub(super) fn connect_patiently(&self) -> Result<Client, Failure> {
        self.connect_with(ConnectOptions { timeout: PATIENCE, ..ConnectOptions::default() })
    }

    /// A connection that `core` serves.
    pub(super) fn connect_to(&self, core: CoreId) -> Result<Client, Failure> {
        self.connect_with(ConnectOptions { wanted_core: core, ..ConnectOptions::default() })
    }

    fn connect_with(&self, options: ConnectOptions) -> Result<Client, Failure> {
        let options = ConnectOptions {
            client_name: concat!("shardway-cli/", env!("CARGO_PKG_VERSION")).to_owned(),
            ..options
        };
        Ok(Client::connect(&self.server, options)?)
    }
}

/// A reshard of thousands of shards drains each of them before it answers.
const PATIENCE: Duration = Duration::from_secs(300);
