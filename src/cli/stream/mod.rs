//! `shardway stream …`: the control plane.

mod alter;
mod create;
mod delete;
mod describe;
mod distribution;
mod limit_values;
mod limits;
mod list;
mod merge;
mod mode;
mod monitor;
mod record_size;
mod reshard;
mod retention;
mod scale;
mod shape;
mod split;
mod tag;
mod warm;

use clap::Subcommand;

use super::failure::Failure;

/// Create, list, describe, change and delete streams
#[derive(Subcommand, Debug)]
pub(super) enum Stream {
    Create(create::Create),
    List(list::List),
    Describe(describe::Describe),
    Split(split::Split),
    Merge(merge::Merge),
    Scale(scale::Scale),
    Retention(retention::Retention),
    Mode(mode::Mode),
    Warm(warm::Warm),
    Limits(limits::Limits),
    RecordSize(record_size::RecordSize),
    Distribution(distribution::ChangeDistribution),
    Tag(tag::Tag),
    Monitor(monitor::Monitor),
    Delete(delete::Delete),
}

impl Stream {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Stream::Create(command) => command.run(),
            Stream::List(command) => command.run(),
            Stream::Describe(command) => command.run(),
            Stream::Split(command) => command.run(),
            Stream::Merge(command) => command.run(),
            Stream::Scale(command) => command.run(),
            Stream::Retention(command) => command.run(),
            Stream::Mode(command) => command.run(),
            Stream::Warm(command) => command.run(),
            Stream::Limits(command) => command.run(),
            Stream::RecordSize(command) => command.run(),
            Stream::Distribution(command) => command.run(),
            Stream::Tag(command) => command.run(),
            Stream::Monitor(command) => command.run(),
            Stream::Delete(command) => command.run(),
        }
    }
}
