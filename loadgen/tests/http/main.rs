//! `loadgen http` against a Shardway, and against a Kinesis that is none.

//!
//! Apart from `runs`, whose measurements of rates these loads would disturb.

mod fake_kinesis;
mod tls;

use std::process::{Command, Output};

use fake_kinesis::Fault;
use serde_json::Value;

const SHORT: &[&str] = &["--warmup", "0.1", "--duration", "0.4", "--no-floor", "--json", "-"];
/// Small loads: both sides are debug builds, beside other tests.
const SMALL: &[&str] = &["--record-bytes", "100", "--connections", "4"];

fn loadgen(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        command.env_remove(name);
    }
    // Direct I/O needs a real disk.
    command.args(["--dir", env!("CARGO_TARGET_TMPDIR")]).args(words).args(SHORT);
    command.output().expect("loadgen starts")
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| {
        panic!("{e} in {text}\n{}", String::from_utf8_lossy(&output.stderr));
    })
}

fn http(words: &[&str]) -> Output {
    loadgen(&[&["http"], words, SMALL].concat())
}

fn against(fault: Fault, words: &[&str]) -> Output {
    let endpoint = format!("http://{}", fake_kinesis::start(fault));
    http(&[words, &["--endpoint", &endpoint]].concat())
}

fn rows(output: &Output) -> Vec<Value> {
    let report = report(output);
    assert!(output.status.success(), "{report:#}");
    assert_eq!(report["complete"], true);
    report["rows"].as_array().expect("rows").clone()
}

#[test]
fn puts_and_pushes_of_a_shardway_are_measured_and_verified() {
    let words = ["put-records", "put-record", "subscribe", "--shards", "2", "--rate", "200"];
    let output = http(&words);
    let rows = rows(&output);
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((&row["protocol"], &row["durability"]), (&"http".into(), &"durable".into()));
        assert!(row["verified_records"].as_u64() > Some(0), "{row:#}");
        assert_eq!(row["refused_batches"], 0, "the limits are off");
    }
    assert_eq!((&rows[0]["batch_records"], &rows[1]["batch_records"]), (&100.into(), &1.into()));
    assert_eq!(rows[2]["push"]["records"], rows[2]["ack"]["records"], "{:#}", rows[2]);
    let report = report(&output);
    assert!(report["endpoint"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    assert_eq!(report["server"]["cores"], 1);
}

#[test]
fn every_request_is_signed_so_that_a_server_which_checks_takes_it() {
    let words = ["put-records", "subscribe", "--rate", "200", "--consumers", "2"];
    let key = ["--check-signatures", "--secret-access-key", "s3/cr+et", "--region", "eu-west-1"];
    let output = http(&[&words[..], &key[..]].concat());
    let rows = rows(&output);
    assert_eq!(rows[1]["push_by_consumer"].as_array().expect("consumers").len(), 2);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("s3/cr+et"), "the report has the secret");
}

#[test]
fn another_kinesis_is_measured_by_its_url() {
    let output = against(Fault::None, &["put-records", "put-record", "--shards", "3"]);
    for row in rows(&output) {
        assert!(row["records_per_s"].as_f64() > Some(0.0));
        assert!(row["verified_records"].as_u64() > Some(0));
        assert!(row["durability"].is_null(), "nobody knows");
    }
    assert!(report(&output)["server"].is_null());
}

#[test]
fn records_that_are_lost_changed_or_swapped_fail_the_run() {
    for fault in [Fault::Lost, Fault::Replaced, Fault::Swapped] {
        for scenario in ["put-records", "put-record"] {
            let output = against(fault, &[scenario]);
            assert_eq!(output.status.code(), Some(3), "{fault:?} {scenario}: {output:?}");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(stderr.contains("VERIFICATION FAILED"), "{stderr}");
            assert_eq!(report(&output)["complete"], false);
        }
    }
}

#[test]
fn throttled_records_are_counted_and_no_mismatch() {
    for row in rows(&against(Fault::Throttled, &["put-records", "put-record"])) {
        assert!(row["refused_batches"].as_u64() > Some(0), "{row:#}");
        assert!(row["verified_records"].as_u64() > Some(0));
    }
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_api() {
    let output = against(Fault::None, &["subscribe"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    let wanted = "RegisterStreamConsumer was answered 400 UnknownOperationException";
    assert!(stderr.contains(wanted), "{stderr}");
}

#[test]
fn options_that_cannot_be_meant_are_a_usage_error() {
    for url in ["ftp://127.0.0.1:4567", "localhost:4567", "https://"] {
        let output = http(&["put-record", "--endpoint", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
    }
    for words in [
        &["quick", "--endpoint", "http://127.0.0.1:1"][..],
        &["quick", "--protocol", "http", "--server", "127.0.0.1:1"],
        &["http", "--server", "127.0.0.1:1"],
        &["http", "subscribe", "--rate", "0", "--endpoint", "http://127.0.0.1:1"],
        &["http", "put-records", "--batch-records", "501", "--endpoint", "http://127.0.0.1:1"],
        &["http", "--region", "a/b"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).args(words).output();
        let output = output.expect("loadgen starts");
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
    }
}

#[test]
fn the_same_workload_runs_over_http() {
    let endpoint = format!("http://{}", fake_kinesis::start(Fault::None));
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("over-http.toml");
    let text = "about = \"x\"\n[stream]\nshards = 2\n[load]\nrecord_bytes = 100\n\
                batch_records = 5\nrate = 100\narrival = \"poisson\"\n";
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("text");
    let output = loadgen(&["workload", file, "--protocol", "http", "--endpoint", &endpoint]);
    let rows = rows(&output);
    assert_eq!((&rows[0]["protocol"], &rows[0]["scenario"]), (&"http".into(), &"over-http".into()));
    assert_eq!(rows[0]["offered_records_per_s"], 100.0);
    assert!(rows[0]["verified_records"].as_u64() > Some(0));
}
