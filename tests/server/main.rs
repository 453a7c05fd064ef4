//! A real server process on a real disk, over loopback: what it promises, and what it survives.
//!
//! SHARDWAY_TEST_SEED repeats the random choices of a run, SHARDWAY_TEST_CRASH_ROUNDS makes
//! kill -9 more patient (8 by default), SHARDWAY_TEST_HISTORY_ROUNDS the histories (8 as well).

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a failed test shows them")]

#[path = "../support/keyed.rs"]
mod keyed;
#[path = "../support/load.rs"]
mod load;
#[path = "../support/oracle.rs"]
mod oracle;
#[path = "../support/process.rs"]
mod process;
#[path = "../support/producer.rs"]
mod producer;
#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/shards.rs"]
mod shards;

mod cli;
mod connections;
mod control_plane;
mod cores;
mod crash;
mod full_disk;
mod history;
mod hostile;
mod http;
mod lifecycle;
mod new_shards;
mod putting;
mod reading;
mod reshards;
mod subscribers;

use std::path::Path;

use shardway::base::error::ErrorCode;
use shardway::base::ids::StreamUuid;
use shardway::base::stream::{ShardLimits, StreamOptions};
use shardway::client::{Client, ClientError};
use shardway::wire::consumers::{ConsumerName, RegisterConsumer};

use process::{exit_code, run, shardway, text};

/// A stream without limits.
fn unlimited() -> StreamOptions {
    StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() }
}

/// `shardway check` finds nothing in the data dir of a server that has stopped in order.
fn check_agrees(data_dir: &Path) {
    let output = run(shardway().arg("check").arg("--json").arg(data_dir));
    let (printed, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(exit_code(output.status), 0, "{printed}{stderr}");
    let report: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(report["sound"], true);
    let findings = report["findings"].as_array().expect("a list");
    let bad: Vec<_> = findings.iter().filter(|finding| finding["severity"] != "note").collect();
    assert!(bad.is_empty(), "check finds {bad:#?}");
}

/// Registers a consumer of the stream, unless it is registered already.
fn register(client: &mut Client, stream: StreamUuid, consumer: &str) {
    let streams = client.list_streams("", 1000).unwrap().streams;
    let stream = &streams.iter().find(|s| s.uuid == stream).expect("the stream exists").name;
    let name = ConsumerName { stream, consumer };
    match client.register_consumer(&RegisterConsumer { name, tags: Vec::new() }) {
        Ok(_) => {}
        Err(ClientError::Api(error)) if error.code == ErrorCode::ResourceInUse => {}
        Err(error) => panic!("{error}"),
    }
}
