//! `loadgen compare` and `loadgen history` as CI calls them: files in, exit code and page out.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A result file such as `--json` writes, as far as it is looked at.
fn result(path: &Path, started_ms: u64, revision: &str, cpu_us: f64) {
    let text = format!(
        r#"{{"schema_version": 1, "started_unix_ms": {started_ms}, "complete": true,
            "host": {{"cpus": 2, "optimised": true, "git_revision": "{revision}"}},
            "rows": [{{"scenario": "many writers", "protocol": "native", "shards": 1,
                       "writers": 64, "batch_records": 1, "record_bytes": 1024,
                       "records_per_s": {rate}, "server_cpu_us_per_record": {cpu_us},
                       "ack": {{"p50_ns": 900000, "p99_ns": 1800000}}}}]}}"#,
        rate = 5e5 / cpu_us
    );
    fs::create_dir_all(path.parent().expect("a directory")).expect("it can be made");
    fs::write(path, text).expect("it can be written");
}

/// A wobble of up to 1 %, another one for each run.
fn wobble(run: u64) -> f64 {
    1.0 + (run * 37 % 11) as f64 / 1100.0
}

fn loadgen(words: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(words).current_dir(dir).output().expect("it runs")
}

#[test]
fn a_slower_build_ends_with_4_and_a_page_that_says_so() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for run in 0..15 {
        let file = |side: &str| dir.path().join(format!("{side}/{run}.json"));
        result(&file("base"), 20 * run + 10 * (run % 2), "before", 10.0 * wobble(run));
        result(&file("new"), 20 * run + 10 * ((run + 1) % 2), "after", 10.5 * wobble(run + 5));
    }
    let words = ["compare", "base", "new", "--html", "page.html", "--json", "found.json"];
    let output = loadgen(&words, dir.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("REGRESSED: server CPU us/record of many writers"), "{text}");
    let page = fs::read_to_string(dir.path().join("page.html")).expect("it was written");
    assert!(page.contains("REGRESSED") && page.contains("<svg") && !page.contains("<script"));
    let json = fs::read_to_string(dir.path().join("found.json")).expect("it was written");
    let json: serde_json::Value = serde_json::from_str(&json).expect("valid");
    assert_eq!(json["judgements"][0]["verdict"]["is"], "regressed");
    // The other way round it is no failure, and against itself nothing at all.
    assert_eq!(loadgen(&["compare", "new", "base"], dir.path()).status.code(), Some(0));
    let same = loadgen(&["compare", "base", "base"], dir.path());
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
}

#[test]
fn two_single_runs_are_no_evidence_but_a_number_of_runs() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    result(&dir.path().join("a.json"), 1, "before", 10.0);
    result(&dir.path().join("b.json"), 2, "after", 20.0);
    let output = loadgen(&["compare", "a.json", "b.json"], dir.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5), "{text}");
    assert!(text.contains("needs 9 runs of each build"), "{text}");
}

#[test]
fn a_history_names_the_build_that_changed_the_level() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for day in 0..30 {
        let cpu_us = if day < 20 { 10.0 } else { 11.0 } * wobble(day);
        let file = dir.path().join(format!("results/{day}.json"));
        result(&file, day * 86_400_000, &format!("build-{day}"), cpu_us);
    }
    let output = loadgen(&["history", "results", "--html", "page.html"], dir.path());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("build-19") && text.contains("build-20"), "{text}");
    let page = fs::read_to_string(dir.path().join("page.html")).expect("it was written");
    assert!(page.contains("build-20") && page.contains("<svg"), "{page}");
}

#[test]
fn what_is_no_result_is_wrong_usage() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("x.json"), "{}").expect("it can be written");
    for words in [["compare", "x.json", "x.json"].as_slice(), &["history", "."]] {
        let output = loadgen(words, dir.path());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}
