//! `shardway stream split`.

use clap::Args;

use super::reshard::reshard;
use crate::base::ids::ShardNumber;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::shard::{parse_hash_key, parse_shard};
use crate::record::HashKey;
use crate::wire::reshard::Reshard;

/// Split an open shard into two
///
/// The shard closes, and its records stay readable. Readers go on in its children when they have
/// come to its end. Returns when it is done.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream split orders 3")]
pub(in crate::cli) struct Split {
    /// The stream
    name: String,

    /// The shard, such as 7 or shardId-000000000007
    #[arg(value_parser = parse_shard)]
    shard: ShardNumber,

    /// First hash key of the upper child, decimal or 0x and hexadecimal [default: the middle]
    #[arg(long, value_name = "HASHKEY", value_parser = parse_hash_key)]
    at: Option<HashKey>,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Split {
    pub(super) fn run(self) -> Result<(), Failure> {
        let split = Reshard::Split { shard: self.shard, at: self.at };
        reshard(&self.server, &self.name, split, self.format)
    }
}
