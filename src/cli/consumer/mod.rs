//! `shardway consumer …`: registered consumers (enhanced fan-out).

mod deregister;
mod describe;
mod list;
mod register;
mod shape;
mod tag;

use clap::{Args, Subcommand};

use super::connect::Server;
use super::failure::Failure;
use super::output::Format;
use crate::wire::consumers::ConsumerName;

/// Register, list, describe, tag and deregister the consumers of a stream
#[derive(Subcommand, Debug)]
pub(super) enum Consumer {
    Register(register::Register),
    List(list::List),
    Describe(describe::Describe),
    Tag(tag::Tag),
    Deregister(deregister::Deregister),
}

impl Consumer {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Consumer::Register(command) => command.run(),
            Consumer::List(command) => command.run(),
            Consumer::Describe(command) => command.run(),
            Consumer::Tag(command) => command.run(),
            Consumer::Deregister(command) => command.run(),
        }
    }
}

/// The consumer that a command is about.
#[derive(Args, Debug)]
struct Target {
    /// The stream
    stream: String,

    /// The consumer: 1 to 128 letters, digits, `_`, `.` or `-`
    name: String,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Target {
    fn consumer(&self) -> ConsumerName<'_> {
        ConsumerName { stream: &self.stream, consumer: &self.name }
    }
}
