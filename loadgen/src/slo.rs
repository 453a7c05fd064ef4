//! Bounds that a user sets for latencies: `p99=2ms,p999=5ms`, or `ack.p99=1ms`.

use std::str::FromStr;
use std::time::Duration;

use crate::latency::Percentiles;
use crate::report::{Row, Target};

/// What names of its targets begin with.
const PREFIX: &str = "SLO ";
/// An open loop's share that must be acknowledged, in %.
const RATE_PERCENT: f64 = 99.0;

/// Bounds; all must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slo(Vec<Bound>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    /// Of what; unless said, of pushes where there are consumers, else of acknowledgements.
    of: Option<Of>,
    /// Name of the percentile.
    name: String,
    limit: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Ack,
    Push,
}

impl FromStr for Slo {
    type Err = String;

    fn from_str(text: &str) -> Result<Slo, String> {
        text.split(',').map(bound).collect::<Result<_, _>>().map(Slo)
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    let (what, limit) =
        text.split_once('=').ok_or_else(|| format!("`{text}` is not as p99=2ms"))?;
    let (of, name) = match what.trim().split_once('.') {
        Some(("ack", name)) => (Some(Of::Ack), name),
        Some(("push", name)) => (Some(Of::Push), name),
        Some((other, _)) => return Err(format!("`{other}` is neither ack nor push")),
        None => (None, what.trim()),
    };
    let sample = Percentiles::default();
    if value(&sample, name).is_none() {
        return Err(format!("`{name}` is none of p50, p90, p99, p999, p9999, max"));
    }
    let limit = humantime::parse_duration(limit.trim()).map_err(|e| format!("`{limit}`: {e}"))?;
    Ok(Bound { of, name: name.to_owned(), limit })
}

fn value(of: &Percentiles, name: &str) -> Option<u64> {
    Some(match name {
        "p50" => of.p50_ns,
        "p90" => of.p90_ns,
        "p99" => of.p99_ns,
        "p999" => of.p999_ns,
        "p9999" => of.p9999_ns,
        "max" => of.max_ns,
        _ => return None,
    })
}

impl Slo {
    /// How a row fares. What it should have and does not have is a bound that is missed.
    #[must_use]
    pub fn targets(&self, row: &Row) -> Vec<Target> {
        let mut targets: Vec<Target> = self.0.iter().map(|bound| bound.target(row)).collect();
        if let Some(offered) = row.offered_records_per_s {
            // Fast answers to a part of the load keep no promise.
            let kept = row.records_per_s * 100.0 / offered;
            targets.push(Target::at_least(format!("{PREFIX}rate %"), kept, RATE_PERCENT));
        }
        targets
    }

    /// Whether a target is one of these.
    #[must_use]
    pub fn is_about(target: &Target) -> bool {
        target.what.starts_with(PREFIX)
    }
}

impl Bound {
    fn target(&self, row: &Row) -> Target {
        let of = self.of.unwrap_or(if row.consumers > 0 { Of::Push } else { Of::Ack });
        let (kind, latencies) = match of {
            Of::Ack => ("ack", &row.ack),
            Of::Push => ("push", &row.push),
        };
        let found = latencies.as_ref().and_then(|latencies| value(latencies, &self.name));
        let found_ms = found.map_or(f64::MAX, |ns| ns as f64 / 1e6);
        let what = format!("{PREFIX}{kind} {} ms", self.name);
        Target::at_most(what, found_ms, self.limit.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::outcome;
    use crate::workload::Workload;

    fn row(ns: u64) -> Row {
        Row::of("x", &Workload::default().pushed(10.0, 1), &outcome(ns), None)
    }

    #[test]
    fn bounds_are_about_pushes_where_there_are_consumers() {
        let slo: Slo = "p99=2ms,ack.max=500us".parse().expect("valid");
        let targets = slo.targets(&row(1_000_000));
        let shown: Vec<_> = targets.iter().map(|t| (t.what.as_str(), t.met)).collect();
        let wanted = [("SLO push p99 ms", true), ("SLO ack max ms", false), ("SLO rate %", true)];
        assert_eq!(shown, wanted);
        assert!(targets.iter().all(Slo::is_about));
    }

    #[test]
    fn a_row_without_the_latency_misses_its_bound() {
        let slo: Slo = "push.p50=1h".parse().expect("valid");
        let row = Row { push: None, ..row(1) };
        assert!(!slo.targets(&row)[0].met);
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for text in ["", "p99", "p98=1ms", "p99=fast", "get.p99=1ms", "p99=1ms,"] {
            assert!(text.parse::<Slo>().is_err(), "{text}");
        }
    }
}
