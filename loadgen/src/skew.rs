//! Which writer the next batch of an open loop is for.

use shardway::base::rng::SplitMix64;

/// Chooses writers.
#[derive(Clone, Debug)]
pub enum Choice {
    /// One after the other.
    Turns {
        /// Whose turn it is.
        next: usize,
        /// How many there are.
        writers: usize,
    },
    /// By Zipf's law: writer n gets 1 / n^exponent of what the first one gets.
    Zipf {
        /// Share of the writers up to each one, ascending to 1.
        up_to: Vec<f64>,
        /// Draws.
        rng: SplitMix64,
    },
}

impl Choice {
    /// Among `writers`; without an exponent they take turns.
    #[must_use]
    pub fn new(writers: usize, exponent: Option<f64>, seed: u64) -> Choice {
        let Some(exponent) = exponent else { return Choice::Turns { next: 0, writers } };
        let weights: Vec<f64> = (1..=writers).map(|n| (n as f64).powf(-exponent)).collect();
        let (total, mut sum) = (weights.iter().sum::<f64>(), 0.0);
        let up_to = weights.iter().map(|weight| {
            sum += weight;
            sum / total
        });
        Choice::Zipf { up_to: up_to.collect(), rng: SplitMix64::new(seed ^ 0x5A49_5046) }
    }

    /// The next one.
    pub fn next(&mut self) -> usize {
        match self {
            Choice::Turns { next, writers } => {
                let writer = *next;
                *next = (writer + 1) % *writers;
                writer
            }
            Choice::Zipf { up_to, rng } => {
                let unit = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
                up_to.partition_point(|share| *share <= unit).min(up_to.len() - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_skew_writers_take_turns() {
        let mut choice = Choice::new(3, None, 1);
        let found: Vec<_> = (0..7).map(|_| choice.next()).collect();
        assert_eq!(found, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn the_first_writers_get_most_by_zipfs_law() {
        let mut choice = Choice::new(16, Some(1.0), 7);
        let mut found = [0u32; 16];
        (0..100_000).for_each(|_| found[choice.next()] += 1);
        let share = |n: usize| f64::from(found[n]) / f64::from(found[0]);
        assert!((share(1) - 0.5).abs() < 0.03 && (share(3) - 0.25).abs() < 0.02, "{found:?}");
        assert!(found.iter().all(|n| *n > 1_000), "the last one gets some: {found:?}");
    }
}
