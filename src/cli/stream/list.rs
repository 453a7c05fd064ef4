//! `shardway stream list`.

use clap::Args;

use super::limit_values::limits_text;
use super::shape::{StreamShape, retention_text};
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, lines_of, print, print_json, table};
use crate::cli::time::format_time;
use crate::client::Client;
use crate::wire::streams::StreamSummary;

/// List all streams
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway stream list --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let streams = all_streams(&mut self.server.connect()?)?;
        if self.format.json {
            let shapes: Vec<_> = streams.iter().map(StreamShape::of_summary).collect();
            return print_json(&shapes);
        }
        if streams.is_empty() {
            return print("no streams; `shardway stream create NAME` makes one");
        }
        let mut table = table(&[
            "NAME",
            "STATUS",
            "MODE",
            "SHARDS",
            "CONSUMERS",
            "DURABILITY",
            "LIMITS",
            "RETENTION",
            "CREATED",
        ]);
        for s in &streams {
            table.add_row([
                s.name.clone(),
                s.status.word().to_owned(),
                s.options.mode.word().to_owned(),
                s.open_shards.to_string(),
                s.consumers.to_string(),
                s.options.durability.word().to_owned(),
                limits_text(&s.options.limits),
                retention_text(s.options.retention_hours),
                format_time(s.created),
            ]);
        }
        print(&lines_of(table))
    }
}

fn all_streams(client: &mut Client) -> Result<Vec<StreamSummary>, Failure> {
    let mut all: Vec<StreamSummary> = Vec::new();
    loop {
        let after = all.last().map_or("", |s| s.name.as_str());
        let page = client.list_streams(after, PAGE)?;
        let more = page.more && !page.streams.is_empty();
        all.extend(page.streams);
        if !more {
            return Ok(all);
        }
    }
}

/// Streams of one request.
const PAGE: u32 = 1000;
