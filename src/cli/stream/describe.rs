//! `shardway stream describe`.

use clap::Args;

use super::shape;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::Format;

/// Show one stream and its shards
///
/// `shardway shards` draws the tree of the shards, with their records and rates.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream describe orders")]
pub(in crate::cli) struct Describe {
    /// The stream
    name: String,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Describe {
    pub(super) fn run(self) -> Result<(), Failure> {
        let stream = self.server.connect()?.describe_stream(&self.name)?;
        shape::print_description(&stream, self.format)
    }
}
