//! A run second by second: how many records, and how long they took.
//!
//! A record belongs to the second in which its acknowledgement, or it itself, arrived. So only the
//! current second needs a histogram, however long the run is; a stall is a gap in the series, and
//! the second behind it has the waits.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::Window;

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;
/// Two digits: a percentile of one second is at most 1 % off, and is cheap to find.
const DIGITS: u8 = 2;
/// Longer ones count as this long.
const LATENCY_NS_MAX: u64 = 120_000_000_000;

/// What a run's seconds were like. All lists are as long as `seconds`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// How long each second was: 1, but for the last.
    pub seconds: Vec<f64>,
    /// Acknowledgements.
    pub ack: Track,
    /// Arrivals at consumers; empty without consumers.
    pub push: Track,
}

/// One kind of event, second by second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Track {
    /// Records a second.
    pub records_per_s: Vec<f64>,
    /// Half of them took at most this long; null in a second without records.
    pub p50_ns: Vec<Option<u64>>,
    /// 99 %.
    pub p99_ns: Vec<Option<u64>>,
    /// The slowest.
    pub max_ns: Vec<Option<u64>>,
}

impl Track {
    fn push(&mut self, live: &mut Live, seconds: f64) {
        let found = |value| (live.records > 0).then_some(value);
        self.records_per_s.push(live.records as f64 / seconds);
        self.p50_ns.push(found(live.histogram.value_at_quantile(0.5)));
        self.p99_ns.push(found(live.histogram.value_at_quantile(0.99)));
        self.max_ns.push(found(live.max_ns));
        live.clear();
    }
}

/// The second that is under way.
#[derive(Debug)]
struct Live {
    histogram: Histogram<u64>,
    records: u64,
    max_ns: u64,
}

impl Live {
    fn new() -> Live {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS);
        Live { histogram: histogram.expect("the bounds are constants"), records: 0, max_ns: 0 }
    }

    fn record(&mut self, ns: u64, records: u64) {
        self.histogram.saturating_record_n(ns.max(1), records);
        self.records += records;
        self.max_ns = self.max_ns.max(ns);
    }

    fn clear(&mut self) {
        self.histogram.reset();
        (self.records, self.max_ns) = (0, 0);
    }
}

/// Writes a series while a run goes on.
#[derive(Debug)]
pub struct Recorder {
    start_ns: u64,
    series: Series,
    ack: Live,
    push: Live,
}

impl Recorder {
    /// Nothing yet; seconds count from `start_ns`.
    #[must_use]
    pub fn new(start_ns: u64) -> Recorder {
        Recorder { start_ns, series: Series::default(), ack: Live::new(), push: Live::new() }
    }

    /// `records` records that took `ns` were acknowledged at `now_ns`, which never goes back.
    pub fn acked(&mut self, now_ns: u64, ns: u64, records: u64) {
        if self.reaches(now_ns) {
            self.ack.record(ns, records);
        }
    }

    /// The same, for arrivals at a consumer.
    pub fn pushed(&mut self, now_ns: u64, ns: u64, records: u64) {
        if self.reaches(now_ns) {
            self.push.record(ns, records);
        }
    }

    /// The last whole second so far.
    #[must_use]
    pub fn latest(&self) -> Option<Latest> {
        let last = self.series.seconds.len().checked_sub(1)?;
        Some(Latest {
            records_per_s: self.series.ack.records_per_s[last],
            ack_p99_ns: self.series.ack.p99_ns[last],
            push_p99_ns: self.series.push.p99_ns[last],
        })
    }

    /// Ends the seconds that are over; false in front of the first.
    fn reaches(&mut self, now_ns: u64) -> bool {
        let Some(since) = now_ns.checked_sub(self.start_ns) else { return false };
        while self.series.seconds.len() as u64 * SECOND_NS + SECOND_NS <= since {
            self.end_second(1.0);
        }
        true
    }

    fn end_second(&mut self, seconds: f64) {
        self.series.seconds.push(seconds);
        self.series.ack.push(&mut self.ack, seconds);
        self.series.push.push(&mut self.push, seconds);
    }

    /// The series of the measured time. What came behind it is in no second.
    #[must_use]
    pub fn finish(mut self, window: Window) -> Series {
        let whole = window.end_ns.saturating_sub(self.start_ns);
        self.reaches(window.end_ns);
        let rest_ns = whole % SECOND_NS;
        let wanted = (whole / SECOND_NS) as usize + usize::from(rest_ns > 0);
        if self.series.seconds.len() < wanted {
            self.end_second(rest_ns as f64 / 1e9);
        }
        self.series.truncate(wanted);
        if self.series.push.max_ns.iter().all(Option::is_none) {
            self.series.push = Track::default();
        }
        self.series
    }
}

/// The last whole second of a run under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Latest {
    /// Acknowledged.
    pub records_per_s: f64,
    /// Of acknowledgements.
    pub ack_p99_ns: Option<u64>,
    /// Of arrivals.
    pub push_p99_ns: Option<u64>,
}

impl Series {
    fn truncate(&mut self, len: usize) {
        self.seconds.truncate(len);
        for track in [&mut self.ack, &mut self.push] {
            track.records_per_s.truncate(len);
            for list in [&mut track.p50_ns, &mut track.p99_ns, &mut track.max_ns] {
                list.truncate(len);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn window(end_ns: u64) -> Window {
        Window { start_ns: 0, end_ns }
    }

    #[test]
    fn a_stall_is_a_gap_and_its_wait_is_in_the_second_behind_it() {
        let mut recorder = Recorder::new(0);
        recorder.acked(100 * MS, MS, 10);
        recorder.acked(2_100 * MS, 1_900 * MS, 1);
        let series = recorder.finish(window(3_000 * MS));
        assert_eq!(series.seconds, [1.0, 1.0, 1.0]);
        assert_eq!(series.ack.records_per_s, [10.0, 0.0, 1.0]);
        assert_eq!(series.ack.max_ns, [Some(MS), None, Some(1_900 * MS)]);
        assert_eq!(series.push, Track::default());
    }

    #[test]
    fn the_last_second_may_be_shorter_and_what_comes_behind_the_window_is_in_none() {
        let mut recorder = Recorder::new(500 * MS);
        recorder.acked(400 * MS, MS, 99);
        recorder.acked(600 * MS, MS, 3);
        recorder.pushed(1_600 * MS, 2 * MS, 5);
        recorder.pushed(9_600 * MS, 2 * MS, 7);
        let series = recorder.finish(Window { start_ns: 500 * MS, end_ns: 2_000 * MS });
        assert_eq!(series.seconds.len(), 2, "{series:?}");
        assert_eq!(series.ack.records_per_s, [3.0, 0.0]);
        assert_eq!(series.push.max_ns, [None, Some(2 * MS)]);
    }

    #[test]
    fn a_part_of_a_second_is_counted_as_a_rate() {
        let mut recorder = Recorder::new(0);
        recorder.acked(1_200 * MS, MS, 50);
        let series = recorder.finish(window(1_500 * MS));
        assert_eq!(series.seconds, [1.0, 0.5]);
        assert_eq!(series.ack.records_per_s, [0.0, 100.0]);
    }

    #[test]
    fn the_latest_second_is_a_whole_one() {
        let mut recorder = Recorder::new(0);
        recorder.acked(500 * MS, MS, 50);
        assert_eq!(recorder.latest(), None);
        recorder.acked(1_500 * MS, MS, 1);
        assert_eq!(recorder.latest().map(|latest| latest.records_per_s), Some(50.0));
    }
}
