//! `shardway consumer describe`.

use clap::Args;

use super::Target;
use super::shape::print_consumer;
use crate::cli::failure::Failure;

/// Show one consumer
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway consumer describe orders billing")]
pub(in crate::cli) struct Describe {
    #[command(flatten)]
    target: Target,
}

impl Describe {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Target { server, format, .. } = &self.target;
        let consumer = server.connect()?.describe_consumer(self.target.consumer())?;
        print_consumer(&consumer, *format)
    }
}
