//! `shardway stream retention`, and times of retention.

use clap::Args;

use super::alter::Target;
use super::shape::retention_text;
use crate::base::limits::RETENTION_HOURS_MAX;
use crate::cli::failure::Failure;
use crate::wire::alter::{Direction, StreamChange};

/// Change how long records stay readable
///
/// A longer retention does not bring back what has expired; a shorter one takes effect at once.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream retention orders 7d")]
pub(in crate::cli) struct Retention {
    #[command(flatten)]
    target: Target,

    /// Whole hours, 1h to 365d
    #[arg(value_name = "TIME", value_parser = parse_retention)]
    time: u32,
}

impl Retention {
    pub(super) fn run(self) -> Result<(), Failure> {
        let change = StreamChange::Retention { hours: self.time, direction: Direction::Any };
        self.target.alter(change, |stream| {
            format!("records stay readable for {}", retention_text(stream.options.retention_hours))
        })
    }
}

/// Reads a time of whole hours.
pub(super) fn parse_retention(text: &str) -> Result<u32, String> {
    let time = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; write a time such as 24h or 7d"))?;
    let hours = time.as_secs() / 3600;
    let whole = time.as_secs().is_multiple_of(3600) && time.subsec_nanos() == 0;
    match u32::try_from(hours) {
        Ok(hours) if whole && (1..=RETENTION_HOURS_MAX).contains(&hours) => Ok(hours),
        _ => Err("retention is whole hours from 1h to 365d".to_owned()),
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
}
