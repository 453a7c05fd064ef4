//! `shardway stream scale`.

use clap::Args;

use super::reshard::reshard;
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::wire::reshard::Reshard;

/// Divide the hash keys of a stream evenly between so many shards
///
/// As on AWS, the target is at least half and at most double the open shards, ten times in 24
/// hours. Shards that already have the right hash keys stay as they are. Returns when it is done.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream scale orders 8")]
pub(in crate::cli) struct Scale {
    /// The stream
    name: String,

    /// Open shards afterwards
    #[arg(value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=STREAM_SHARDS_MAX as i64))]
    shards: u32,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Scale {
    pub(super) fn run(self) -> Result<(), Failure> {
        let scale = Reshard::Scale { target: self.shards };
        reshard(&self.server, &self.name, scale, self.format)
    }
}
