//! Waiting before a request that was refused is tried again.

use std::time::Duration;

use crate::base::rng::SplitMix64;

/// Grows from 20 ms to 1 s, with jitter so that several clients do not come back together.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    next: Duration,
    rng: SplitMix64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Backoff {
        Backoff { next: FIRST, rng: SplitMix64::new(seed) }
    }

    /// How long to wait this time.
    pub(super) fn step(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        let half = whole / 2;
        half + Duration::from_micros(self.rng.below(half.as_micros() as u64 + 1))
    }

    /// The request went through: the next refusal starts anew.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// Blocks the thread. The one place of the program that may: no executor runs in these commands.
pub(super) fn pause(wait: Duration) {
    std::thread::sleep(wait);
}

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_second_and_start_anew_after_a_success() {
        let mut backoff = Backoff::new(1);
        for whole_ms in [20, 40, 80, 160, 320, 640, 1000, 1000] {
            let wait = backoff.step().as_millis();
            assert!((whole_ms / 2..=whole_ms).contains(&wait), "{wait} ms of {whole_ms}");
        }
        backoff.reset();
        assert!(backoff.step() <= FIRST);
    }
}
