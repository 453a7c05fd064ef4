//! The names of metrics stand in one table. Whatever else names them names what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shardway::admin::exposition::ABOUT;
use shardway::metrics::{Counter, Gauge, Histogram, HttpRequests};

/// Names of the table; of a histogram without the ends of its series.
fn table() -> BTreeSet<String> {
    let counters = Counter::ALL.iter().map(|c| c.metric().name);
    let gauges = Gauge::ALL.iter().map(|g| g.metric().name);
    let histograms = Histogram::ALL.iter().map(|h| h.metric().name);
    let about = ABOUT.into_iter().map(|(name, ..)| name);
    let all = counters.chain(gauges).chain(histograms).chain(about);
    all.chain([HttpRequests::METRIC.name]).map(str::to_owned).collect()
}

/// Every word of a file that starts like a metric.
fn named_in(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning").join(file);
    let text = fs::read_to_string(path).expect("a file of the repository");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("shardway_")).map(str::to_owned).collect()
}

#[test]
fn the_page_about_metrics_names_all_of_them_and_no_others() {
    let (table, page) = (table(), named_in("metrics.md"));
    let missing: Vec<_> = table.difference(&page).collect();
    let unknown: Vec<_> = page.difference(&table).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
}

#[test]
fn alerts_and_dashboard_ask_for_series_that_there_are() {
    let mut series = table();
    for histogram in Histogram::ALL {
        let name = histogram.metric().name;
        series.extend(["bucket", "sum", "count"].map(|end| format!("{name}_{end}")));
    }
    for file in ["prometheus/alerts.yml", "prometheus/grafana.json"] {
        let named = named_in(file);
        let unknown: Vec<_> = named.difference(&series).collect();
        assert!(named.len() > 10 && unknown.is_empty(), "{file}: unknown {unknown:?}");
    }
}
