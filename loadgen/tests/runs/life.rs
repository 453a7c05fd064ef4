//! `loadgen life` against a server that does what it says, and against servers that do not.

use serde_json::Value;

use crate::fake_server::{self, Fault};
use crate::{report, run};

/// A few seconds of life: few records, all kinds of steps.
const SMALL: &[&str] = &["life", "--rate", "4000", "--settle", "0.15", "--reshards", "7"];

fn life(fault: Fault, more: &[&str]) -> (Option<i32>, Value, String) {
    let server = fake_server::start(fault).to_string();
    let words = [SMALL, more, &["--no-floor", "--json", "-"]].concat();
    let output = run(&server, &words);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), report(&output), stderr)
}

fn assert_mismatch(fault: Fault, says: &str) {
    let (code, report, stderr) = life(fault, &["--no-on-demand"]);
    assert_eq!(code, Some(3), "{fault:?}: {stderr}");
    assert!(stderr.contains("VERIFICATION FAILED") && stderr.contains(says), "{fault:?}: {stderr}");
    assert_eq!(report["complete"], false);
    assert!(report["life"].is_null(), "damage is no result");
}

#[test]
fn a_stream_lives_through_all_steps_and_both_readers_get_everything() {
    let (code, report, stderr) = life(Fault::None, &[]);
    assert_eq!(code, Some(0), "{stderr}");
    let life = &report["life"];
    let steps = life["steps"].as_array().expect("steps");
    let what: Vec<_> = steps.iter().map(|step| step["what"].as_str().expect("words")).collect();
    let wanted = [
        "scale 4 -> 8",
        "retention 48 h",
        "scale 8 -> 4",
        "scale 4 -> 3",
        "retention 24 h",
        "split 3 -> 4",
        "split 4 -> 5",
        "merge 5 -> 4",
        "merge 4 -> 3",
        "mode on-demand",
        "doubles by itself 3 -> 6",
    ];
    assert_eq!(what, wanted);
    let split = &steps[5];
    assert_eq!(
        (&split["affected"]["writers"], &split["others"]["writers"]),
        (&8.into(), &16.into())
    );
    let readers = life["readers"].as_array().expect("readers");
    assert_eq!(readers.len(), 2);
    for reader in readers {
        assert_eq!(reader["records"], life["records"]);
        assert_eq!(reader["shards"], readers[0]["shards"]);
    }
    assert!(life["records"].as_u64() > Some(1_000));
    assert!(life["redirected_batches"].as_u64() > Some(0), "some put came by an old map");
    assert_eq!(life["refused_records"], 0);
    assert!(life["pauses"]["p99_ns"].is_u64() && life["targets"].as_array().is_some());
}

#[test]
fn refused_records_are_no_mismatch() {
    let (code, report, stderr) = life(Fault::Throttled, &["--no-on-demand"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(report["life"]["refused_records"].as_u64() > Some(0));
}

#[test]
fn a_record_that_is_lost_when_its_shard_closes_fails_the_run() {
    assert_mismatch(Fault::LostAtClose, "acknowledged and never read");
}

#[test]
fn a_record_that_is_in_parent_and_child_fails_the_run() {
    assert_mismatch(Fault::TwiceAtClose, "came when");
}

#[test]
fn a_record_behind_later_ones_of_its_key_fails_the_run() {
    assert_mismatch(Fault::Late, "came when");
}

#[test]
fn a_record_in_a_shard_that_does_not_own_its_key_fails_the_run() {
    assert_mismatch(Fault::Misrouted, "does not own its key");
}

#[test]
fn a_hole_in_a_shard_fails_the_run() {
    assert_mismatch(Fault::Lost, "");
}
