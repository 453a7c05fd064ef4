use clap::Parser;

use crate::base::error::{ApiError, ErrorCode};
use crate::base::stream::ShardLimits;
use crate::cli::failure::{Exit, Failure};
use crate::cli::fake_server::{Asked, FakeServer};
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

/// Two shards; the first was split, and its upper half merged with the second. Every shard has
/// records, named by its number.
fn resharded() -> FakeServer {
    let server = FakeServer::start(2, ShardLimits::OFF);
    server.store(0, &["0a", "0b"]);
    server.store(1, &["1a"]);
    server.lock().split(0);
    server.store(2, &["2a"]);
    server.store(3, &["3a", "3b"]);
    server.lock().merge(3, 1);
    server.store(4, &["4a"]);
    server
}

/// That every shard's records come in order, and behind those of its parents.
fn assert_parents_first(lines: &[String]) {
    let mut sorted = lines.to_vec();
    sorted.sort();
    assert_eq!(sorted, ["0a", "0b", "1a", "2a", "3a", "3b", "4a"]);
    let at = |line: &str| lines.iter().position(|l| l == line).unwrap();
    for (first, second) in
        [("0a", "0b"), ("0b", "2a"), ("0b", "3a"), ("3a", "3b"), ("3b", "4a"), ("1a", "4a")]
    {
        assert!(at(first) < at(second), "{first} before {second} in {lines:?}");
    }
}

#[test]
fn parents_are_read_before_their_children() {
    let server = resharded();
    for flags in [
        "--no-follow",
        "--no-follow --consumer me",
        "--from trim-horizon --max-records 7",
        "--from trim-horizon --max-records 7 --consumer me",
    ] {
        assert_parents_first(&tail(&server, flags).unwrap());
    }
}

#[test]
fn a_tail_goes_on_in_the_children_of_shards_that_close_under_it() {
    for flags in ["", "--consumer me"] {
        let server = FakeServer::start(2, ShardLimits::OFF);
        let (other, polls) = (server.clone(), flags.is_empty());
        // Once the tail reads from a shard, the shard is closed.
        let reads = move |n: u64| {
            other.until(|state| if polls { state.gets > n } else { state.subscribers.len() > 1 });
        };
        let writer = server.clone();
        let writing = std::thread::spawn(move || {
            reads(1);
            writer.store(0, &["0a", "0b"]);
            writer.store(1, &["1a"]);
            writer.lock().split(0);
            writer.store(2, &["2a"]);
            writer.store(3, &["3a", "3b"]);
            let gets = writer.lock().gets;
            reads(gets + 1);
            writer.lock().merge(3, 1);
            writer.store(4, &["4a"]);
        });
        let flags = format!("--from trim-horizon --max-records 7 {flags}");
        assert_parents_first(&tail(&server, &flags).unwrap());
        writing.join().unwrap();
    }
}

#[test]
fn without_following_what_comes_after_the_start_is_not_read() {
    let server = resharded();
    let lines = tail(&server, "--no-follow --from latest").unwrap();
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn from_latest_closed_shards_are_not_read() {
    let server = resharded();
    let writer = server.clone();
    let writing = std::thread::spawn(move || {
        // Shards 2 and 4 are open; each is asked at least once before it has something new.
        writer.until(|state| state.gets > 3);
        writer.store(4, &["4b"]);
    });
    let lines = tail(&server, "--from latest --max-records 1").unwrap();
    assert_eq!(lines, ["4b"]);
    writing.join().unwrap();
}

#[test]
fn a_shard_that_has_expired_before_its_turn_is_passed_over() {
    for flags in ["--no-follow", "--no-follow --consumer me"] {
        let server = resharded();
        // The listing still has it; whoever asks for it is told that it does not exist.
        server.lock().gone_but_listed(3);
        let lines = tail(&server, flags).unwrap();
        assert!(!lines.contains(&"3a".to_owned()), "{lines:?}");
        assert!(lines.contains(&"4a".to_owned()), "{lines:?}");
        assert_eq!(lines.len(), 5);
    }
}

#[test]
fn a_consumer_is_registered_once_and_stays() {
    let server = filled();
    for _ in 0..2 {
        tail(&server, "--no-follow --consumer me").unwrap();
    }
    assert_eq!(server.asked(), [Asked::Registered { name: "me".into(), tags: vec![] }]);
    assert_eq!(server.lock().consumers.len(), 1);
}

#[test]
fn a_subscribe_that_comes_too_soon_is_tried_again_and_others_do_not_wait_for_it() {
    let server = filled();
    server.lock().subscribe_errors =
        vec![ApiError::new(ErrorCode::ResourceInUse, "5 seconds have not passed"); 2];
    assert_eq!(tail(&server, "--no-follow --consumer me").unwrap().len(), 6);
    assert!(server.lock().subscribe_errors.is_empty());
}

#[test]
fn a_consumer_that_was_deregistered_is_a_failure_and_not_an_end() {
    let server = filled();
    tail(&server, "--no-follow --consumer me").unwrap();
    server.lock().forget_consumers_at_next_subscribe = true;
    let failure = tail(&server, "--no-follow --consumer me").unwrap_err();
    assert_eq!(failure.exit, Exit::Refused);
    assert!(failure.message.contains("no such consumer"), "{}", failure.message);
}
