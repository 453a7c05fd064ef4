//! The AWS endpoint of a real server process, asked by clients that are exact, hostile or slow:
//! what it answers to each, byte for byte where AWS's answer is known, and that nobody else notices
//! the hostile ones.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a failed test shows them")]

#[allow(dead_code, reason = "it is for tests of all kinds")]
#[path = "../support/process.rs"]
mod process;

mod call;
mod endpoint;
mod events;
mod frames;
mod http1;
mod shapes;
mod signer;

mod framing;
mod http2;
mod malformed;
mod operations;
mod order;
mod rates;
mod reading;
mod signatures;
mod stopping;
mod subscribing;

use shardway::base::stream::{ShardLimits, StreamOptions};

use endpoint::Endpoint;

/// A stream that has none of AWS's limits, so that a test may be quick.
fn unlimited_stream(endpoint: &Endpoint, name: &str, shards: u32) {
    let options = StreamOptions { limits: ShardLimits::OFF, ..StreamOptions::default() };
    endpoint.server.client().create_stream(name, shards, options).expect("a new name");
}
