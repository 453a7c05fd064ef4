//! `shardway stream distribution`, and the names of the distributions.

use clap::{Args, ValueEnum};

use super::alter::Target;
use crate::base::stream::Distribution;
use crate::cli::failure::Failure;
use crate::wire::alter::StreamChange;

/// Change what chooses the shard of a record
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream distribution clicks auto")]
pub(in crate::cli) struct ChangeDistribution {
    #[command(flatten)]
    target: Target,

    /// The new rule
    #[arg(value_enum)]
    by: DistributeBy,
}

/// The distributions as values of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum DistributeBy {
    /// Its partition key: records of one key keep their order
    Key,
    /// The server, evenly: no order between records; on-demand streams only
    Auto,
}

impl DistributeBy {
    pub(super) fn distribution(self) -> Distribution {
        match self {
            DistributeBy::Key => Distribution::UserPartitionKey,
            DistributeBy::Auto => Distribution::Auto,
        }
    }
}

impl ChangeDistribution {
    pub(super) fn run(self) -> Result<(), Failure> {
        let change = StreamChange::Distribution(self.by.distribution());
        self.target.alter(change, |stream| {
            format!("distribution is {}", stream.options.distribution.word())
        })
    }
}
