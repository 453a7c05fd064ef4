//! `shardway stream …`: the control plane.

mod create;
mod delete;
mod describe;
mod limits;
mod list;
mod shape;

use clap::Subcommand;

use super::failure::Failure;

/// Create, list, describe and delete streams
#[derive(Subcommand, Debug)]
pub(super) enum Stream {
    /// Create a stream
    Create(create::Create),
    /// List all streams
    List(list::List),
    /// Show one stream and its shards
    Describe(describe::Describe),
    /// Delete a stream and all of its records
    Delete(delete::Delete),
}

impl Stream {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Stream::Create(command) => command.run(),
            Stream::List(command) => command.run(),
            Stream::Describe(command) => command.run(),
            Stream::Delete(command) => command.run(),
        }
    }
}
