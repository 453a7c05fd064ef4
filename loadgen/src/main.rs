//! `loadgen`: what a Shardway server sustains, and how fast records reach their consumers.
//!
//! One pinned thread does everything: [`run`] connects ([`setup`]), sends on a schedule
//! ([`arrival`]) or closed loop, pairs acks with pushes ([`pending`]), verifies ([`verify`]) and
//! counts ([`latency`]). Commands ([`ceiling`], [`push`], [`shards`], [`quick`]) only choose
//! workloads ([`workload`]). Each invocation measures the machine's own limits first ([`floor`]).
//!
//! The speed targets, one command each. Without `--server` they run an embedded server on the other
//! core; records of 1 KiB, durable:
//!
//! | target | command |
//! |---|---|
//! | ack p50 of one record <= 1.5 x (4 KiB write + round trip) | `loadgen scenario one-record` |
//! | 64 writers, one record each: >= 90,000 records/s | `loadgen scenario many-writers` |
//! | one shard, batches of 256: >= 600 MB/s | `loadgen scenario one-shard` |
//! | push at half load: p50 <= 0.4 ms, p99 <= 2 ms | `loadgen scenario push`, `push-batches` |
//! | push p99 of 20 consumers <= 1.5 x that of one | `loadgen scenario fan-out` |
//! | shards at quota with push p99 < 10 ms: >= 150 | `loadgen scenario quota-shards` |
//!
//! `ceiling`, `latency` and `shards` are the same measurements with every number an option;
//! `workload` ([`workloads`]) has them in files. What was measured is one JSON document
//! (`RESULTS.md`), and `report` ([`page`]) one HTML page of it.
//!
//! What happens to streams has commands of its own; each says at the top of its file how it
//! measures:
//!
//! | target | command |
//! |---|---|
//! | a reshard pauses writers of its hash keys <= 10 ms (p99), no others; nothing lost | [`life`] |
//! | limits of AWS: 1 MiB/s and 1,000 records/s of a shard within 3 % | [`quota`] |
//! | quotas cost <= 5 % of the durable rate | [`cost`] |
//! | PutRecords x 100 >= 250,000 records/s; PutRecord on 64 connections >= 40,000/s | [`http`] |
//! | SubscribeToShard at 10,000 records/s: p99 <= 3 ms; 1,000 open: <= 100 MB | [`http`] |
//! | 10,000 shards: start <= 5 s, page <= 10 ms, memory <= 1 GB | [`many_shards`] |
//!
//! Two commands measure nothing themselves: [`compare`] says whether a build has become slower, and
//! [`history`] where a series of results has changed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool reports there")]

mod arrival;
mod bench;
mod ceiling;
mod cli;
mod clock;
mod compare;
mod connection;
mod context;
mod cost;
mod cpu;
mod embedded;
mod failure;
mod floor;
mod follow;
mod history;
mod host;
mod http;
mod inbox;
mod json;
mod keyed;
mod latency;
mod life;
mod load;
mod many_shards;
mod outbox;
mod outcome;
mod page;
mod payload;
mod pending;
mod pin;
mod poll;
mod progress;
mod push;
mod quick;
mod quota;
mod read_back;
mod report;
mod run;
mod scenario;
mod series;
mod server_cpu;
mod server_process;
mod session;
mod setup;
mod shards;
mod skew;
mod slo;
mod stop;
mod stream;
mod table;
mod verify;
mod workload;
mod workloads;
mod writer;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use bench::Bench;
use cli::{
    Ceiling, Cli, Command, Http, Kinesis, Latency, Life, ManyShards, Page, RunWorkload, Server,
    Shards, Times,
};
use context::Context;
use failure::{Failure, Result};
use floor::Floor;
use host::Host;
use http::{Course, Endpoint, HttpOptions, ServerChoice, Target};
use life::LifeOptions;
use many_shards::ManyShardsOptions;
use pin::Cpus;
use progress::Progress;
use report::{Protocol, Report, Verdict};
use slo::Slo;
use workload::Workload;
use workloads::Spec;

/// The server's, which may be embedded here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code when a target is missed under `--strict`.
const EXIT_TARGET_MISSED: u8 = 4;
/// Exit code after Ctrl-C, as shells count it.
const EXIT_INTERRUPTED: u8 = 130;
/// Connections of a stream with many shards, unless said otherwise.
const CONNECTIONS_MAX: u32 = 64;

fn main() -> ExitCode {
    let cli = Cli::parse();
    stop::watch();
    let done = match &cli.command {
        Command::Report(options) => show(options),
        Command::Workload(options) if options.list => {
            print!("{}", workloads::list());
            Ok(ExitCode::SUCCESS)
        }
        _ => measure(&cli),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("loadgen: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Makes the page of files that are there.
fn show(options: &Page) -> Result<ExitCode> {
    let page = page::write(&options.files, options.output.as_deref())?;
    println!("{}", page.display());
    Ok(ExitCode::SUCCESS)
}

/// Measures, then prints what there is, also after a failure.
fn measure(cli: &Cli) -> Result<ExitCode> {
    let common = &cli.common;
    match &cli.command {
        // They look at what others have measured.
        Command::Compare(options) => {
            return compare::run(options, common.json.as_deref()).map(ExitCode::from);
        }
        Command::History(options) => {
            return history::run(options, common.json.as_deref()).map(ExitCode::from);
        }
        _ => {}
    }
    let cpus = Cpus::choose(common.cpu)?;
    let dir = common.dir.clone().unwrap_or_else(host::disk_dir);
    // On one shared CPU a spinning load generator would starve the server.
    let spin = cpus.apart() && common.spin;
    let mut report = Report::new(Host::read(&dir), cpus.loadgen, spin);
    let result = fill(cli, cpus, spin, &dir, &mut report);
    report.host.finish();
    report.verdict = Verdict::of(&report.rows);
    report.complete = result.is_ok() && !stop::requested();
    report.failure = result.as_ref().err().map(ToString::to_string);
    publish(&report, cli)?;
    result?;
    if stop::requested() {
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    }
    let missed = (common.strict && !report.targets_met()) || report.slo_missed();
    Ok(if missed { ExitCode::from(EXIT_TARGET_MISSED) } else { ExitCode::SUCCESS })
}

fn publish(report: &Report, cli: &Cli) -> Result<()> {
    if let Some(path) = &cli.common.json {
        json::write(report, path)?;
        if json::is_stdout(path) {
            return Ok(());
        }
    }
    if !report.is_empty() {
        table::print(report);
    }
    if let Some((name, dir)) = cli.command.kept()
        && cli.common.json.is_none()
        && !report.is_empty()
    {
        let file = json::keep(report, name, dir)?;
        let page = page::write(std::slice::from_ref(&file), None)?;
        println!("\nResults: {}\nReport:  {}", file.display(), page.display());
    }
    Ok(())
}

fn fill(cli: &Cli, cpus: Cpus, spin: bool, dir: &Path, report: &mut Report) -> Result<()> {
    let progress = Progress::new();
    if let Command::ManyShards(options) = &cli.command {
        let result = many_shards::measure(&options.options(), dir, cpus, &progress);
        progress.clear();
        report.many_shards = Some(result?);
        return Ok(());
    }
    let Some(Needs { server, times, kinesis }) = cli.command.needs() else {
        pin::pin(cpus.loadgen)?;
        report.floor = Some(Floor::measure(dir, cpus, floor::LONG, &progress)?);
        progress.clear();
        return Ok(());
    };
    let endpoint = cli.command.endpoint()?;
    // The floor comes first and alone: a server's background work would be in it.
    if !cli.common.no_floor {
        let measured = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                pin::pin(cpus.loadgen)?;
                Floor::measure(dir, cpus, floor::BRIEF, &progress)
            });
            thread.join().expect("the floor does not panic")
        })?;
        report.floor = Some(measured);
    }
    // Its threads would inherit our pinning.
    let embedded = match (server, &endpoint) {
        (None, None) => Some(embedded::start(cpus.other, dir, kinesis.map(api).as_ref())?),
        _ => None,
    };
    let native = server.or(embedded.as_ref().map(|embedded| embedded.address));
    let http = embedded.as_ref().and_then(|embedded| embedded.http);
    let endpoint = endpoint.or(http.map(Endpoint::at));
    let target = kinesis.zip(endpoint).map(|(kinesis, endpoint)| {
        report.endpoint = Some(format!("{}://{}", endpoint.scheme(), endpoint.host));
        Target { endpoint, identity: kinesis.identity(), native }
    });
    let address = native.or(target.as_ref().map(|target| target.endpoint.address));
    let address = address.expect("a server is named, or embedded");
    if let (Some(_), Some(target)) = (&embedded, &target) {
        target.wait_until_known()?;
    }
    pin::pin(cpus.loadgen)?;
    let server_pid = embedded.as_ref().map(|_| std::process::id()).or(cli.common.server_process);
    let parts = cpu::Parts { cpus, embedded: embedded.is_some(), server_pid };
    report.server_git_revision = match &embedded {
        Some(_) => report.host.git_revision.map(str::to_owned),
        None => cli.common.server_revision.clone(),
    };
    let context = Context::new(address, spin, parts, progress);
    let Times { warmup, duration } = times;
    let slo = cli.command.slo().cloned();
    let mut bench = Bench { context: &context, report, warmup, duration, slo };
    let result = match &target {
        Some(target) if let Some(spec) = cli.command.workload() => {
            workloads::measure_over_http(&mut bench, spec, target)
        }
        Some(target) => {
            let embedded = embedded.is_some();
            let options = &cli.command.http_options();
            http::measure(&mut bench, &Course { target, embedded, options, dir, cpus })
        }
        None => cli.command.measure(&mut bench),
    };
    context.progress.clear();
    result
}

/// What the embedded server's AWS API asks for.
fn api(kinesis: &Kinesis) -> embedded::Api {
    embedded::Api { key: kinesis.check_signatures.then(|| kinesis.identity()) }
}

/// What a command runs against.
struct Needs<'a> {
    /// The native address of a running server.
    server: Option<SocketAddr>,
    /// How long its runs are.
    times: Times,
    /// That it is about the AWS API.
    kinesis: Option<&'a Kinesis>,
}

impl Command {
    /// What a command needs; nothing for those that need no server, or have their own.
    fn needs(&self) -> Option<Needs<'_>> {
        let quick = Times { warmup: quick::WARMUP, duration: quick::DURATION };
        let native =
            |server: &Server, times| Some(Needs { server: server.server, times, kinesis: None });
        match self {
            Command::Floor | Command::Report(_) => None,
            Command::Workload(options) => {
                let http = options.protocol == Protocol::Http;
                let kinesis = http.then_some(&options.kinesis);
                Some(Needs { server: options.server, times: options.times(), kinesis })
            }
            Command::Quick(options) => {
                let http = options.protocol == Protocol::Http;
                let kinesis = http.then_some(&options.kinesis);
                Some(Needs { server: options.server.server, times: quick, kinesis })
            }
            Command::Scenario { server, times, .. } => native(server, *times),
            Command::Ceiling(options) => native(&options.server, options.times),
            Command::Latency(options) => native(&options.server, options.times),
            Command::Shards(options) => native(&options.server, options.times),
            Command::Life(options) => native(&options.server, quick),
            Command::Quota(options) => native(&options.server, quick),
            Command::ManyShards(_) | Command::Compare(_) | Command::History(_) => None,
            Command::Cost(options) => native(&options.server, options.times),
            Command::Http(options) => {
                let Http { server, times, kinesis, .. } = options;
                Some(Needs { server: *server, times: *times, kinesis: Some(kinesis) })
            }
        }
    }

    /// The running Kinesis that a command names.
    fn endpoint(&self) -> Result<Option<Endpoint>> {
        let kinesis = match self {
            Command::Http(options) => &options.kinesis,
            Command::Quick(options) => {
                check_protocol(options.protocol, &options.kinesis, options.server.server)?;
                &options.kinesis
            }
            Command::Workload(options) => {
                check_protocol(options.protocol, &options.kinesis, options.server)?;
                &options.kinesis
            }
            _ => return Ok(None),
        };
        let ca_file = kinesis.ca_file.as_deref();
        let endpoint = kinesis.endpoint.as_deref();
        endpoint.map(|url| Endpoint::parse(url, ca_file)).transpose()
    }

    /// Bounds that the user has set.
    fn slo(&self) -> Option<&Slo> {
        match self {
            Command::Latency(options) => options.slo.as_ref(),
            Command::Workload(options) => options.slo.as_ref(),
            _ => None,
        }
    }

    /// The workload file, if it is about one.
    fn workload(&self) -> Option<&Spec> {
        match self {
            Command::Workload(options) => options.workload.as_ref(),
            _ => None,
        }
    }

    /// Name and folder of the files that are left behind without being asked for.
    fn kept(&self) -> Option<(&str, &Path)> {
        match self {
            Command::Quick(options) => Some(("quick", &options.results)),
            Command::Workload(options) => {
                Some((&options.workload.as_ref()?.name, &options.results))
            }
            _ => None,
        }
    }

    fn http_options(&self) -> HttpOptions {
        match self {
            Command::Http(options) => options.options(),
            _ => HttpOptions::quick(),
        }
    }

    fn measure(&self, bench: &mut Bench<'_>) -> Result<()> {
        match self {
            Command::Floor | Command::ManyShards(_) | Command::Http(_) => Ok(()),
            Command::Compare(_) | Command::History(_) | Command::Report(_) => Ok(()),
            Command::Workload(_) => {
                let spec = self.workload().expect("a workload is named unless they are listed");
                workloads::measure(bench, spec)
            }
            Command::Quick(options) => quick::measure(bench, options.server.durability.into()),
            Command::Scenario { name, server, .. } => name.measure(bench, server.durability.into()),
            Command::Ceiling(options) => {
                let plan = ceiling::Plan {
                    search: options.in_flight.is_none() && options.writers.is_none(),
                    closed_loop: options.closed_loop,
                    consumers: options.consumers,
                };
                ceiling::measure(bench, &options.workload(), plan)
            }
            Command::Latency(options) => {
                let workload = options.workload();
                let rate = match options.rate {
                    Some(rate) => rate,
                    None => push::half_rate(bench, &workload)?,
                };
                push::measure(bench, "latency", &workload, rate, &options.consumers)
            }
            Command::Shards(options) => match options.shards {
                Some(n) => {
                    let workload = options.workload(n);
                    shards::measure(bench, &workload, options.p99_limit_ms).map(drop)
                }
                None => shards::search(bench, |n| options.workload(n), options.p99_limit_ms),
            },
            Command::Life(options) => life::measure(bench, &options.options()),
            Command::Quota(options) => {
                let span = quota::Span { settle: options.settle, duration: options.duration };
                let cases = quota::cases(&options.shards, &options.record_bytes);
                quota::measure(bench, &cases, span, options.server.durability.into())
            }
            Command::Cost(options) => {
                cost::measure(bench, options.rounds, options.server.durability.into())
            }
        }
    }
}

/// Refuses places that do not fit the protocol.
fn check_protocol(protocol: Protocol, kinesis: &Kinesis, server: Option<SocketAddr>) -> Result<()> {
    let usage = |what: &str| Err(Failure::Usage(what.to_owned()));
    match (protocol, &kinesis.endpoint, server) {
        (Protocol::Native, Some(_), _) => usage("--endpoint needs --protocol http"),
        (Protocol::Http, None, Some(_)) => {
            usage("--server with --protocol http needs --endpoint too")
        }
        _ => Ok(()),
    }
}

impl RunWorkload {
    fn times(&self) -> Times {
        let time = self.workload.as_ref().map(|spec| spec.time).unwrap_or_default();
        Times {
            warmup: self.warmup.unwrap_or_else(|| time.warmup()),
            duration: self.duration.unwrap_or_else(|| time.duration()),
        }
    }
}

impl Ceiling {
    fn workload(&self) -> Workload {
        let writers = self.writers.unwrap_or(self.shards);
        Workload {
            shards: self.shards,
            record_bytes: self.record_bytes,
            batch_records: self.batch_records,
            writers,
            connections: self.connections.unwrap_or(self.shards.min(CONNECTIONS_MAX)),
            in_flight: self.in_flight.unwrap_or(1),
            durability: self.server.durability.into(),
            ..Workload::default()
        }
    }
}

impl Latency {
    fn workload(&self) -> Workload {
        Workload {
            shards: self.shards,
            record_bytes: self.record_bytes,
            batch_records: self.batch_records,
            writers: self.writers.unwrap_or(self.shards),
            connections: self.connections.unwrap_or(self.shards.min(CONNECTIONS_MAX)),
            consumer_connections: self.consumer_connections,
            arrival: self.arrival,
            durability: self.server.durability.into(),
            ..Workload::default()
        }
    }
}

impl Shards {
    fn workload(&self, shards: u32) -> Workload {
        Workload {
            batch_records: self.batch_records,
            connections: self.connections.min(shards),
            consumer_connections: self.connections.min(shards),
            arrival: self.arrival,
            limits: self.limits.into(),
            durability: self.server.durability.into(),
            ..Workload::quota_shards(shards)
        }
    }
}

impl Life {
    fn options(&self) -> LifeOptions {
        LifeOptions {
            writers: self.writers,
            keys: self.keys,
            record_bytes: self.record_bytes,
            batch_records: self.batch_records,
            in_flight: self.in_flight,
            rate: (!self.closed_loop).then_some(self.rate),
            connections: self.connections,
            reshards: self.reshards,
            settle: self.settle,
            on_demand: !self.no_on_demand,
            durability: self.server.durability.into(),
            seed: workload::SEED,
        }
    }
}

impl Http {
    fn options(&self) -> HttpOptions {
        HttpOptions {
            scenarios: self.scenarios.clone(),
            shards: self.shards,
            record_bytes: self.record_bytes,
            batch_records: self.batch_records,
            connections: self.connections,
            rate: self.rate,
            arrival: self.arrival,
            consumers: self.consumers,
            subscriptions: self.subscriptions,
            server: ServerChoice { program: self.program.clone(), pid: self.server_pid },
        }
    }
}

impl ManyShards {
    fn options(&self) -> ManyShardsOptions {
        ManyShardsOptions {
            program: self.program.clone(),
            streams: self.streams,
            shards: self.shards,
            durability: self.durability.into(),
        }
    }
}
