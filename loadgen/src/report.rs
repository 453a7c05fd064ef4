//! What an invocation found: rows of numbers, each with its load, its durability and its distance
//! from the floor of the same run.

use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;
use shardway::base::stream::Durability;

use crate::arrival::Arrival;
use crate::ceiling::CeilingRow;
use crate::cost::CostRow;
use crate::cpu::CpuSeries;
use crate::floor::Floor;
use crate::host::Host;
use crate::http::SubscriptionsReport;
use crate::latency::Percentiles;
use crate::life::LifeReport;
use crate::many_shards::ManyShards;
use crate::outcome::Outcome;
use crate::quota::QuotaRow;
use crate::series::Series;
use crate::session::ServerFacts;
use crate::slo::Slo;
use crate::workload::Workload;

/// Grows when a field changes its meaning or goes.
///
/// `loadgen/RESULTS.md` explains every field.
pub const SCHEMA_VERSION: u32 = 2;
/// What AWS documents for a shared consumer: an average, without method.
const AWS_PROPAGATION_NS: f64 = 200e6;

/// An invocation's results.
#[derive(Debug, Serialize)]
pub struct Report {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Program and version.
    pub tool: &'static str,
    /// The exact command.
    pub command: Vec<String>,
    /// When it started, ms since the epoch.
    pub started_unix_ms: u64,
    /// The machine.
    pub host: Host,
    /// The CPU the load generator was pinned to.
    pub loadgen_cpu: usize,
    /// Whether it looked at its sockets without sleeping.
    pub spinning: bool,
    /// The server.
    pub server: Option<ServerFacts>,
    /// Revision of the server's source, where it is known: an embedded one has this program's.
    pub server_git_revision: Option<String>,
    /// Where the AWS API was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The limits of this machine in this run.
    pub floor: Option<Floor>,
    /// The results.
    pub rows: Vec<Row>,
    /// What `ceiling` has found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ceilings: Vec<CeilingRow>,
    /// What `life` has shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life: Option<LifeReport>,
    /// What `quota` has shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quota: Vec<QuotaRow>,
    /// What `many-shards` has shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub many_shards: Option<ManyShards>,
    /// What `http subscriptions` has shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<SubscriptionsReport>,
    /// What `cost` has shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cost: Vec<CostRow>,
    /// The sentence at the end.
    pub verdict: Option<Verdict>,
    /// Whether everything ran that was asked for.
    pub complete: bool,
    /// Why not.
    pub failure: Option<String>,
}

impl Report {
    /// A report without results.
    #[must_use]
    pub fn new(host: Host, loadgen_cpu: usize, spinning: bool) -> Report {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Report {
            schema_version: SCHEMA_VERSION,
            tool: concat!("loadgen ", env!("CARGO_PKG_VERSION")),
            command: without_secrets(std::env::args()),
            started_unix_ms: since_epoch.map_or(0, |d| d.as_millis() as u64),
            host,
            loadgen_cpu,
            spinning,
            server: None,
            server_git_revision: None,
            endpoint: None,
            floor: None,
            rows: Vec::new(),
            ceilings: Vec::new(),
            life: None,
            quota: Vec::new(),
            many_shards: None,
            subscriptions: None,
            cost: Vec::new(),
            verdict: None,
            complete: false,
            failure: None,
        }
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        let of_rows = self.rows.iter().flat_map(|row| &row.targets);
        let of_life = self.life.iter().flat_map(|life| &life.targets);
        let of_quota = self.quota.iter().flat_map(|row| &row.targets);
        let of_many = self.many_shards.iter().flat_map(|many| &many.targets);
        let of_cost = self.cost.iter().flat_map(|row| &row.targets);
        let of_open = self.subscriptions.iter().flat_map(|open| &open.targets);
        of_rows.chain(of_life).chain(of_quota).chain(of_many).chain(of_cost).chain(of_open)
    }

    /// Whether there is anything to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let rows = self.rows.len() + self.quota.len() + self.cost.len();
        let whole =
            self.life.is_some() || self.many_shards.is_some() || self.subscriptions.is_some();
        self.floor.is_none() && rows == 0 && !whole
    }

    /// Whether a bound that the user has set was missed.
    #[must_use]
    pub fn slo_missed(&self) -> bool {
        self.targets().any(|target| Slo::is_about(target) && !target.met)
    }

    /// Whether every target was met.
    #[must_use]
    pub fn targets_met(&self) -> bool {
        self.targets().all(|target| target.met)
    }
}

/// The result of one run.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub scenario: String,
    /// How the server was spoken to.
    pub protocol: Protocol,
    /// The stream's durability, where it is known.
    pub durability: Option<Durability>,
    /// Whether the next batch waits for an answer (closed) or for its time (open).
    pub open_loop: bool,
    /// Shards.
    pub shards: u32,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch.
    pub batch_records: u32,
    /// Data of a batch.
    pub batch_bytes: usize,
    /// Writers.
    pub writers: u32,
    /// Connections of the writers.
    pub connections: u32,
    /// Batches each writer keeps, or may have, in flight.
    pub batches_in_flight: u32,
    /// The most data at once that was sent, or due, and not yet acknowledged.
    pub bytes_in_flight_max: u64,
    /// Consumers.
    pub consumers: u32,
    /// Records a second that an open loop offered.
    pub offered_records_per_s: Option<f64>,
    /// How it spaced its batches.
    pub arrival: Option<Arrival>,
    /// Batches without an answer when the measured time ended, as seconds of the offered load.
    pub backlog_s: Option<f64>,
    /// Whether the server kept up with that.
    pub sustained: Option<bool>,
    /// Measured time.
    pub seconds: f64,
    /// Acknowledged records a second.
    pub records_per_s: f64,
    /// Their data, 10^6 bytes a second.
    pub mb_per_s: f64,
    /// Batches that the server refused.
    pub refused_batches: u64,
    /// Batches that were never sent, as the server fell too far behind.
    pub unsent_batches: u64,
    /// Share of the measured time in which the load generator had something to do, in %, without
    /// its waiting calls. Near 100 the tool is the limit, not the server.
    pub loadgen_busy_percent: f64,
    /// CPU time of the server's process for each acknowledged record, in us, with everything that
    /// the record causes (pushes too); none where its process cannot be seen.
    pub server_cpu_us_per_record: Option<f64>,
    /// Intended send to acknowledgement.
    pub ack: Option<Percentiles>,
    /// Intended send to arrival at a consumer.
    pub push: Option<Percentiles>,
    /// The same for each consumer.
    pub push_by_consumer: Vec<Percentiles>,
    /// Records read and found right.
    pub verified_records: u64,
    /// Push, or else ack, of the first sixth of a run of a minute or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sixth: Option<Percentiles>,
    /// And of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sixth: Option<Percentiles>,
    /// What happened beside the load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// Second by second.
    pub series: Series,
    /// What the CPUs did meanwhile.
    pub cpu: CpuSeries,
    /// Rate of the read-back of one subscription after the run, 10^6 bytes a second.
    pub read_back_mb_per_s: Option<f64>,
    /// Distances from the floor.
    pub floor_ratios: Vec<FloorRatio>,
    /// Targets and whether they are met.
    pub targets: Vec<Target>,
}

/// What happened beside a load.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Beside {
    /// What.
    pub what: &'static str,
    /// How many did it.
    pub consumers: u32,
    /// 10^6 bytes a second that it read.
    pub mb_per_s: Option<f64>,
    /// How often it began.
    pub rounds: Option<u32>,
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The binary protocol.
    Native,
    /// The AWS API.
    Http,
}

/// A result divided by the floor's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FloorRatio {
    /// Which of both.
    pub what: &'static str,
    /// Result over floor.
    pub ratio: f64,
}

/// A number that a result should reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// What is compared, with unit.
    pub what: String,
    /// The result.
    pub value: f64,
    /// The number.
    pub limit: f64,
    /// Whether less is better.
    pub at_most: bool,
    /// Whether it is reached.
    pub met: bool,
}

impl Target {
    /// Reached by results up to `limit`.
    pub fn at_most(what: impl Into<String>, value: f64, limit: f64) -> Target {
        Target { what: what.into(), value, limit, at_most: true, met: value <= limit }
    }

    /// Reached by results from `limit` on.
    pub fn at_least(what: impl Into<String>, value: f64, limit: f64) -> Target {
        Target { what: what.into(), value, limit, at_most: false, met: value >= limit }
    }
}

impl Row {
    /// The row of a run.
    #[must_use]
    pub fn of(scenario: &str, load: &Workload, outcome: &Outcome, floor: Option<&Floor>) -> Row {
        Row {
            scenario: scenario.to_owned(),
            protocol: Protocol::Native,
            durability: Some(load.durability),
            open_loop: load.rate.is_some(),
            shards: load.shards,
            record_bytes: load.record_bytes,
            batch_records: load.batch_records,
            batch_bytes: load.batch_bytes(),
            writers: load.writers,
            connections: load.connections,
            batches_in_flight: load.in_flight,
            bytes_in_flight_max: outcome.open_batches_max * load.batch_bytes() as u64,
            consumers: load.consumers,
            offered_records_per_s: load.rate,
            arrival: load.rate.map(|_| load.arrival),
            backlog_s: load.rate.map(|rate| outcome.backlog_s(load.batch_records, rate)),
            sustained: load.rate.map(|rate| outcome.sustained(rate)),
            seconds: outcome.seconds,
            records_per_s: outcome.records_per_s,
            mb_per_s: outcome.mb_per_s,
            refused_batches: outcome.refused_batches,
            unsent_batches: outcome.unsent_batches,
            loadgen_busy_percent: outcome.busy_percent,
            server_cpu_us_per_record: outcome.server_cpu_us_per_record,
            ack: outcome.ack.clone(),
            push: outcome.push.clone(),
            push_by_consumer: outcome.push_by_consumer.clone(),
            verified_records: outcome.verified_records,
            first_sixth: outcome.first_sixth.clone(),
            last_sixth: outcome.last_sixth.clone(),
            beside: None,
            series: outcome.series.clone(),
            cpu: outcome.cpu.clone(),
            read_back_mb_per_s: outcome.read_back.map(|r| r.bytes as f64 / 1e6 / r.seconds),
            floor_ratios: floor.map_or(Vec::new(), |floor| floor_ratios(load, outcome, floor)),
            targets: Vec::new(),
        }
    }

    /// The ratio with this name.
    #[must_use]
    pub fn floor_ratio(&self, what: &str) -> Option<f64> {
        self.floor_ratios.iter().find(|ratio| ratio.what == what).map(|ratio| ratio.ratio)
    }
}

/// Ack p50 over one durable write of the batch's size and one round trip.
pub const ACK_RATIO: &str = "ack p50 / (write + round trip)";
/// Push p50 over the same.
pub const PUSH_RATIO: &str = "push p50 / (write + round trip)";
/// MB/s over the best of raw writes with one in flight.
pub const RATE_RATIO: &str = "MB/s / raw durable MB/s";
/// Records over raw 4 KiB commits: what group commit gains.
pub const COMMIT_RATIO: &str = "records / raw 4 KiB commits";

fn floor_ratios(load: &Workload, outcome: &Outcome, floor: &Floor) -> Vec<FloorRatio> {
    let ack_floor_ns = floor.ack_ns(load.batch_bytes());
    let over = |what, p: &Option<Percentiles>| {
        p.as_ref().map(|p| FloorRatio { what, ratio: p.p50_ns as f64 / ack_floor_ns })
    };
    let rate = outcome.mb_per_s / floor.disk_mb_per_s();
    let commits = outcome.records_per_s / floor.commits_per_s();
    [
        over(ACK_RATIO, &outcome.ack),
        over(PUSH_RATIO, &outcome.push),
        Some(FloorRatio { what: RATE_RATIO, ratio: rate }),
        Some(FloorRatio { what: COMMIT_RATIO, ratio: commits }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The comparison with what AWS documents.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The slowest p99 among the push rows.
    pub push_p99_ns: u64,
    /// What AWS documents.
    pub aws_ns: u64,
    /// How many times less ours is.
    pub times_faster: f64,
    /// The sentence.
    pub text: String,
}

impl Verdict {
    /// Over the rows with a consumer; none without one.
    #[must_use]
    pub fn of(rows: &[Row]) -> Option<Verdict> {
        let slowest =
            rows.iter().filter_map(|row| row.push.as_ref()).map(|push| push.p99_ns).max()?;
        let times_faster = AWS_PROPAGATION_NS / slowest as f64;
        let comparison = if times_faster >= 1.0 {
            format!("{times_faster:.0} times faster than")
        } else {
            "NOT faster than".to_owned()
        };
        let text = format!(
            "Push p99 {:.2} ms, {comparison} the ~200 ms of Kinesis (theirs is an average across \
             a region; ours is a p99 over loopback).",
            slowest as f64 / 1e6
        );
        let aws_ns = AWS_PROPAGATION_NS as u64;
        Some(Verdict { push_p99_ns: slowest, aws_ns, times_faster, text })
    }
}

/// Options whose values belong in no report.
const SECRETS: [&str; 2] = ["--secret-access-key", "--session-token"];

/// A command line as it was typed, but for secrets.
fn without_secrets(words: impl Iterator<Item = String>) -> Vec<String> {
    let (mut shown, mut hidden) = (Vec::new(), false);
    for word in words {
        let option = word.split_once('=').map(|(option, _)| option.to_owned());
        shown.push(match option {
            _ if hidden => "***".to_owned(),
            Some(option) if SECRETS.contains(&option.as_str()) => format!("{option}=***"),
            _ => word.clone(),
        });
        hidden = SECRETS.contains(&word.as_str());
    }
    shown
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::latency::Latencies;

    pub(crate) fn outcome(push_ns: u64) -> Outcome {
        let mut latencies = Latencies::new();
        latencies.record(push_ns, 10);
        let push = latencies.percentiles();
        Outcome {
            seconds: 1.0,
            records_per_s: 10.0,
            mb_per_s: 0.01,
            refused_batches: 0,
            unsent_batches: 0,
            open_batches_max: 1,
            backlog_batches: 0,
            busy_percent: 50.0,
            server_cpu_us_per_record: None,
            ack: push.clone(),
            push: push.clone(),
            push_by_consumer: push.into_iter().collect(),
            verified_records: 10,
            read_back: None,
            first_sixth: None,
            last_sixth: None,
            series: Series::default(),
            cpu: CpuSeries::default(),
        }
    }

    #[test]
    fn every_result_is_also_given_over_the_floor() {
        let floor = crate::floor::tests::sample();
        let row = Row::of("x", &Workload::default(), &outcome(240_000), Some(&floor));
        let ratio = row.floor_ratio(ACK_RATIO).expect("it has a latency");
        assert!((ratio - 2.0).abs() < 0.01, "240 us over 100 + 20 us is {ratio}");
        assert!(row.floor_ratio(RATE_RATIO).is_some());
    }

    #[test]
    fn a_secret_on_the_command_line_is_not_in_the_report() {
        let line = "loadgen http --secret-access-key s3 --session-token=s4 --region r";
        let shown = without_secrets(line.split(' ').map(str::to_owned)).join(" ");
        let wanted = "loadgen http --secret-access-key *** --session-token=*** --region r";
        assert_eq!(shown, wanted);
    }

    #[test]
    fn the_verdict_is_about_the_slowest_push() {
        let row = |ns| Row::of("x", &Workload::default(), &outcome(ns), None);
        let verdict = Verdict::of(&[row(1_000_000), row(2_000_000)]).expect("two pushes");
        assert!((verdict.times_faster - 100.0).abs() < 1.0, "{verdict:?}");
        assert!(Verdict::of(&[row(300_000_000)]).expect("one").text.contains("NOT faster"));
        assert!(Verdict::of(&[]).is_none());
    }

    #[test]
    fn a_target_is_met_on_its_own_side() {
        assert!(Target::at_most("x", 1.5, 1.5).met && !Target::at_most("x", 1.6, 1.5).met);
        assert!(Target::at_least("x", 2.0, 1.5).met && !Target::at_least("x", 1.4, 1.5).met);
    }
}
