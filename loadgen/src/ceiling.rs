//! The highest rate that shards sustain: a closed loop with enough in flight.

use crate::bench::Bench;
use crate::failure::Result;
use crate::report::{Row, Target};
use crate::workload::Workload;

/// Batches in flight that a search tries.
const CANDIDATES: [u32; 5] = [1, 2, 4, 8, 16];
/// A deeper queue must gain this much, as it costs latency.
const GAIN: f64 = 1.03;

/// Measures `workload` with one shard and then, where it has more, with all of them.
pub fn measure(bench: &mut Bench<'_>, workload: &Workload, search: bool) -> Result<()> {
    let one = Workload {
        shards: 1,
        writers: (workload.writers / workload.shards).max(1),
        connections: (workload.connections / workload.shards).max(1),
        ..workload.clone()
    };
    one_row(bench, "ceiling, one shard", &one, search, |_| Vec::new())?;
    if workload.shards > 1 && !bench.interrupted() {
        let name = format!("ceiling, {} shards", workload.shards);
        one_row(bench, &name, workload, search, |_| Vec::new())?;
    }
    Ok(())
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
