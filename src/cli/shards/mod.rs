//! `shardway shards`: the tree of a stream's shards, and what they hold and take in.

mod filter;
mod fold;
mod listing;
mod shape;
mod sketch;
mod tree;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::connect::Server;
use super::failure::Failure;
use super::output::Format;
use super::pause::pause;
use crate::client::Client;
use crate::wire::shards::ShardFilter;
use filter::parse_filter;
use listing::Listing;

/// Draw the tree of a stream's shards, with their hash keys, records and rates
///
/// Parents stand above their children, ● is open and ○ closed. A shard is HOT when more than half
/// of what it admits comes in. Long runs of shards alike are folded.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway shards orders --watch")]
pub(super) struct Shards {
    /// The stream
    stream: String,

    /// Which shards
    ///
    /// from-trim-horizon (all that are retained), at-trim-horizon, at-latest or open (what is open
    /// now), at-timestamp=T, from-timestamp=T, after=SHARD. T is a time as `tail --from` takes it.
    #[arg(long, value_name = "FILTER", default_value = "from-trim-horizon",
          value_parser = parse_filter)]
    filter: ShardFilter,

    /// With records, bytes and rates (the default)
    #[arg(long, overrides_with = "no_stats")]
    stats: bool,

    /// Without records, bytes and rates: no core is asked
    #[arg(long)]
    no_stats: bool,

    /// Fold nothing
    #[arg(long)]
    all: bool,

    /// How hash keys are shown; hex and decimal give the first and the last one of each shard
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Keys::Percent)]
    keys: Keys,

    /// Draw again and again, every 2 s or as often as is said
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "2s", value_parser = humantime::parse_duration)]
    watch: Option<Duration>,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

/// How hash keys are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Keys {
    /// As parts of the key space
    Percent,
    /// Hexadecimal
    Hex,
    /// Decimal, as the API has them
    Decimal,
}

impl Shards {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.run_to(&mut io::stdout().lock(), None)
    }

    /// `times` bounds how often a watch draws.
    fn run_to(&self, out: &mut impl Write, times: Option<u32>) -> Result<(), Failure> {
        let mut client = self.server.connect()?;
        let mut drawn = 0;
        loop {
            let text = self.text(&mut client)?;
            let shown = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            shown.map_err(|e| Failure::stdout(&e))?;
            drawn += 1;
            match self.watch {
                Some(every) if times.is_none_or(|times| drawn < times) => pause(every),
                _ => return Ok(()),
            }
        }
    }

    /// What one drawing prints.
    fn text(&self, client: &mut Client) -> Result<String, Failure> {
        let listing = Listing::fetch(client, &self.stream, self.filter, !self.no_stats)?;
        if self.format.json {
            let shape = shape::shape(&listing);
            let json = match self.watch {
                // One document a line, for programs that read on.
                Some(_) => serde_json::to_string(&shape),
                None => serde_json::to_string_pretty(&shape),
            };
            return Ok(json.expect("these types have only text keys") + "\n");
        }
        let text = sketch::sketch(&listing, self.keys, self.all);
        Ok(match self.watch {
            Some(_) if io::stdout().is_terminal() => format!("{CLEAR}{text}"),
            Some(_) => text + "\n",
            None => text,
        })
    }
}

/// Moves a terminal's cursor to its upper left corner and clears all behind it.
const CLEAR: &str = "\x1b[H\x1b[J";

#[cfg(test)]
mod tests;
