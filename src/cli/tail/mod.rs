//! `shardway tail`: records to lines.
//!
//! One thread for each home core reads its shards, by long poll or as a consumer; this one prints.
//! The queue between them is bounded, so a slow reader of the output slows the server down.

mod from;
mod poll;
mod print;
mod push;
mod tip;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use clap::Args;

use super::connect::Server;
use super::failure::{Exit, Failure};
use super::output::Format;
use crate::base::ids::{CoreId, Seq, ShardNumber, StreamUuid};
use crate::base::stream::Position;
use crate::client::{Batches, Client};
use crate::wire::streams::StreamDescription;
use from::From;
use print::Printer;

pub(super) use from::join_at_timestamp;

/// Print the records of a stream, one a line, as they arrive
///
/// All shards are read. The records of a shard come in its order; those of different shards
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
    /// A consumer has a throughput of its own on every shard. Another reader with the same name
    /// takes its subscriptions over.
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
        let stream = client.describe_stream(&self.stream)?;
        let sources = self.sources(&mut client, &stream)?;
        drop(client);
        let (sender, news) = sync_channel(NEWS);
        for (home, sources) in sources {
            self.start_reader(self.server.connect_to(home)?, sources, &stream, sender.clone());
        }
        // With the readers' senders gone, the last news is the end.
        drop(sender);
        self.print(&news, out)
    }

    /// The shards of each home core, with their start and end.
    fn sources(
        &self,
        client: &mut Client,
        stream: &StreamDescription,
    ) -> Result<BTreeMap<CoreId, Vec<Source>>, Failure> {
        let default = if self.no_follow { From::TrimHorizon } else { From::Latest };
        let from = self.from.unwrap_or(default).position();
        let mut by_home: BTreeMap<CoreId, Vec<Source>> = BTreeMap::new();
        for shard in &stream.shards {
            let until = match self.no_follow {
                true => Some(tip::tip_of(client, stream.summary.uuid, shard.number)?),
                false => None,
            };
            let source = Source { stream: stream.summary.uuid, shard: shard.number, from, until };
            by_home.entry(shard.home).or_default().push(source);
        }
        Ok(by_home)
    }

    fn start_reader(
        &self,
        client: Client,
        sources: Vec<Source>,
        stream: &StreamDescription,
        news: SyncSender<News>,
    ) {
        let consumer = self.consumer.clone();
        let reads = stream.summary.options.limits.reads;
        thread::spawn(move || {
            let read = match consumer {
                Some(consumer) => push::read(client, &consumer, sources, &news),
                None => poll::read(client, sources, reads, &news),
            };
            if let Err(failure) = read {
                // When nobody listens any more, the command has ended already.
                let _ = news.send(News::Failed(failure));
            }
        });
    }

    fn print(&self, news: &Receiver<News>, out: impl Write) -> Result<(), Failure> {
        let format = Format { json: self.json };
        let mut printer = Printer::new(out, format, self.max_records);
        loop {
            let next = match news.try_recv() {
                Err(TryRecvError::Empty) => {
                    // Nothing more at the moment: what is printed so far must be seen.
                    printer.flush()?;
                    news.recv().ok()
                }
                other => other.ok(),
            };
            match next {
                None => return printer.flush(),
                Some(News::Records { batches, until }) => {
                    printer.records(&batches, until)?;
                    if printer.is_full() {
                        return printer.flush();
                    }
                }
                Some(News::Failed(failure)) => {
                    printer.flush()?;
                    return Err(failure);
                }
            }
        }
    }
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
