//! `shardway stream mode`, and the names of the modes.

use clap::{Args, ValueEnum};

use super::alter::Target;
use super::warm::{parse_warm, warm_text};
use crate::base::stream::StreamMode;
use crate::cli::failure::Failure;
use crate::wire::alter::StreamChange;

/// Change who chooses the number of shards
///
/// The shards stay as they are at first. AWS allows two changes in 24 hours.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream mode orders on-demand")]
pub(in crate::cli) struct Mode {
    #[command(flatten)]
    target: Target,

    /// The new mode
    #[arg(value_enum)]
    mode: Chooser,

    /// Write throughput a second that the stream is always ready for: whole MiB such as 100MiB
    ///
    /// On-demand only, and only while the account's commitment holds (`shardway account`).
    #[arg(long, value_name = "SIZE", value_parser = parse_warm)]
    warm: Option<u32>,
}

/// The modes as values of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Chooser {
    /// You choose the shards: split, merge, scale
    Provisioned,
    /// The server chooses them, by the throughput that it observes
    OnDemand,
}

impl Chooser {
    pub(super) fn mode(self) -> StreamMode {
        match self {
            Chooser::Provisioned => StreamMode::Provisioned,
            Chooser::OnDemand => StreamMode::OnDemand,
        }
    }
}

impl Mode {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.mode == Chooser::Provisioned && self.warm.is_some() {
            return Err(Failure::usage("--warm is for on-demand streams; leave it out"));
        }
        let change =
            StreamChange::Mode { mode: self.mode.mode(), warm_mib: self.warm.unwrap_or(0) };
        self.target.alter(change, |stream| {
            let warm = match stream.options.warm_mib {
                0 => String::new(),
                mib => format!(", always ready for {} of writes", warm_text(mib)),
            };
            format!("{} with {} open shards{warm}", stream.options.mode.word(), stream.open_shards)
        })
    }
}
