//! `shardway stream tag`.

use clap::Args;

use super::alter::Target;
use crate::cli::failure::Failure;
use crate::cli::tags::{TagChanges, print_tags};
use crate::wire::alter::StreamChange;
use crate::wire::tags::ListTags;

/// List, add and remove the tags of a stream
///
/// Prints the tags that the stream has then.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream tag orders team=billing --remove owner")]
pub(in crate::cli) struct Tag {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    changes: TagChanges,
}

impl Tag {
    pub(super) fn run(self) -> Result<(), Failure> {
        let name = &self.target.name;
        let changes = self.changes.check()?;
        let mut client = self.target.server.connect()?;
        if changes {
            let TagChanges { add, remove } = self.changes;
            // First, since a stream has so many tags at most.
            if !remove.is_empty() {
                client.alter_stream(name, StreamChange::Untag(remove))?;
            }
            if !add.is_empty() {
                client.alter_stream(name, StreamChange::Tag(add))?;
            }
        }
        let tags = client.list_tags(ListTags { stream: name, consumer: "" })?;
        print_tags(&tags, self.target.format)
    }
}
