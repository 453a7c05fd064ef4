use std::collections::HashSet;

use super::*;

fn about() -> About {
    About { version: "1.2.3", started: Millis(1_700_000_000_045), cores: 2 }
}

fn shown(cores: Vec<CoreMetrics>) -> String {
    let cores: Vec<_> = (0..).map(CoreId).zip(cores.into_iter().map(Box::new)).collect();
    String::from_utf8(page(&about(), &cores).body).unwrap()
}

fn value<'a>(text: &'a str, series: &str) -> &'a str {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {series} in\n{text}"))
}

#[test]
fn cores_are_added_up_and_shown_apart_where_that_helps() {
    let (mut one, mut two) = (CoreMetrics::new(), CoreMetrics::new());
    one.add(Counter::RecordsIn, 3);
    two.add(Counter::RecordsIn, 4);
    two.set_counter(Counter::CpuMicros, 2_500_001);
    one.set_gauge(Gauge::TailBytes, 10);
    two.set_gauge(Gauge::TailBytes, 5);
    two.http.add(HttpClass::Put, HttpStatus::of(400));
    let text = shown(vec![one, two]);
    assert_eq!(value(&text, "shardway_in_records_total"), "7");
    assert_eq!(value(&text, "shardway_core_cpu_seconds_total{core=\"0\"}"), "0.000000");
    assert_eq!(value(&text, "shardway_core_cpu_seconds_total{core=\"1\"}"), "2.500001");
    assert_eq!(value(&text, "shardway_memory_bytes{pool=\"tail\"}"), "15");
    assert_eq!(value(&text, "shardway_http_requests_total{operation=\"put\",status=\"4xx\"}"), "1");
    assert_eq!(value(&text, "shardway_build_info{version=\"1.2.3\"}"), "1");
    assert_eq!(value(&text, "shardway_start_time_seconds"), "1700000000.045");
    assert_eq!(value(&text, "shardway_cores_silent"), "0");
}

#[test]
fn a_core_that_has_not_answered_is_missed() {
    let text = shown(vec![CoreMetrics::new()]);
    assert_eq!((value(&text, "shardway_cores"), value(&text, "shardway_cores_silent")), ("2", "1"));
}

#[test]
fn buckets_are_cumulative_and_in_seconds() {
    let mut core = CoreMetrics::new();
    for micros in [15, 16, 63, 64, 1_000_000, 900_000_000] {
        core.record(Histogram::CommitMicros, micros);
    }
    core.record(Histogram::CommitBatches, 1);
    core.record(Histogram::CommitBatches, 2);
    let text = shown(vec![core]);
    let bucket = |le: &str| value(&text, &format!("shardway_commit_seconds_bucket{{le=\"{le}\"}}"));
    assert_eq!((bucket("0.000016"), bucket("0.000064"), bucket("0.000096")), ("1", "3", "4"));
    assert_eq!((bucket("1.048576"), bucket("67.108864"), bucket("+Inf")), ("5", "5", "6"));
    assert_eq!(value(&text, "shardway_commit_seconds_sum"), "901.000158");
    assert_eq!(value(&text, "shardway_commit_seconds_count"), "6");
    assert_eq!(value(&text, "shardway_commit_batches_bucket{le=\"1\"}"), "1");
    assert_eq!(value(&text, "shardway_commit_batches_bucket{le=\"3\"}"), "2");
}

#[test]
fn every_name_is_introduced_once_and_its_series_follow() {
    let text = shown(vec![CoreMetrics::new(), CoreMetrics::new()]);
    let (mut seen, mut now) = (HashSet::new(), "");
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            now = help.split(' ').next().unwrap();
            assert!(seen.insert(now), "{now} is introduced twice");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(now), "{line} stands behind {now}");
        }
    }
    assert!(text.ends_with('\n'), "the last line ends, too");
}
