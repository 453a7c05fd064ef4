//! `shardway serve`.

use std::io::IsTerminal;

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::failure::{Exit, Failure};
use crate::config::{ServeLayer, ServeOptions};

/// Run a server
///
/// Each option comes from its flag, else from its environment variable, else from the file of
/// `--config`, else it has its default.
#[derive(Args, Debug)]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServeLayer,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let options = ServeOptions::load(self.options)?;
        start_log(&options.log);
        serve(options)
    }
}

/// Sends what the server traces to stderr, in colour where a person reads it.
fn start_log(filter: &str) {
    let filter = EnvFilter::try_new(filter).expect("the options were checked");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

/// The one call into the runtime; returns when the server has stopped.
fn serve(options: ServeOptions) -> Result<(), Failure> {
    tracing::debug!(?options, "options");
    Err(Failure::new(Exit::Unfit, "this build has no server yet; build a later revision"))
}
