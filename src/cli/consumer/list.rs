//! `shardway consumer list`.

use clap::Args;

use super::shape::ConsumerShape;
use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, lines_of, print, print_json, table};
use crate::cli::time::format_time;
use crate::client::Client;
use crate::wire::consumers::{ConsumerDescription, ListConsumers};

/// List the consumers of a stream
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway consumer list orders")]
pub(in crate::cli) struct List {
    /// The stream
    stream: String,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let consumers = all_consumers(&mut self.server.connect()?, &self.stream)?;
        if self.format.json {
            return print_json(&consumers.iter().map(ConsumerShape::of).collect::<Vec<_>>());
        }
        if consumers.is_empty() {
            let stream = &self.stream;
            let advice = format!("`shardway consumer register {stream} NAME` makes one");
            return print(&format!("no consumers; {advice}"));
        }
        let mut rows = table(&["NAME", "STATUS", "CREATED", "ARN"]);
        for c in &consumers {
            rows.add_row([&c.name, c.status.word(), &format_time(c.created), &c.arn]);
        }
        print(&lines_of(rows))
    }
}

fn all_consumers(client: &mut Client, stream: &str) -> Result<Vec<ConsumerDescription>, Failure> {
    let mut all: Vec<ConsumerDescription> = Vec::new();
    loop {
        let after = all.last().map_or("", |consumer| consumer.name.as_str());
        let page = client.list_consumers(&ListConsumers { stream, after, limit: PAGE })?;
        let more = page.more && !page.consumers.is_empty();
        all.extend(page.consumers);
        if !more {
            return Ok(all);
        }
    }
}

/// Consumers of one request.
const PAGE: u32 = 1000;
