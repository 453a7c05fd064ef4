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
    Create(create::Create),
    List(list::List),
    Describe(describe::Describe),
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
