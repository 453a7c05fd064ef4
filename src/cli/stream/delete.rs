//! `shardway stream delete`.

use clap::Args;
use serde::Serialize;

use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, print, print_json};

/// Delete a stream and all of its records
#[derive(Args, Debug)]
pub(in crate::cli) struct Delete {
    /// The stream
    name: String,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

#[derive(Serialize)]
struct Deleted<'a> {
    deleted: &'a str,
}

impl Delete {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.server.connect()?.delete_stream(&self.name)?;
        if self.format.json {
            return print_json(&Deleted { deleted: &self.name });
        }
        print(&format!("deleted {}", self.name))
    }
}
