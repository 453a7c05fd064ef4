use super::*;
use crate::base::stream::ShardLimits;
use crate::cli::fake_server::FakeServer;
use crate::cli::{Cli, Command};
use clap::Parser;

/// What `shards` with these flags prints.
fn shards(server: &FakeServer, flags: &str, times: Option<u32>) -> Result<String, Failure> {
    let line = format!("shardway shards orders --server {} {flags}", server.addr);
    let Command::Shards(command) = Cli::try_parse_from(line.split_whitespace()).unwrap().command
    else {
        panic!("it parses as shards");
    };
    let mut out = Vec::new();
    command.run_to(&mut out, times)?;
    Ok(String::from_utf8(out).unwrap())
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_tree_shows_ranges_records_rates_and_what_is_hot() {
    let server = FakeServer::start(2, ShardLimits::AWS);
    server.store(0, &["a", "b", "c"]);
    server.lock().split(0);
    server.lock().merge(3, 1);
    server.store(4, &["d"]);
    server.lock().rates.insert(4, (600 << 10, 100));
    server.lock().rates.insert(2, (100 << 10, 100));
    let text = shards(&server, "", None).unwrap();
    let bytes = |records: usize| indicatif::HumanBytes(128 + 10 * records as u64).to_string();
    assert_eq!(
        lines(&text),
        [
            "orders: ACTIVE, PROVISIONED, 2 open and 3 closed shards; 4 records in 296 B, \
             700.00 KiB/s and 200 records/s come in, 1 hot",
            "SHARD HASH KEYS STATE CORE RECORDS BYTES BYTES/S IN RECORDS/S IN NOTES",
            &format!("○ 0 0.0 – 50.0 % closed 0 3 {} - -", bytes(3)),
            "├─● 2 0.0 – 25.0 % open 0 0 0 B 100.00 KiB 100",
            "╰─○─╮ 3 25.0 – 50.0 % closed 1 0 0 B - -",
            "○───┤ 1 50.0 – 100.0 % closed 1 0 0 B - -",
            &format!("● 4 25.0 – 100.0 % open 0 1 {} 600.00 KiB 100 HOT 58 %", bytes(1)),
        ]
    );
}

#[test]
fn hash_keys_are_shown_as_asked_and_without_stats_no_core_is_asked() {
    let server = FakeServer::start(2, ShardLimits::OFF);
    let text = shards(&server, "--no-stats --keys hex", None).unwrap();
    let end = format!("0x7{}", "f".repeat(31));
    let first = format!("● 0 0.0 – 50.0 % 0x{} {end} open 0", "0".repeat(32));
    assert_eq!(lines(&text)[2], first);
    let text = shards(&server, "--no-stats --keys decimal", None).unwrap();
    assert!(lines(&text)[3].contains(" 340282366920938463463374607431768211455 open 1"), "{text}");
}

#[test]
fn ten_thousand_shards_are_folded_around_the_hot_ones() {
    let server = FakeServer::start(10_000, ShardLimits::AWS);
    server.lock().rates.insert(5000, (1 << 20, 0));
    let text = shards(&server, "", None).unwrap();
    let lines = lines(&text);
    assert_eq!(lines.len(), 2 + 2 + 1 + 1 + 1 + 1, "{text}");
    assert!(lines[4].starts_with("⋮ 4,998 shards 0.020 – 50.000 % 4,998 open"), "{text}");
    assert!(lines[5].starts_with("● 5000 ") && lines[5].ends_with("HOT 100 %"), "{text}");
    assert!(lines[7].starts_with("● 9999 "), "{text}");
    let all = shards(&server, "--all", None).unwrap();
    assert_eq!(all.lines().count(), 10_002);
}

#[test]
fn filters_reach_the_server() {
    let server = FakeServer::start(2, ShardLimits::OFF);
    server.lock().split(0);
    let text = shards(&server, "--filter open --no-stats", None).unwrap();
    assert_eq!(text.lines().count(), 2 + 3);
    let text = shards(&server, "--filter after=2 --no-stats", None).unwrap();
    assert_eq!(text.lines().count(), 2 + 1);
}

#[test]
fn json_has_every_shard_with_what_was_counted() {
    let server = FakeServer::start(100, ShardLimits::AWS);
    server.store(7, &["a"]);
    server.lock().split(7);
    server.lock().rates.insert(8, (0, 900));
    let text = shards(&server, "--json", None).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let all = json["shards"].as_array().unwrap();
    assert_eq!((all.len(), json["open_shards"].as_u64()), (102, Some(101)));
    assert_eq!((all[7]["records"].as_u64(), all[7]["open"].as_bool()), (Some(1), Some(false)));
    assert_eq!((all[8]["hot"].as_bool(), all[8]["load_percent"].as_u64()), (Some(true), Some(90)));
    assert_eq!(all[100]["parent"], "shardId-000000000007");
    let plain = shards(&server, "--json --no-stats", None).unwrap();
    assert!(!plain.contains("\"records\""), "{plain}");
}

#[test]
fn a_watch_draws_again_and_in_json_one_document_a_line() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let text = shards(&server, "--watch=1ms", Some(3)).unwrap();
    assert_eq!(text.matches("orders: ACTIVE").count(), 3);
    let text = shards(&server, "--watch=1ms --json", Some(3)).unwrap();
    assert_eq!(text.lines().count(), 3);
}
