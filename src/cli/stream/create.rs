//! `shardway stream create`.

use clap::{Args, ValueEnum};

use super::limits::parse_limits;
use super::shape;
use crate::base::limits::{RECORD_BYTES_MAX, RETENTION_HOURS_MAX, STREAM_SHARDS_MAX};
use crate::base::stream::{Durability, ShardLimits, StreamOptions};
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::Format;
use crate::config::ByteSize;

/// Create a stream
#[derive(Args, Debug)]
pub(in crate::cli) struct Create {
    /// 1 to 128 letters, digits, `_`, `.` or `-`
    name: String,

    /// Number of shards
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=STREAM_SHARDS_MAX as i64))]
    shards: u32,

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
            ..StreamOptions::default()
        }
    }

    pub(super) fn run(self) -> Result<(), Failure> {
        let options = self.options();
        let stream = self.server.connect()?.create_stream(&self.name, self.shards, options)?;
        shape::print_description(&stream, self.format)
    }
}

fn parse_retention(text: &str) -> Result<u32, String> {
    let time = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; write a time such as 24h or 7d"))?;
    let hours = time.as_secs() / 3600;
    let whole = time.as_secs().is_multiple_of(3600) && time.subsec_nanos() == 0;
    match u32::try_from(hours) {
        Ok(hours) if whole && (1..=RETENTION_HOURS_MAX).contains(&hours) => Ok(hours),
        _ => Err("retention is whole hours from 1h to 365d".to_owned()),
    }
}

fn parse_record_size(text: &str) -> Result<u32, String> {
    let ByteSize(bytes) = text.parse::<ByteSize>().map_err(|e| e.to_string())?;
    match u32::try_from(bytes) {
        Ok(bytes) if (1..=RECORD_BYTES_MAX as u32).contains(&bytes) => Ok(bytes),
        _ => Err(format!("a record has 1 to {}", ByteSize(RECORD_BYTES_MAX as u64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_whole_hours_of_at_most_a_year() {
        assert_eq!(parse_retention("24h"), Ok(24));
        assert_eq!(parse_retention("365days"), Ok(8760));
        for wrong in ["0h", "90m", "366d", "24", "soon"] {
            assert!(parse_retention(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn records_are_at_most_10_mib() {
        assert_eq!(parse_record_size("10MiB"), Ok(10 << 20));
        for wrong in ["0", "11MiB", "8GiB", "big"] {
            assert!(parse_record_size(wrong).is_err(), "{wrong}");
        }
    }
}
