//! What quotas cost: the durable rate with limits that are switched off, against that with limits
//! which are looked at for every put and never reached. Target: at most 5 % less.
//!
//! Each round runs both, and every other round in the other order, so that what drifts on the
//! machine meets both alike; the cost is the median over the rounds of the second over the first.
//! The counters of a server cannot be switched off: they are in both. What they cost shows against
//! the rates of an older build, measured with the same command on the same machine.

use comfy_table::{Cell, Table};
use serde::Serialize;
use shardway::base::stream::{Durability, ShardLimits};

use crate::bench::Bench;
use crate::failure::Result;
use crate::report::Target;
use crate::run::run;
use crate::table::{new_table, number, target};
use crate::workload::Workload;

/// Rounds of each workload, unless said otherwise. An odd number has a middle.
pub const ROUNDS: u32 = 7;
/// What quotas may cost, in %.
const COST_PERCENT: f64 = 5.0;
/// More than any machine moves, and yet a limit.
const NEVER: u64 = 1 << 50;
/// Limits that are looked at and never reached.
const HIGH: ShardLimits = ShardLimits {
    in_bytes: NEVER,
    in_burst_bytes: NEVER,
    in_records: NEVER,
    out_bytes: NEVER,
    reads: NEVER,
};

/// A workload with and without limits.
#[derive(Clone, Debug, Serialize)]
pub struct CostRow {
    /// Its name.
    pub scenario: &'static str,
    /// The stream's durability.
    pub durability: Durability,
    /// Each round's records a second: without limits, and with them.
    pub rounds: Vec<(f64, f64)>,
    /// Median without limits.
    pub off_records_per_s: f64,
    /// Median with them.
    pub limited_records_per_s: f64,
    /// How much less that is, in %: the median of the rounds.
    pub cost_percent: f64,
    /// The same of the best round and of the worst.
    pub cost_percent_range: (f64, f64),
    /// Targets and whether they are met.
    pub targets: Vec<Target>,
}

/// Runs large batches to one shard, and single records of many writers.
pub fn measure(bench: &mut Bench<'_>, rounds: u32, durability: Durability) -> Result<()> {
    let workloads =
        [("one shard, batches", Workload::one_shard()), ("many writers", Workload::many_writers())];
    for (scenario, workload) in workloads {
        let mut pairs = Vec::new();
        for round in 0..rounds {
            if bench.interrupted() {
                break;
            }
            let rate = |limits| -> Result<f64> {
                let (warmup, duration) = (bench.warmup, bench.duration);
                let load = Workload { durability, limits, warmup, duration, ..workload.clone() };
                let what = format!("{scenario}, round {} of {rounds}", round + 1);
                crate::failure::Result::Ok(run(bench.context, &what, &load)?.records_per_s)
            };
            pairs.push(if round % 2 == 0 {
                let off = rate(ShardLimits::OFF)?;
                (off, rate(HIGH)?)
            } else {
                let limited = rate(HIGH)?;
                (rate(ShardLimits::OFF)?, limited)
            });
        }
        bench.report.server = bench.context.server();
        bench.report.cost.extend(CostRow::of(scenario, durability, pairs));
    }
    Ok(())
}

impl CostRow {
    /// The row of some rounds; none without one.
    fn of(
        scenario: &'static str,
        durability: Durability,
        rounds: Vec<(f64, f64)>,
    ) -> Option<CostRow> {
        let of = |what: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(what).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let costs = of(|(off, limited)| (1.0 - limited / off) * 100.0);
        let cost_percent = median(&costs)?;
        Some(CostRow {
            scenario,
            durability,
            off_records_per_s: median(&of(|round| round.0))?,
            limited_records_per_s: median(&of(|round| round.1))?,
            cost_percent,
            cost_percent_range: (*costs.first()?, *costs.last()?),
            targets: vec![Target::at_most("cost %", cost_percent, COST_PERCENT)],
            rounds,
        })
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.get(sorted.len() / 2)?;
    let other = sorted[(sorted.len() - 1) / 2];
    Some((middle + other) / 2.0)
}

/// For people.
#[must_use]
pub fn table(rows: &[CostRow]) -> Table {
    let header =
        ["workload", "rounds", "records/s, limits off", "limited", "cost", "range", "target"];
    let mut table = new_table(&header);
    for row in rows {
        let (least, most) = row.cost_percent_range;
        table.add_row(vec![
            Cell::new(row.scenario),
            number(row.rounds.len().to_string()),
            number(format!("{:.0}", row.off_records_per_s)),
            number(format!("{:.0}", row.limited_records_per_s)),
            number(format!("{:.2} %", row.cost_percent)),
            number(format!("{least:.1} to {most:.1} %")),
            Cell::new(row.targets.iter().map(target).collect::<Vec<_>>().join("\n")),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_the_median_of_the_rounds_and_a_gain_is_below_zero() {
        let rounds = vec![(100.0, 98.0), (200.0, 180.0), (50.0, 51.0)];
        let row = CostRow::of("x", Durability::Durable, rounds).expect("three rounds");
        assert!((row.cost_percent - 2.0).abs() < 1e-9, "{row:?}");
        assert!((row.cost_percent_range.0 + 2.0).abs() < 1e-9, "{row:?}");
        assert!((row.cost_percent_range.1 - 10.0).abs() < 1e-9, "{row:?}");
        assert!(row.targets[0].met);
        assert!(CostRow::of("x", Durability::Durable, Vec::new()).is_none());
    }

    #[test]
    fn an_even_number_of_rounds_has_two_in_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
        assert_eq!(median(&[1.0, 2.0, 4.0]), Some(2.0));
    }
}
