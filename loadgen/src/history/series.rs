//! The series of a history: one for each machine, load and number.

use serde::Serialize;

use crate::compare::judge::{Basis, moves_with};
use crate::compare::metric::{Load, Metric};
use crate::compare::results::Run;
use crate::compare::signed_rank::median_of_sorted;

/// Runs of one build that follow within this time of each other are one session: 6 hours.
const SESSION_MS: u64 = 6 * 3600 * 1000;

/// One number of one load on one machine, over time.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// The machine.
    pub machine: String,
    /// The load.
    pub load: String,
    /// The number.
    pub metric: Metric,
    /// What is searched for changes.
    pub judged: Basis,
    /// The points, in order of time.
    pub sessions: Vec<Session>,
}

/// Some runs of one build, one after the other.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// When the first started, ms since the epoch.
    pub at_unix_ms: u64,
    /// The build.
    pub revision: Option<String>,
    /// The values of the runs.
    pub values: Vec<f64>,
    /// Their middle.
    pub value: f64,
    /// The middle of the values over the floor of their run, where every run has one.
    pub over_floor: Option<f64>,
    #[serde(skip)]
    last_unix_ms: u64,
    #[serde(skip)]
    ratios: Vec<f64>,
}

/// What the points of a series have in common.
type Key = (String, Load, Metric);

/// All series of some runs, which are in order of time.
#[must_use]
pub fn all(runs: &[Run]) -> Vec<Series> {
    let mut all: Vec<(Key, Vec<Session>)> = Vec::new();
    for run in runs {
        let machine = machine(run);
        for (load, row) in Load::all(run) {
            for metric in Metric::ALL {
                let Some(value) = metric.of(row) else { continue };
                let key = (machine.clone(), load.clone(), metric);
                let at = all.iter().position(|(other, _)| *other == key).unwrap_or_else(|| {
                    all.push((key, Vec::new()));
                    all.len() - 1
                });
                add(&mut all[at].1, run, value, metric.floor_of(row, run));
            }
        }
    }
    all.into_iter().map(|(key, sessions)| Series::of(key, sessions)).collect()
}

fn machine(run: &Run) -> String {
    let (cpu, cpus, kernel, disk) = run.machine();
    let disk = disk.map_or("unknown disk", |disk| disk.name.as_str());
    let unknown = "unknown";
    format!("{cpus} x {}, Linux {}, {disk}", cpu.unwrap_or(unknown), kernel.unwrap_or(unknown))
}

fn add(sessions: &mut Vec<Session>, run: &Run, value: f64, floor: Option<f64>) {
    let at = run.started_unix_ms;
    let goes_on = sessions.last().is_some_and(|session| {
        session.revision.as_deref() == run.revision() && at <= session.last_unix_ms + SESSION_MS
    });
    if !goes_on {
        sessions.push(Session {
            at_unix_ms: at,
            revision: run.revision().map(str::to_owned),
            values: Vec::new(),
            value,
            over_floor: None,
            last_unix_ms: at,
            ratios: Vec::new(),
        });
    }
    let session = sessions.last_mut().expect("there is one now");
    session.last_unix_ms = at;
    session.values.push(value);
    session.ratios.extend(floor.map(|floor| value / floor));
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

/// Distances from their middle, as logarithms.
fn around_middle(values: &[f64]) -> Vec<f64> {
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let middle = median(&logs).unwrap_or(0.0);
    logs.iter().map(|log| log - middle).collect()
}

impl Series {
    fn of((machine, load, metric): Key, mut sessions: Vec<Session>) -> Series {
        for session in &mut sessions {
            session.value = median(&session.values).expect("a session has a run");
            let whole = session.ratios.len() == session.values.len();
            session.over_floor = whole.then(|| median(&session.ratios)).flatten();
        }
        let over: Option<Vec<f64>> = sessions.iter().map(|session| session.over_floor).collect();
        let steadier = over.is_some_and(|over| {
            let values: Vec<f64> = sessions.iter().map(|session| session.value).collect();
            let floors: Vec<f64> = values.iter().zip(&over).map(|(v, o)| v / o).collect();
            moves_with(&around_middle(&values), &around_middle(&floors))
        });
        let judged = if steadier { Basis::OverFloor } else { Basis::Raw };
        Series { machine, load: load.name(), metric, judged, sessions }
    }

    /// The points that are searched, as logarithms: a shift is then a ratio.
    #[must_use]
    pub fn judged(&self) -> Vec<f64> {
        self.sessions.iter().map(|session| self.point(session).ln()).collect()
    }

    /// A session's point.
    #[must_use]
    pub fn point(&self, session: &Session) -> f64 {
        match self.judged {
            Basis::Raw => session.value,
            Basis::OverFloor => session.over_floor.expect("every session has a floor then"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::metric::{DiskFloor, Floor, LoopbackFloor, Middle};
    use crate::compare::results::{Machine, Percentiles, Row};

    fn run(at: u64, build: &str, ack_us: u64, disk_us: u64) -> Run {
        let ack = Some(Percentiles { p50_ns: ack_us * 1000, p99_ns: ack_us * 1000 });
        let write = Middle { p50_ns: disk_us * 1000 };
        let disk = vec![DiskFloor { bytes: 4096, write, mb_per_s: 1.0 }];
        let floor = Some(Floor { disk, loopback: LoopbackFloor::default() });
        let host = Machine { git_revision: Some(build.to_owned()), ..Machine::default() };
        let rows = vec![Row { ack, ..Row::default() }];
        Run { started_unix_ms: at, host, rows, floor, ..Run::default() }
    }

    fn ack(runs: &[Run]) -> Series {
        all(runs).into_iter().find(|s| s.metric == Metric::AckP50).expect("it was measured")
    }

    #[test]
    fn runs_of_a_build_within_hours_are_one_point_and_a_wild_one_does_not_move_it() {
        let minute = 60_000;
        let series = ack(&[
            run(0, "a", 100, 80),
            run(minute, "a", 900, 80),
            run(2 * minute, "a", 102, 80),
            run(3 * minute, "b", 110, 80),
            run(4 * minute, "a", 100, 80),
            run(4 * minute + SESSION_MS + 1, "a", 100, 80),
        ]);
        let counts: Vec<usize> = series.sessions.iter().map(|s| s.values.len()).collect();
        assert_eq!(counts, [3, 1, 1, 1]);
        assert!((series.sessions[0].value - 102_000.0).abs() < 1.0);
    }

    #[test]
    fn a_disk_that_changes_is_taken_out_by_the_floor() {
        let disk = |i: u64| 80 + i * i * 7 % 41;
        let runs: Vec<Run> =
            (0..20).map(|i| run(i * 86_400_000, "a", disk(i) * 3 / 2, disk(i))).collect();
        let series = ack(&runs);
        assert_eq!(series.judged, Basis::OverFloor);
        let points = series.judged();
        assert!(points.iter().all(|p| (p - 1.5_f64.ln()).abs() < 0.02), "{points:?}");
    }

    #[test]
    fn machines_do_not_mix() {
        let mut runs = vec![run(0, "a", 100, 80), run(1, "a", 200, 80)];
        runs[1].host.cpus = 64;
        let series = all(&runs);
        let acks = series.iter().filter(|s| s.metric == Metric::AckP50).count();
        assert_eq!(acks, 2);
    }
}
