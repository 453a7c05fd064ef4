//! `shardway stream warm`, and throughputs in MiB a second.

use clap::Args;

use super::alter::Target;
use crate::cli::failure::Failure;
use crate::config::ByteSize;
use crate::wire::alter::StreamChange;

/// Change the write throughput that an on-demand stream is always ready for
///
/// Only while the account's commitment holds (`shardway account`).
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream warm orders 100MiB")]
pub(in crate::cli) struct Warm {
    #[command(flatten)]
    target: Target,

    /// Bytes a second, whole MiB such as 100MiB; 0 removes it
    #[arg(value_name = "SIZE", value_parser = parse_warm)]
    size: u32,
}

impl Warm {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.target.alter(StreamChange::WarmThroughput(self.size), |stream| {
            format!("warm throughput is {}", warm_text(stream.options.warm_mib))
        })
    }
}

/// Reads a throughput in whole MiB a second.
pub(super) fn parse_warm(text: &str) -> Result<u32, String> {
    let size = text.strip_suffix("/s").unwrap_or(text);
    let ByteSize(bytes) = size.parse::<ByteSize>().map_err(|e| e.to_string())?;
    let mib = u32::try_from(bytes >> 20).ok().filter(|_| bytes.is_multiple_of(1 << 20));
    mib.ok_or_else(|| "a throughput is whole MiB a second, such as 100MiB".to_owned())
}

/// `100MiB/s`, or `none`.
pub(super) fn warm_text(mib: u32) -> String {
    match mib {
        0 => "none".to_owned(),
        mib => format!("{}/s", ByteSize(u64::from(mib) << 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throughput_is_whole_mib() {
        assert_eq!(parse_warm("100MiB"), Ok(100));
        assert_eq!(parse_warm("1GiB/s"), Ok(1024));
        assert_eq!(parse_warm("0"), Ok(0));
        for wrong in ["100", "1MB", "1KiB", "fast", "9999999TiB"] {
            assert!(parse_warm(wrong).is_err(), "{wrong}");
        }
        assert_eq!([warm_text(0), warm_text(100)], ["none", "100MiB/s"]);
        assert_eq!(parse_warm(&warm_text(2048)), Ok(2048));
    }
}
