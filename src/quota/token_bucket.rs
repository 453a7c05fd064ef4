//! A rate with a burst.

use std::time::{Duration, Instant};

/// One token in the unit of a level: a billionth, so that `rate × nanoseconds` is exact and no
/// credit is ever rounded away, however often a bucket is looked at.
const TOKEN: i128 = 1_000_000_000;

/// Tokens that come back at a steady rate up to a burst.
///
/// A take larger than the burst is admitted when the bucket is full and leaves a debt, so that the
/// average rate holds and nothing waits for ever.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Tokens a second; 0 is no limit.
    rate: u64,
    /// Most tokens that are kept, in billionths.
    full: i128,
    /// Tokens now, in billionths; below 0 is debt.
    level: i128,
    /// Tokens that are kept, if they are more, until the next take; in billionths.
    kept: i128,
    /// When `level` was right.
    at: Instant,
}

impl TokenBucket {
    /// A full bucket. Rate 0 admits everything; burst 0 means one second of the rate.
    #[must_use]
    pub fn new(rate: u64, burst: u64, now: Instant) -> TokenBucket {
        let burst = if burst == 0 { rate } else { burst };
        let full = i128::from(burst) * TOKEN;
        TokenBucket { rate, full, level: full, kept: 0, at: now }
    }

    /// From now on another rate and burst. What is there stays, up to the new burst, and so does a
    /// debt: more of it would be paid for ever at a rate that has become small.
    pub fn set_limits(&mut self, rate: u64, burst: u64, now: Instant) {
        self.refill(now);
        let was_unlimited = self.rate == 0;
        let new = TokenBucket::new(rate, burst, now);
        let kept = self.level.clamp(-new.full, new.full);
        let level = if was_unlimited { new.full } else { kept };
        *self = TokenBucket { level, ..new };
    }

    /// Somebody was refused who will come again: until the next take up to `n` tokens are kept,
    /// also above the burst, so that coming late costs no rate.
    pub fn keep(&mut self, now: Instant, n: u64) {
        self.refill(now);
        self.kept = self.kept.max(i128::from(n) * TOKEN);
    }

    /// Takes `n` tokens if they are there, or if the bucket is full and can never hold `n`.
    #[must_use]
    pub fn try_take(&mut self, now: Instant, n: u64) -> bool {
        let admitted = self.has(now, n);
        if admitted {
            self.spend(now, n);
        }
        admitted
    }

    /// Whether [`TokenBucket::try_take`] would take `n` tokens now.
    #[must_use]
    pub fn has(&mut self, now: Instant, n: u64) -> bool {
        self.refill(now);
        self.rate == 0 || self.level >= self.needed(n)
    }

    /// Takes `n` tokens whether they are there or not: for what is known only afterwards.
    pub fn spend(&mut self, now: Instant, n: u64) {
        self.refill(now);
        if self.rate > 0 {
            self.level -= i128::from(n) * TOKEN;
            self.kept = 0;
        }
    }

    /// Whole tokens that are there now; `u64::MAX` without a limit.
    #[must_use]
    pub fn available(&mut self, now: Instant) -> u64 {
        self.refill(now);
        match self.rate {
            0 => u64::MAX,
            _ => u64::try_from(self.level.max(0) / TOKEN).expect("a level has 64 bits"),
        }
    }

    /// The earliest time at which [`TokenBucket::try_take`] of `n` tokens succeeds, if nobody else
    /// takes any; `now` if it does already.
    #[must_use]
    pub fn next_ready(&mut self, now: Instant, n: u64) -> Instant {
        if self.has(now, n) {
            return now;
        }
        let missing = self.needed(n) - self.level;
        let rate = i128::from(self.rate);
        let nanos = (missing + rate - 1) / rate;
        // A debt of centuries only comes from a rate of a few bytes: as good as never.
        self.at + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX >> 2))
    }

    fn needed(&self, n: u64) -> i128 {
        (i128::from(n) * TOKEN).min(self.full)
    }

    fn refill(&mut self, now: Instant) {
        // Turns may be handed an older reading of the clock; credit is never given twice.
        let Some(elapsed) = now.checked_duration_since(self.at) else { return };
        let nanos = i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX);
        let credit = nanos.saturating_mul(i128::from(self.rate));
        self.level = self.level.saturating_add(credit).min(self.full.max(self.kept));
        self.at = now;
    }
}
