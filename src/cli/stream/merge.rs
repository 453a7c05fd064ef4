//! `shardway stream merge`.

use clap::Args;

use super::reshard::reshard;
use crate::base::ids::ShardNumber;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::shard::parse_shard;
use crate::wire::reshard::Reshard;

/// Merge two open shards whose hash keys lie side by side
///
/// Both close, and their records stay readable. Readers go on in the child when they have come to
/// the end of both. Returns when it is done.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream merge orders 3 4")]
pub(in crate::cli) struct Merge {
    /// The stream
    name: String,

    /// The shard with the lower hash keys, such as 7 or shardId-000000000007
    #[arg(value_parser = parse_shard)]
    shard: ShardNumber,

    /// The shard with the hash keys that follow
    #[arg(value_parser = parse_shard)]
    adjacent: ShardNumber,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Merge {
    pub(super) fn run(self) -> Result<(), Failure> {
        let merge = Reshard::Merge { shard: self.shard, adjacent: self.adjacent };
        reshard(&self.server, &self.name, merge, self.format)
    }
}
