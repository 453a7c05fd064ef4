//! Latencies as HdrHistograms: merged, never averaged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};
use serde::Serialize;

/// Three digits: a percentile is at most 0.1 % off.
const DIGITS: u8 = 3;
/// Longer ones count as this long.
const LATENCY_NS_MAX: u64 = 120_000_000_000;

/// The latencies of some records.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// None yet.
    #[must_use]
    pub fn new() -> Latencies {
        let histogram = Histogram::new_with_bounds(1, LATENCY_NS_MAX, DIGITS);
        Latencies(histogram.expect("the bounds are constants"))
    }

    /// `records` records that took `ns` each.
    pub fn record(&mut self, ns: u64, records: u64) {
        self.0.saturating_record_n(ns.max(1), records);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Latencies) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    /// The numbers of a report; none without a record.
    #[must_use]
    pub fn percentiles(&self) -> Option<Percentiles> {
        if self.0.is_empty() {
            return None;
        }
        let at = |quantile| self.0.value_at_quantile(quantile);
        Some(Percentiles {
            records: self.0.len(),
            min_ns: self.0.min(),
            mean_ns: self.0.mean() as u64,
            p50_ns: at(0.5),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            p9999_ns: at(0.9999),
            max_ns: self.0.max(),
            hdr: self.encoded(),
        })
    }

    /// As HdrHistogram writes it into logs: V2, deflated, in base64.
    fn encoded(&self) -> String {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        written.expect("memory takes every byte");
        STANDARD.encode(bytes)
    }
}

/// What a report says of some latencies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many records.
    pub records: u64,
    /// The fastest.
    pub min_ns: u64,
    /// The mean, for comparison with services that publish only that.
    pub mean_ns: u64,
    /// Half of the records took at most this long.
    pub p50_ns: u64,
    /// 90 %.
    pub p90_ns: u64,
    /// 99 %.
    pub p99_ns: u64,
    /// 99.9 %.
    pub p999_ns: u64,
    /// 99.99 %.
    pub p9999_ns: u64,
    /// The slowest.
    pub max_ns: u64,
    /// All of them: an HdrHistogram (V2, deflated, base64).
    pub hdr: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::new();
        values.for_each(|ns| latencies.record(ns, 1));
        latencies
    }

    fn close(found: u64, wanted: u64) -> bool {
        found.abs_diff(wanted) * 500 <= wanted
    }

    #[test]
    fn merged_percentiles_are_those_of_all_records_not_the_mean_of_two() {
        // 900 fast and 100 slow records: p50 is fast, p99 is slow, and no average says either.
        let mut all = of((0..900).map(|_| 1_000));
        all.merge(&of((0..100).map(|_| 1_000_000)));
        let p = all.percentiles().expect("records were counted");
        assert_eq!(p.records, 1000);
        assert!(close(p.p50_ns, 1_000) && close(p.p90_ns, 1_000), "{p:?}");
        assert!(close(p.p99_ns, 1_000_000), "{p:?}");
    }

    #[test]
    fn merging_equals_recording_in_one_histogram() {
        let mut parts = of((1..5_000).map(|n| n * 17));
        parts.merge(&of((5_000..10_000).map(|n| n * 17)));
        assert_eq!(parts.percentiles(), of((1..10_000).map(|n| n * 17)).percentiles());
    }

    #[test]
    fn a_batch_weighs_as_many_records_as_it_has() {
        let mut latencies = of(std::iter::once(1_000));
        latencies.record(9_000, 99);
        assert!(close(latencies.percentiles().expect("100 records").p50_ns, 9_000));
    }

    #[test]
    fn the_encoded_histogram_has_every_record() {
        let latencies = of((1..5_000).map(|n| n * 17));
        let hdr = latencies.percentiles().expect("records").hdr;
        assert!(hdr.starts_with("HISTFAAAA"), "{hdr}");
        let bytes = STANDARD.decode(hdr).expect("base64");
        let read: Histogram<u64> = hdrhistogram::serialization::Deserializer::new()
            .deserialize(&mut &bytes[..])
            .expect("a histogram");
        assert_eq!(read, latencies.0);
    }

    #[test]
    fn no_records_have_no_percentiles() {
        assert_eq!(Latencies::new().percentiles(), None);
    }
}
