use clap::{CommandFactory, Parser};

use super::fake_server::FakeServer;
use super::*;
use crate::base::stream::{Durability, ShardLimits};
use failure::Exit;

fn parse(line: &str) -> Result<Command, clap::Error> {
    let args = std::iter::once("shardway").chain(line.split(' ')).map(Into::into);
    Cli::try_parse_from(tail::join_at_timestamp(args)).map(|cli| cli.command)
}

pub(super) fn run(line: &str) -> Result<(), Failure> {
    execute(parse(line).unwrap())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_lists_every_exit_code() {
    let help = Cli::command().render_help().to_string();
    for code in 0..=5 {
        assert!(help.contains(&format!("\n  {code}  ")), "exit code {code} in {help}");
    }
}

#[test]
fn create_reads_all_of_its_options() {
    let line = "stream create s --shards 4 --limits in_bytes=2MiB,reads=0 --durability written \
                --retention 7d --max-record-size 10MiB --json --server h:1";
    let Ok(Command::Stream(stream::Stream::Create(create))) = parse(line) else {
        panic!("it parses");
    };
    let options = create.options();
    assert_eq!(options.durability, Durability::Written);
    assert_eq!((options.retention_hours, options.record_bytes_max), (168, 10 << 20));
    let limits =
        ShardLimits { in_bytes: 2 << 20, in_burst_bytes: 20 << 20, reads: 0, ..ShardLimits::AWS };
    assert_eq!(options.limits, limits);
}

#[test]
fn wrong_usage_is_refused_before_anything_is_asked_of_a_server() {
    for line in [
        "stream create s --shards 0",
        "stream create s --durability never",
        "stream create s --retention 90m",
        "stream create s --limits some",
        "stream create",
        "put s --key a --key-field 1",
        "put s --key-field 0",
        "put s --batch-records 501",
        "put s --delimiter ab",
        "tail s --from yesterday",
        "serve --cores 0",
        "serve --tail-bytes lots",
        "check",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
    for line in [
        "tail s --from latest --json",
        "tail --from at-timestamp -10m s --no-follow",
        "tail --from at-timestamp 2026-01-31T12:00:00Z s",
        "put s --key-field 2 --delimiter \\t --file x",
        "inspect d --json",
    ] {
        assert!(parse(line).is_ok(), "{line}");
    }
}

#[test]
fn each_way_to_fail_has_its_exit_code() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exit = |line: String| run(&line).unwrap_err().exit;
    assert_eq!(exit(format!("stream describe nothing --server {}", server.addr)), Exit::Refused);
    assert_eq!(exit(format!("stream describe orders --server {nobody}")), Exit::Unreachable);
    assert_eq!(exit("put orders --file /nowhere/at/all".into()), Exit::Usage);
    assert_eq!(exit("serve --spin-us 9999999".into()), Exit::Usage);
    assert_eq!(run(&format!("stream describe orders --server {}", server.addr)), Ok(()));
}

#[test]
fn a_refusal_says_what_to_do() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let failure = run(&format!("tail nothing --server {}", server.addr)).unwrap_err();
    assert_eq!(
        failure.message,
        "ResourceNotFoundException: no such stream; `shardway stream list`, `shardway shards \
         STREAM` and `shardway consumer list STREAM` show what exists"
    );
}
