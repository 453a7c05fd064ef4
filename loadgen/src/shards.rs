//! How many shards at their AWS quota one server carries, each with its consumer.

use crate::bench::Bench;
use crate::failure::Result;
use crate::outcome::Outcome;
use crate::report::{Row, Target};
use crate::stop;
use crate::workload::{QUOTA_RECORDS, Workload};

/// Push p99 under which a number of shards counts as carried.
pub const P99_LIMIT_MS: f64 = 10.0;
/// Shards that a core is meant to carry.
const SHARDS_WANTED: u32 = 150;
/// Where a search starts.
const SEARCH_START: u32 = 50;
/// Where it ends in any case: more than loopback on two cores can carry.
const SEARCH_MAX: u32 = 6400;
/// It is precise enough when the bounds are this near, in % of the lower.
const SEARCH_PRECISION: u32 = 5;

/// Measures `workload`'s number of shards.
pub fn measure(bench: &mut Bench<'_>, workload: &Workload, p99_limit_ms: f64) -> Result<Row> {
    let name = format!("{} shards at quota", workload.shards);
    bench.measure(&name, workload, |row| {
        let p99_ms = row.push.as_ref().map_or(f64::INFINITY, |push| push.p99_ns as f64 / 1e6);
        vec![Target::at_most("push p99 ms", p99_ms, p99_limit_ms)]
    })
}

/// Finds the highest number that is carried, and measures it for the whole time. `of` makes the
/// workload of a number of shards.
pub fn search(
    bench: &mut Bench<'_>,
    of: impl Fn(u32) -> Workload,
    p99_limit_ms: f64,
) -> Result<()> {
    let best = highest(|shards| {
        let what = format!("search: {shards} shards");
        let workload = of(shards);
        Ok(carried(&workload, &bench.probe(&what, &workload)?, p99_limit_ms))
    })?;
    if bench.interrupted() {
        return Ok(());
    }
    measure(bench, &of(best.max(1)), p99_limit_ms)?;
    if let Some(row) = bench.report.rows.last_mut() {
        let wanted = f64::from(SHARDS_WANTED);
        row.targets.push(Target::at_least("shards", f64::from(best), wanted));
    }
    Ok(())
}

fn carried(workload: &Workload, outcome: &Outcome, p99_limit_ms: f64) -> bool {
    let rate = f64::from(workload.shards) * f64::from(QUOTA_RECORDS);
    let fast = outcome.push.as_ref().is_some_and(|push| push.p99_ns as f64 / 1e6 < p99_limit_ms);
    fast && outcome.sustained(rate)
}

/// The highest number for which `carried` holds: doubling, then halving the distance. 0 if none.
fn highest(mut carried: impl FnMut(u32) -> Result<bool>) -> Result<u32> {
    let (mut low, mut high) = (0, SEARCH_START);
    while !stop::requested() && carried(high)? {
        (low, high) = (high, high * 2);
        if high > SEARCH_MAX {
            return Ok(low);
        }
    }
    while high - low > (low * SEARCH_PRECISION / 100).max(1) && !stop::requested() {
        let middle = low + (high - low) / 2;
        if carried(middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search_to(limit: u32) -> (u32, u32) {
        let mut probes = 0;
        let found = highest(|shards| {
            probes += 1;
            Ok(shards <= limit)
        });
        (found.expect("no probe fails"), probes)
    }

    #[test]
    fn a_search_ends_within_its_precision_below_the_limit() {
        for limit in [1, 3, 49, 50, 51, 99, 150, 163, 317, 1000] {
            let (found, probes) = search_to(limit);
            assert!(found <= limit, "{found} is above {limit}");
            assert!(limit - found <= (limit * SEARCH_PRECISION / 100).max(1), "{limit}: {found}");
            assert!(probes <= 14, "{limit} took {probes} probes");
        }
    }

    #[test]
    fn a_search_ends_though_nothing_or_everything_is_carried() {
        assert_eq!(search_to(0).0, 0);
        assert!(search_to(u32::MAX).0 <= SEARCH_MAX);
    }
}
