//! `shardway put`: lines become records.
//!
//! One thread reads the input, this one cuts lines into batches by shard, and one thread for each
//! home core sends its shards' batches and takes their answers. Every queue between them is
//! bounded, and a batch leaves early when the input pauses. After a reshard the threads finish what
//! they have, which the server sends to the right shards, and new ones go on with the new map.

mod judge;
mod key;
mod lane;
mod lines;
mod router;
mod shard_queue;
mod summary;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::connect::Server;
use super::failure::{Exit, Failure};
use super::output::Format;
use crate::base::ids::StreamUuid;
use crate::base::limits::PUT_RECORDS_MAX;
use crate::wire::streams::StreamDescription;
use key::KeyRule;
use lane::{Lane, Map};
use lines::Lines;
use router::Router;
use summary::Totals;

/// Store records, one a line, from stdin or a file
///
/// A record's data is its line without the line feed. Records of one partition key are stored in
/// the order of their lines, also when the server throttles and batches are sent again. On a
/// stream with limits, or with `--in-flight 1`, that holds for all records of a shard.
#[derive(Args, Debug)]
#[command(after_help = "Example: seq 1 100 | shardway put orders")]
pub(super) struct Put {
    /// The stream
    stream: String,

    /// Read this file instead of stdin
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Partition key of every record
    ///
    /// Without --key and --key-field a record's key is the number of its line (1, 2, …), which
    /// spreads the records evenly over the shards.
    #[arg(long, value_name = "KEY", conflicts_with = "key_field")]
    key: Option<String>,

    /// Take the partition key from this field of the line, counted from 1
    ///
    /// Fields are split as in CSV: a field may stand in double quotes, and two double quotes
    /// inside them are one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    key_field: Option<u32>,

    /// What separates the fields: one ASCII character, or `\t`
    #[arg(long, value_name = "C", default_value = ",", value_parser = key::parse_delimiter)]
    delimiter: u8,

    /// Records of one batch, at most
    #[arg(long, value_name = "N", default_value_t = PUT_RECORDS_MAX as u32,
          value_parser = clap::value_parser!(u32).range(1..=PUT_RECORDS_MAX as i64))]
    batch_records: u32,

    /// Batches of one shard that are sent before the first is answered [default: 1 on a stream with
    /// limits, 8 with `--limits off`]
    ///
    /// Batches that share a partition key never overtake each other. Above 1, others may when the
    /// server refuses one of them; limits leave nothing to gain by it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    in_flight: Option<u32>,

    /// Give up on a batch that the server has refused for so long
    #[arg(long, value_name = "TIME", default_value = "60s",
          value_parser = humantime::parse_duration)]
    retry_for: Duration,

    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    format: Format,
}

impl Put {
    pub(super) fn run(self) -> Result<(), Failure> {
        let rule = KeyRule::new(self.key.as_deref(), self.key_field, self.delimiter)?;
        let input = self.input()?;
        let stream = self.server.connect()?.describe_stream(&self.stream)?;
        let totals = Arc::new(Totals::new(progress(input.bytes)));
        let lanes = self.start_lanes(&stream, &totals)?;
        let blocks = read_in_background(input.reader);
        let ended = self.put_all(&blocks, &rule, lanes, &totals);
        totals.finish(self.format)?;
        ended.map_err(|failure| totals.cut_short(failure))?;
        totals.verdict()
    }

    /// Puts the whole input. After a reshard everything that was routed by the old map is stored
    /// before anything is routed by the new one, so that no record overtakes another of its key.
    fn put_all(
        &self,
        blocks: &Receiver<io::Result<Vec<u8>>>,
        rule: &KeyRule,
        mut lanes: Lanes,
        totals: &Arc<Totals>,
    ) -> Result<(), Failure> {
        let mut lines = Lines::default();
        let stream = lanes.stream;
        loop {
            let Lanes { mut router, map, threads, .. } = lanes;
            let read = self.route(blocks, &mut lines, rule, &mut router, &map, totals);
            drop(router);
            let mut ended = read;
            for thread in threads {
                let lane = thread.join().expect("a lane returns its failure");
                ended = ended.and_then(|read| lane.map(|()| read));
            }
            if let Stopped::AtEnd = ended? {
                return Ok(());
            }
            let description = self.server.connect()?.describe_stream(&self.stream)?;
            if description.summary.uuid != stream {
                let message = format!(
                    "stream {} was deleted and created again; put the rest of the input anew",
                    self.stream
                );
                return Err(Failure::new(Exit::Refused, message));
            }
            lanes = self.start_lanes(&description, totals)?;
        }
    }

    /// Opens a connection for each core that owns a shard, and a thread for each connection.
    fn start_lanes(
        &self,
        stream: &StreamDescription,
        totals: &Arc<Totals>,
    ) -> Result<Lanes, Failure> {
        let mut router = Router::new(stream, self.batch_records)?;
        let map = Map::of(stream);
        let mut threads = Vec::new();
        for home in router.homes() {
            let (sender, receiver) = sync_channel(LANE_BATCHES);
            let lane = Lane {
                client: self.server.connect_to(home)?,
                stream: stream.summary.uuid,
                map: map.clone(),
                window: self.window(stream),
                retry_for: self.retry_for,
                totals: Arc::clone(totals),
            };
            router.add_lane(home, sender);
            threads.push(thread::spawn(move || lane.run(&receiver)));
        }
        Ok(Lanes { stream: stream.summary.uuid, router, map, threads })
    }

    /// Under limits a throttled batch is ordinary, so only one batch is on its way and nothing can
    /// overtake it; the limits leave no throughput to gain by more.
    fn window(&self, stream: &StreamDescription) -> usize {
        let limits = &stream.summary.options.limits;
        let limited = limits.in_bytes != 0 || limits.in_records != 0;
        self.in_flight.unwrap_or(if limited { 1 } else { UNLIMITED_WINDOW }) as usize
    }

    /// Reads the input to its end, or until the map is old. Ends early, without a failure of its
    /// own, when a lane is gone: the lane reports why itself.
    fn route(
        &self,
        blocks: &Receiver<io::Result<Vec<u8>>>,
        lines: &mut Lines,
        rule: &KeyRule,
        router: &mut Router,
        map: &Map,
        totals: &Totals,
    ) -> Result<Stopped, Failure> {
        while !map.is_old() {
            let block = match blocks.try_recv() {
                Ok(block) => block,
                // The input pauses: what is there goes out now instead of waiting for more.
                Err(TryRecvError::Empty) => {
                    if router.flush().is_err() {
                        return Ok(Stopped::AtEnd);
                    }
                    match blocks.recv() {
                        Ok(block) => block,
                        Err(mpsc::RecvError) => return Ok(last_line(lines, rule, router, totals)),
                    }
                }
                Err(TryRecvError::Disconnected) => {
                    return Ok(last_line(lines, rule, router, totals));
                }
            };
            let block = block.map_err(|e| self.cannot_read(&e))?;
            totals.read(block.len());
            if lines.feed(&block, |line| router.route(rule, line, totals)).is_err() {
                return Ok(Stopped::AtEnd);
            }
        }
        Ok(if router.flush().is_err() { Stopped::AtEnd } else { Stopped::AtOldMap })
    }

    fn input(&self) -> Result<Input, Failure> {
        let Some(path) = &self.file else {
            return Ok(Input { reader: Box::new(io::stdin()), bytes: None });
        };
        let file = File::open(path).map_err(|e| self.cannot_read(&e))?;
        let bytes = file.metadata().ok().filter(|m| m.is_file()).map(|m| m.len());
        Ok(Input { reader: Box::new(file), bytes })
    }

    fn cannot_read(&self, error: &io::Error) -> Failure {
        let name = self.file.as_ref().map_or("stdin".to_owned(), |p| p.display().to_string());
        Failure::new(Exit::Usage, format!("cannot read {name}: {error}; check --file"))
    }
}

/// Routes the end of the input.
fn last_line(lines: &mut Lines, rule: &KeyRule, router: &mut Router, totals: &Totals) -> Stopped {
    let routed = lines.finish(|line| router.route(rule, line, totals));
    // A lane that is gone reports why itself.
    let _ = routed.and_then(|()| router.flush());
    Stopped::AtEnd
}

/// Why no more input is read.
enum Stopped {
    /// It has ended.
    AtEnd,
    /// A reshard has made the shard map old.
    AtOldMap,
}

/// What routes and sends by one shard map.
struct Lanes {
    stream: StreamUuid,
    router: Router,
    map: Map,
    threads: Vec<LaneThread>,
}

/// Ends with what cut the lane short, if something did.
type LaneThread = thread::JoinHandle<Result<(), Failure>>;

struct Input {
    reader: Box<dyn Read + Send>,
    /// Its size, where it is known.
    bytes: Option<u64>,
}

/// Reads on a thread, so that the reader of the blocks knows when there is nothing to read yet.
fn read_in_background(mut reader: Box<dyn Read + Send>) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = sync_channel(READ_BLOCKS);
    thread::spawn(move || {
        loop {
            let mut block = vec![0; READ_BYTES];
            let read = match reader.read(&mut block) {
                Ok(0) => return,
                Ok(n) => {
                    block.truncate(n);
                    Ok(block)
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => Err(e),
            };
            let failed = read.is_err();
            if sender.send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}

/// A bar on stderr where a person sees it, nothing elsewhere.
fn progress(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => {
            (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes} read, {msg}, eta {eta}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} read, {msg}"),
    };
    let style = ProgressStyle::with_template(template).expect("the templates are valid");
    bar.with_style(style)
}

/// One read of the input.
const READ_BYTES: usize = 256 * 1024;
/// Blocks between reader and router.
const READ_BLOCKS: usize = 4;
/// Batches between router and a lane.
const LANE_BATCHES: usize = 16;
/// Batches of a shard in flight where nothing throttles: enough to fill a commit while one runs.
const UNLIMITED_WINDOW: u32 = 8;

#[cfg(test)]
mod tests;
