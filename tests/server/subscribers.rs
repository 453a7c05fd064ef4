//! Consumers that are slow, deaf, gone, behind, or taken over, beside one that is not.

use std::time::{Duration, Instant};

use shardway::base::error::ErrorCode;
use shardway::base::ids::{Seq, ShardNumber, StreamUuid};
use shardway::base::stream::Position;
use shardway::client::{Client, Ended, Incoming};
use shardway::record::BatchBuilder;
use shardway::wire::Opcode;
use shardway::wire::subscribe::Subscribe;

use crate::process::{HANG, Server, Setup, new_dir, until};
use crate::raw::{Raw, frame};
use crate::{register, unlimited};

const SHARD: ShardNumber = ShardNumber(0);
const PLENTY: u64 = u64::MAX;

fn start() -> (tempfile::TempDir, Server) {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data")).flag("--tail-bytes", "16MiB");
    let server = setup.start();
    (dir, server)
}

fn request(stream: StreamUuid, consumer: &str, credit: u64) -> Subscribe<'_> {
    let position = Position::TrimHorizon;
    Subscribe { subscription: 1, stream, shard: SHARD, consumer, position, credit }
}

/// A consumer of one shard that holds every record against its place.
struct Consumer {
    client: Client,
    next: Seq,
    /// Bytes of all batches so far.
    bytes: u64,
}

impl Consumer {
    fn new(server: &Server, stream: StreamUuid, name: &str, credit: u64) -> Consumer {
        let mut client = server.client();
        register(&mut client, stream, name);
        let next = client.subscribe(request(stream, name, credit)).unwrap();
        Consumer { client, next, bytes: 0 }
    }

    /// Takes one push; `false` when none comes within `patience`.
    fn take(&mut self, patience: Duration) -> bool {
        match self.client.next_event(patience).unwrap() {
            None => false,
            Some(Incoming::Pushed(push)) => {
                let mut expected = self.next;
                let end = push.batches.for_each(|read| {
                    assert_eq!(read.record.seq, expected, "no gap, nothing twice");
                    assert_eq!(read.record.data[..8], expected.0.to_be_bytes());
                    expected = expected.plus(1);
                });
                self.next = end.unwrap();
                assert_eq!(self.next, expected);
                self.bytes += push.batches.bytes();
                true
            }
            other => panic!("a consumer got {other:?}"),
        }
    }

    fn take_until(&mut self, seq: u64) {
        while self.next < Seq(seq) {
            assert!(self.take(HANG), "no push for {HANG:?} at {}", self.next);
        }
        assert_eq!(self.next, Seq(seq));
    }
}

/// Puts records that say their sequence, `batch` at a time.
fn fill(client: &mut Client, stream: StreamUuid, numbers: std::ops::Range<u64>, bytes: usize) {
    let (mut builder, mut data) = (BatchBuilder::new(), vec![0; bytes]);
    for number in numbers {
        data[..8].copy_from_slice(&number.to_be_bytes());
        builder.clear();
        builder.push("k", None, &data).unwrap();
        assert!(client.put(stream, SHARD, 1, builder.finish()).unwrap().is_stored());
    }
}

#[test]
fn a_subscriber_without_credit_gets_no_more_than_it_granted_and_loses_nothing() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("credit", 1, unlimited()).unwrap().summary.uuid;
    let mut slow = Consumer::new(&server, stream, "slow", 250_000);
    let mut fast = Consumer::new(&server, stream, "fast", PLENTY);
    // Five times what the tail holds: the slow one falls off it.
    fill(&mut writer, stream, 0..800, 100_000);
    fast.take_until(800);
    while slow.take(Duration::from_millis(200)) {}
    // The last batch may overdraw.
    assert!((250_000..=350_128).contains(&slow.bytes), "{} bytes for 250,000", slow.bytes);
    // Behind by 77 MB: from disk, then from memory, then live.
    slow.client.credit(1, 20_000_000).unwrap();
    while slow.bytes < 20_000_000 {
        assert!(slow.take(HANG));
    }
    slow.client.credit(1, PLENTY / 2).unwrap();
    slow.take_until(800);
    fill(&mut writer, stream, 800..850, 100_000);
    slow.take_until(850);
    fast.take_until(850);
    server.stop_clean();
}

#[test]
fn a_subscriber_that_falls_off_the_tail_under_load_catches_up_without_gap_or_repeat() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("chase", 1, unlimited()).unwrap().summary.uuid;
    let writing = std::thread::spawn(move || fill(&mut writer, stream, 0..1500, 60_000));
    // Starts, is fed a little at a time, and is never up to date while the writer runs.
    let mut chaser = Consumer::new(&server, stream, "chaser", 100_000);
    while !writing.is_finished() {
        let before = chaser.bytes;
        if chaser.take(Duration::from_millis(5)) {
            chaser.client.credit(1, chaser.bytes - before).unwrap();
        }
    }
    writing.join().unwrap();
    chaser.client.credit(1, PLENTY / 2).unwrap();
    chaser.take_until(1500);
}

#[test]
fn a_subscriber_that_never_reads_costs_little_memory_and_delays_nobody() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("deaf", 2, unlimited()).unwrap().summary.uuid;
    fill(&mut writer, stream, 0..10, 3000);
    let deaf: Vec<Raw> = (0..4)
        .map(|n| {
            let (mut raw, name) = (Raw::deaf(&server.addr()).greet(), format!("deaf-{n}"));
            register(&mut writer, stream, &name);
            let subscribe = request(stream, &name, PLENTY);
            raw.send(&frame(Opcode::Subscribe, 2, |w| subscribe.write(w)));
            raw
        })
        .collect();
    let mut fast = Consumer::new(&server, stream, "fast", PLENTY);
    // Their small batches share commits with large ones of another shard: they must not keep those.
    let mut builder = BatchBuilder::new();
    builder.push("k", None, &vec![1; 300_000]).unwrap();
    let large = builder.finish().to_vec();
    let mut other = server.client();
    for number in 10..1600 {
        let id = other.send_put(stream, ShardNumber(1), 1, &large).unwrap();
        fill(&mut writer, stream, number..number + 1, 3000);
        let answer = other.next_event(HANG).unwrap().unwrap();
        assert_eq!(answer.correlation(), Some(id));
        let started = Instant::now();
        fast.take_until(number + 1);
        assert!(started.elapsed() < Duration::from_secs(20), "the fast consumer waits");
    }
    let used = server.resident_bytes() >> 20;
    println!("{used} MiB after 480 MiB of records");
    // Tail 16, answers 4 x 4, the program itself, and what write-behind has not written yet.
    assert!(used < 110, "{used} MiB: consumers that do not read keep commits in memory");
    drop(deaf);
    server.stop_clean();
}

#[test]
fn a_subscriber_that_vanishes_in_the_middle_of_a_push_is_forgotten() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("gone", 1, unlimited()).unwrap().summary.uuid;
    fill(&mut writer, stream, 0..300, 60_000);
    register(&mut writer, stream, "ghost");
    let connections = server.sockets();
    for round in 0..10 {
        let mut raw = Raw::greeted(&server.addr());
        let subscribe = request(stream, "ghost", PLENTY);
        raw.send(&frame(Opcode::Subscribe, 2, |w| subscribe.write(w)));
        // Some go before the first push, some in the middle of the 18 MB.
        for _ in 0..round {
            raw.receive().expect("an answer, then pushes");
        }
    }
    until("the end of the ghosts' connections", || server.sockets() <= connections);
    fill(&mut writer, stream, 300..310, 60_000);
    let mut same = Consumer::new(&server, stream, "ghost", PLENTY);
    same.take_until(310);
    server.stop_clean();
}

fn next_end(client: &mut Client) -> Ended {
    loop {
        match client.next_event(HANG).unwrap() {
            Some(Incoming::Pushed(_)) => {}
            Some(Incoming::Ended(ended)) => return ended,
            other => panic!("{other:?} instead of an end"),
        }
    }
}

#[test]
fn a_second_subscription_of_a_consumer_takes_the_first_one_over() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("one", 2, unlimited()).unwrap().summary.uuid;
    fill(&mut writer, stream, 0..5, 100);
    let mut first = Consumer::new(&server, stream, "app", PLENTY);
    first.take_until(5);
    let mut other = Consumer::new(&server, stream, "other", PLENTY);
    let mut second = Consumer::new(&server, stream, "app", PLENTY);
    let ended = next_end(&mut first.client);
    assert_eq!((ended.subscription, ended.continue_at), (1, Seq(5)));
    assert_eq!(ended.error.code, ErrorCode::ResourceInUse);
    assert!(ended.error.message.contains("app"), "{}", ended.error.message);
    fill(&mut writer, stream, 5..10, 100);
    second.take_until(10);
    other.take_until(10);
    assert!(first.client.next_event(Duration::from_millis(100)).unwrap().is_none());
    // The number is free again, and the first may take over in its turn.
    let start = first.client.subscribe(request(stream, "app", PLENTY)).unwrap();
    assert_eq!(start, Seq(0));
    assert_eq!(next_end(&mut second.client).error.code, ErrorCode::ResourceInUse);
    let again = first.client.subscribe(request(stream, "app2", 1)).unwrap_err().to_string();
    assert!(again.starts_with("InvalidArgumentException"), "a number in use: {again}");
}

#[test]
fn an_unsubscribed_number_is_silent_and_free() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("quiet", 1, unlimited()).unwrap().summary.uuid;
    let mut consumer = Consumer::new(&server, stream, "app", PLENTY);
    fill(&mut writer, stream, 0..3, 100);
    consumer.take_until(3);
    consumer.client.unsubscribe(1).unwrap();
    fill(&mut writer, stream, 3..6, 100);
    assert!(consumer.client.next_event(Duration::from_millis(100)).unwrap().is_none());
    let none = consumer.client.unsubscribe(1).unwrap_err().to_string();
    assert!(none.starts_with("ResourceNotFoundException"), "{none}");
    // Credit for it is no mistake: its end may be on the way.
    consumer.client.credit(1, 5).unwrap();
    consumer.client.subscribe(request(stream, "app", PLENTY)).unwrap();
    consumer.next = Seq(0);
    consumer.take_until(6);
}

#[test]
fn a_stopping_server_says_where_its_subscriptions_would_go_on() {
    let (_dir, server) = start();
    let mut writer = server.client();
    let stream = writer.create_stream("stop", 1, unlimited()).unwrap().summary.uuid;
    let mut consumer = Consumer::new(&server, stream, "app", PLENTY);
    fill(&mut writer, stream, 0..3, 100);
    consumer.take_until(3);
    server.signal(libc::SIGTERM);
    let ended = next_end(&mut consumer.client);
    assert_eq!((ended.error.code, ended.continue_at), (ErrorCode::ShuttingDown, Seq(3)));
    assert_eq!(server.wait().code, 0);
}
