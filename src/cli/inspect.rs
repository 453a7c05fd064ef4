//! `shardway inspect`.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use super::output::Format;

/// Show what a data dir holds
///
/// The server must not be running on it.
#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// The server's data dir
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: Format,
}

impl Inspect {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Format { json: _ } = self.format;
        let message =
            format!("{} was not inspected: `inspect` is not built yet", self.dir.display());
        Err(Failure::new(Exit::Refused, message))
    }
}
