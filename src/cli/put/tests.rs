use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use crate::base::error::ErrorCode;
use crate::base::ids::ShardNumber;
use crate::base::stream::ShardLimits;
use crate::cli::Cli;
use crate::cli::failure::{Exit, Failure};
use crate::cli::fake_server::FakeServer;
use crate::wire::reshard::Reshard;
use clap::Parser;

const THROTTLED: Option<ErrorCode> = Some(ErrorCode::ProvisionedThroughputExceeded);

/// Puts `text` with these flags.
fn put(server: &FakeServer, flags: &[&str], text: &str) -> Result<(), Failure> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("input");
    std::fs::write(&file, text).unwrap();
    let args = ["shardway", "put", "orders", "--server", &server.addr, "--file"];
    let args = [&args, [file.to_str().unwrap()].as_slice(), flags].concat();
    crate::cli::execute(Cli::try_parse_from(args).unwrap().command)
}

fn numbered(lines: usize) -> String {
    (0..lines).fold(String::new(), |mut text, i| {
        writeln!(text, "key{},{i}", i % 7).unwrap();
        text
    })
}

#[test]
fn every_line_is_stored_once_and_spread_over_the_shards() {
    let server = FakeServer::start(4, ShardLimits::OFF);
    put(&server, &["--batch-records", "10"], &numbered(1000)).unwrap();
    let mut all: Vec<_> = (0..4).flat_map(|shard| server.records(shard)).collect();
    assert!((0..4).all(|shard| server.records(shard).len() > 150));
    all.sort();
    let mut expected: Vec<_> = numbered(1000).lines().map(str::to_owned).collect();
    expected.sort();
    assert_eq!(all, expected);
}

#[test]
fn under_limits_nothing_of_a_shard_overtakes_a_throttled_batch() {
    let server = FakeServer::start(1, ShardLimits::AWS);
    server.lock().moods = vec![THROTTLED, None, THROTTLED, THROTTLED, None, None, THROTTLED];
    put(&server, &["--batch-records", "5"], &numbered(60)).unwrap();
    let expected: Vec<_> = numbered(60).lines().map(str::to_owned).collect();
    assert_eq!(server.records(0), expected);
}

#[test]
fn with_many_in_flight_each_key_keeps_its_order_through_refusals() {
    let server = FakeServer::start(3, ShardLimits::OFF);
    let refused = Some(ErrorCode::InternalFailure);
    server.lock().moods = (0..40).map(|i| if i % 3 == 0 { refused } else { None }).collect();
    put(&server, &["--key-field", "1", "--batch-records", "2"], &numbered(400)).unwrap();
    assert_in_order_per_key(&server, 400);
}

/// That all of so many numbered lines are stored, and those of each key in their order when shards
/// are read as readers read them: parents, which have lower numbers, before their children.
fn assert_in_order_per_key(server: &FakeServer, lines: usize) {
    let mut last: HashMap<String, usize> = HashMap::new();
    let (shards, mut stored) = (server.lock().shards(), 0);
    for record in (0..shards).flat_map(|shard| server.records(shard)) {
        let (key, number) = record.split_once(',').unwrap();
        let number = number.parse().unwrap();
        let before = last.insert(key.to_owned(), number);
        assert!(before.is_none_or(|before| before < number), "{record} after {before:?}");
        stored += 1;
    }
    assert_eq!(stored, lines);
}

/// Splits and merges before some of the puts, in a row that two shards allow.
fn reshards(puts: [u64; 4]) -> BTreeMap<u64, Reshard> {
    let split = |n| Reshard::Split { shard: ShardNumber(n), at: None };
    let merge = |a, b| Reshard::Merge { shard: ShardNumber(a), adjacent: ShardNumber(b) };
    // 0 and 1 -> 2, 3 and 1 -> 2 and 4 -> 2, 5 and 6 -> 7 and 6
    let row = [split(0), merge(3, 1), split(4), merge(2, 5)];
    puts.into_iter().zip(row).collect()
}

#[test]
fn keys_keep_their_order_through_splits_and_merges() {
    for (limits, flags) in [(ShardLimits::OFF, "8"), (ShardLimits::AWS, "1")] {
        let server = FakeServer::start(2, limits);
        server.lock().before_puts = reshards([20, 90, 160, 230]);
        let lines = 120_000;
        let flags = ["--key-field", "1", "--batch-records", "200", "--in-flight", flags];
        put(&server, &flags, &numbered(lines)).unwrap();
        assert_in_order_per_key(&server, lines);
        let state = server.lock();
        assert!(state.before_puts.is_empty());
        assert!(state.map_versions.len() > 2, "{:?}", state.map_versions);
        assert_eq!(state.map_versions.last(), Some(&5), "the last map was learnt");
    }
}

#[test]
fn keys_keep_their_order_when_a_put_by_an_old_map_is_stored_in_part() {
    let server = FakeServer::start(2, ShardLimits::AWS);
    server.lock().before_puts = reshards([4, 9, 14, 19]);
    // One mood for each shard that gets records of a put.
    server.lock().moods = (0..60).map(|i| if i % 4 == 1 { THROTTLED } else { None }).collect();
    put(&server, &["--key-field", "1", "--batch-records", "7"], &numbered(300)).unwrap();
    assert!(server.lock().before_puts.is_empty());
    assert_in_order_per_key(&server, 300);
}

#[test]
fn records_that_cannot_be_stored_are_counted_and_the_rest_is_stored() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let text = format!("a,1\nno key\nb,2\n,3\n{},4\nc,{}\nd,5", "k".repeat(257), "x".repeat(2000));
    let failure = put(&server, &["--key-field", "1"], &text).unwrap_err();
    assert_eq!(failure.exit, Exit::Refused);
    // "no key" is a line of one field: the field is its key.
    assert_eq!(server.records(0), ["a,1", "no key", "b,2", "d,5"]);
    assert!(failure.message.starts_with("3 of 7 records were not stored"), "{}", failure.message);
    assert!(failure.message.contains("line 4 has a partition key"), "{}", failure.message);
}

#[test]
fn a_batch_that_is_refused_for_too_long_is_given_up() {
    let server = FakeServer::start(1, ShardLimits::AWS);
    server.lock().moods = vec![THROTTLED; 3];
    let failure =
        put(&server, &["--retry-for", "10ms", "--batch-records", "2"], "a\nb\nc\n").unwrap_err();
    assert_eq!(failure.exit, Exit::Refused);
    assert!(failure.message.contains("not now"), "{}", failure.message);
    assert_eq!(server.records(0), ["c"]);
}

#[test]
fn batches_are_no_larger_than_what_a_shard_admits_at_once() {
    let limits = ShardLimits { in_records: 3, ..ShardLimits::AWS };
    let server = FakeServer::start(1, limits);
    server.lock().moods = vec![None, None, THROTTLED];
    put(&server, &[], "1\n2\n3\n4\n5\n6\n7\n").unwrap();
    assert_eq!(server.records(0), ["1", "2", "3", "4", "5", "6", "7"]);
    assert!(server.lock().moods.is_empty(), "there were at least three batches");
}

#[test]
fn a_wrong_key_is_refused_before_anything_is_sent() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let key = "k".repeat(257);
    let failure = put(&server, &["--key", &key], "a\n").unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    put(&server, &["--key", "one"], "a\nb").unwrap();
    assert_eq!(server.records(0), ["a", "b"]);
}
