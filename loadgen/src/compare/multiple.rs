//! Several tests at once: the more numbers are looked at, the more of them move by chance.
//!
//! Weighted Holm (Holm 1979): the probability that any of the tests raises a false alarm is at most
//! the level, whatever they have to do with each other. Weights say beforehand which test gets how
//! much of it.

/// A test and its share.
#[derive(Clone, Copy, Debug)]
pub struct Weighed {
    /// Its own probability.
    pub p: f64,
    /// Its share of the level; all together 1.
    pub weight: f64,
}

/// Each test's probability after the others are allowed for: significant if at most the level.
#[must_use]
pub fn adjust(tests: &[Weighed]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..tests.len()).collect();
    let strength = |test: &Weighed| test.p / test.weight;
    order.sort_by(|&a, &b| strength(&tests[a]).total_cmp(&strength(&tests[b])));
    let mut adjusted = vec![1.0; tests.len()];
    let mut remaining: f64 = tests.iter().map(|test| test.weight).sum();
    let mut worst: f64 = 0.0;
    for index in order {
        // Who is not significant takes all behind it along.
        worst = worst.max(strength(&tests[index]) * remaining).min(1.0);
        adjusted[index] = worst;
        remaining -= tests[index].weight;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adjusted(tests: &[(f64, f64)]) -> Vec<f64> {
        adjust(&tests.iter().map(|&(p, weight)| Weighed { p, weight }).collect::<Vec<_>>())
    }

    fn close(found: &[f64], wanted: &[f64]) -> bool {
        found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9)
    }

    #[test]
    fn equal_weights_are_the_method_of_holm() {
        let third = 1.0 / 3.0;
        let found = adjusted(&[(0.01, third), (0.04, third), (0.03, third)]);
        // 3 x 0.01; then 2 x 0.03; the last is no better than the one in front of it.
        assert!(close(&found, &[0.03, 0.06, 0.06]), "{found:?}");
    }

    #[test]
    fn the_heavier_test_needs_less() {
        let found = adjusted(&[(0.004, 0.5), (0.004, 0.1), (0.5, 0.4)]);
        assert!(close(&found[..1], &[0.008]), "{found:?}");
        assert!(found[1] > found[0] && found[2] >= found[1], "{found:?}");
    }

    #[test]
    fn one_test_alone_is_not_changed() {
        assert!(close(&adjusted(&[(0.02, 1.0)]), &[0.02]));
        assert!(adjusted(&[]).is_empty());
    }
}
