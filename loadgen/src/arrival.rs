//! The open loop: when each batch is meant to leave, whatever the server does.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use shardway::base::rng::SplitMix64;

/// How batches are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// Equal distances.
    #[value(alias = "uniform")]
    Constant,
    /// Exponential distances of the same mean: bursts as independent producers make them.
    Poisson,
    /// What belongs to a second leaves in its first tenth: timers and cron jobs.
    Bursts,
    /// Two seconds at half of the rate, then two at one and a half: a load that changes.
    Step,
}

/// Time from one burst to the next.
const BURST_PERIOD_NS: f64 = 1e9;
/// Share of a period that its burst takes.
const BURST_SHARE: f64 = 0.1;
/// A low and a high step take this long together.
const STEP_PERIOD_NS: f64 = 4e9;
/// The rate of a low step over the mean. The high one has the rest.
const STEP_LOW: f64 = 0.5;

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
            Arrival::Constant => self.issued as f64 * self.interval_ns,
            Arrival::Bursts => burst(self.issued as f64 * self.interval_ns),
            Arrival::Step => step(self.issued as f64 * self.interval_ns),
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

/// When something leaves that equal distances would send at `even_ns`.
fn burst(even_ns: f64) -> f64 {
    let period = (even_ns / BURST_PERIOD_NS).floor() * BURST_PERIOD_NS;
    period + (even_ns - period) * BURST_SHARE
}

/// The same. Half of a period's time has less than half of its load.
fn step(even_ns: f64) -> f64 {
    let period = (even_ns / STEP_PERIOD_NS).floor() * STEP_PERIOD_NS;
    let (since, half) = (even_ns - period, STEP_PERIOD_NS / 2.0);
    let low = half * STEP_LOW;
    let warped =
        if since < low { since / STEP_LOW } else { half + (since - low) / (2.0 - STEP_LOW) };
    period + warped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(schedule: &mut Schedule, now_ns: u64) -> Vec<u64> {
        std::iter::from_fn(|| schedule.take_due(now_ns)).collect()
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut schedule = Schedule::new(Arrival::Constant, 1_000, 1e6, 1);
        assert_eq!(drain(&mut schedule, 999), Vec::<u64>::new());
        assert_eq!(drain(&mut schedule, 1_000), [1_000]);
        assert_eq!(schedule.next_ns(), 2_000);
    }

    #[test]
    fn a_late_caller_gets_every_time_it_missed() {
        let mut schedule = Schedule::new(Arrival::Constant, 0, 1e6, 1);
        assert_eq!(drain(&mut schedule, 3_500), [0, 1_000, 2_000, 3_000]);
    }

    #[test]
    fn a_rate_that_does_not_divide_a_second_does_not_drift() {
        let mut schedule = Schedule::new(Arrival::Constant, 0, 7_777.0, 1);
        assert_eq!(drain(&mut schedule, 100_000_000_000 - 1).len(), 777_700);
    }

    #[test]
    fn a_burst_has_its_whole_second_in_a_tenth_of_it() {
        let times = drain(&mut Schedule::new(Arrival::Bursts, 0, 1_000.0, 1), 2_999_999_999);
        assert_eq!(times.len(), 3_000, "the mean stays");
        assert!(times.iter().all(|ns| ns % 1_000_000_000 < 100_000_000));
        assert!(times.is_sorted());
    }

    #[test]
    fn a_step_triples_the_rate_and_keeps_the_mean() {
        let times = drain(&mut Schedule::new(Arrival::Step, 0, 1_000.0, 1), 7_999_999_999);
        assert_eq!(times.len(), 8_000);
        let in_first = |from: u64| {
            let second = from * 1_000_000_000..(from + 1) * 1_000_000_000;
            times.iter().filter(|ns| second.contains(*ns)).count()
        };
        let close = |found: usize, wanted: usize| found.abs_diff(wanted) <= 1;
        assert!(close(in_first(0), 500) && close(in_first(3), 1_500), "{}", in_first(3));
        assert!(close(in_first(5), 500) && times.is_sorted());
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
