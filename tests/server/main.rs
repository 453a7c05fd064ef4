//! A real server process on a real disk, over loopback: what it promises, and what it survives.
//!
//! SHARDWAY_TEST_SEED repeats the random choices of a run, SHARDWAY_TEST_CRASH_ROUNDS makes
//! kill -9 more patient (8 by default).

#[path = "../support/load.rs"]
mod load;
#[path = "../support/oracle.rs"]
mod oracle;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/raw.rs"]
mod raw;

mod cli;
mod connections;
mod control_plane;
mod cores;
mod crash;
mod full_disk;
mod hostile;
mod lifecycle;
mod putting;
mod reading;
mod subscribers;

use std::path::Path;

use shardway::base::stream::{ShardLimits, StreamOptions};
use shardway::log::check::{CheckOptions, Severity, check};
use shardway::log::progress::NoProgress;

/// A stream without limits.
fn unlimited() -> StreamOptions {
    StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() }
}

/// `shardway check` finds nothing in the data dir of a server that has stopped in order.
fn check_agrees(data_dir: &Path) {
    let report = check(data_dir, &CheckOptions::default(), &mut NoProgress).expect("it is stopped");
    let bad: Vec<_> = report.findings.iter().filter(|f| f.severity > Severity::Note).collect();
    assert!(bad.is_empty(), "check finds {bad:#?}");
}
