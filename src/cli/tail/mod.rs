//! `shardway tail`: records to lines.
//!
//! One thread for each home core reads its shards, by long poll or as a consumer; this one prints,
//! and says what is read next when a shard has ended. The queue between them is bounded, so a slow
//! reader of the output slows the server down.

mod consumer;
mod follow;
mod from;
mod inbox;
mod poll;
mod print;
mod push;
mod tip;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use clap::Args;

use super::connect::Server;
use super::failure::{Exit, Failure};
use super::output::Format;
use crate::base::ids::{Seq, ShardNumber, StreamUuid};
use crate::base::stream::Position;
use crate::client::{Batches, Client};
use crate::wire::shards::{ChildShard, ShardDescription, ShardFilter};
use crate::wire::streams::{DescribeStream, StreamSummary};
use follow::{Follow, Wanted};
use from::From;
use print::Printer;

pub(super) use from::join_at_timestamp;

/// Print the records of a stream, one a line, as they arrive
///
/// All shards are read, through splits and merges: a shard only when its parents were read to their
/// ends. So the records of a partition key come in their order; those of different shards
/// interleave.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway tail orders --from at-timestamp -10m")]
pub(super) struct Tail {
    /// The stream
    stream: String,

    /// Where to start: trim-horizon (the oldest record), latest, or `at-timestamp T`
    ///
    /// T is RFC 3339 (2026-01-31T12:00:00Z), seconds or milliseconds since 1970, or a time ago such
    /// as -10m. [default: latest, or trim-horizon with --no-follow]
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true,
          value_parser = from::parse_from)]
    from: Option<From>,

    /// Read as this enhanced fan-out consumer: the server pushes
    ///
    /// A consumer has a throughput of its own on every shard. It is registered if it is not, and
    /// stays registered. Another reader with the same name takes its subscriptions over.
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,

    /// Stop at the end of every shard as it was when the command started
    #[arg(long)]
    no_follow: bool,

    /// Stop after so many records
    #[arg(long, value_name = "N")]
    max_records: Option<u64>,

    #[command(flatten)]
    server: Server,

    /// Print {"shard", "sequence", "partition_key", "arrival", "data"} for each record, with
    /// "data_base64" for data that is not UTF-8, instead of the bare data
    #[arg(long)]
    json: bool,
}

/// A shard to read.
#[derive(Clone, Debug)]
struct Source {
    stream: StreamUuid,
    shard: ShardNumber,
    from: Position,
    /// Where to stop, with `--no-follow`.
    until: Option<Seq>,
}

impl Source {
    /// Whether a reader that has come to `reached` has all that it is to read.
    fn is_done(&self, reached: Seq) -> bool {
        self.until.is_some_and(|until| reached >= until)
    }
}

/// What a reading thread has to say.
#[derive(Debug)]
enum News {
    /// Records of a shard, of which those below `until` are meant.
    Records { batches: Batches, until: Option<Seq> },
    /// All records of a shard that are meant were passed on. With following, it is closed and goes
    /// on in its children.
    Ended { shard: ShardNumber, children: Vec<ChildShard> },
    /// A shard does not exist any more.
    Gone { shard: ShardNumber },
    /// The thread ends early.
    Failed(Failure),
}

impl Tail {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.run_to(std::io::stdout().lock())
    }

    fn run_to(&self, out: impl Write) -> Result<(), Failure> {
        if self.max_records == Some(0) {
            return Ok(());
        }
        let mut client = self.server.connect()?;
        let wanted = self.wanted(&mut client)?;
        let (sender, news) = sync_channel(NEWS);
        let follow = Follow::start(&self.server, client, wanted, sender)?;
        self.print(follow, &news, out)
    }

    fn wanted(&self, client: &mut Client) -> Result<Wanted, Failure> {
        let name = &self.stream;
        let request = DescribeStream { name, after: None, limit: 0 };
        let stream = client.describe_page(&request)?.summary;
        if let Some(consumer) = &self.consumer {
            consumer::ensure_registered(client, name, consumer)?;
        }
        let listing = client.all_shards(name, ShardFilter::FromTrimHorizon)?;
        let until = self.no_follow.then(|| ends_now(client, &stream, &listing)).transpose()?;
        let default = if self.no_follow { From::TrimHorizon } else { From::Latest };
        let start = self.from.unwrap_or(default).start();
        Ok(Wanted { stream, listing, start, until, consumer: self.consumer.clone() })
    }

    fn print(
        &self,
        mut follow: Follow<'_>,
        news: &Receiver<News>,
        out: impl Write,
    ) -> Result<(), Failure> {
        let format = Format { json: self.json };
        let mut printer = Printer::new(out, format, self.max_records);
        while !follow.is_done() && !printer.is_full() {
            let next = match news.try_recv() {
                Err(TryRecvError::Empty) => {
                    // Nothing more at the moment: what is printed so far must be seen.
                    printer.flush()?;
                    news.recv().ok()
                }
                other => other.ok(),
            };
            match next.expect("the one who follows can always send") {
                News::Records { batches, until } => printer.records(&batches, until)?,
                News::Ended { shard, children } => follow.ended(shard, &children)?,
                News::Gone { shard } => follow.gone(shard)?,
                News::Failed(failure) => {
                    printer.flush()?;
                    return Err(failure);
                }
            }
        }
        printer.flush()
    }
}

/// Where each shard ends at the moment.
fn ends_now(
    client: &mut Client,
    stream: &StreamSummary,
    listing: &[ShardDescription],
) -> Result<BTreeMap<ShardNumber, Seq>, Failure> {
    let mut ends = BTreeMap::new();
    for shard in listing {
        let end = match shard.closed {
            Some(closed) => closed.end,
            None => tip::tip_of(client, stream.uuid, shard.number)?,
        };
        ends.insert(shard.number, end);
    }
    Ok(ends)
}

/// Answers and pushes that wait to be printed.
const NEWS: usize = 8;

/// The bytes of a server's answer are not what it promised.
fn damaged(cause: &str) -> Failure {
    let message = format!("the server sent damaged records: {cause}; run `shardway check` on it");
    Failure::new(Exit::Refused, message)
}

#[cfg(test)]
mod tests;
