//! A client that retries what was refused gets a shard's rate, whatever it sends and however late
//! it comes back.

use std::time::{Duration, Instant};

use super::*;
use crate::base::limits::PUT_BYTES_MAX;
use crate::base::rng::SplitMix64;
use crate::base::stream::ShardLimits;

/// Waits from 20 ms on that double with each refusal, with jitter.
struct Client {
    records: u32,
    bytes: u64,
    wait_max: Duration,
    wait: Duration,
    due: Instant,
    rng: SplitMix64,
    refused: u64,
    /// When and how much was taken.
    taken: Vec<(Instant, u64)>,
}

const FIRST_WAIT: Duration = Duration::from_millis(20);
/// Of a put that is taken.
const ROUND_TRIP: Duration = Duration::from_micros(500);

impl Client {
    fn new(start: Instant, records: u32, record_bytes: u64, wait_max_ms: u64) -> Client {
        Client {
            records,
            bytes: u64::from(records) * record_bytes,
            wait_max: Duration::from_millis(wait_max_ms),
            wait: FIRST_WAIT,
            due: start,
            rng: SplitMix64::new(u64::from(records) ^ record_bytes),
            refused: 0,
            taken: Vec::new(),
        }
    }

    fn send(&mut self, shard: &mut ShardIn) {
        let now = self.due;
        if shard.try_take(now, self.records, self.bytes) {
            self.taken.push((now, self.bytes));
            self.wait = FIRST_WAIT;
            self.due += ROUND_TRIP;
        } else {
            self.refused += 1;
            let half = self.wait / 2;
            let jitter = self.rng.below(half.as_micros() as u64 + 1);
            self.due += half + Duration::from_micros(jitter);
            self.wait = (self.wait * 2).min(self.wait_max);
        }
    }

    /// What was taken between two times, in bytes.
    fn between(&self, from: Instant, to: Instant) -> u64 {
        let inside = self.taken.iter().filter(|(at, _)| (from..to).contains(at));
        inside.map(|(_, bytes)| bytes).sum()
    }
}

fn run(shard: &mut ShardIn, clients: &mut [Client], until: Instant) {
    loop {
        let next = clients.iter_mut().min_by_key(|client| client.due).unwrap();
        if next.due >= until {
            return;
        }
        next.send(shard);
    }
}

/// Bytes a second that a shard of AWS takes in such records.
fn rate(record_bytes: u64) -> f64 {
    let limits = ShardLimits::AWS;
    (limits.in_records * record_bytes).min(limits.in_bytes) as f64
}

fn shapes() -> Vec<(u32, u64)> {
    let sizes = [100, 1000, 10_000, 100_000, 1_000_000];
    let batches = [1, 2, 10, 37, 100, 250, 500];
    let all = sizes.into_iter().flat_map(|size| batches.map(|records| (records, size)));
    all.filter(|(records, size)| u64::from(*records) * size <= PUT_BYTES_MAX as u64).collect()
}

#[test]
fn a_client_that_retries_gets_the_rate_within_three_percent() {
    for wait_max_ms in [100, 1000, 20_000] {
        for (records, record_bytes) in shapes() {
            let start = Instant::now();
            let minute = start + Duration::from_secs(60);
            let mut shard = ShardIn::new(&ShardLimits::AWS, start);
            let mut clients = [Client::new(start, records, record_bytes, wait_max_ms)];
            // Long enough that one put more or less is no percent.
            let seconds = 160 + 80 * (clients[0].bytes >> 20);
            run(&mut shard, &mut clients, start + Duration::from_secs(seconds));
            let [client] = clients;
            let what = format!("{records} x {record_bytes} B, waits up to {wait_max_ms} ms");
            // A minute from the first put on, with its burst: no better, but for the last put.
            let (got, due) = (client.between(start, minute) as f64, 60.0 * rate(record_bytes));
            let put = client.bytes as f64;
            assert!(got <= due * 1.03 + put, "{what}: {:.3} of a minute", got / due);
            assert!(got >= due * 0.97 - put, "{what}: {:.3} of a minute", got / due);
            // And in the long run, after the burst.
            let got = client.between(minute, start + Duration::from_secs(seconds)) as f64;
            let part = got / ((seconds - 60) as f64 * rate(record_bytes));
            assert!((0.97..=1.03).contains(&part), "{what}: {part:.3}");
            assert!(client.refused > 0);
        }
    }
}

#[test]
fn a_second_measurement_after_a_pause_gets_the_same() {
    for (records, record_bytes) in shapes().into_iter().filter(|(n, b)| u64::from(*n) * b < 1 << 20)
    {
        let start = Instant::now();
        let mut shard = ShardIn::new(&ShardLimits::AWS, start);
        let mut clients = [Client::new(start, records, record_bytes, 1000)];
        run(&mut shard, &mut clients, start + Duration::from_secs(60));
        let again = start + Duration::from_secs(600);
        clients[0].due = again;
        let end = again + Duration::from_secs(60);
        run(&mut shard, &mut clients, end);
        let got = clients[0].between(again, end) as f64;
        let due = 60.0 * rate(record_bytes);
        assert!(got <= due * 1.03 + clients[0].bytes as f64, "{records} x {record_bytes} B");
        assert!(got >= due * 0.97, "{records} x {record_bytes} B");
    }
}

#[test]
fn clients_with_small_and_with_large_puts_all_get_their_turns() {
    let start = Instant::now();
    let mut shard = ShardIn::new(&ShardLimits::AWS, start);
    let mut clients = [
        Client::new(start, 1, 1000, 100),
        Client::new(start, 500, 1000, 1000),
        Client::new(start, 10, 100_000, 1000),
        Client::new(start, 10, 1_000_000, 1000),
    ];
    let end = start + Duration::from_secs(600);
    run(&mut shard, &mut clients, end);
    let got: Vec<_> = clients.iter().map(|client| client.between(start, end)).collect();
    let sum = got.iter().sum::<u64>() as f64 / (600.0 * (1 << 20) as f64);
    assert!((0.97..=1.03).contains(&sum), "{sum} of the rate");
    assert!(got.iter().all(|got| *got > 5 << 20), "{got:?} bytes");
}

#[test]
fn records_above_a_second_of_the_rate_get_the_rate_too() {
    for mib in [2, 5, 10] {
        let start = Instant::now();
        let mut shard = ShardIn::new(&ShardLimits::AWS, start);
        let mut clients = [Client::new(start, 1, mib << 20, 20_000)];
        run(&mut shard, &mut clients, start + Duration::from_secs(1000));
        let from = start + Duration::from_secs(60);
        let got = clients[0].between(from, start + Duration::from_secs(1000));
        let part = got as f64 / (940 << 20) as f64;
        assert!((0.97..=1.03).contains(&part), "{mib} MiB: {part:.3}");
    }
}
