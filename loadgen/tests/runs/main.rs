//! The whole tool against a server in memory: every command works, and damage is never a result.

#![allow(clippy::print_stdout, reason = "the ignored measurement shows its table")]

mod fake_server;
mod life;
mod quota;
mod results;
mod workloads;

use std::process::{Command, Output};

use fake_server::Fault;
use serde_json::Value;

const SHORT: &[&str] = &["--warmup", "0.1", "--duration", "0.4", "--no-floor", "--json", "-"];

fn loadgen(fault: Fault, words: &[&str]) -> Output {
    let server = fake_server::start(fault).to_string();
    run(&server, &[words, SHORT].concat())
}

fn run(server: &str, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(words)
        .args(["--server", server])
        .output()
        .expect("loadgen starts")
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|e| {
        panic!("{e} in {text}\n{}", String::from_utf8_lossy(&output.stderr));
    })
}

fn rows(fault: Fault, words: &[&str]) -> Vec<Value> {
    let output = loadgen(fault, words);
    let report = report(&output);
    assert!(output.status.success(), "{report:#}");
    assert_eq!(report["complete"], true);
    report["rows"].as_array().expect("rows").clone()
}

/// The run fails with the exit code of a mismatch and says so in words and in JSON.
fn assert_mismatch(fault: Fault, words: &[&str]) {
    let output = loadgen(fault, words);
    assert_eq!(output.status.code(), Some(3), "{fault:?} {words:?}: {output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("VERIFICATION FAILED"), "{stderr}");
    assert_eq!(report(&output)["complete"], false);
}

#[test]
fn a_ceiling_counts_what_is_acknowledged_and_reads_it_back() {
    let words = ["ceiling", "--shards", "3", "--in-flight", "2", "--batch-records", "8"];
    let rows = rows(Fault::None, &[&words[..], &["--closed-loop"]].concat());
    assert_eq!(rows.len(), 2, "one shard, then three");
    for row in rows {
        assert!(row["records_per_s"].as_f64() > Some(0.0));
        assert!(row["verified_records"].as_u64() > Some(0));
        assert!(row["read_back_mb_per_s"].as_f64() > Some(0.0));
        assert_eq!(row["durability"], "durable");
    }
}

#[test]
fn many_writers_share_a_shard() {
    let words = [
        "ceiling",
        "--connections",
        "16",
        "--writers",
        "16",
        "--batch-records",
        "1",
        "--closed-loop",
    ];
    let rows = rows(Fault::None, &words);
    assert_eq!(rows[0]["writers"], 16);
    assert!(rows[0]["ack"]["records"].as_u64() > Some(0));
}

#[test]
fn latency_is_measured_for_each_consumer_in_an_open_loop() {
    let words = ["latency", "--rate", "500", "--consumers", "1,3", "--arrival", "poisson"];
    let rows = rows(Fault::None, &words);
    assert_eq!(rows.len(), 2);
    for (row, consumers) in rows.iter().zip([1, 3]) {
        assert_eq!(row["open_loop"], true);
        assert_eq!(row["push_by_consumer"].as_array().expect("consumers").len(), consumers);
        let (push, ack) = (&row["push"]["records"], &row["ack"]["records"]);
        assert_eq!(push.as_u64(), ack.as_u64().map(|n| n * consumers as u64));
    }
}

#[test]
fn shards_at_quota_run_with_a_consumer_each() {
    let rows = rows(Fault::None, &["shards", "--shards", "5"]);
    assert_eq!(rows[0]["shards"], 5);
    assert_eq!(rows[0]["offered_records_per_s"], 5000.0);
    assert!(rows[0]["targets"][0]["value"].is_f64());
}

#[test]
fn a_lost_batch_fails_the_run() {
    assert_mismatch(
        Fault::Lost,
        &["ceiling", "--in-flight", "2", "--batch-records", "8", "--closed-loop"],
    );
    assert_mismatch(Fault::Lost, &["latency", "--rate", "500"]);
}

#[test]
fn a_batch_with_the_bytes_of_another_fails_the_run() {
    assert_mismatch(
        Fault::Replaced,
        &["ceiling", "--in-flight", "2", "--batch-records", "8", "--closed-loop"],
    );
    assert_mismatch(Fault::Replaced, &["latency", "--rate", "500"]);
}

#[test]
fn refused_puts_are_counted_and_no_mismatch() {
    let rows = rows(Fault::Throttled, &["latency", "--rate", "500"]);
    assert!(rows[0]["refused_batches"].as_u64() > Some(0));
    assert_eq!(rows[0]["sustained"], false);
}

#[test]
fn a_server_that_is_not_there_is_an_error_of_its_own() {
    let words = ["ceiling", "--server", "127.0.0.1:1", "--no-floor"];
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).args(words).output();
    let output = output.expect("loadgen starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("connecting to 127.0.0.1:1"));
}

/// What the tool itself can do: a server that only counts stands behind it. Run it in a release
/// build: `cargo test --release -p loadgen -- --ignored --nocapture`.
#[test]
#[ignore = "measures, and needs a release build"]
fn the_tool_reaches_the_rates_that_it_is_to_measure() {
    let server = fake_server::start(Fault::None).to_string();
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(words)
            .args(["--server", &server, "--no-floor", "--warmup", "0.2", "--duration", "1"])
            .output()
            .expect("loadgen starts");
        println!("{}", String::from_utf8_lossy(&output.stdout));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["ceiling", "--in-flight", "4", "--closed-loop"]);
    run(&["ceiling", "--connections", "64", "--writers", "64", "--batch-records", "1"]);
    run(&["latency", "--rate", "3000", "--consumers", "1,20"]);
    run(&["shards", "--shards", "50"]);
}
