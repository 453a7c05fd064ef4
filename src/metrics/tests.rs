use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn table() -> Vec<Metric> {
    let counters = Counter::ALL.iter().map(|c| c.metric());
    let gauges = Gauge::ALL.iter().map(|g| g.metric());
    let histograms = Histogram::ALL.iter().map(|h| h.metric());
    counters.chain(gauges).chain(histograms).chain([HttpRequests::METRIC]).collect()
}

#[test]
fn every_variant_has_the_cell_of_its_number() {
    assert!(Counter::ALL.iter().enumerate().all(|(at, c)| *c as usize == at));
    assert!(Gauge::ALL.iter().enumerate().all(|(at, g)| *g as usize == at));
    assert!(Histogram::ALL.iter().enumerate().all(|(at, h)| *h as usize == at));
}

#[test]
fn names_are_unique_and_end_in_their_unit() {
    let names: HashSet<_> = table().iter().map(|m| (m.name, m.label)).collect();
    assert_eq!(names.len(), table().len());
    for Metric { name, unit, help, .. } in table() {
        assert!(name.starts_with("shardway_") && help.ends_with('.'), "{name}: {help}");
        let stem = name.trim_end_matches("_total");
        assert_eq!(stem.ends_with("_bytes"), unit == Unit::Bytes, "{name}");
        assert_eq!(stem.ends_with("_seconds"), unit == Unit::Micros, "{name}");
    }
    assert!(Counter::ALL.iter().all(|c| c.metric().name.ends_with("_total")));
    assert!(!Gauge::ALL.iter().any(|g| g.metric().name.ends_with("_total")));
}

#[test]
fn lines_of_one_name_stand_together_and_differ_in_their_label_only() {
    let mut done = HashSet::new();
    for same in table().chunk_by(|a, b| a.name == b.name) {
        assert!(done.insert(same[0].name), "{} stands in two places", same[0].name);
        assert!(same.iter().all(|m| (m.unit, m.help) == (same[0].unit, same[0].help)));
    }
}

#[test]
fn every_bound_counts_exactly_the_values_below_it() {
    for histogram in Histogram::ALL {
        let bounds = histogram.bounds();
        assert!(bounds.is_sorted() && bounds.len() <= 30, "{histogram:?}");
        let mut cell = HistogramCell::new();
        bounds.iter().for_each(|&bound| (bound - 1..=bound).for_each(|v| cell.record(v)));
        let below: Vec<u64> = cell.below(bounds).collect();
        let expected = (0..bounds.len() as u64).map(|i| 2 * i + 1);
        assert!(below.iter().copied().eq(expected), "{histogram:?}: {below:?}");
    }
}

#[test]
fn cores_add_up() {
    let (mut one, mut two) = (CoreMetrics::new(), CoreMetrics::new());
    one.add(Counter::RecordsIn, 5);
    two.add(Counter::RecordsIn, 7);
    two.add(Counter::Commits, 1);
    one.set_gauge(Gauge::Sessions, 9);
    one.set_gauge(Gauge::Sessions, 3);
    two.set_gauge(Gauge::Sessions, 4);
    one.record(Histogram::CommitMicros, 100);
    two.record(Histogram::CommitMicros, 300);
    two.http.add(HttpClass::Get, HttpStatus::of(503));
    one.merge(&two);
    assert_eq!(one.http.get(HttpClass::Get, HttpStatus::Server), 1);
    assert_eq!((one.counter(Counter::RecordsIn), one.counter(Counter::Commits)), (12, 1));
    assert_eq!((one.gauge(Gauge::Sessions), one.gauge(Gauge::Shards)), (7, 0));
    let commit = one.histogram(Histogram::CommitMicros);
    assert_eq!((commit.count(), commit.sum(), commit.max()), (2, 400, 300));
    assert_eq!(one.histogram(Histogram::PutMicros), &HistogramCell::new());
}

#[test]
fn an_empty_distribution_has_only_zeros() {
    let cell = HistogramCell::new();
    assert_eq!((cell.percentile(50.0), cell.percentile(100.0), cell.max()), (0, 0, 0));
}

proptest! {
    #[test]
    fn a_percentile_is_at_most_a_sixteenth_above_the_exact_one(
        values in prop::collection::vec(0..(1u64 << 40), 1..300),
        percent in 0.0..=100.0f64,
    ) {
        let mut cell = HistogramCell::new();
        values.iter().for_each(|&v| cell.record(v));
        let mut sorted = values;
        sorted.sort_unstable();
        let rank = ((percent / 100.0 * sorted.len() as f64).ceil() as usize).max(1);
        let exact = sorted[rank - 1];
        let found = cell.percentile(percent);
        prop_assert!(exact <= found && found <= exact + exact / 16, "{exact} {found}");
        prop_assert_eq!(cell.percentile(100.0), *sorted.last().unwrap());
    }

    #[test]
    fn any_value_can_be_recorded(values in prop::collection::vec(any::<u64>(), 0..50)) {
        let (mut whole, mut parts) = (HistogramCell::new(), [const { HistogramCell::new() }; 2]);
        for (i, &v) in values.iter().enumerate() {
            whole.record(v);
            parts[i % 2].record(v);
        }
        let [mut merged, other] = parts;
        merged.merge(&other);
        prop_assert_eq!(whole, merged);
    }
}
