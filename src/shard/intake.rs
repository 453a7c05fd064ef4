//! What a shard has taken in: for listings by the minute, for core 0 since its last question.

use std::time::{Duration, Instant};

use crate::base::ids::ShardKey;
use crate::base::stream::ShardLoad;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// By place in the minute.
    slices: [Slice; SLICES],
    /// Number of the newest slice since `began`.
    newest: u64,
    began: Option<Instant>,
    bytes: u64,
    records: u64,
    throttled: u64,
    throttled_since_start: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    bytes: u64,
    records: u64,
}

/// A minute in slices of 10 s: the rate follows within a slice, and a shard needs 100 bytes for it.
const SLICES: usize = 6;
const SLICE: Duration = Duration::from_secs(10);

impl Intake {
    pub(super) fn took(&mut self, now: Instant, records: u32, bytes: u32) {
        let (records, bytes) = (u64::from(records), u64::from(bytes));
        self.bytes += bytes;
        self.records += records;
        let at = self.turn(now);
        self.slices[at].bytes += bytes;
        self.slices[at].records += records;
    }

    pub(super) fn refused(&mut self, records: u32) {
        self.throttled += u64::from(records);
        self.throttled_since_start += u64::from(records);
    }

    /// Records refused since the server started.
    pub(super) fn throttled_since_start(&self) -> u64 {
        self.throttled_since_start
    }

    /// Bytes and records a second over the last minute, or since the first record.
    pub(super) fn rates(&mut self, now: Instant) -> (u64, u64) {
        let Some(began) = self.began else { return (0, 0) };
        let at = self.turn(now);
        let elapsed = now.saturating_duration_since(began);
        let into = elapsed.as_secs_f64() % SLICE.as_secs_f64();
        let full = (self.newest.min(SLICES as u64 - 1)) as f64 * SLICE.as_secs_f64();
        // At least a second: one record is not a rate of a million.
        let seconds = (full + into).max(1.0);
        debug_assert!(at < SLICES);
        let bytes: u64 = self.slices.iter().map(|slice| slice.bytes).sum();
        let records: u64 = self.slices.iter().map(|slice| slice.records).sum();
        ((bytes as f64 / seconds) as u64, (records as f64 / seconds) as u64)
    }

    /// What has come since the last call; `None` for nothing.
    pub(super) fn take_load(&mut self, shard: ShardKey) -> Option<ShardLoad> {
        let bytes = std::mem::take(&mut self.bytes);
        let records = std::mem::take(&mut self.records);
        let throttled = std::mem::take(&mut self.throttled);
        (records + throttled > 0).then_some(ShardLoad { shard, bytes, records, throttled })
    }

    /// The place of the slice that `now` belongs to; empties those in between.
    fn turn(&mut self, now: Instant) -> usize {
        let began = *self.began.get_or_insert(now);
        let nth = now.saturating_duration_since(began).as_secs() / SLICE.as_secs();
        for skipped in (self.newest + 1..=nth).rev().take(SLICES) {
            self.slices[(skipped % SLICES as u64) as usize] = Slice::default();
        }
        self.newest = self.newest.max(nth);
        (self.newest % SLICES as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ShardNumber, StreamUuid};

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let start = Instant::now();
        let mut intake = Intake::default();
        let at = |s: u64| start + Duration::from_secs(s);
        for s in 0..120 {
            intake.took(at(s), 10, 1000);
        }
        let (bytes, records) = intake.rates(at(119));
        assert!((950..=1050).contains(&bytes) && (9..=11).contains(&records), "{bytes} {records}");
        assert_eq!(intake.rates(at(119 + 61)), (0, 0), "a minute later it is forgotten");
        intake.took(at(10_000), 10, 1000);
        assert!(intake.rates(at(10_000)).0 <= 1000);
    }

    #[test]
    fn a_load_is_reported_once() {
        let now = Instant::now();
        let shard = ShardKey { stream: StreamUuid([1; 16]), number: ShardNumber(3) };
        let mut intake = Intake::default();
        assert_eq!(intake.take_load(shard), None);
        intake.took(now, 2, 30);
        intake.took(now, 1, 12);
        intake.refused(5);
        let load = ShardLoad { shard, bytes: 42, records: 3, throttled: 5 };
        assert_eq!(intake.take_load(shard), Some(load));
        assert_eq!(intake.take_load(shard), None);
        assert_eq!(intake.throttled_since_start(), 5);
    }
}
