//! `shardway stream record-size`, and sizes of records.

use clap::Args;

use super::alter::Target;
use crate::base::limits::RECORD_BYTES_MAX;
use crate::cli::failure::Failure;
use crate::config::ByteSize;
use crate::wire::alter::StreamChange;

/// Change how large a record may be, data and partition key together
///
/// Records that are stored already stay as they are.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream record-size orders 10MiB")]
pub(in crate::cli) struct RecordSize {
    #[command(flatten)]
    target: Target,

    /// At most 10MiB
    #[arg(value_name = "SIZE", value_parser = parse_record_size)]
    size: u32,
}

impl RecordSize {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.target.alter(StreamChange::RecordBytesMax(self.size), |stream| {
            let bytes = u64::from(stream.options.record_bytes_max);
            format!("a record has up to {}", ByteSize(bytes))
        })
    }
}

/// Reads the size of the largest record.
pub(super) fn parse_record_size(text: &str) -> Result<u32, String> {
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
    fn records_are_at_most_10_mib() {
        assert_eq!(parse_record_size("10MiB"), Ok(10 << 20));
        for wrong in ["0", "11MiB", "8GiB", "big"] {
            assert!(parse_record_size(wrong).is_err(), "{wrong}");
        }
    }
}
