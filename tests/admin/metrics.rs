//! What the admin port says of a server in use.

use std::io::{Read, Write};
use std::net::TcpStream;

use shardway::base::ids::{CoreId, StreamUuid};
use shardway::base::stream::Position;
use shardway::client::{Client, Incoming};
use shardway::record::BatchBuilder;
use shardway::wire::consumers::{ConsumerName, RegisterConsumer};
use shardway::wire::subscribe::Subscribe;

use crate::process::{HANG, Setup, cpus, new_dir, until};
use crate::{FIRST, Observed, http, stream};

/// The value of a series.
fn value(metrics: &str, series: &str) -> f64 {
    let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    metrics.lines().find_map(of).unwrap_or_else(|| panic!("no {series} in\n{metrics}"))
}

/// Puts a batch of `records` records with one byte each behind the key `k`.
pub fn put(client: &mut Client, stream: StreamUuid, records: u32) {
    let mut batch = BatchBuilder::new();
    (0..records).for_each(|_| batch.push("k", None, b"d").expect("a small record"));
    let answer = client.put(stream, FIRST, 1, batch.finish()).expect("an answer");
    assert!(answer.is_stored(), "{}", answer.message);
}

/// Registers a consumer.
pub fn register(client: &mut Client, stream: &str, consumer: &str) {
    let name = ConsumerName { stream, consumer };
    client.register_consumer(&RegisterConsumer { name, tags: Vec::new() }).expect("a consumer");
}

/// Subscribes a consumer to the first shard, from its first record.
pub fn subscribe(client: &mut Client, stream: StreamUuid, consumer: &str, credit: u64) {
    let position = Position::TrimHorizon;
    let request = Subscribe { subscription: 1, stream, shard: FIRST, consumer, position, credit };
    client.subscribe(request).expect("a subscription");
}

/// Waits for as many records.
pub fn receive(client: &mut Client, records: u32) {
    let mut got = 0;
    while got < records {
        match client.next_event(HANG).expect("a connection") {
            Some(Incoming::Pushed(pushed)) => {
                pushed.batches.for_each(|_| got += 1).expect("right batches");
            }
            other => panic!("{other:?} instead of a push"),
        }
    }
}

#[test]
fn records_are_counted_when_they_come_and_when_they_go() {
    let observed = Observed::start();
    let mut client = observed.server.client();
    let uuid = stream(&mut client).summary.uuid;
    register(&mut client, "watched", "live");
    let mut consumer = observed.server.client();
    subscribe(&mut consumer, uuid, "live", u64::MAX);
    put(&mut client, uuid, 3);
    put(&mut client, uuid, 2);
    receive(&mut consumer, 5);
    let iterator = client.get_iterator(uuid, FIRST, Position::TrimHorizon).expect("an iterator");
    client.get(&iterator, 1000, 1 << 20, 0).expect("records");
    let metrics = observed.scrape();
    let is = |series: &str, expected: f64| {
        let found = value(&metrics, series);
        assert!(found == expected, "{series} is {found} and not {expected}");
    };
    is("shardway_in_records_total", 5.0);
    // Key and data.
    is("shardway_in_bytes_total", 10.0);
    is("shardway_push_records_total", 5.0);
    is("shardway_get_records_total", 5.0);
    is("shardway_gets_total", 1.0);
    is("shardway_get_iterator_age_seconds_count", 1.0);
    is("shardway_tail_hits_total", 3.0);
    is("shardway_put_seconds_count", 2.0);
    is("shardway_push_seconds_count", 2.0);
    is("shardway_put_batch_records_sum", 5.0);
    is("shardway_put_batch_records_bucket{le=\"3\"}", 2.0);
    is("shardway_subscriptions", 1.0);
    is("shardway_subscriptions_opened_total", 1.0);
    is("shardway_sessions", 2.0);
    is("shardway_refusing_cores", 0.0);
    is("shardway_credit_stalls_total", 0.0);
    let shards = |core| value(&metrics, &format!("shardway_shards{{core=\"{core}\"}}"));
    assert!(shards(0) + shards(1) == 1.0, "one of the two cores has the shard");
    assert!(value(&metrics, "shardway_commits_total") >= 2.0);
    assert!(value(&metrics, "shardway_commit_queue_seconds_count") >= 2.0);
    assert!(value(&metrics, "shardway_unflushed_bytes") > 0.0);
    assert!(value(&metrics, "shardway_memory_bytes{pool=\"tail\"}") > 0.0);
    assert!(value(&metrics, "shardway_core_cpu_seconds_total{core=\"1\"}") > 0.0);
}

#[test]
fn a_client_that_grants_too_little_is_a_stall_each_time_and_not_each_look() {
    let observed = Observed::start();
    let mut client = observed.server.client();
    let uuid = stream(&mut client).summary.uuid;
    register(&mut client, "watched", "slow");
    put(&mut client, uuid, 1);
    let mut consumer = observed.server.client();
    // One batch overdraws it.
    subscribe(&mut consumer, uuid, "slow", 1);
    receive(&mut consumer, 1);
    put(&mut client, uuid, 1);
    let stalls = || value(&observed.scrape(), "shardway_credit_stalls_total");
    until("the stall is counted", || stalls() >= 1.0);
    let ticks = || value(&observed.scrape(), "shardway_tick_delay_seconds_bucket{le=\"+Inf\"}");
    let looks = ticks() + 8.0;
    until("the cores have looked again", || ticks() >= looks);
    assert!(stalls() == 1.0);
    consumer.credit(1, 1 << 20).expect("a connection");
    receive(&mut consumer, 1);
}

#[test]
fn a_request_that_comes_to_another_core_is_a_hop() {
    if cpus().len() < 2 {
        return crate::process::skipped("hops between cores", "there is one CPU");
    }
    let observed = Observed::start();
    let mut client = observed.server.client();
    let uuid = stream(&mut client).summary.uuid;
    let before = value(&observed.scrape(), "shardway_forwarded_requests_total");
    for core in [0, 1].map(CoreId) {
        put(&mut observed.server.client_on(core), uuid, 1);
    }
    assert!(value(&observed.scrape(), "shardway_forwarded_requests_total") == before + 1.0);
}

#[test]
fn requests_over_http_are_counted_by_what_they_ask_and_get() {
    let observed = Observed::start();
    let addr = observed.server.http_addrs().0.expect("it listens");
    let mut http = TcpStream::connect(&addr).expect("it listens");
    // Unsigned: refused.
    let request = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                   x-amz-target: Kinesis_20131202.ListStreams\r\n\
                   content-type: application/x-amz-json-1.1\r\ncontent-length: 2\r\n\r\n{}";
    http.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    http.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let metrics = observed.scrape();
    let n = |operation: &str, status: &str| {
        let labels = format!("{{operation=\"{operation}\",status=\"{status}\"}}");
        value(&metrics, &format!("shardway_http_requests_total{labels}"))
    };
    assert!((n("list", "4xx"), n("list", "2xx"), n("put", "4xx")) == (1.0, 0.0, 0.0));
}

#[test]
fn supervisors_get_a_status_and_a_line() {
    let observed = Observed::start();
    let said = |path| {
        let answer = observed.page(path);
        (answer.status, answer.body)
    };
    assert_eq!(said("/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(said("/readyz"), (200, "ready\n".to_owned()));
    let (status, body) = said("/metrics/of/whatever");
    assert!(status == 404 && body.contains("/readyz"), "{status} {body}");
    assert_eq!(http::ask(&observed.admin, "DELETE", "/metrics").expect("an answer").status, 405);
    let metrics = observed.page("/metrics");
    assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
    let Observed { server, admin, .. } = observed;
    server.stop_clean();
    assert!(http::ask(&admin, "GET", "/healthz").is_none(), "the port is closed");
}

#[test]
fn the_port_is_for_this_machine_unless_the_operator_insists() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let (code, stderr) = setup.clone().flag("--admin", "0.0.0.0:0").refused();
    assert!(code == 2 && stderr.contains("--admin 127.0.0.1:0"), "{code} {stderr}");
    let server = setup.flag("--admin", "0.0.0.0:0").switch("--insecure").start();
    assert!(server.admin_addr().starts_with("0.0.0.0:"));
    server.stop_clean();
}
