//! Commands and options.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use shardway::base::limits::{KEY_BYTES_MAX, RECORD_BYTES_DEFAULT};
use shardway::base::stream::{Durability, ShardLimits};

use crate::arrival::Arrival;
use crate::compare::CompareOptions;
use crate::history::HistoryOptions;
use crate::http::{HttpScenario, Identity};
use crate::keyed::STAMP_BYTES;
use crate::report::Protocol;
use crate::scenario::Scenario;
use crate::slo::Slo;
use crate::workload::{BATCH_RECORDS, QUOTA_BATCH_RECORDS, QUOTA_CONNECTIONS, RECORD_BYTES};
use crate::workloads::Spec;

/// Measures what a Shardway server sustains and how fast records reach their consumers.
///
/// Latencies count from the time at which a record was meant to leave, so a stall of the server is
/// in the result. Everything that is read is verified: order, gaps, payloads, one hash chain a
/// shard; a mismatch ends the run with exit code 3.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub common: Common,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Floor, ack latency, throughput and push latency in about 30 s. Needs no options.
    Quick(Quick),
    /// This machine's own limits: raw durable writes and loopback round trips, without a server.
    Floor,
    /// One of the named scenarios, each with its target.
    Scenario {
        /// Which.
        name: Scenario,
        /// Where.
        #[command(flatten)]
        server: Server,
        /// How long.
        #[command(flatten)]
        times: Times,
    },
    /// The highest rate that one shard, and then all shards, sustain.
    Ceiling(Ceiling),
    /// Ack and push latency at a fixed rate.
    Latency(Latency),
    /// Push latency of many shards, each at its AWS quota, and the search for their number.
    Shards(Shards),
    /// Reshards, retention and mode of a stream under load: nothing lost, twice or out of order.
    Life(Life),
    /// What a stream with the limits of AWS admits from clients that offer more.
    Quota(Quota),
    /// What quotas cost of the durable rate.
    Cost(Cost),
    /// The AWS API, of this server or any other Kinesis: puts and pushes over HTTP.
    Http(Http),
    /// A workload from a file, or one of those inside: the same load for every server and protocol.
    Workload(RunWorkload),
    /// One HTML page of result files, with plots: offline, in print, light and dark.
    Report(Page),
    /// Start, listing and memory of a server with 10,000 shards, as a process of its own.
    ManyShards(ManyShards),
    /// Whether a build is slower or faster than another: two sets of results, made in turns.
    Compare(CompareOptions),
    /// Where a series of results over time has changed, and by how much.
    History(HistoryOptions),
}

const EXAMPLES: &str = "\
Examples:
  loadgen quick
  loadgen floor --json floor.json
  loadgen scenario one-shard --server 127.0.0.1:4570
  loadgen ceiling --server 127.0.0.1:4570 --connections 64 --writers 64 --batch-records 1
  loadgen ceiling --server 127.0.0.1:4570 --shards 4 --batch-records 256 --in-flight 8
  loadgen latency --server 127.0.0.1:4570 --rate 3000 --consumers 1,20
  loadgen shards --server 127.0.0.1:4570 --shards 150
  loadgen life --reshards 20
  loadgen quota
  loadgen cost --rounds 11
  loadgen many-shards --streams 1
  loadgen workload --list
  loadgen workload catch-up --server 127.0.0.1:4570
  loadgen workload fan-out --protocol http --endpoint http://localhost:4567
  loadgen latency --rate 3000 --slo p99=2ms,p999=5ms
  loadgen report a.json b.json -o both.html
  loadgen http
  loadgen http put-records --endpoint http://localhost:4567 --shards 4
  loadgen quick --protocol http
  loadgen compare results/base results/new --html compare.html
  loadgen history results --html history.html

Exit codes: 0 measured, 1 failed, 2 wrong options, 3 VERIFICATION FAILED,
 4 target missed (--strict), bound missed (--slo) or regressed (compare, history),
 5 compare: too few runs, or not comparable; 130 interrupted";

/// Options of all commands.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Write all numbers as JSON to this file; `-` is standard output.
    #[arg(long, global = true, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// CPU of the load generator [default: the last]. The embedded server gets another.
    #[arg(long, global = true, value_name = "N")]
    pub cpu: Option<usize>,
    /// Spin while nothing is to do, instead of sleeping. Hides the wake-ups of the load generator;
    /// but where the kernel completes synced writes on its CPU, they wait for the next tick (4 ms).
    #[arg(long, global = true)]
    pub spin: bool,
    /// Directory of the floor's file and of the embedded server's data [default: where temporary
    /// files go, or /var/tmp where those are in memory].
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Leave the floor out; results then have no ratio to it.
    #[arg(long, global = true)]
    pub no_floor: bool,
    /// Revision of the source of a server that is not in this process, for the result file.
    #[arg(long, global = true, value_name = "REVISION")]
    pub server_revision: Option<String>,
    /// Process of a server that is not in this one: its memory is watched.
    #[arg(long, global = true, value_name = "PID")]
    pub server_process: Option<u32>,
    /// End with exit code 4 when a target is missed.
    #[arg(long, global = true)]
    pub strict: bool,
}

/// Which server, and what it promises.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// Native address of a running server [default: one in this process, on a core of its own].
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_address)]
    pub server: Option<SocketAddr>,
    /// When puts are acknowledged.
    #[arg(long, value_enum, default_value_t = Mode::Durable)]
    pub durability: Mode,
}

/// Which Kinesis, and as whom it is asked.
#[derive(Clone, Debug, Args)]
pub struct Kinesis {
    /// A running Kinesis, http://HOST:PORT or https://HOST:PORT [default: a server in this process,
    /// on a core of its own].
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Authorities that certificates of an https endpoint may come from, PEM [default: the
    /// system's].
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    pub ca_file: Option<PathBuf>,
    /// Region that requests are signed for.
    #[arg(long, default_value = "us-east-1", value_parser = parse_scope_word)]
    pub region: String,
    /// Name of the access key that signs.
    #[arg(
        long,
        value_name = "ID",
        env = "AWS_ACCESS_KEY_ID",
        default_value = "loadgen",
        value_parser = parse_scope_word
    )]
    pub access_key_id: String,
    /// The key itself.
    #[arg(
        long,
        value_name = "KEY",
        env = "AWS_SECRET_ACCESS_KEY",
        hide_env_values = true,
        default_value = "loadgen"
    )]
    pub secret_access_key: String,
    /// What temporary keys come with.
    #[arg(long, value_name = "TOKEN", env = "AWS_SESSION_TOKEN", hide_env_values = true)]
    pub session_token: Option<String>,
    /// The server in this process checks every signature; otherwise only its form, as servers on
    /// loopback do.
    #[arg(long, conflicts_with = "endpoint")]
    pub check_signatures: bool,
}

impl Kinesis {
    /// As whom it is asked.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            region: self.region.clone(),
            access_key_id: self.access_key_id.clone(),
            secret: self.secret_access_key.clone(),
            token: self.session_token.clone(),
        }
    }
}

/// `loadgen quick`.
#[derive(Clone, Debug, Args)]
pub struct Quick {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// How the server is spoken to.
    #[arg(long, value_enum, default_value_t = Protocol::Native)]
    pub protocol: Protocol,
    /// Where, over HTTP.
    #[command(flatten)]
    pub kinesis: Kinesis,
    /// Where result file and page go, unless --json names a file.
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub results: PathBuf,
}

/// Where results go unless another place is named.
const RESULTS: &str = "loadgen-results";

/// `loadgen workload`.
#[derive(Clone, Debug, Args)]
pub struct RunWorkload {
    /// Name of a workload inside, or a TOML file.
    #[arg(
        value_name = "NAME|FILE",
        value_parser = crate::workloads::load,
        required_unless_present = "list"
    )]
    pub workload: Option<Spec>,
    /// Lists the workloads inside.
    #[arg(long)]
    pub list: bool,
    /// Native address of a running server [default: one in this process, on a core of its own].
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_address)]
    pub server: Option<SocketAddr>,
    /// How the server is spoken to.
    #[arg(long, value_enum, default_value_t = Protocol::Native)]
    pub protocol: Protocol,
    /// Where, over HTTP.
    #[command(flatten)]
    pub kinesis: Kinesis,
    /// Seconds before the measured ones, instead of the file's.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub warmup: Option<Duration>,
    /// Measured seconds, instead of the file's.
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Option<Duration>,
    /// Bounds such as p99=2ms,ack.p999=5ms; a miss ends with exit code 4.
    #[arg(long, value_name = "BOUNDS")]
    pub slo: Option<Slo>,
    /// Where result file and page go, unless --json names a file.
    #[arg(long, value_name = "DIR", default_value = RESULTS)]
    pub results: PathBuf,
}

/// `loadgen report`.
#[derive(Clone, Debug, Args)]
pub struct Page {
    /// Result files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The page [default: beside a single file, else loadgen-report.html].
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `loadgen http`.
#[derive(Clone, Debug, Args)]
pub struct Http {
    /// What to measure [default: everything, one after the other].
    pub scenarios: Vec<HttpScenario>,
    /// Where.
    #[command(flatten)]
    pub kinesis: Kinesis,
    /// Native address of the Shardway behind --endpoint: the limits of the streams, which the API
    /// cannot change, are switched off there. Without it they are in the results.
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_address, requires = "endpoint")]
    pub server: Option<SocketAddr>,
    /// How long.
    #[command(flatten)]
    pub times: Times,
    /// Shards of each stream.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: u32,
    /// Data of a record.
    #[arg(long, default_value_t = RECORD_BYTES)]
    pub record_bytes: usize,
    /// Records of a PutRecords [default: 100; 10 with subscribe].
    #[arg(long)]
    pub batch_records: Option<u32>,
    /// Connections that put, each with one request at a time [default: 8; 64 for put-record, 16
    /// for subscribe].
    #[arg(long)]
    pub connections: Option<u32>,
    /// Records a second in subscribe.
    #[arg(long, default_value_t = crate::http::RATE)]
    pub rate: f64,
    /// Spacing of its batches.
    #[arg(long, value_enum, default_value_t = Arrival::Constant)]
    pub arrival: Arrival,
    /// Its consumers, each with a connection of HTTP/2 and every shard.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub consumers: u32,
    /// Open subscriptions in subscriptions.
    #[arg(long, default_value_t = crate::http::SUBSCRIPTIONS)]
    pub subscriptions: u32,
    /// The program of its server [default: `shardway` beside this program].
    #[arg(long, value_name = "FILE", conflicts_with = "endpoint")]
    pub program: Option<PathBuf>,
    /// The process behind --endpoint, whose memory is measured.
    #[arg(long, value_name = "PID", requires = "endpoint")]
    pub server_pid: Option<u32>,
}

/// How long each run takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct Times {
    /// Seconds before the measured ones.
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = parse_seconds)]
    pub warmup: Duration,
    /// Measured seconds.
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Duration,
}

/// `loadgen ceiling`.
#[derive(Clone, Debug, Args)]
pub struct Ceiling {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// How long.
    #[command(flatten)]
    pub times: Times,
    /// Shards; one shard is measured first in any case.
    #[arg(long, default_value_t = 1)]
    pub shards: u32,
    /// Data of a record.
    #[arg(long, default_value_t = RECORD_BYTES)]
    pub record_bytes: usize,
    /// Records of a batch.
    #[arg(long, default_value_t = BATCH_RECORDS)]
    pub batch_records: u32,
    /// Writers [default: one a shard].
    #[arg(long)]
    pub writers: Option<u32>,
    /// Connections that the writers share [default: one a shard, at most 64].
    #[arg(long)]
    pub connections: Option<u32>,
    /// Batches each writer keeps in flight [default: 1 with --writers, else searched].
    #[arg(long)]
    pub in_flight: Option<u32>,
    /// Only the closed loop: no search for what lasts, no latencies at shares of it.
    #[arg(long)]
    pub closed_loop: bool,
    /// Consumers while latencies are measured.
    #[arg(long, default_value_t = 1)]
    pub consumers: u32,
}

/// `loadgen latency`.
#[derive(Clone, Debug, Args)]
pub struct Latency {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// How long.
    #[command(flatten)]
    pub times: Times,
    /// Records a second, over all shards [default: half of what a closed loop reaches].
    #[arg(long)]
    pub rate: Option<f64>,
    /// Consumers, each of all shards. Several numbers run in turn: `1,20`.
    #[arg(long, default_value = "1", value_delimiter = ',')]
    pub consumers: Vec<u32>,
    /// Shards.
    #[arg(long, default_value_t = 1)]
    pub shards: u32,
    /// Data of a record.
    #[arg(long, default_value_t = RECORD_BYTES)]
    pub record_bytes: usize,
    /// Records of a batch.
    #[arg(long, default_value_t = 1)]
    pub batch_records: u32,
    /// Writers [default: one a shard].
    #[arg(long)]
    pub writers: Option<u32>,
    /// Connections that the writers share [default: one a shard, at most 64].
    #[arg(long)]
    pub connections: Option<u32>,
    /// Connections of each consumer.
    #[arg(long, default_value_t = 1)]
    pub consumer_connections: u32,
    /// Spacing of the batches.
    #[arg(long, value_enum, default_value_t = Arrival::Constant)]
    pub arrival: Arrival,
    /// Bounds such as p99=2ms,ack.p999=5ms; a miss ends with exit code 4.
    #[arg(long, value_name = "BOUNDS")]
    pub slo: Option<Slo>,
}

/// `loadgen shards`.
#[derive(Clone, Debug, Args)]
pub struct Shards {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// How long.
    #[command(flatten)]
    pub times: Times,
    /// Run with so many shards [default: search the highest number].
    #[arg(long)]
    pub shards: Option<u32>,
    /// Push p99 in ms below which a number of shards counts as carried.
    #[arg(long, default_value_t = crate::shards::P99_LIMIT_MS)]
    pub p99_limit_ms: f64,
    /// Records of a batch.
    #[arg(long, default_value_t = QUOTA_BATCH_RECORDS)]
    pub batch_records: u32,
    /// Connections of the writers, and again of the consumers.
    #[arg(long, default_value_t = QUOTA_CONNECTIONS)]
    pub connections: u32,
    /// What the shards admit: with `aws`, a put above the quota would be refused.
    #[arg(long, value_enum, default_value_t = Limits::Off)]
    pub limits: Limits,
    /// Spacing of the batches.
    #[arg(long, value_enum, default_value_t = Arrival::Constant)]
    pub arrival: Arrival,
}

/// `loadgen life`.
#[derive(Clone, Debug, Args)]
pub struct Life {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// Reshards that are asked for at least: 4 -> 8 -> 4 -> 3 shards, then splits and merges.
    #[arg(long, default_value_t = crate::life::RESHARDS)]
    pub reshards: u32,
    /// Records a second over all writers.
    #[arg(long, default_value_t = crate::life::RATE)]
    pub rate: f64,
    /// Every answer is followed by the writer's next batch, without a rate. Fills the disk.
    #[arg(long, conflicts_with = "rate")]
    pub closed_loop: bool,
    /// Writers, each with a slice of the hash key space. A multiple of 24 keeps each writer's keys
    /// in one shard.
    #[arg(long, default_value_t = crate::life::WRITERS)]
    pub writers: u32,
    /// Partition keys of a writer.
    #[arg(long, default_value_t = crate::life::KEYS)]
    pub keys: usize,
    /// Data of a record.
    #[arg(long, default_value_t = RECORD_BYTES)]
    pub record_bytes: usize,
    /// Records of a batch.
    #[arg(long, default_value_t = crate::life::BATCH_RECORDS)]
    pub batch_records: usize,
    /// Batches that a writer may have without an answer.
    #[arg(long, default_value_t = crate::life::IN_FLIGHT)]
    pub in_flight: usize,
    /// Connections that the writers share.
    #[arg(long, default_value_t = crate::life::CONNECTIONS)]
    pub connections: u32,
    /// Seconds of load in front of each step: what it is compared with.
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = parse_seconds)]
    pub settle: Duration,
    /// Ends with the last reshard that is asked for, before the server scales by itself.
    #[arg(long)]
    pub no_on_demand: bool,
}

/// `loadgen quota`.
#[derive(Clone, Debug, Args)]
pub struct Quota {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// Shards of the streams. Several numbers run side by side.
    #[arg(long, default_value = crate::quota::SHARDS, value_delimiter = ',')]
    pub shards: Vec<u32>,
    /// Data of a record. Several sizes run side by side, each with each number of shards.
    #[arg(
        long,
        default_value = crate::quota::RECORD_BYTES,
        value_delimiter = ',',
        value_parser = parse_keyed_record
    )]
    pub record_bytes: Vec<usize>,
    /// Seconds behind the first refusal, when the burst is used up.
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = parse_seconds)]
    pub settle: Duration,
    /// Measured seconds.
    #[arg(long, default_value = "20", value_name = "SECONDS", value_parser = parse_seconds)]
    pub duration: Duration,
}

/// `loadgen cost`.
#[derive(Clone, Debug, Args)]
pub struct Cost {
    /// Where.
    #[command(flatten)]
    pub server: Server,
    /// How long.
    #[command(flatten)]
    pub times: Times,
    /// Rounds of each workload, each without and with limits.
    #[arg(long, default_value_t = crate::cost::ROUNDS)]
    pub rounds: u32,
}

/// `loadgen many-shards`.
#[derive(Clone, Debug, Args)]
pub struct ManyShards {
    /// The server's program [default: `shardway` beside this program].
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// Streams.
    #[arg(long, default_value_t = 10)]
    pub streams: u32,
    /// Shards of all streams together.
    #[arg(long, default_value_t = 10_000)]
    pub shards: u32,
    /// When puts are acknowledged.
    #[arg(long, value_enum, default_value_t = Mode::Durable)]
    pub durability: Mode,
}

/// When puts are acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// On stable storage.
    Durable,
    /// Written without a sync. For comparisons.
    Written,
    /// In memory. For comparisons.
    Memory,
}

impl From<Mode> for Durability {
    fn from(mode: Mode) -> Durability {
        match mode {
            Mode::Durable => Durability::Durable,
            Mode::Written => Durability::Written,
            Mode::Memory => Durability::Memory,
        }
    }
}

/// What shards admit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Limits {
    /// Everything.
    Off,
    /// What AWS gives a shard.
    Aws,
}

impl From<Limits> for ShardLimits {
    fn from(limits: Limits) -> ShardLimits {
        match limits {
            Limits::Off => ShardLimits::OFF,
            Limits::Aws => ShardLimits::AWS,
        }
    }
}

fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|e| e.to_string())?;
    addresses.next().ok_or_else(|| format!("{text} has no address"))
}

/// A word of a signature's scope.
fn parse_scope_word(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | ',');
    if text.is_empty() || !text.chars().all(fits) {
        return Err("letters, digits and signs, but no blanks, slashes and commas".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_keyed_record(text: &str) -> Result<usize, String> {
    let bytes: usize = text.parse().map_err(|_| format!("{text} is no number of bytes"))?;
    if !(STAMP_BYTES..=RECORD_BYTES_DEFAULT - KEY_BYTES_MAX).contains(&bytes) {
        return Err(format!("{STAMP_BYTES} bytes to 1 MiB without the key: each is numbered"));
    }
    Ok(bytes)
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text} is no number of seconds"))?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("0 to 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn quick_needs_no_arguments() {
        let cli = Cli::try_parse_from(["loadgen", "quick"]).expect("valid");
        let Command::Quick(quick) = cli.command else { panic!("{:?}", cli.command) };
        assert_eq!((quick.server.server, quick.protocol), (None, Protocol::Native));
    }

    #[test]
    fn several_numbers_of_consumers_run_in_turn() {
        let line = ["loadgen", "latency", "--server", "127.0.0.1:1", "--consumers", "1,20"];
        let cli = Cli::try_parse_from(line).expect("valid");
        assert!(matches!(cli.command, Command::Latency(l) if l.consumers == [1, 20]));
    }
}
