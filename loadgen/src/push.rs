//! Ack and push latency at a fixed rate, open loop.

use crate::bench::Bench;
use crate::failure::Result;
use crate::report::{Row, Target};
use crate::workload::Workload;

/// Push p50 of one consumer at half load.
const P50_MS: f64 = 0.4;
/// Push p99 of one consumer at half load.
const P99_MS: f64 = 2.0;
/// Push p99 of many consumers over that of one.
const FAN_OUT_RATIO: f64 = 1.5;

/// Measures `workload` at `rate` records a second with each number of consumers in turn. Rows
/// behind the first are compared with it.
pub fn measure(
    bench: &mut Bench<'_>,
    name: &str,
    workload: &Workload,
    rate: f64,
    consumers: &[u32],
) -> Result<()> {
    let mut first_p99 = None;
    for &n in consumers {
        if bench.interrupted() {
            break;
        }
        let load = workload.pushed(rate, n);
        let row = bench.measure(name, &load, |row| match (first_p99, &row.push) {
            (Some(first), Some(push)) => {
                let ratio = push.p99_ns as f64 / first as f64;
                vec![Target::at_most("p99 / first row's", ratio, FAN_OUT_RATIO)]
            }
            _ => latency_targets(row),
        })?;
        first_p99 = first_p99.or(row.push.as_ref().map(|push| push.p99_ns));
    }
    Ok(())
}

/// Half of what one closed-loop run of `workload` reaches, records a second.
pub fn half_rate(bench: &Bench<'_>, workload: &Workload) -> Result<f64> {
    let outcome = bench.probe("finding the highest rate", workload)?;
    Ok((outcome.records_per_s / 2.0).max(1.0))
}

fn latency_targets(row: &Row) -> Vec<Target> {
    let Some(push) = row.push.as_ref().filter(|_| row.shards == 1 && row.consumers == 1) else {
        return Vec::new();
    };
    vec![
        Target::at_most("push p50 ms", push.p50_ns as f64 / 1e6, P50_MS),
        Target::at_most("push p99 ms", push.p99_ns as f64 / 1e6, P99_MS),
    ]
}
