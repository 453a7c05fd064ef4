//! Wilcoxon's signed-rank test and what belongs to it, over the logarithms of paired ratios.
//!
//! If both builds are equal, each pair could as well have come the other way round, so each
//! difference has either sign with the same probability. The test counts, over all ways to choose
//! the signs, how many are at least as lopsided as what was measured: exact for any shape of noise,
//! and a single wild run has no more weight than its rank. Wilcoxon 1945; ties have their middle
//! rank, and zeros are ranked but have no sign (Pratt 1959); the estimate and its interval are
//! those of Hodges and Lehmann 1963.

/// The differences, by rank of their distance from zero.
#[derive(Debug)]
struct Ranked {
    /// Twice the rank, so that middle ranks are whole, of each difference that is not zero.
    doubled: Vec<usize>,
    /// The sum of those of positive differences.
    positive: usize,
}

impl Ranked {
    fn of(differences: &[f64]) -> Ranked {
        let mut order: Vec<f64> = differences.to_vec();
        order.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        let mut ranked = Ranked { doubled: Vec::new(), positive: 0 };
        let mut first = 0;
        for ties in order.chunk_by(|a, b| a.abs() == b.abs()) {
            // The mean of the ranks first + 1 ..= first + n, twice.
            let rank = 2 * first + ties.len() + 1;
            first += ties.len();
            for &difference in ties.iter().filter(|&&d| d != 0.0) {
                ranked.doubled.push(rank);
                ranked.positive += if difference > 0.0 { rank } else { 0 };
            }
        }
        ranked
    }
}

/// How many choices of signs (as a share of all) give each sum of the positive ranks.
fn shares(ranks: &[usize]) -> Vec<f64> {
    let mut shares = vec![0.0; ranks.iter().sum::<usize>() + 1];
    shares[0] = 1.0;
    let mut top = 0;
    for &rank in ranks {
        top += rank;
        for sum in (0..=top).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
            shares[sum] = (shares[sum] + with) / 2.0;
        }
    }
    shares
}

/// The probability of something at least as lopsided if nothing differs, both directions counted.
#[must_use]
pub fn p_value(differences: &[f64]) -> f64 {
    let ranked = Ranked::of(differences);
    let total: usize = ranked.doubled.iter().sum();
    let least = ranked.positive.min(total - ranked.positive);
    let tail: f64 = shares(&ranked.doubled)[..=least].iter().sum();
    (2.0 * tail).min(1.0)
}

/// The means of all pairs of differences, each with itself too, in order.
fn walsh_averages(differences: &[f64]) -> Vec<f64> {
    let mut averages = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (i, a) in differences.iter().enumerate() {
        averages.extend(differences[i..].iter().map(|b| (a + b) / 2.0));
    }
    averages.sort_by(f64::total_cmp);
    averages
}

/// The middle of sorted numbers; none without any.
#[must_use]
pub fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let upper = sorted.get(sorted.len() / 2)?;
    Some((sorted[(sorted.len() - 1) / 2] + upper) / 2.0)
}

/// By how much the second is shifted against the first: the median of all pairwise means.
#[must_use]
pub fn shift(differences: &[f64]) -> Option<f64> {
    median_of_sorted(&walsh_averages(differences))
}

/// The shifts that the test would not reject at `level`; none where there are too few
/// differences to reject any.
#[must_use]
pub fn interval(differences: &[f64], level: f64) -> Option<(f64, f64)> {
    let averages = walsh_averages(differences);
    // A shift is rejected when at most that many averages lie on one side of it.
    let outside = critical_sum(differences.len(), level)?;
    Some((*averages.get(outside)?, averages[averages.len() - 1 - outside]))
}

/// The largest sum of ranks on the rarer side with which `n` untied differences are significant
/// at `level`, both directions counted; none where even 0 is not rare enough.
#[must_use]
pub fn critical_sum(n: usize, level: f64) -> Option<usize> {
    let ranks: Vec<usize> = (1..=n).collect();
    let mut tail = 0.0;
    let rare = shares(&ranks).into_iter().take_while(|share| {
        tail += 2.0 * share;
        tail <= level
    });
    rare.count().checked_sub(1)
}

/// The fewest differences that can be significant at `level`: all of one sign.
#[must_use]
pub fn fewest(level: f64) -> usize {
    (1..64).find(|&n| 2.0 * 0.5_f64.powi(n) <= level).map_or(64, |n| n as usize)
}

/// The sum of ranks on the rarer side, for differences without ties.
#[must_use]
pub fn rarer_sum(differences: &mut [f64]) -> usize {
    differences.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranked = differences.iter().zip(1..);
    let positive: usize = ranked.filter(|(d, _)| **d > 0.0).map(|(_, rank)| rank).sum();
    let total = differences.len() * (differences.len() + 1) / 2;
    positive.min(total - positive)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) -> bool {
        (found - wanted).abs() < 1e-9
    }

    #[test]
    fn five_differences_of_one_sign_are_one_choice_of_signs_in_sixteen() {
        assert!(close(p_value(&[0.1, 0.2, 0.3, 0.4, 0.5]), 2.0 / 32.0));
        assert!(close(p_value(&[-0.1, -0.2, -0.3, -0.4, -0.5]), 2.0 / 32.0));
        // The smallest one alone on the other side: sums 0 and 1 of 32 choices, twice.
        assert!(close(p_value(&[-0.1, 0.2, 0.3, 0.4, 0.5]), 4.0 / 32.0));
    }

    #[test]
    fn the_published_critical_values_are_met() {
        // Wilcoxon's table, two-sided: n, level, the largest significant sum.
        for (n, level, sum) in [(6, 0.05, 0), (8, 0.05, 3), (10, 0.01, 3), (20, 0.05, 52)] {
            assert_eq!(critical_sum(n, level), Some(sum), "n {n}, level {level}");
        }
        assert_eq!(critical_sum(5, 0.05), None);
        assert_eq!((fewest(0.05), fewest(0.01), fewest(0.001)), (6, 8, 11));
    }

    #[test]
    fn ties_and_zeros_count_as_what_they_are() {
        assert!(close(p_value(&[0.0, 0.0, 0.0]), 1.0));
        // Two of rank 1.5 each, opposite: nothing is more even.
        assert!(close(p_value(&[1.0, -1.0]), 1.0));
        // Four tied of one sign: 2 of 16 choices.
        assert!(close(p_value(&[1.0, 1.0, 1.0, 1.0, 0.0]), 2.0 / 16.0));
        assert!(close(p_value(&[]), 1.0));
    }

    #[test]
    fn one_wild_run_moves_neither_shift_nor_interval_far() {
        let calm = [0.04, 0.05, 0.06, 0.05, 0.045, 0.055, 0.048, 0.052];
        let mut wild = calm;
        wild[7] = 5.0;
        let (a, b) = (shift(&calm).expect("some"), shift(&wild).expect("some"));
        assert!((a - 0.05).abs() < 0.002 && (b - a).abs() < 0.005, "{a} {b}");
        let (low, high) = interval(&wild, 0.05).expect("enough");
        assert!(low > 0.04 && low <= b && b <= high, "{low} {b} {high}");
    }

    #[test]
    fn the_interval_holds_exactly_the_shifts_that_are_not_rejected() {
        let differences = [0.031, -0.012, 0.05, 0.022, 0.013, 0.044, -0.007, 0.028, 0.017];
        let (low, high) = interval(&differences, 0.05).expect("nine are enough");
        let p = |by: f64| p_value(&differences.map(|d| d - by));
        assert!(p(low - 1e-6) <= 0.05 && p(low + 1e-6) > 0.05, "{low}");
        assert!(p(high + 1e-6) <= 0.05 && p(high - 1e-6) > 0.05, "{high}");
        assert_eq!(interval(&differences[..5], 0.05), None);
    }

    #[test]
    fn the_quick_sum_is_that_of_the_test() {
        let mut differences = [0.3, -0.1, 0.25, -0.05, 0.6];
        // Ranks 0.05: 1, 0.1: 2, 0.25: 3, 0.3: 4, 0.6: 5; negative are 1 and 2.
        assert_eq!(rarer_sum(&mut differences), 3);
    }
}
