//! The cells of one core.

use super::histogram::HistogramCell;
use super::http_requests::HttpRequests;
use super::table::{Counter, Gauge, Histogram};

/// Everything a core counts. About 66 KiB: a core keeps one and hands out copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreMetrics {
    counters: [u64; Counter::ALL.len()],
    gauges: [u64; Gauge::ALL.len()],
    histograms: [HistogramCell; Histogram::ALL.len()],
    /// Requests over HTTP.
    pub http: HttpRequests,
}

impl Default for CoreMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl CoreMetrics {
    /// All zero.
    #[must_use]
    pub const fn new() -> CoreMetrics {
        CoreMetrics {
            counters: [0; Counter::ALL.len()],
            gauges: [0; Gauge::ALL.len()],
            histograms: [const { HistogramCell::new() }; Histogram::ALL.len()],
            http: HttpRequests::new(),
        }
    }

    /// Counts `n` more.
    #[inline]
    pub fn add(&mut self, counter: Counter, n: u64) {
        let cell = &mut self.counters[counter as usize];
        *cell = cell.wrapping_add(n);
    }

    /// Sets a counter that somebody else keeps.
    pub fn set_counter(&mut self, counter: Counter, value: u64) {
        self.counters[counter as usize] = value;
    }

    /// Sets a gauge.
    #[inline]
    pub fn set_gauge(&mut self, gauge: Gauge, value: u64) {
        self.gauges[gauge as usize] = value;
    }

    /// Adds a value to a distribution.
    #[inline]
    pub fn record(&mut self, histogram: Histogram, value: u64) {
        self.histograms[histogram as usize].record(value);
    }

    /// A counter's value.
    #[must_use]
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// A gauge's value.
    #[must_use]
    pub fn gauge(&self, gauge: Gauge) -> u64 {
        self.gauges[gauge as usize]
    }

    /// A distribution.
    #[must_use]
    pub fn histogram(&self, histogram: Histogram) -> &HistogramCell {
        &self.histograms[histogram as usize]
    }

    /// Adds another core's numbers; gauges add up too, since each core owns its part.
    pub fn merge(&mut self, other: &CoreMetrics) {
        for (mine, theirs) in self.counters.iter_mut().zip(&other.counters) {
            *mine = mine.wrapping_add(*theirs);
        }
        for (mine, theirs) in self.gauges.iter_mut().zip(&other.gauges) {
            *mine = mine.saturating_add(*theirs);
        }
        for (mine, theirs) in self.histograms.iter_mut().zip(&other.histograms) {
            mine.merge(theirs);
        }
        self.http.merge(&other.http);
    }
}
