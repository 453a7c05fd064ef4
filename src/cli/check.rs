//! `shardway check`.

use std::path::PathBuf;

use clap::Args;

use super::failure::{Exit, Failure};
use super::output::Format;

/// Look for damage in a data dir, without changing it
///
/// The server must not be running on it.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// The server's data dir
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    format: Format,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Format { json: _ } = self.format;
        let message = format!("{} was not checked: `check` is not built yet", self.dir.display());
        Err(Failure::new(Exit::Refused, message))
    }
}
