//! What the commands that change one property of a stream share.

use clap::Args;

use super::shape;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, print, print_json};
use crate::wire::alter::StreamChange;
use crate::wire::streams::StreamSummary;

/// The stream that is changed. The value stands behind its name.
#[derive(Args, Debug)]
pub(super) struct Target {
    /// The stream
    pub(super) name: String,
    #[command(flatten)]
    pub(super) server: Server,
    #[command(flatten)]
    pub(super) format: Format,
}

impl Target {
    /// Asks for the change and prints what holds from now on: in JSON the stream, for people one
    /// line that `text` makes of it.
    pub(super) fn alter(
        &self,
        change: StreamChange,
        text: impl FnOnce(&StreamSummary) -> String,
    ) -> Result<(), Failure> {
        let stream = self.server.connect_patiently()?.alter_stream(&self.name, change)?;
        self.show(&stream, text)
    }

    /// Prints a stream as [`Target::alter`] does.
    pub(super) fn show(
        &self,
        stream: &StreamSummary,
        text: impl FnOnce(&StreamSummary) -> String,
    ) -> Result<(), Failure> {
        if self.format.json {
            return print_json(&shape::StreamShape::of_summary(stream));
        }
        print(&format!("{}: {}", stream.name, text(stream)))
    }
}
