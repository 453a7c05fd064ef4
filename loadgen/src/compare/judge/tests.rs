use super::*;
use crate::compare::metric::{DiskFloor, Floor, LoopbackFloor, Middle};
use crate::compare::results::{Percentiles, Row};

const QUESTION: Question = Question { false_alarms: 0.01, least: 0.02, wanted: 0.05 };

fn row(scenario: &str, ack_us: f64) -> Row {
    let ns = (ack_us * 1e3) as u64;
    let ack = Some(Percentiles { p50_ns: ns, p99_ns: 2 * ns });
    Row { scenario: scenario.to_owned(), records_per_s: 1e6 / ack_us, ack, ..Row::default() }
}

fn run(ack_us: f64, floor_us: Option<f64>) -> Run {
    let floor = floor_us.map(|us| {
        let write = Middle { p50_ns: (us * 1e3) as u64 };
        let disk = vec![DiskFloor { bytes: 4096, write, mb_per_s: 1e3 / us }];
        Floor { disk, loopback: LoopbackFloor::default() }
    });
    Run { rows: vec![row("x", ack_us)], floor, ..Run::default() }
}

/// What a run would measure on a disk that takes `disk_us`.
fn on_disk(disk_us: f64, factor: f64) -> Run {
    run(1.3 * disk_us * factor, Some(disk_us))
}

#[test]
fn a_disk_that_wanders_is_taken_out_by_the_floor() {
    // The disk of each run is another one; the build is 10 % slower over it.
    let disk = |i: usize| 100.0 + ((i * i * 37 + i * 11) % 23) as f64 * 10.0;
    let base: Vec<Run> = (0..16).map(|i| on_disk(disk(i), 1.0 + i as f64 * 1e-4)).collect();
    let new: Vec<Run> = (0..16).map(|i| on_disk(disk(i + 7), 1.1)).collect();
    let judged = judge(&pair(&base, &new), &QUESTION);
    let ack = judged.iter().find(|j| j.metric == Metric::AckP50).expect("there is one");
    assert_eq!((ack.judged, ack.verdict), (Basis::OverFloor, Verdict::Regressed), "{ack:?}");
    let over = ack.over_floor.expect("every run has a floor");
    assert!((over.percent - 10.0).abs() < 0.5, "{over:?}");
    let raw = ack.raw.expect("there are pairs");
    let (low, high) = raw.interval_percent.expect("16 pairs");
    assert!(high - low > 20.0, "the raw values alone show little: {raw:?}");
}

#[test]
fn a_floor_that_is_missing_once_is_used_nowhere() {
    let base = [run(100.0, Some(80.0)), run(101.0, None)];
    let new = [run(100.0, Some(80.0)), run(102.0, Some(80.0))];
    let pairs = pair(&base, &new);
    assert!(pairs.iter().all(|p| p.raw.len() == 2 && p.over_floor.is_empty()), "{pairs:?}");
}

#[test]
fn only_loads_that_both_have_are_compared() {
    let base = Run { rows: vec![row("a", 100.0), row("b", 100.0)], ..Run::default() };
    let new = Run { rows: vec![row("b", 110.0), row("c", 100.0)], ..Run::default() };
    let pairs = pair(&[base], &[new]);
    assert!(pairs.iter().all(|p| p.load.name().starts_with("b ")), "{pairs:?}");
    let ack = pairs.iter().find(|p| p.metric == Metric::AckP50).expect("it is in both");
    assert!((ack.raw[0] - 1.1_f64.ln()).abs() < 1e-6);
}

#[test]
fn half_of_the_false_alarms_belong_to_the_main_numbers() {
    let runs = |n: usize| -> Vec<Run> { (0..n).map(|_| run(100.0, None)).collect() };
    let pairs = pair(&runs(2), &runs(2));
    let weights = weights(&pairs);
    let main: Vec<f64> = weights.iter().filter(|(is, _)| *is).map(|(_, w)| *w).collect();
    assert_eq!(main, [0.5], "records/s, as there is no CPU time");
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    assert!((all - 1.0).abs() < 1e-9);
}

#[test]
fn a_higher_rate_is_better_and_a_higher_latency_worse() {
    let base: Vec<Run> = (0..14).map(|i| run(100.0 + f64::from(i % 3), None)).collect();
    let new: Vec<Run> = (0..14).map(|i| run(80.0 + f64::from(i % 3), None)).collect();
    let faster = judge(&pair(&base, &new), &QUESTION);
    assert!(faster.iter().all(|j| j.verdict == Verdict::Improved), "{faster:?}");
    let slower = judge(&pair(&new, &base), &QUESTION);
    assert!(slower.iter().all(|j| j.verdict == Verdict::Regressed), "{slower:?}");
}
