//! The promises of a comparison, on machines that never were: seeded noise, many thousand runs.
//!
//! At most 1 in 100 comparisons of equal builds may flag anything, and 15 runs of each build, in an
//! order drawn for each pair, show 5 % more CPU time a record in at least 80 of 100 cases. Both on
//! a calm machine and on such as have outliers, drift, or two speeds.

use shardway::base::rng::SplitMix64;

use super::judge::{Question, Verdict, pair, test};
use super::metric::{DiskFloor, Floor, LoopbackFloor, Metric, Middle};
use super::results::{Percentiles, Row, Run};

/// Comparisons of equal builds on each machine.
const EQUAL: u32 = 1_000;
/// Comparisons of different ones.
const DIFFERENT: u32 = 400;
/// Runs of each build: what `tuning/ab.sh` makes unless it is told otherwise.
const RUNS: usize = 15;
const QUESTION: Question = Question {
    false_alarms: 0.01,
    // ln 1.02 and ln 1.05.
    least: 0.019_802_627_296_179_713,
    wanted: 0.048_790_164_169_432_0,
};

/// Scatter of the CPU time a record from run to run.
const CPU_SCATTER: f64 = 0.012;

#[derive(Clone, Copy, Debug)]
enum Machine {
    /// Normal noise.
    Calm,
    /// Student's t with two degrees of freedom: no variance at all.
    HeavyTails,
    /// 40 % slower at the end than at the beginning.
    Drift,
    /// 20 % slower for some runs, then fast again.
    TwoSpeeds,
}

const MACHINES: [Machine; 4] =
    [Machine::Calm, Machine::HeavyTails, Machine::Drift, Machine::TwoSpeeds];

struct Noise {
    rng: SplitMix64,
    slow: bool,
}

impl Noise {
    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Of one measured number.
    fn own(&mut self, machine: Machine) -> f64 {
        match machine {
            // The sum of two squares is exponential: chi squared with two degrees of freedom.
            Machine::HeavyTails => self.normal() / (1e-9 - (1.0 - self.uniform()).ln()).sqrt(),
            _ => self.normal(),
        }
    }

    /// What the machine does to everything in one run; `at` goes from 0 to 1.
    fn machine(&mut self, machine: Machine, at: f64) -> f64 {
        match machine {
            Machine::Calm | Machine::HeavyTails => 0.0,
            Machine::Drift => 0.4 * at,
            Machine::TwoSpeeds => {
                if self.uniform() < 0.15 {
                    self.slow = !self.slow;
                }
                if self.slow { 0.2 } else { 0.0 }
            }
        }
    }
}

/// One run. `more` is how much more CPU time a record takes, as a logarithm.
fn run(noise: &mut Noise, machine: Machine, at: f64, more: f64) -> Run {
    let weather = noise.machine(machine, at);
    let mut value = |middle: f64, sensitivity: f64, scatter: f64| {
        middle * (sensitivity * weather + scatter * noise.own(machine)).exp()
    };
    let time = |value: f64| value as u64;
    let p50_ns = time(value(200_000.0, 0.8, 0.03));
    let disk = vec![DiskFloor { bytes: 4096, write: Middle { p50_ns }, mb_per_s: 40.0 }];
    let round_trip = Middle { p50_ns: time(value(30_000.0, 0.5, 0.04)) };
    let floor = Floor { disk, loopback: LoopbackFloor { round_trip } };
    let mut percentiles = |middle| Percentiles {
        p50_ns: time(value(middle, 1.0, 0.03)),
        p99_ns: time(value(3.0 * middle, 1.0, 0.12)),
    };
    let (ack, push) = (Some(percentiles(300_000.0)), Some(percentiles(350_000.0)));
    let server_cpu_us_per_record = Some(value(9.0, 0.3, CPU_SCATTER) * more.exp());
    let records_per_s = value(60_000.0, -1.0, 0.03);
    let row = Row {
        record_bytes: 1024,
        batch_records: 1,
        records_per_s,
        server_cpu_us_per_record,
        ack,
        push,
        ..Row::default()
    };
    Run { floor: Some(floor), rows: vec![row], ..Run::default() }
}

/// In how many of so many comparisons any number got one of these verdicts, and the main one.
fn found(machine: Machine, comparisons: u32, more: f64, wanted: &[Verdict]) -> (u32, u32) {
    let (mut any, mut main) = (0, 0);
    for seed in 0..comparisons {
        let rng = SplitMix64::new(u64::from(seed) << 8 | machine as u64);
        let mut noise = Noise { rng, slow: seed % 2 == 0 };
        let (mut base, mut new) = (Vec::new(), Vec::new());
        for turn in 0..RUNS {
            let base_first = noise.uniform() < 0.5;
            for first in [true, false] {
                let at = (2 * turn + usize::from(!first)) as f64 / (2 * RUNS) as f64;
                let is_base = first == base_first;
                let more = if is_base { 0.0 } else { more };
                let run = run(&mut noise, machine, at, more);
                if is_base { &mut base } else { &mut new }.push(run);
            }
        }
        let judgements = test(&pair(&base, &new), &QUESTION);
        assert_eq!(judgements.len(), Metric::ALL.len());
        any += u32::from(judgements.iter().any(|j| wanted.contains(&j.verdict)));
        main += u32::from(judgements.iter().any(|j| j.main && wanted.contains(&j.verdict)));
    }
    println!("{machine:?}, {more:+.3}: any {any}, main {main} of {comparisons}");
    (any, main)
}

#[test]
fn equal_builds_raise_no_more_alarms_than_promised_on_any_machine() {
    let allowed = (QUESTION.false_alarms * f64::from(EQUAL)) as u32;
    for machine in MACHINES {
        let (any, _) = found(machine, EQUAL, 0.0, &[Verdict::Regressed, Verdict::Improved]);
        assert!(any <= allowed, "{machine:?}: {any} alarms in {EQUAL}");
    }
}

#[test]
fn five_percent_more_work_is_found_by_the_recommended_runs_on_every_machine() {
    let least = DIFFERENT * 8 / 10;
    for machine in MACHINES {
        let (_, main) = found(machine, DIFFERENT, QUESTION.wanted, &[Verdict::Regressed]);
        assert!(main >= least, "{machine:?}: {main} found of {DIFFERENT}");
    }
}

#[test]
fn five_percent_less_work_is_an_improvement_and_never_an_alarm() {
    let (_, main) = found(Machine::Calm, DIFFERENT, -QUESTION.wanted, &[Verdict::Improved]);
    assert!(main >= DIFFERENT * 8 / 10, "{main}");
    let (_, alarms) = found(Machine::Calm, DIFFERENT, -QUESTION.wanted, &[Verdict::Regressed]);
    assert_eq!(alarms, 0);
}
