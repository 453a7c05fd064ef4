//! `shardway stream create`.

use clap::{Args, ValueEnum};

use super::distribution::DistributeBy;
use super::limit_values::parse_limits;
use super::mode::Chooser;
use super::record_size::parse_record_size;
use super::retention::parse_retention;
use super::shape;
use super::warm::parse_warm;
use crate::base::limits::STREAM_SHARDS_MAX;
use crate::base::stream::{Durability, ShardLimits, StreamOptions};
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::cli::tags::parse_tag;
use crate::wire::streams::CreateStream;

/// Create a stream
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream create orders --shards 4 --tag team=billing")]
pub(in crate::cli) struct Create {
    /// 1 to 128 letters, digits, `_`, `.` or `-`
    name: String,

    /// Number of shards of a provisioned stream [default: 1]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=STREAM_SHARDS_MAX as i64))]
    shards: Option<u32>,

    /// Who chooses the number of shards
    #[arg(long, value_enum, default_value_t = Chooser::Provisioned)]
    mode: Chooser,

    /// Write throughput a second that an on-demand stream is always ready for: whole MiB
    ///
    /// Only while the account's commitment holds (`shardway account`).
    #[arg(long, value_name = "SIZE", value_parser = parse_warm)]
    warm: Option<u32>,

    /// What chooses the shard of a record
    #[arg(long, value_enum, value_name = "BY", default_value_t = DistributeBy::Key)]
    distribution: DistributeBy,

    /// A tag; give it again for each tag
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,

    /// What each shard admits: `aws`, `off`, or single values
    ///
    /// `aws` is 1 MiB and 1000 records a second in, 2 MiB a second and 5 reads a second out.
    /// Single values, such as `in_bytes=4MiB,in_records=5000`, replace those of `aws`: in_bytes,
    /// in_burst_bytes (10 x in_bytes if not given), in_records, out_bytes, reads. 0 is no limit.
    #[arg(long, value_name = "LIMITS", default_value = "aws", value_parser = parse_limits)]
    limits: ShardLimits,

    /// When a put is acknowledged
    #[arg(long, value_enum, default_value_t = Promise::Durable)]
    durability: Promise,

    /// How long records stay readable, in whole hours, 1h to 365d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_retention)]
    retention: u32,

    /// Largest record, data and partition key together, at most 10MiB
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse_record_size)]
    max_record_size: u32,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

/// The durability modes as flag values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Promise {
    /// When the record is on stable storage
    Durable,
    /// When it is written but not synced: a power cut may lose it
    Written,
    /// When it is in memory: any crash may lose it
    Memory,
}

impl Create {
    pub(in crate::cli) fn options(&self) -> StreamOptions {
        StreamOptions {
            durability: match self.durability {
                Promise::Durable => Durability::Durable,
                Promise::Written => Durability::Written,
                Promise::Memory => Durability::Memory,
            },
            limits: self.limits,
            retention_hours: self.retention,
            record_bytes_max: self.max_record_size,
            mode: self.mode.mode(),
            distribution: self.distribution.distribution(),
            warm_mib: self.warm.unwrap_or(0),
        }
    }

    /// The number to ask for; 0 leaves it to the server.
    fn shards(&self) -> Result<u32, Failure> {
        match (self.mode, self.shards) {
            (Chooser::Provisioned, _) if self.warm.is_some() => {
                Err(Failure::usage("--warm is for --mode on-demand; leave it out, or choose that"))
            }
            (Chooser::Provisioned, shards) => Ok(shards.unwrap_or(1)),
            (Chooser::OnDemand, None) => Ok(0),
            (Chooser::OnDemand, Some(_)) => Err(Failure::usage(
                "the server chooses the shards of an on-demand stream; leave --shards out",
            )),
        }
    }

    pub(super) fn run(self) -> Result<(), Failure> {
        let request = CreateStream {
            name: &self.name,
            shards: self.shards()?,
            options: self.options(),
            tags: self.tags.clone(),
        };
        let stream = self.server.connect_patiently()?.create_tagged_stream(&request)?;
        shape::print_description(&stream, self.format)
    }
}
