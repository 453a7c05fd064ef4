//! Workloads over the native protocol, which can do all of them.

use super::replay::Backlog;
use super::spec::{Kind, Rate, Spec};
use crate::bench::Bench;
use crate::failure::Result;
use crate::latency::Percentiles;
use crate::life::{self, LifeOptions};
use crate::report::{Beside, Row, Target};
use crate::workload::{BATCHES_IN_FLIGHT, SEED, Workload};

/// What a replay or a stalled consumer may do to the others' p99.
const BESIDE_RATIO: f64 = 1.5;
/// The p99.9 of a soak's last sixth over that of its first.
const SOAK_RATIO: f64 = 1.3;
/// A soak's memory at the end over that behind its first sixth.
const SOAK_MEMORY_RATIO: f64 = 1.1;

/// Runs a workload.
pub fn measure(bench: &mut Bench<'_>, spec: &Spec) -> Result<()> {
    if spec.kind == Kind::Reshard {
        return life::measure(bench, &life_options(spec));
    }
    let load = spec.workload(rate(bench, spec)?);
    for &consumers in spec.consumers.count.all() {
        if bench.interrupted() {
            break;
        }
        let load = Workload { consumers, ..load.clone() };
        let name = match spec.consumers.count.all() {
            [_] => spec.name.clone(),
            _ => format!("{}, {consumers} consumer(s)", spec.name),
        };
        match spec.kind {
            Kind::Steady | Kind::Drain | Kind::Reshard => {
                bench.measure(&name, &load, |_| Vec::new())?;
            }
            Kind::Soak => soak(bench, &name, &load)?,
            Kind::CatchUp => catch_up(bench, spec, &name, &load)?,
            Kind::Stalled => stalled(bench, spec, &name, &load)?,
        }
    }
    Ok(())
}

/// Records a second; a share is one of what a closed loop reaches now.
fn rate(bench: &Bench<'_>, spec: &Spec) -> Result<Option<f64>> {
    match spec.load.rate {
        None => Ok(None),
        Some(Rate::Records(rate)) => Ok(Some(rate)),
        Some(Rate::Share(share)) => {
            let closed = spec.workload(None);
            // Single records are about latency, batches about throughput: as `quick` has it.
            let in_flight = if closed.batch_records == 1 { 1 } else { BATCHES_IN_FLIGHT };
            let closed = Workload { in_flight, ..closed };
            let outcome = bench.probe("finding the highest rate", &closed)?;
            Ok(Some((outcome.records_per_s * share).max(1.0)))
        }
    }
}

fn catch_up(bench: &mut Bench<'_>, spec: &Spec, name: &str, load: &Workload) -> Result<()> {
    let wanted = spec.catch_up.as_ref().map_or(0, |catch_up| catch_up.backlog_mb * 1_000_000);
    let alone = bench.measure(&format!("{name}: live alone"), load, |_| Vec::new())?;
    if bench.interrupted() {
        return Ok(());
    }
    let backlog = Backlog::write(bench.context, load, wanted)?;
    let replay = backlog.replay();
    let name = format!("{name}: live beside a replay");
    let row = bench.measure(&name, load, |row| beside_targets(&alone, row));
    // A replay that fails has not been beside anything.
    let replayed = replay.finish();
    row?;
    let replayed = replayed?;
    if let Some(row) = bench.report.rows.last_mut() {
        row.beside = Some(Beside {
            what: "replay of a backlog",
            mb_per_s: Some(replayed.bytes as f64 / 1e6 / replayed.seconds),
            rounds: Some(replayed.rounds),
            consumers: 1,
        });
    }
    Ok(())
}

fn stalled(bench: &mut Bench<'_>, spec: &Spec, name: &str, load: &Workload) -> Result<()> {
    let stalled_consumers = spec.stalled.as_ref().map_or(0, |stalled| stalled.consumers);
    let alone = bench.measure(&format!("{name}: without"), load, |_| Vec::new())?;
    if bench.interrupted() {
        return Ok(());
    }
    let load = Workload { stalled_consumers, ..load.clone() };
    bench.measure(&format!("{name}: with"), &load, |row| beside_targets(&alone, row))?;
    if let Some(row) = bench.report.rows.last_mut() {
        let what = "consumers that do not read";
        row.beside =
            Some(Beside { what, mb_per_s: None, rounds: None, consumers: stalled_consumers });
    }
    Ok(())
}

/// What happens beside a load must not slow it.
fn beside_targets(alone: &Row, row: &Row) -> Vec<Target> {
    let ratio = |what: &str, of: fn(&Row) -> &Option<Percentiles>| {
        let (before, now) = (of(alone).as_ref()?, of(row).as_ref()?);
        let ratio = now.p99_ns as f64 / before.p99_ns as f64;
        Some(Target::at_most(format!("{what} p99 / alone"), ratio, BESIDE_RATIO))
    };
    let both = [ratio("ack", |row| &row.ack), ratio("push", |row| &row.push)];
    both.into_iter().flatten().collect()
}

fn soak(bench: &mut Bench<'_>, name: &str, load: &Workload) -> Result<()> {
    bench
        .measure(name, load, |row| {
            let mut targets = Vec::new();
            if let (Some(first), Some(last)) = (&row.first_sixth, &row.last_sixth) {
                let ratio = last.p999_ns as f64 / first.p999_ns as f64;
                let what = "p99.9 of the last sixth / of the first";
                targets.push(Target::at_most(what, ratio, SOAK_RATIO));
            }
            let memory = &row.cpu.server_memory_bytes;
            if let (Some(early), Some(end)) = (memory.get(memory.len() / 6), memory.last()) {
                let what = "memory at the end / behind the first sixth";
                let ratio = *end as f64 / *early as f64;
                targets.push(Target::at_most(what, ratio, SOAK_MEMORY_RATIO));
            }
            targets
        })
        .map(drop)
}

fn life_options(spec: &Spec) -> LifeOptions {
    let load = &spec.load;
    let closed = spec.workload(None);
    LifeOptions {
        writers: load.writers.unwrap_or(life::WRITERS),
        keys: life::KEYS,
        record_bytes: load.record_bytes,
        batch_records: load.batch_records as usize,
        in_flight: load.in_flight.map_or(life::IN_FLIGHT, |n| n as usize),
        rate: load.rate.map(|rate| match rate {
            Rate::Records(rate) => rate,
            Rate::Share(_) => unreachable!("the file was checked"),
        }),
        connections: load.connections.unwrap_or(life::CONNECTIONS),
        reshards: spec.reshard.as_ref().map_or(life::RESHARDS, |reshard| reshard.reshards),
        settle: spec.time.warmup(),
        on_demand: false,
        durability: closed.durability,
        seed: SEED,
    }
}
