//! `shardway consumer register`.

use clap::Args;

use super::Target;
use super::shape::print_consumer;
use crate::cli::failure::Failure;
use crate::cli::tags::parse_tag;
use crate::wire::consumers::RegisterConsumer;

/// Register a consumer: it gets a throughput of its own on every shard
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway consumer register orders billing")]
pub(in crate::cli) struct Register {
    #[command(flatten)]
    target: Target,

    /// A tag; give it again for each tag
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,
}

impl Register {
    pub(super) fn run(self) -> Result<(), Failure> {
        let request = RegisterConsumer { name: self.target.consumer(), tags: self.tags.clone() };
        let consumer = self.target.server.connect()?.register_consumer(&request)?;
        print_consumer(&consumer, self.target.format)
    }
}
