//! `shardway consumer tag`.

use clap::Args;

use super::Target;
use crate::cli::failure::Failure;
use crate::cli::tags::{TagChanges, print_tags};
use crate::wire::consumers::TagConsumer;
use crate::wire::tags::ListTags;

/// List, add and remove the tags of a consumer
///
/// Prints the tags that the consumer has then.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway consumer tag orders billing team=billing")]
pub(in crate::cli) struct Tag {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    changes: TagChanges,
}

impl Tag {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Target { server, format, name, stream } = &self.target;
        let changes = self.changes.check()?;
        let mut client = server.connect()?;
        if changes {
            let TagChanges { add, remove } = self.changes;
            client.tag_consumer(&TagConsumer { name: self.target.consumer(), add, remove })?;
        }
        print_tags(&client.list_tags(ListTags { stream, consumer: name })?, *format)
    }
}
