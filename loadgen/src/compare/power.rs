//! How many runs it takes, from the noise of those that there are.
//!
//! The differences around their own middle are the noise. New sets of runs are drawn from it, with
//! either sign, shifted by what should be found, and tested as real ones are: the share that is
//! significant is the power. All draws come from one seed, so the same files give the same answer.

use shardway::base::rng::SplitMix64;

use super::signed_rank::{critical_sum, fewest, rarer_sum, shift};

/// A change is found with this probability, where a number of runs is recommended.
pub const POWER: f64 = 0.8;
/// Nobody waits for more pairs of runs.
const RUNS_MAX: usize = 200;
/// Sets of runs that are drawn for each answer.
const DRAWS: usize = 400;
/// Fewer differences say nothing of their noise.
const NOISE_MIN: usize = 4;
const SEED: u64 = 0x706f_7765;
/// A shift beyond this (a factor of e) needs no better answer.
const SHIFT_MAX: f64 = 1.0;
/// Halvings of the shift that is searched for: to a thousandth of the largest.
const HALVINGS: u32 = 12;

/// The noise of paired differences.
#[derive(Debug)]
pub struct Noise {
    residuals: Vec<f64>,
}

impl Noise {
    /// Of these; none if they are too few.
    #[must_use]
    pub fn of(differences: &[f64]) -> Option<Noise> {
        if differences.len() < NOISE_MIN {
            return None;
        }
        let middle = shift(differences)?;
        // What is measured around its own middle is a little too narrow.
        let n = differences.len() as f64;
        let wider = (n / (n - 1.0)).sqrt();
        Some(Noise { residuals: differences.iter().map(|d| (d - middle) * wider).collect() })
    }

    /// The probability that so many pairs with a change of `shift` are significant at `level`.
    #[must_use]
    pub fn power(&self, shift: f64, runs: usize, level: f64) -> f64 {
        let Some(critical) = critical_sum(runs, level) else { return 0.0 };
        let mut rng = SplitMix64::new(SEED);
        let mut drawn = vec![0.0; runs];
        let found = (0..DRAWS).filter(|_| {
            for difference in &mut drawn {
                let bits = rng.next_u64();
                let residual = self.residuals[((bits >> 1) as usize) % self.residuals.len()];
                *difference = shift + if bits & 1 == 0 { residual } else { -residual };
            }
            rarer_sum(&mut drawn) <= critical
        });
        found.count() as f64 / DRAWS as f64
    }

    /// The fewest pairs with which `shift` is found; none below [`RUNS_MAX`].
    #[must_use]
    pub fn runs_for(&self, shift: f64, level: f64) -> Option<usize> {
        let enough = |runs| self.power(shift, runs, level) >= POWER;
        let (mut low, mut high) = (fewest(level), fewest(level));
        while !enough(high) {
            if high >= RUNS_MAX {
                return None;
            }
            low = high + 1;
            high = (2 * high).min(RUNS_MAX);
        }
        while low < high {
            let middle = usize::midpoint(low, high);
            if enough(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(high)
    }

    /// The smallest shift that so many pairs find.
    #[must_use]
    pub fn shift_found(&self, runs: usize, level: f64) -> Option<f64> {
        if self.power(SHIFT_MAX, runs, level) < POWER {
            return None;
        }
        let (mut low, mut high) = (0.0, SHIFT_MAX);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.power(middle, runs, level) >= POWER {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(scale: f64) -> Noise {
        let differences: Vec<f64> = (-10..=10).map(|i| f64::from(i) * scale / 10.0).collect();
        Noise::of(&differences).expect("enough")
    }

    #[test]
    fn without_noise_the_fewest_runs_suffice() {
        let none = Noise::of(&[0.01; 6]).expect("enough");
        assert_eq!(none.runs_for(0.05, 0.005), Some(fewest(0.005)));
        assert!((none.power(0.05, 9, 0.005) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn more_noise_needs_more_runs_and_a_larger_shift_fewer() {
        let [calm, loud] = [0.04, 0.12].map(noise);
        let runs = |noise: &Noise, shift| noise.runs_for(shift, 0.005).expect("below the most");
        assert!(runs(&calm, 0.05) < runs(&loud, 0.05));
        assert!(runs(&loud, 0.10) < runs(&loud, 0.05));
        assert_eq!(noise(3.0).runs_for(0.05, 0.005), None);
    }

    #[test]
    fn the_shift_that_is_found_agrees_with_the_runs_it_takes() {
        let noise = noise(0.08);
        let runs = noise.runs_for(0.05, 0.005).expect("some");
        let found = noise.shift_found(runs, 0.005).expect("some");
        assert!(found <= 0.05 && found > 0.03, "{runs} runs find {found}");
        assert_eq!(noise.shift_found(fewest(0.005) - 1, 0.005), None);
    }

    #[test]
    fn three_differences_say_nothing_of_noise() {
        assert!(Noise::of(&[0.1, 0.2, 0.3]).is_none());
    }
}
