//! `shardway consumer deregister`.

use clap::Args;
use serde::Serialize;

use super::Target;
use crate::cli::failure::Failure;
use crate::cli::output::{print, print_json};

/// Remove a consumer; its subscriptions end
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway consumer deregister orders billing")]
pub(in crate::cli) struct Deregister {
    #[command(flatten)]
    target: Target,
}

#[derive(Serialize)]
struct Deregistered<'a> {
    deregistered: &'a str,
}

impl Deregister {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Target { server, format, name, stream } = &self.target;
        server.connect()?.deregister_consumer(self.target.consumer())?;
        if format.json {
            return print_json(&Deregistered { deregistered: name });
        }
        print(&format!("deregistered {name} from {stream}"))
    }
}
