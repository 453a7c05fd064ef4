//! Where a series changes its level.
//!
//! The candidate is the stretch whose ranks differ most from those of all other points (Mann and
//! Whitney's statistic, standardised, at its largest, as in circular binary segmentation: Olshen
//! and others 2004). It counts if hardly any other order of the same numbers has such a stretch: a
//! permutation test, exact for any shape of noise as long as the order of the noise means nothing.
//! Then its parts are searched in the same way, and at the end each place is tested again between
//! its neighbours.

use std::ops::Range;

use shardway::base::rng::SplitMix64;

use crate::compare::signed_rank::median_of_sorted;

/// A level lasts for at least so many points: fewer are outliers.
pub const LEVEL_POINTS: usize = 4;
/// Orders that are drawn for a test, in units of one over the level.
const ORDERS: f64 = 20.0;
/// And not more, however strict the level.
const ORDERS_MAX: u32 = 10_000;
const SEED: u64 = 0x6c65_7665_6c73;

/// A place where a level ends and another begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first point of the new level.
    pub at: usize,
    /// By how much it differs: the median of all differences between both levels.
    pub shift: f64,
    /// The probability of such a place if the order meant nothing.
    pub p: f64,
}

/// All changes at `level`, in order.
#[must_use]
pub fn find(values: &[f64], level: f64) -> Vec<ChangePoint> {
    let mut places = Vec::new();
    search(values, 0..values.len(), level, &mut places);
    places.sort_unstable();
    let between = |i: usize, places: &[usize]| {
        let start = if i == 0 { 0 } else { places[i - 1] };
        start..places.get(i + 1).copied().unwrap_or(values.len())
    };
    loop {
        for i in 0..places.len() {
            let Range { start, end } = between(i, &places);
            places[i] = start + sharpest(&values[start..end], places[i] - start);
        }
        let tested: Vec<Option<f64>> = (0..places.len())
            .map(|i| {
                let around = &values[between(i, &places)];
                significant(around, level, Stretches::FromFirst).map(|(_, p)| p)
            })
            .collect();
        let Some(vain) = tested.iter().position(Option::is_none) else {
            let points = places.iter().zip(tested).enumerate();
            return points
                .map(|(i, (&at, p))| {
                    let range = between(i, &places);
                    let shift = difference(&values[range.start..at], &values[at..range.end]);
                    ChangePoint { at, shift, p: p.expect("all are significant") }
                })
                .collect();
        };
        places.remove(vain);
    }
}

fn search(values: &[f64], range: Range<usize>, level: f64, places: &mut Vec<usize>) {
    let part = &values[range.clone()];
    let Some((stretch, _)) = significant(part, level, Stretches::Any) else { return };
    let (from, to) = (range.start + stretch.start, range.start + stretch.end);
    let inner = [from, to].into_iter().filter(|&at| at > range.start && at < range.end);
    places.extend(inner);
    for part in [range.start..from, from..to, to..range.end] {
        search(values, part, level, places);
    }
}

/// The fewest points of which any order can be significant at `level`: all of one half below all
/// of the other, in one of the two ways round.
#[must_use]
pub fn fewest(level: f64) -> usize {
    let (mut points, mut halves) = (2 * LEVEL_POINTS, 70.0);
    while 2.0 / halves > level {
        // One more point on one side: n choose n / 2, step by step.
        points += 1;
        let smaller = points / 2;
        halves *= points as f64 / (points - smaller) as f64;
        if points.is_multiple_of(2) {
            halves = halves * (points - smaller) as f64 / smaller as f64;
        }
    }
    points
}

/// The stretch that differs most and its probability, if that is at most `level`.
fn significant(values: &[f64], level: f64, stretches: Stretches) -> Option<(Range<usize>, f64)> {
    if values.len() < 2 * LEVEL_POINTS {
        return None;
    }
    let mut ranks = ranks(values);
    let (stretch, strength) = strongest(&ranks, stretches)?;
    let orders = ((ORDERS / level).ceil() as u32).min(ORDERS_MAX);
    // The measured order is one of them.
    let allowed = (level * f64::from(orders + 1)).floor() as u32;
    let (mut rng, mut as_strong) = (SplitMix64::new(SEED), 1);
    for _ in 0..orders {
        shuffle(&mut ranks, &mut rng);
        // Equal but for rounding counts as equal.
        if strongest(&ranks, stretches).is_some_and(|(_, other)| other >= strength - 1e-9) {
            as_strong += 1;
        }
        if as_strong > allowed {
            return None;
        }
    }
    Some((stretch, f64::from(as_strong) / f64::from(orders + 1)))
}

/// Ranks from 1, ties in their middle.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        for &index in ties {
            ranks[index] = first as f64 + (ties.len() + 1) as f64 / 2.0;
        }
        first += ties.len();
    }
    ranks
}

/// The stretch whose mean rank is furthest from that of all other points, in standard deviations.
/// It may begin at the first point or end at the last; other levels beside it have their points.
fn strongest(ranks: &[f64], stretches: Stretches) -> Option<(Range<usize>, f64)> {
    let (points, n) = (ranks.len(), ranks.len() as f64);
    let mut sums = vec![0.0; points + 1];
    for (i, rank) in ranks.iter().enumerate() {
        sums[i + 1] = sums[i] + rank;
    }
    let mut best: Option<(Range<usize>, f64)> = None;
    let starts = match stretches {
        Stretches::FromFirst => 0..1,
        Stretches::Any => 0..points,
    };
    for start in starts.filter(|&start| start == 0 || start >= LEVEL_POINTS) {
        for end in start + LEVEL_POINTS..=points {
            let behind = points - end;
            let leaves_a_level = behind >= LEVEL_POINTS || (behind == 0 && start > 0);
            if !leaves_a_level {
                continue;
            }
            let k = (end - start) as f64;
            let distance = (sums[end] - sums[start] - k * (n + 1.0) / 2.0).abs();
            let strength = distance / (k * (n - k) * (n + 1.0) / 12.0).sqrt();
            if best.as_ref().is_none_or(|(_, other)| strength > *other) {
                best = Some((start..end, strength));
            }
        }
    }
    best.filter(|(_, strength)| *strength > 0.0)
}

/// The place where two levels, each with its median, fit best: ranks alone prefer the middle.
fn sharpest(values: &[f64], otherwise: usize) -> usize {
    let misfit = |part: &[f64]| -> f64 {
        let mut sorted = part.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = median_of_sorted(&sorted).unwrap_or(0.0);
        part.iter().map(|value| (value - middle).abs()).sum()
    };
    let places = LEVEL_POINTS..=values.len().saturating_sub(LEVEL_POINTS);
    let misfits = places.map(|at| (at, misfit(&values[..at]) + misfit(&values[at..])));
    misfits.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(otherwise, |(at, _)| at)
}

/// Which stretches are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretches {
    /// Those that begin with the first point: one change.
    FromFirst,
    /// All: a level in the middle, with the same before and behind, shows too.
    Any,
}

/// Fisher and Yates.
fn shuffle(values: &mut [f64], rng: &mut SplitMix64) {
    for i in (1..values.len()).rev() {
        values.swap(i, rng.below(i as u64 + 1) as usize);
    }
}

/// By how much the second are above the first: the median of all differences.
fn difference(before: &[f64], after: &[f64]) -> f64 {
    let mut all: Vec<f64> = after.iter().flat_map(|a| before.iter().map(move |b| a - b)).collect();
    all.sort_by(f64::total_cmp);
    median_of_sorted(&all).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVEL: f64 = 0.01;

    /// Seeded noise with outliers: the sum of two uniforms, sometimes ten times as large.
    fn noise(rng: &mut SplitMix64) -> f64 {
        let mut uniform = || (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let value = uniform() + uniform() - 1.0;
        if uniform() < 0.05 { 10.0 * value } else { value }
    }

    fn series(seed: u64, points: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = SplitMix64::new(seed);
        (0..points).map(|i| level(i) + 0.02 * noise(&mut rng)).collect()
    }

    #[test]
    fn a_series_without_change_raises_no_more_alarms_than_promised() {
        let seeds = 0..1_000;
        let alarms = seeds.filter(|&seed| !find(&series(seed, 30, |_| 0.0), LEVEL).is_empty());
        let alarms = alarms.count();
        println!("{alarms} alarms in 1,000 series");
        assert!(alarms <= 10, "{alarms}");
    }

    #[test]
    fn a_change_of_five_percent_is_found_at_its_place_or_the_next() {
        let found = (0..50).filter(|&seed| {
            let changes = find(&series(seed, 30, |i| if i < 20 { 0.0 } else { 0.05 }), LEVEL);
            changes.len() == 1
                && changes[0].at.abs_diff(20) <= 1
                && (changes[0].shift - 0.05).abs() < 0.02
        });
        let found = found.count();
        println!("{found} of 50 found");
        assert!(found >= 40, "{found}");
    }

    #[test]
    fn two_changes_are_two_levels_and_a_way_back() {
        let changes =
            find(&series(7, 60, |i| if (20..40).contains(&i) { 0.1 } else { 0.0 }), LEVEL);
        let places: Vec<usize> = changes.iter().map(|change| change.at).collect();
        assert_eq!(places, [20, 40]);
        assert!(changes[0].shift > 0.08 && changes[1].shift < -0.08, "{changes:?}");
    }

    #[test]
    fn the_first_point_of_the_new_level_is_found_however_high_the_one_before() {
        let mut values = series(5, 30, |i| if i < 20 { 0.0 } else { 0.1 });
        // The highest of the old level by far, and yet of the old level.
        values[19] = 0.03;
        let places: Vec<usize> = find(&values, LEVEL).iter().map(|change| change.at).collect();
        assert_eq!(places, [20]);
    }

    #[test]
    fn one_wild_point_is_no_change() {
        let mut values = series(3, 30, |_| 0.0);
        values[15] = 4.0;
        values[16] = 5.0;
        assert_eq!(find(&values, LEVEL), []);
    }

    #[test]
    fn a_short_or_constant_series_has_no_change() {
        assert_eq!(find(&[0.0, 1.0, 2.0], LEVEL), []);
        assert_eq!(find(&[1.0; 40], LEVEL), []);
        assert_eq!(find(&[], LEVEL), []);
    }

    #[test]
    fn the_fewest_points_are_those_whose_halves_can_be_chosen_often_enough() {
        // 2 / (8 choose 4) = 0.029; 2 / (10 choose 5) = 0.0079; 2 / (14 choose 7) = 0.00058.
        assert_eq!((fewest(0.05), fewest(0.01), fewest(0.001)), (8, 10, 14));
        let clear = |n: usize| -> Vec<f64> {
            (0..n).map(|i| (i * 2 / n * 10 + i * 7 % n) as f64 * 0.001).collect()
        };
        assert_eq!(find(&clear(6), 0.05), []);
    }
}
