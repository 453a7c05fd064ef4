//! `shardway stream delete`.

use clap::Args;
use serde::Serialize;

use crate::base::error::ErrorCode;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, print, print_json};
use crate::client::ClientError;
use crate::wire::streams::DeleteStream;

/// Delete a stream and all of its records
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream delete orders --with-consumers")]
pub(in crate::cli) struct Delete {
    /// The stream
    name: String,

    /// Also when it has registered consumers: they are deregistered
    #[arg(long)]
    with_consumers: bool,

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
        let request = DeleteStream { name: &self.name, with_consumers: self.with_consumers };
        self.server.connect_patiently()?.delete_stream_with(&request).map_err(|error| {
            let in_use =
                matches!(&error, ClientError::Api(e) if e.code == ErrorCode::ResourceInUse);
            let mut failure = Failure::from(error);
            if in_use && !self.with_consumers {
                failure.advise("if it has consumers, --with-consumers deletes it with them");
            }
            failure
        })?;
        if self.format.json {
            return print_json(&Deleted { deleted: &self.name });
        }
        print(&format!("deleted {}", self.name))
    }
}
