//! A whole comparison: which runs, whether they can be compared, what came of it.

use serde::Serialize;

use super::judge::{Judgement, Verdict, judge, pair};
use super::{CompareOptions, EXIT_NO_VERDICT, EXIT_REGRESSED, Run};

/// Grows when a field changes its meaning or goes.
const SCHEMA_VERSION: u32 = 1;

/// What `loadgen compare` found.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// See [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What was compared with.
    pub base: Side,
    /// What is in question.
    pub new: Side,
    /// Pairs of runs.
    pub pairs: usize,
    /// Why a difference need not be the build's; if there is a reason, nothing is judged.
    pub not_comparable: Vec<String>,
    /// What else to know.
    pub notes: Vec<String>,
    /// In so many of 100 comparisons of equal builds anything is flagged, at most.
    pub false_alarms_percent: f64,
    /// Smaller changes are not flagged.
    pub least_percent: f64,
    /// Changes of this size should be seen.
    pub wanted_percent: f64,
    /// Every number.
    pub judgements: Vec<Judgement>,
    /// The sentence at the end.
    pub summary: String,
}

/// One of the builds.
#[derive(Debug, Serialize)]
pub struct Side {
    /// Its revisions: one, if all is well.
    pub revisions: Vec<String>,
    /// Runs of it.
    pub runs: usize,
}

impl Side {
    fn of(runs: &[Run]) -> Side {
        let mut revisions: Vec<String> =
            runs.iter().filter_map(|run| run.revision().map(str::to_owned)).collect();
        revisions.sort();
        revisions.dedup();
        Side { revisions, runs: runs.len() }
    }
}

impl Comparison {
    /// Of these runs, each in order of time.
    pub fn of(base: &[Run], new: &[Run], options: &CompareOptions) -> Comparison {
        let pairs = pair(base, new);
        let reasons = not_comparable(base, new);
        let mut comparison = Comparison {
            schema_version: SCHEMA_VERSION,
            base: Side::of(base),
            new: Side::of(new),
            pairs: base.len().min(new.len()),
            notes: notes(base, new),
            false_alarms_percent: options.false_alarms,
            least_percent: options.least,
            wanted_percent: options.wanted,
            judgements: judge(&pairs, &options.question()),
            not_comparable: Vec::new(),
            summary: String::new(),
        };
        if options.anyway {
            comparison.notes.extend(reasons);
        } else {
            comparison.not_comparable = reasons;
        }
        comparison.summary = comparison.sentence();
        comparison
    }

    /// For CI.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if !self.judges() {
            return EXIT_NO_VERDICT;
        }
        let has = |verdict: fn(&Verdict) -> bool, main_only: bool| {
            self.judgements.iter().any(|j| verdict(&j.verdict) && (j.main || !main_only))
        };
        if has(|verdict| *verdict == Verdict::Regressed, false) {
            EXIT_REGRESSED
        } else if has(|verdict| matches!(verdict, Verdict::TooFewRuns { .. }), true) {
            EXIT_NO_VERDICT
        } else {
            0
        }
    }

    /// Whether there is something to judge, and nothing against it.
    #[must_use]
    pub fn judges(&self) -> bool {
        self.not_comparable.is_empty() && !self.judgements.is_empty()
    }

    fn sentence(&self) -> String {
        if !self.not_comparable.is_empty() {
            return format!("NOT COMPARABLE: {}.", self.not_comparable.join("; "));
        }
        if self.judgements.is_empty() {
            return "NOT COMPARABLE: the runs have no load in common.".to_owned();
        }
        let those = |verdict: Verdict| -> Vec<String> {
            let alike = self.judgements.iter().filter(|j| j.verdict == verdict);
            alike.map(|j| format!("{} of {}", j.metric.name(), j.load)).collect()
        };
        let (worse, better) = (those(Verdict::Regressed), those(Verdict::Improved));
        let mut sentences = Vec::new();
        if !worse.is_empty() {
            sentences.push(format!("REGRESSED: {}.", worse.join("; ")));
        }
        if !better.is_empty() {
            sentences.push(format!("Improved: {}.", better.join("; ")));
        }
        let wanted = self.wanted_percent;
        let seen = self.judgements.iter().any(|j| j.verdict == Verdict::NoEvidence);
        if sentences.is_empty() && seen {
            let where_seen = "in the numbers that would have shown it";
            sentences.push(format!("No evidence of a change of {wanted} % {where_seen}."));
        }
        if let Some(needed) = self.runs_needed() {
            sentences.push(match needed {
                Ok(runs) => format!(
                    "Too few runs, or too noisy, to see {wanted} % everywhere: the main number \
                     needs {runs} runs of each build."
                ),
                Err(()) => format!("The main number is too noisy here to see {wanted} % ever."),
            });
        }
        sentences.join(" ")
    }

    /// How many runs of each build the main numbers need, if they have too few.
    fn runs_needed(&self) -> Option<std::result::Result<usize, ()>> {
        let needed = self.judgements.iter().filter(|j| j.main).filter_map(|j| match j.verdict {
            Verdict::TooFewRuns { needed } => Some(needed.ok_or(())),
            _ => None,
        });
        needed.reduce(|a, b| Ok(a?.max(b?)))
    }
}

/// Why a difference may have other reasons than the build.
fn not_comparable(base: &[Run], new: &[Run]) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut all = base.iter().chain(new);
    if let Some(first) = all.next()
        && let Some(other) = all.find(|run| run.machine() != first.machine())
    {
        reasons.push(format!(
            "{} and {} are of different machines, kernels or disks",
            first.file.display(),
            other.file.display()
        ));
    }
    if base.iter().chain(new).any(|run| run.host.optimised == Some(false)) {
        reasons.push("there are debug builds among the runs".to_owned());
    }
    if !in_turns(base, new) {
        reasons.push(
            "the runs were not made in turns, so the machine's drift looks like a change \
             (tuning/ab.sh makes them in turns; --anyway judges all the same)"
                .to_owned(),
        );
    }
    reasons
}

/// Whether both runs of each pair started before either of the next.
fn in_turns(base: &[Run], new: &[Run]) -> bool {
    let times: Vec<(u64, u64)> = base
        .iter()
        .zip(new)
        .map(|(base, new)| {
            let (a, b) = (base.started_unix_ms, new.started_unix_ms);
            (a.min(b), a.max(b))
        })
        .collect();
    times.windows(2).all(|pairs| pairs[0].1 < pairs[1].0)
}

fn notes(base: &[Run], new: &[Run]) -> Vec<String> {
    let mut notes = Vec::new();
    if base.len() != new.len() {
        notes.push(format!(
            "{} runs against {}: those without a partner are left out",
            base.len(),
            new.len()
        ));
    }
    let first = base.iter().zip(new).filter(|(a, b)| a.started_unix_ms < b.started_unix_ms).count();
    let pairs = base.len().min(new.len());
    if pairs > 2 && (first == 0 || first == pairs) {
        notes.push(
            "one build always ran first: turns of ABBA keep the drift within a pair out too"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::{Machine, Row};
    use std::path::PathBuf;

    fn options() -> CompareOptions {
        let path = PathBuf::new();
        let (wanted, least, false_alarms) = (5.0, 2.0, 1.0);
        let (base, new, html) = (path.clone(), path, None);
        CompareOptions { base, new, wanted, least, false_alarms, anyway: false, html }
    }

    /// Run number `i` of a build whose records cost `cpu`, give or take 1 %.
    fn run(started: u64, i: usize, cpu: f64) -> Run {
        let wobble = 1.0 + (i * 7 % 5) as f64 / 500.0;
        let server_cpu_us_per_record = Some(cpu * wobble);
        let row = Row { server_cpu_us_per_record, records_per_s: 5e4 / wobble, ..Row::default() };
        Run { started_unix_ms: started, rows: vec![row], ..Run::default() }
    }

    fn sides(n: usize, base: f64, new: f64) -> (Vec<Run>, Vec<Run>) {
        // ABBA.
        let at = |i: usize, first: bool| {
            (10 * i + if first == i.is_multiple_of(2) { 0 } else { 5 }) as u64
        };
        let base = (0..n).map(|i| run(at(i, true), i, base)).collect();
        (base, (0..n).map(|i| run(at(i, false), i + 2, new)).collect())
    }

    #[test]
    fn five_percent_more_cpu_regresses_and_five_less_improves() {
        let (base, new) = sides(12, 10.0, 10.5);
        let worse = Comparison::of(&base, &new, &options());
        assert_eq!(worse.judgements[0].verdict, Verdict::Regressed, "{worse:#?}");
        assert_eq!(worse.exit_code(), EXIT_REGRESSED);
        assert!(worse.summary.starts_with("REGRESSED: server CPU"), "{}", worse.summary);
        let better = Comparison::of(&new, &base, &options());
        assert_eq!((better.judgements[0].verdict, better.exit_code()), (Verdict::Improved, 0));
    }

    #[test]
    fn equal_builds_show_no_evidence() {
        let (base, new) = sides(12, 10.0, 10.0);
        let same = Comparison::of(&base, &new, &options());
        assert!(same.judgements.iter().all(|j| j.verdict == Verdict::NoEvidence), "{same:#?}");
        assert_eq!(same.exit_code(), 0);
    }

    #[test]
    fn too_few_runs_say_how_many_it_takes_and_never_pass() {
        let (base, new) = sides(3, 10.0, 20.0);
        let few = Comparison::of(&base, &new, &options());
        assert!(matches!(few.judgements[0].verdict, Verdict::TooFewRuns { needed: Some(9..) }));
        assert_eq!(few.exit_code(), EXIT_NO_VERDICT);
        assert!(few.summary.contains("needs 9 runs of each build"), "{}", few.summary);
    }

    #[test]
    fn a_real_but_tiny_change_is_not_flagged() {
        let (base, new) = sides(40, 10.0, 10.1);
        let tiny = Comparison::of(&base, &new, &options());
        assert!(tiny.judgements[0].p_adjusted < 0.01, "{tiny:#?}");
        assert_eq!(tiny.judgements[0].verdict, Verdict::NoEvidence);
    }

    #[test]
    fn one_build_after_the_other_is_not_judged() {
        let base: Vec<Run> = (0..12).map(|i| run(i, i as usize, 10.0)).collect();
        let new: Vec<Run> = (0..12).map(|i| run(100 + i, i as usize, 12.0)).collect();
        let apart = Comparison::of(&base, &new, &options());
        assert_eq!(apart.exit_code(), EXIT_NO_VERDICT);
        assert!(apart.summary.contains("not made in turns"), "{}", apart.summary);
        let anyway = CompareOptions { anyway: true, ..options() };
        assert_eq!(Comparison::of(&base, &new, &anyway).exit_code(), EXIT_REGRESSED);
    }

    #[test]
    fn different_machines_are_not_judged() {
        let (base, mut new) = sides(12, 10.0, 12.0);
        new[3].host = Machine { cpus: 64, ..Machine::default() };
        let mixed = Comparison::of(&base, &new, &options());
        assert_eq!(mixed.exit_code(), EXIT_NO_VERDICT);
        assert!(mixed.summary.contains("different machines"), "{}", mixed.summary);
    }
}
