use clap::Parser;

use crate::base::stream::ShardLimits;
use crate::cli::failure::{Exit, Failure};
use crate::cli::fake_server::FakeServer;
use crate::cli::{Cli, Command};

/// What `tail` with these flags prints.
fn tail(server: &FakeServer, flags: &str) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    tail_to(server, flags, &mut out)?;
    Ok(String::from_utf8(out).unwrap().lines().map(str::to_owned).collect())
}

fn tail_to(server: &FakeServer, flags: &str, out: impl std::io::Write) -> Result<(), Failure> {
    let line = format!("shardway tail orders --server {} {flags}", server.addr);
    let args = super::join_at_timestamp(line.split_whitespace().map(Into::into));
    let Command::Tail(tail) = Cli::try_parse_from(args).unwrap().command else {
        panic!("a tail");
    };
    tail.run_to(out)
}

/// Three shards: two batches, nothing, one batch.
fn filled() -> FakeServer {
    let server = FakeServer::start(3, ShardLimits::OFF);
    server.store(0, &["a0", "a1", "a2"]);
    server.store(0, &["a3"]);
    server.store(2, &["c0", "c1"]);
    server
}

fn of(lines: &[String], shard: char) -> Vec<&str> {
    lines.iter().map(String::as_str).filter(|line| line.starts_with(shard)).collect()
}

#[test]
fn no_follow_prints_every_shard_to_its_end_by_poll_and_by_push() {
    let server = filled();
    for flags in ["--no-follow", "--no-follow --consumer me"] {
        let lines = tail(&server, flags).unwrap();
        assert_eq!(lines.len(), 6, "{flags}");
        assert_eq!(of(&lines, 'a'), ["a0", "a1", "a2", "a3"], "{flags}");
        assert_eq!(of(&lines, 'c'), ["c0", "c1"], "{flags}");
    }
}

#[test]
fn from_latest_without_following_prints_nothing() {
    let server = filled();
    for flags in ["--no-follow --from latest", "--no-follow --from latest --consumer me"] {
        assert!(tail(&server, flags).unwrap().is_empty(), "{flags}");
    }
}

#[test]
fn max_records_ends_a_tail_that_follows() {
    let server = filled();
    for flags in ["--consumer me", ""] {
        let flags = format!("{flags} --from trim-horizon --max-records 3");
        assert_eq!(tail(&server, &flags).unwrap().len(), 3, "{flags}");
    }
    assert!(tail(&server, "--max-records 0").unwrap().is_empty());
}

#[test]
fn json_names_shard_sequence_key_and_arrival() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    server.store(0, &["plain", "\"quoted\""]);
    let lines = tail(&server, "--no-follow --json").unwrap();
    assert_eq!(
        lines[0],
        [
            r#"{"shard":"shardId-000000000000","sequence":0,"partition_key":"k","#,
            r#""arrival":"2023-11-14T22:13:20.000Z","data":"plain"}"#,
        ]
        .concat()
    );
    let second: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(
        (second["sequence"].as_u64(), second["data"].as_str()),
        (Some(1), Some("\"quoted\""))
    );
}

#[test]
fn a_consumer_grants_back_what_it_has_printed() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let text = "x".repeat(9000);
    for _ in 0..400 {
        server.store(0, &[&text]);
    }
    assert_eq!(tail(&server, "--no-follow --consumer me").unwrap().len(), 400);
    assert!(server.lock().credit_granted >= 1 << 20);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let failure = tail_to(&filled(), "--from trim-horizon", Gone).unwrap_err();
    assert_eq!((failure.exit, failure.message.as_str()), (Exit::Done, ""));
}
