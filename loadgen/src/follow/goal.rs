//! When readers are done: what they should have is known only behind the last acknowledgement.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A reader that has everything looks so long for records that nobody should send.
const QUIET: Duration = Duration::from_millis(500);
/// Acknowledged records that do not come for so long are lost, not late.
const LOST_AFTER: Duration = Duration::from_secs(10);
/// Not known yet.
const UNKNOWN: u64 = u64::MAX;

/// How many records there are to read.
#[derive(Debug)]
pub struct Goal {
    records: AtomicU64,
    abandoned: AtomicBool,
}

impl Goal {
    /// Not known yet.
    #[must_use]
    pub fn unknown() -> Goal {
        Goal { records: AtomicU64::new(UNKNOWN), abandoned: AtomicBool::new(false) }
    }

    /// There are so many.
    pub fn set(&self, records: u64) {
        self.records.store(records, Ordering::Relaxed);
    }

    /// Nobody wants to know any more.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    fn known(&self) -> Option<u64> {
        let records = self.records.load(Ordering::Relaxed);
        (records != UNKNOWN).then_some(records)
    }
}

/// A reader's patience.
#[derive(Debug)]
pub struct Patience<'a> {
    goal: &'a Goal,
    records: u64,
    /// When the last record came, or the goal was first known.
    since: Instant,
    goal_was_known: bool,
}

impl<'a> Patience<'a> {
    /// A reader that starts at `now`.
    #[must_use]
    pub fn new(goal: &'a Goal, now: Instant) -> Patience<'a> {
        Patience { goal, records: 0, since: now, goal_was_known: false }
    }

    /// Whether a reader that has so many `records` at `now` waits for no more.
    pub fn is_over(&mut self, records: u64, now: Instant) -> bool {
        if self.goal.abandoned.load(Ordering::Relaxed) {
            return true;
        }
        let Some(goal) = self.goal.known() else { return false };
        if records != self.records || !self.goal_was_known {
            (self.records, self.since, self.goal_was_known) = (records, now, true);
        }
        let wait = if records >= goal { QUIET } else { LOST_AFTER };
        now.duration_since(self.since) >= wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_with_everything_waits_a_little_and_one_without_it_longer() {
        let start = Instant::now();
        for (records, wait) in [(10, QUIET), (11, QUIET), (9, LOST_AFTER)] {
            let goal = Goal::unknown();
            let mut patience = Patience::new(&goal, start);
            let hour = start + Duration::from_secs(3600);
            assert!(!patience.is_over(records, hour), "the goal is not known");
            goal.set(10);
            assert!(!patience.is_over(records, hour), "it has just become known");
            assert!(!patience.is_over(records, hour + wait - Duration::from_millis(1)));
            assert!(patience.is_over(records, hour + wait));
        }
    }

    #[test]
    fn every_record_renews_the_patience() {
        let (goal, start) = (Goal::unknown(), Instant::now());
        let mut patience = Patience::new(&goal, start);
        goal.set(100);
        for n in 1..50 {
            assert!(!patience.is_over(n, start + LOST_AFTER * n as u32), "record {n} just came");
        }
    }
}
