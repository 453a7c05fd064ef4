use clap::{CommandFactory, Parser};

use super::fake_server::{Asked, FakeServer};
use super::*;
use crate::base::ids::ShardNumber;
use crate::base::stream::{
    Distribution, Durability, ShardLimits, ShardMetrics, StreamMode, StreamOptions,
};
use crate::record::HashKey;
use crate::wire::alter::{Direction, StreamChange};
use crate::wire::reshard::Reshard;
use failure::Exit;

fn parse(line: &str) -> Result<Command, clap::Error> {
    let args = std::iter::once("shardway").chain(line.split_whitespace()).map(Into::into);
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
        "stream split s",
        "stream split s x",
        "stream split s 0 --at 0xg",
        "stream merge s 0",
        "stream scale s 0",
        "stream scale s 10001",
        "stream retention s 90m",
        "stream mode s serverless",
        "stream mode s on-demand --warm 100",
        "stream distribution s hash",
        "stream limits s some",
        "stream record-size s 11MiB",
        "stream monitor s --enable Lag",
        "stream monitor s --enable ALL --disable ALL",
        "stream tag s key",
        "stream warm s",
        "consumer register s",
        "account --commit --uncommit",
        "shards s --filter some",
        "shards s --watch soon",
        "serve --control-rates fast",
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
        "shards s --watch --all --keys hex",
        "shards s --stats --no-stats --json",
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

/// Every command that does something, by its words.
fn commands(command: &clap::Command, words: &str, all: &mut Vec<(String, clap::Command)>) {
    for sub in command.get_subcommands() {
        let words = format!("{words} {}", sub.get_name());
        if sub.has_subcommands() {
            commands(sub, &words, all);
        } else {
            all.push((words, sub.clone()));
        }
    }
}

#[test]
fn every_command_has_an_example_that_parses_and_prints_json() {
    let mut all = Vec::new();
    commands(&Cli::command(), "shardway", &mut all);
    assert!(all.len() > 25);
    for (words, mut command) in all {
        let help = command.render_long_help().to_string();
        let examples: Vec<_> = help.lines().filter(|line| line.starts_with("Example: ")).collect();
        let [example] = examples[..] else { panic!("{words} has one example, not {examples:?}") };
        let line = &example[example.find(&words).expect(example)..];
        let parsed = parse(line.strip_prefix("shardway ").unwrap());
        assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        assert!(words == "shardway serve" || help.contains("--json"), "{words} has --json");
    }
}

/// What the server was asked by these command lines, of which all succeed, with and without JSON.
fn asked(lines: &[&str]) -> Vec<Asked> {
    let server = FakeServer::start(4, ShardLimits::AWS);
    for line in lines {
        run(&format!("{line} --server {}", server.addr)).expect(line);
    }
    server.asked()
}

#[test]
fn a_new_stream_has_all_that_was_chosen() {
    let chosen = asked(&[
        "stream create a",
        "stream create b --mode on-demand --warm 100MiB --distribution auto --tag x=1 --tag y=",
    ]);
    let options = StreamOptions {
        mode: StreamMode::OnDemand,
        distribution: Distribution::Auto,
        warm_mib: 100,
        ..StreamOptions::default()
    };
    let tags = vec![("x".to_owned(), "1".to_owned()), ("y".to_owned(), String::new())];
    let (name, plain) = ("a".to_owned(), StreamOptions::default());
    let expected = [
        Asked::Created { name, shards: 1, options: plain, tags: vec![] },
        Asked::Created { name: "b".into(), shards: 0, options, tags },
    ];
    assert_eq!(chosen, expected);
}

#[test]
fn the_server_chooses_the_shards_of_an_on_demand_stream_and_only_its_throughput_is_warm() {
    for line in [
        "stream create s --mode on-demand --shards 4",
        "stream create s --warm 1MiB",
        "stream mode s provisioned --warm 1MiB",
        "stream tag s a=1 --remove a",
    ] {
        assert_eq!(run(line).unwrap_err().exit, Exit::Usage, "{line}");
    }
}

#[test]
fn a_shard_is_split_merged_and_scaled_as_it_is_named() {
    let resharded = asked(&[
        "stream split orders shardId-000000000002 --at 0xa0000000000000000000000000000000",
        "stream split orders 0 --json",
        "stream merge orders x-6 7",
        "stream scale orders 8",
    ]);
    let expected = [
        Reshard::Split { shard: ShardNumber(2), at: Some(HashKey(0xa << 124)) },
        Reshard::Split { shard: ShardNumber(0), at: None },
        Reshard::Merge { shard: ShardNumber(6), adjacent: ShardNumber(7) },
        Reshard::Scale { target: 8 },
    ];
    assert_eq!(resharded, expected.map(Asked::Resharded));
}

#[test]
fn each_property_of_a_stream_has_a_command_that_changes_it() {
    let altered = asked(&[
        "stream retention orders 7d",
        "stream mode orders on-demand",
        "stream mode orders on-demand --warm 10MiB --json",
        "stream warm orders 0",
        "stream limits orders off",
        "stream record-size orders 10MiB",
        "stream distribution orders auto",
        "stream monitor orders",
        "stream monitor orders --enable ALL",
        "stream monitor orders --disable IncomingBytes,IncomingRecords --json",
        "stream tag orders",
        "stream tag orders a=1 b=2 --remove c,d",
    ]);
    let mode = StreamMode::OnDemand;
    let two = ShardMetrics::named("IncomingBytes").unwrap();
    let two = two.with(ShardMetrics::named("IncomingRecords").unwrap());
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = [
        StreamChange::Retention { hours: 168, direction: Direction::Any },
        StreamChange::Mode { mode, warm_mib: 0 },
        StreamChange::Mode { mode, warm_mib: 10 },
        StreamChange::WarmThroughput(0),
        StreamChange::Limits(ShardLimits::OFF),
        StreamChange::RecordBytesMax(10 << 20),
        StreamChange::Distribution(Distribution::Auto),
        StreamChange::EnableMetrics(ShardMetrics::ALL),
        StreamChange::DisableMetrics(two),
        StreamChange::Untag(vec!["c".into(), "d".into()]),
        StreamChange::Tag(vec![tag("a", "1"), tag("b", "2")]),
    ];
    assert_eq!(altered, expected.map(Asked::Altered));
}

#[test]
fn consumers_are_registered_described_tagged_and_deregistered() {
    let registered = asked(&[
        "consumer list orders",
        "consumer register orders billing --tag team=a",
        "consumer list orders --json",
        "consumer describe orders billing",
        "consumer tag orders billing b=2 --remove team",
        "consumer tag orders billing --json",
        "consumer deregister orders billing",
        "consumer list orders",
    ]);
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let expected = [
        Asked::Registered { name: "billing".into(), tags: vec![tag("team", "a")] },
        Asked::TaggedConsumer { add: vec![tag("b", "2")], remove: vec!["team".into()] },
    ];
    assert_eq!(registered, expected);
}

#[test]
fn the_commitment_of_the_account_begins_and_ends() {
    let asked = asked(&["account", "account --commit", "account --uncommit --json"]);
    assert_eq!(asked, [Asked::UpdatedAccount(true), Asked::UpdatedAccount(false)]);
}

#[test]
fn a_stream_with_consumers_is_deleted_only_with_them() {
    let server = FakeServer::start(1, ShardLimits::OFF);
    let line = |flags| format!("stream delete orders {flags} --server {}", server.addr);
    run(&format!("consumer register orders me --server {}", server.addr)).unwrap();
    let failure = run(&line("")).unwrap_err();
    assert!(failure.message.ends_with("--with-consumers deletes it with them"), "{failure:?}");
    run(&line("--with-consumers")).unwrap();
    assert_eq!(server.asked().last(), Some(&Asked::Deleted { with_consumers: true }));
}
