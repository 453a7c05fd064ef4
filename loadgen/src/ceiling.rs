//! The highest rate that shards sustain.
//!
//! A closed loop with enough in flight shows what can be reached for a moment. What lasts is less:
//! an open loop is ramped up from half of that until a backlog grows, the distance to the last rate
//! that held is halved, and a run of the whole time confirms it or steps back. Then latencies are
//! measured at 50, 70 and 90 % of it: a rate without them says little.

use serde::Serialize;

use crate::bench::Bench;
use crate::failure::Result;
use crate::outcome::Outcome;
use crate::report::{Row, Target};
use crate::workload::Workload;

/// Batches in flight that a search tries.
const CANDIDATES: [u32; 5] = [1, 2, 4, 8, 16];
/// A deeper queue must gain this much, as it costs latency.
const GAIN: f64 = 1.03;
/// A ramp begins at this share of the closed loop's rate.
const RAMP_START: f64 = 0.5;
/// And rises by this factor.
const RAMP_FACTOR: f64 = 1.25;
/// It ends at this multiple of the closed loop's rate in any case.
const RAMP_END: f64 = 3.0;
/// A ceiling is precise enough when the bounds are this near.
const PRECISION: f64 = 1.04;
/// What a confirmation that fails takes off.
const STEP_BACK: f64 = 0.95;
/// Confirmations at most.
const CONFIRMATIONS: u32 = 4;
/// A backlog of so many seconds of the load is one that grows.
const BACKLOG_S: f64 = 0.1;
/// Shares of the ceiling at which latencies are measured, in %.
const SHARES: [u32; 3] = [50, 70, 90];

/// What was found for one number of shards.
#[derive(Clone, Debug, Serialize)]
pub struct CeilingRow {
    /// Its name.
    pub scenario: String,
    /// What lasts.
    pub records_per_s: f64,
    /// For each shard.
    pub records_per_s_and_shard: f64,
    /// For each core of the server.
    pub records_per_s_and_core: Option<f64>,
    /// 10^6 bytes a second.
    pub mb_per_s: f64,
    /// Whether a run of the whole time sustained it.
    pub confirmed: bool,
    /// What a closed loop reached.
    pub closed_loop_records_per_s: f64,
    /// The search, in order.
    pub tried: Vec<Tried>,
}

/// A step of the search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// What was offered.
    pub offered_records_per_s: f64,
    /// Whether no backlog grew.
    pub held: bool,
}

/// How a ceiling is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Whether the best number of batches in flight is searched.
    pub search: bool,
    /// Whether the closed loop is all.
    pub closed_loop: bool,
    /// Consumers of the latency runs.
    pub consumers: u32,
}

/// Measures `workload` with one shard and then, where it has more, with all of them.
pub fn measure(bench: &mut Bench<'_>, workload: &Workload, plan: Plan) -> Result<()> {
    let one = Workload {
        shards: 1,
        writers: (workload.writers / workload.shards).max(1),
        connections: (workload.connections / workload.shards).max(1),
        ..workload.clone()
    };
    of_shards(bench, "ceiling, one shard", &one, plan)?;
    if workload.shards > 1 && !bench.interrupted() {
        let name = format!("ceiling, {} shards", workload.shards);
        of_shards(bench, &name, workload, plan)?;
    }
    Ok(())
}

fn of_shards(bench: &mut Bench<'_>, name: &str, workload: &Workload, plan: Plan) -> Result<()> {
    let closed = one_row(bench, name, workload, plan.search, |_| Vec::new())?;
    if plan.closed_loop || bench.interrupted() {
        return Ok(());
    }
    let at = |rate: f64| workload.pushed(rate, 0);
    let mut tried = Vec::new();
    let found = highest(closed.records_per_s, |rate| {
        if bench.interrupted() {
            return Ok(None);
        }
        let what = format!("{name}: {rate:.0} records/s");
        let held = holds(&at(rate), &bench.probe(&what, &at(rate))?, rate);
        tried.push(Tried { offered_records_per_s: rate, held });
        Ok(Some(held))
    })?;
    let (mut rate, mut confirmed) = (found, false);
    for _ in 0..CONFIRMATIONS {
        if bench.interrupted() {
            break;
        }
        let what = format!("{name}: confirming {rate:.0} records/s");
        confirmed = holds(&at(rate), &bench.whole(&what, &at(rate))?, rate);
        tried.push(Tried { offered_records_per_s: rate, held: confirmed });
        if confirmed {
            break;
        }
        rate *= STEP_BACK;
    }
    let cores = bench.report.server.as_ref().map(|server| f64::from(server.cores));
    bench.report.ceilings.push(CeilingRow {
        scenario: name.to_owned(),
        records_per_s: rate,
        records_per_s_and_shard: rate / f64::from(workload.shards),
        records_per_s_and_core: cores.filter(|cores| *cores > 0.0).map(|cores| rate / cores),
        mb_per_s: rate * workload.record_bytes as f64 / 1e6,
        confirmed,
        closed_loop_records_per_s: closed.records_per_s,
        tried,
    });
    for share in SHARES {
        if bench.interrupted() {
            break;
        }
        let load = workload.pushed(rate * f64::from(share) / 100.0, plan.consumers);
        bench.measure(&format!("{name} at {share} %"), &load, |_| Vec::new())?;
    }
    Ok(())
}

fn holds(workload: &Workload, outcome: &Outcome, rate: f64) -> bool {
    outcome.sustained(rate) && outcome.backlog_s(workload.batch_records, rate) <= BACKLOG_S
}

/// The highest rate that `holds`, from half of `closed` on; the lowest that was tried if none does.
/// Nothing from `holds` ends the search with what there is.
fn highest(closed: f64, mut holds: impl FnMut(f64) -> Result<Option<bool>>) -> Result<f64> {
    let (mut low, mut high) = (None, None);
    let mut rate = (closed * RAMP_START).max(1.0);
    while rate <= closed * RAMP_END {
        match holds(rate)? {
            None => return Ok(low.unwrap_or(rate)),
            Some(true) => {
                low = Some(rate);
                rate = high.map_or(rate * RAMP_FACTOR, |high: f64| (rate * high).sqrt());
            }
            Some(false) => {
                high = Some(rate);
                // Not even the start held: half of it may.
                rate = low.map_or(rate / 2.0, |low: f64| (low * rate).sqrt());
                if rate < closed / 100.0 {
                    return Ok(rate.max(1.0));
                }
            }
        }
        if let (Some(low), Some(high)) = (low, high)
            && high / low <= PRECISION
        {
            return Ok(low);
        }
    }
    Ok(low.unwrap_or(rate))
}

/// One row, with the best number of batches in flight where `search` asks for it.
pub fn one_row(
    bench: &mut Bench<'_>,
    name: &str,
    workload: &Workload,
    search: bool,
    targets: impl FnOnce(&Row) -> Vec<Target>,
) -> Result<Row> {
    let mut load = workload.clone();
    if search {
        load.in_flight = best_in_flight(bench, &load)?;
    }
    bench.measure(name, &load, targets)
}

/// The smallest number of batches in flight behind which the rate hardly grows.
fn best_in_flight(bench: &Bench<'_>, workload: &Workload) -> Result<u32> {
    let mut best = (CANDIDATES[0], 0.0);
    let mut worse = 0;
    for in_flight in CANDIDATES {
        if bench.interrupted() || worse == 2 {
            break;
        }
        let load = Workload { in_flight, ..workload.clone() };
        let what = format!("search: {in_flight} batches in flight");
        let rate = bench.probe(&what, &load)?.records_per_s;
        if rate > best.1 * GAIN {
            (best, worse) = ((in_flight, rate), 0);
        } else {
            // One flat step may be noise; two are the top.
            worse += 1;
        }
    }
    Ok(best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(closed: f64, limit: f64) -> (f64, u32) {
        let mut probes = 0;
        let found = highest(closed, |rate| {
            probes += 1;
            Ok(Some(rate <= limit))
        });
        (found.expect("no probe fails"), probes)
    }

    #[test]
    fn a_search_ends_within_its_precision_below_the_limit() {
        for limit in [3_000.0, 40_000.0, 50_000.0, 87_654.0, 100_000.0, 190_000.0] {
            let (found, probes) = search(100_000.0, limit);
            assert!(found <= limit && found * PRECISION >= limit, "{limit}: {found}");
            assert!(probes <= 16, "{limit} took {probes} probes");
        }
    }

    #[test]
    fn a_search_ends_though_nothing_or_everything_holds() {
        assert!(search(100_000.0, 0.0).0 < 1_500.0);
        let (found, probes) = search(100_000.0, f64::INFINITY);
        assert!((200_000.0..=300_000.0).contains(&found), "{found}");
        assert!(probes <= 10, "{probes}");
    }

    #[test]
    fn an_interrupted_search_has_what_held_so_far() {
        let mut probes = 0;
        let found = highest(1_000.0, |_| {
            probes += 1;
            Ok((probes < 3).then_some(true))
        });
        assert_eq!(found.expect("no probe fails"), 500.0 * RAMP_FACTOR);
    }
}
