//! `shardway stream limits`.

use clap::Args;

use super::alter::Target;
use super::limit_values::{limits_text, parse_limits};
use crate::base::stream::ShardLimits;
use crate::cli::failure::Failure;
use crate::wire::alter::StreamChange;

/// Change what each shard of a stream admits, while it is in use
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream limits orders in_bytes=4MiB,in_records=5000")]
pub(in crate::cli) struct Limits {
    #[command(flatten)]
    target: Target,

    /// `aws`, `off`, or single values that replace those of `aws`
    ///
    /// The values are in_bytes, in_burst_bytes (10 x in_bytes if not given), in_records, out_bytes
    /// and reads, each a second. 0 is no limit.
    #[arg(value_name = "LIMITS", value_parser = parse_limits)]
    limits: ShardLimits,
}

impl Limits {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.target.alter(StreamChange::Limits(self.limits), |stream| {
            format!("limits are {}", limits_text(&stream.options.limits))
        })
    }
}
