//! From pairs of runs to a verdict on each number.

use serde::Serialize;

use super::metric::{Load, Metric};
use super::multiple::{Weighed, adjust};
use super::power::Noise;
use super::results::Run;
use super::signed_rank::{fewest, interval, median_of_sorted, p_value, shift};

/// What the user wants to know.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The probability, at most, that a comparison of two equal builds flags anything.
    pub false_alarms: f64,
    /// Smaller changes (as a logarithm) are nobody's business.
    pub least: f64,
    /// A change of this size (as a logarithm) should not go unnoticed.
    pub wanted: f64,
}

/// The ratios of one number over all pairs, as logarithms of new over base.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Which load.
    pub load: Load,
    /// Which number.
    pub metric: Metric,
    /// As measured.
    pub raw: Vec<f64>,
    /// Each run's value over the floor of the same run; as long as `raw`, or empty where a run
    /// has no floor.
    pub over_floor: Vec<f64>,
}

/// How one number has changed.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// The load.
    pub load: String,
    /// The number.
    pub metric: Metric,
    /// Whether it is the one by which the load is judged first.
    pub main: bool,
    /// Pairs of runs.
    pub pairs: usize,
    /// The change as measured.
    pub raw: Option<Change>,
    /// The change of the value over the floor of its run.
    pub over_floor: Option<Change>,
    /// Which of the two is judged: the steadier.
    pub judged: Basis,
    /// The probability of such pairs if nothing had changed.
    pub p: f64,
    /// The same with all other numbers allowed for.
    pub p_adjusted: f64,
    /// What that means.
    pub verdict: Verdict,
    /// The smallest change in % that so many pairs find in 80 of 100 cases.
    pub would_find_percent: Option<f64>,
    /// Each pair's change in % as it was judged, in order of time.
    pub pair_percent: Vec<f64>,
    /// The share of the false alarms that this number alone may raise.
    #[serde(skip)]
    pub level: f64,
}

/// A change, in %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The shift by Hodges and Lehmann.
    pub percent: f64,
    /// The interval around it, for all numbers at once; none with too few pairs.
    pub interval_percent: Option<(f64, f64)>,
}

/// What is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The values.
    Raw,
    /// The values over the floor of their run.
    OverFloor,
}

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Verdict {
    /// Worse, and not by chance.
    Regressed,
    /// Better, and not by chance.
    Improved,
    /// No change that is worth a word, and one of the wanted size would have been seen.
    NoEvidence,
    /// The wanted change could hide in the noise.
    TooFewRuns {
        /// So many runs of each build would show it; none if that would be more than anyone runs,
        /// or if there are too few to say.
        needed: Option<usize>,
    },
}

/// The pairs of every number that both builds have: the first run of each, the second, ….
#[must_use]
pub fn pair(base: &[Run], new: &[Run]) -> Vec<Pairs> {
    let mut all: Vec<Pairs> = Vec::new();
    for (base, new) in base.iter().zip(new) {
        let rows = Load::all(new);
        for (load, before) in Load::all(base) {
            let Some((_, after)) = rows.iter().find(|(other, _)| *other == load) else { continue };
            for metric in Metric::ALL {
                let Some((a, b)) = metric.of(before).zip(metric.of(after)) else { continue };
                let found = all.iter_mut().find(|p| p.load == load && p.metric == metric);
                let pairs = match found {
                    Some(pairs) => pairs,
                    None => {
                        all.push(Pairs::new(load.clone(), metric));
                        all.last_mut().expect("it was just added")
                    }
                };
                let raw = (b / a).ln();
                let floors = metric.floor_of(before, base).zip(metric.floor_of(after, new));
                pairs.raw.push(raw);
                pairs.over_floor.extend(floors.map(|(fa, fb)| raw - (fb / fa).ln()));
            }
        }
    }
    for pairs in &mut all {
        // A floor that is missing somewhere is not compared with one that is there.
        if pairs.over_floor.len() < pairs.raw.len() {
            pairs.over_floor.clear();
        }
    }
    all
}

impl Pairs {
    fn new(load: Load, metric: Metric) -> Pairs {
        Pairs { load, metric, raw: Vec::new(), over_floor: Vec::new() }
    }

    /// If the builds of a pair change places, value and floor change their signs together, and
    /// their products stay what they are: the choice favours neither build, and the test stays
    /// exact.
    fn basis(&self) -> Basis {
        let floor: Vec<f64> =
            self.raw.iter().zip(&self.over_floor).map(|(raw, over)| raw - over).collect();
        if moves_with(&self.raw, &floor) { Basis::OverFloor } else { Basis::Raw }
    }

    fn judged(&self) -> &[f64] {
        match self.basis() {
            Basis::Raw => &self.raw,
            Basis::OverFloor => &self.over_floor,
        }
    }
}

/// Whether most of the floor's movement around 0 is in the values too, as they scatter less
/// without it then. Outliers of both are cut off first.
#[must_use]
pub fn moves_with(values: &[f64], floor: &[f64]) -> bool {
    let (values_most, floor_most) = (cut_off(values), cut_off(floor));
    let (mut together, mut alone) = (0.0, 0.0);
    for (value, floor) in values.iter().zip(floor) {
        let floor = floor.clamp(-floor_most, floor_most);
        together += value.clamp(-values_most, values_most) * floor;
        alone += floor * floor;
    }
    together > FLOOR_SHARE * alone
}

/// From one half on values scatter less without the floor; the rest is distance from chance.
const FLOOR_SHARE: f64 = 0.75;

/// What lies further from zero than this counts as an outlier: three times the median distance.
fn cut_off(differences: &[f64]) -> f64 {
    let mut distances: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    distances.sort_by(f64::total_cmp);
    3.0 * median_of_sorted(&distances).unwrap_or(0.0)
}

/// The share of the false alarms that each number may raise: half of it belongs to the main
/// numbers, one of each load, the other half to all others.
#[must_use]
pub fn weights(all: &[Pairs]) -> Vec<(bool, f64)> {
    let main: Vec<bool> = all
        .iter()
        .map(|pairs| {
            let alike = all.iter().filter(|other| other.load == pairs.load);
            let metrics: Vec<Metric> = alike.map(|other| other.metric).collect();
            Metric::main_of(&metrics) == Some(pairs.metric)
        })
        .collect();
    let mains = main.iter().filter(|&&is| is).count();
    let others = main.len() - mains;
    let whole = if others == 0 { 1.0 } else { 0.5 };
    let weight = |is: bool| whole / (if is { mains } else { others }) as f64;
    main.into_iter().map(|is| (is, weight(is))).collect()
}

/// Each number's test, before anything is said about intervals and power.
#[must_use]
pub fn test(all: &[Pairs], question: &Question) -> Vec<Judgement> {
    let weights = weights(all);
    let weighed: Vec<Weighed> = all
        .iter()
        .zip(&weights)
        .map(|(pairs, &(_, weight))| Weighed { p: p_value(pairs.judged()), weight })
        .collect();
    let tests = all.iter().zip(weights).zip(weighed.iter().zip(adjust(&weighed)));
    tests
        .map(|((pairs, (main, weight)), (Weighed { p, .. }, p_adjusted))| {
            let level = weight * question.false_alarms;
            let moved = shift(pairs.judged()).unwrap_or(0.0);
            let counts = p_adjusted <= question.false_alarms && moved.abs() >= question.least;
            let better = (moved > 0.0) == pairs.metric.more_is_better();
            Judgement {
                load: pairs.load.name(),
                metric: pairs.metric,
                main,
                pairs: pairs.raw.len(),
                raw: None,
                over_floor: None,
                judged: pairs.basis(),
                p: *p,
                p_adjusted,
                verdict: match (counts, better) {
                    (true, true) => Verdict::Improved,
                    (true, false) => Verdict::Regressed,
                    (false, _) => Verdict::NoEvidence,
                },
                would_find_percent: None,
                pair_percent: pairs.judged().iter().copied().map(percent).collect(),
                level,
            }
        })
        .collect()
}

/// The verdicts: what was not found says so only if it would have been found.
#[must_use]
pub fn judge(all: &[Pairs], question: &Question) -> Vec<Judgement> {
    let mut judgements = test(all, question);
    for (judgement, pairs) in judgements.iter_mut().zip(all) {
        let (runs, level) = (pairs.raw.len(), judgement.level);
        judgement.raw = Change::of(&pairs.raw, level);
        judgement.over_floor = Change::of(&pairs.over_floor, level);
        let noise = Noise::of(pairs.judged());
        let found = noise.as_ref().and_then(|noise| noise.shift_found(runs, level));
        judgement.would_find_percent = found.map(percent);
        let blind = found.is_none_or(|found| found > question.wanted);
        if judgement.verdict == Verdict::NoEvidence && blind {
            let needed = match &noise {
                // Without noise to go by, at least what any verdict takes.
                None => Some(fewest(level)),
                Some(noise) => noise.runs_for(question.wanted, level),
            };
            judgement.verdict = Verdict::TooFewRuns { needed };
        }
    }
    judgements
}

impl Change {
    fn of(differences: &[f64], level: f64) -> Option<Change> {
        let interval =
            interval(differences, level).map(|(low, high)| (percent(low), percent(high)));
        Some(Change { percent: percent(shift(differences)?), interval_percent: interval })
    }
}

/// A logarithm of a ratio as a change in %.
#[must_use]
pub fn percent(log: f64) -> f64 {
    log.exp_m1() * 100.0
}

#[cfg(test)]
mod tests;
