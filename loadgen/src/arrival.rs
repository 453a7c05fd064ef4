//! The open loop: when each batch is meant to leave, whatever the server does.

use clap::ValueEnum;
use serde::Serialize;
use shardway::base::rng::SplitMix64;

/// How batches are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// Equal distances.
    Uniform,
    /// Exponential distances of the same mean: bursts as independent producers make them.
    Poisson,
}

/// A sequence of intended send times.
#[derive(Clone, Debug)]
pub struct Schedule {
    arrival: Arrival,
    start_ns: u64,
    interval_ns: f64,
    issued: u64,
    next_ns: f64,
    rng: SplitMix64,
}

impl Schedule {
    /// From `start_ns` on, `batches_per_s` a second.
    #[must_use]
    pub fn new(arrival: Arrival, start_ns: u64, batches_per_s: f64, seed: u64) -> Schedule {
        assert!(batches_per_s > 0.0, "an open loop has a rate");
        let interval_ns = 1e9 / batches_per_s;
        let rng = SplitMix64::new(seed);
        Schedule { arrival, start_ns, interval_ns, issued: 0, next_ns: 0.0, rng }
    }

    /// The next intended time.
    #[must_use]
    pub fn next_ns(&self) -> u64 {
        self.start_ns + self.next_ns as u64
    }

    /// Takes the next intended time if it has come. A late caller gets every time that it missed,
    /// one by one: that is what keeps a stalled server's latencies in the result.
    pub fn take_due(&mut self, now_ns: u64) -> Option<u64> {
        let intended = self.next_ns();
        if intended > now_ns {
            return None;
        }
        self.issued += 1;
        self.next_ns = match self.arrival {
            // A product, not a sum: rounding does not drift over a long run.
            Arrival::Uniform => self.issued as f64 * self.interval_ns,
            Arrival::Poisson => self.next_ns + self.exponential(),
        };
        Some(intended)
    }

    fn exponential(&mut self) -> f64 {
        // 53 random bits, shifted off zero: ln(0) has no value.
        let unit = ((self.rng.next_u64() >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        -unit.ln() * self.interval_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(schedule: &mut Schedule, now_ns: u64) -> Vec<u64> {
        std::iter::from_fn(|| schedule.take_due(now_ns)).collect()
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut schedule = Schedule::new(Arrival::Uniform, 1_000, 1e6, 1);
        assert_eq!(drain(&mut schedule, 999), Vec::<u64>::new());
        assert_eq!(drain(&mut schedule, 1_000), [1_000]);
        assert_eq!(schedule.next_ns(), 2_000);
    }

    #[test]
    fn a_late_caller_gets_every_time_it_missed() {
        let mut schedule = Schedule::new(Arrival::Uniform, 0, 1e6, 1);
        assert_eq!(drain(&mut schedule, 3_500), [0, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let mut schedule = Schedule::new(Arrival::Uniform, 0, 7_777.0, 1);
        assert_eq!(drain(&mut schedule, 100_000_000_000 - 1).len(), 777_700);
    }

    #[test]
    fn random_arrivals_keep_the_mean_and_repeat_with_their_seed() {
        let times = drain(&mut Schedule::new(Arrival::Poisson, 0, 1e5, 7), 10_000_000_000);
        assert!((990_000..1_010_000).contains(&times.len()), "{}", times.len());
        let again = drain(&mut Schedule::new(Arrival::Poisson, 0, 1e5, 7), 10_000_000_000);
        assert_eq!(times, again);
        assert!(times.is_sorted());
    }
}
