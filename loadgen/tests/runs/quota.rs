//! `loadgen quota` against servers that keep the limits, and against one that does not.

use serde_json::Value;

use crate::fake_server::{self, Fault};
use crate::{report, run};

/// Small records, so that few seconds are enough: the burst of bytes would take longer.
const SMALL: &[&str] =
    &["quota", "--record-bytes", "100", "--settle", "0.3", "--duration", "2", "--no-floor"];

fn quota(fault: Fault, more: &[&str]) -> (Option<i32>, Value, String) {
    let server = fake_server::start(fault).to_string();
    let output = run(&server, &[SMALL, more, &["--json", "-", "--strict"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), report(&output), stderr)
}

#[test]
fn a_server_that_keeps_the_limit_is_measured_within_three_percent() {
    let (code, report, stderr) = quota(Fault::None, &[]);
    assert_eq!(code, Some(0), "{stderr} {report:#}");
    let rows = report["quota"].as_array().expect("rows");
    assert_eq!(rows.len(), 2, "one shard, and two");
    for row in rows {
        assert_eq!((&row["limit"], &row["limit_per_s"]), (&"records".into(), &1000.into()));
        assert!(row["refused_records"].as_u64() > Some(0));
        assert!(row["verified_records"].as_u64() > Some(2_000), "{row:#}");
    }
}

#[test]
fn a_server_that_admits_too_much_misses_the_target() {
    let (code, report, stderr) = quota(Fault::Generous, &["--shards", "1"]);
    assert_eq!(code, Some(4), "{stderr}");
    assert!(report["quota"][0]["off_percent"].as_f64() > Some(50.0), "{report:#}");
}

#[test]
fn a_record_that_is_lost_fails_the_run() {
    let (code, report, stderr) = quota(Fault::Lost, &["--shards", "1"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(report["quota"].is_null());
}
