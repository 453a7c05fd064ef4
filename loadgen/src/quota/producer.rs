//! A client that offers more than its stream admits, and gets everything in.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use shardway::base::error::ErrorCode;
use shardway::base::ids::ShardNumber;
use shardway::base::rng::SplitMix64;
use shardway::client::{Client, ClientError};
use shardway::record::BatchBuilder;
use shardway::wire::shards::ShardMap;

use super::Span;
use super::case::Case;
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::keyed::{Keys, Ledger};
use crate::stop;

/// The pause behind a first refusal; it doubles with each that follows.
const BACKOFF_FIRST: Duration = Duration::from_millis(5);
/// The longest pause: a shard must not gather much while its client waits.
const BACKOFF_MAX: Duration = Duration::from_millis(40);
/// A stream that has refused nothing for so long has no limit.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(30);
/// What is left must be admitted within this time.
const REST_TIMEOUT: Duration = Duration::from_secs(30);

/// What a client got in.
#[derive(Debug)]
pub struct Produced {
    /// Everything.
    pub ledger: Ledger,
    /// Measured time, from one admission to another.
    pub seconds: f64,
    /// Records that were admitted in it.
    pub records: u64,
    /// Their data and keys.
    pub bytes: u64,
    /// Data and keys that were sent in it, also in vain.
    pub offered_bytes: u64,
    /// Records that were refused, each time, over the whole run.
    pub refused_records: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Producer<'a> {
    case: &'a Case,
    keys: &'a Keys,
    map: &'a ShardMap,
    client: &'a mut Client,
    queues: Vec<Queue>,
    ledger: Ledger,
    builder: BatchBuilder,
    refused_records: u64,
    backoff: Duration,
    rng: SplitMix64,
}

/// What is to be sent to one shard, in order.
#[derive(Debug)]
struct Queue {
    keys: Range<u32>,
    /// Records that were taken from the keys so far.
    taken: u64,
    /// Key, counter and hash of those that were not admitted yet.
    waiting: VecDeque<(u32, u64, u64)>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    admitted_records: u64,
    admitted_bytes: u64,
    offered_bytes: u64,
    refused_records: u64,
}

impl<'a> Producer<'a> {
    /// A client that has sent nothing.
    pub fn new(
        case: &'a Case,
        keys: &'a Keys,
        map: &'a ShardMap,
        client: &'a mut Client,
    ) -> Producer<'a> {
        let queue = |n| Queue { keys: keys.of_slice(n), taken: 0, waiting: VecDeque::new() };
        Producer {
            case,
            keys,
            map,
            client,
            queues: (0..case.shards).map(queue).collect(),
            ledger: Ledger::new(keys.len()),
            builder: BatchBuilder::new(),
            refused_records: 0,
            backoff: BACKOFF_FIRST,
            rng: SplitMix64::new(u64::from(case.shards) << 32 | case.record_bytes as u64),
        }
    }

    /// Uses up the burst, measures, and gets the rest in.
    pub fn run(mut self, span: Span, admitted: &AtomicU64) -> Result<Produced> {
        let start = now_ns();
        while self.refused_records == 0 {
            self.attempt(true, admitted)?;
            if now_ns() > start + nanos(REFUSAL_TIMEOUT) {
                let what = format!("nothing was refused for {REFUSAL_TIMEOUT:?}: no limit holds");
                return Err(Failure::Protocol(what));
            }
        }
        let settled = now_ns() + nanos(span.settle);
        // The window starts with an admission, whose batch lies before it.
        while self.attempt(true, admitted)?.admitted_records == 0 || now_ns() < settled {}
        let window_start = now_ns();
        let (mut window_end, mut in_window, mut since) =
            (window_start, Attempt::default(), Attempt::default());
        while now_ns() < window_start + nanos(span.duration) && !stop::requested() {
            since.add(self.attempt(true, admitted)?);
            if since.admitted_records > 0 {
                in_window.add(std::mem::take(&mut since));
                window_end = now_ns();
            }
        }
        self.finish(admitted)?;
        Ok(Produced {
            ledger: self.ledger,
            seconds: (window_end - window_start) as f64 / 1e9,
            records: in_window.admitted_records,
            bytes: in_window.admitted_bytes,
            offered_bytes: in_window.offered_bytes,
            refused_records: self.refused_records,
        })
    }

    fn finish(&mut self, admitted: &AtomicU64) -> Result<()> {
        let start = now_ns();
        while self.queues.iter().any(|queue| !queue.waiting.is_empty()) {
            self.attempt(false, admitted)?;
            if now_ns() > start + nanos(REST_TIMEOUT) {
                let left: usize = self.queues.iter().map(|queue| queue.waiting.len()).sum();
                return Err(Failure::Stalled(format!(
                    "{left} records were refused for {REST_TIMEOUT:?} after the client had \
                     stopped offering more"
                )));
            }
        }
        Ok(())
    }

    /// Sends the next records of every shard in one batch; `more` says whether there are new ones.
    /// Waits if any was refused.
    fn attempt(&mut self, more: bool, admitted: &AtomicU64) -> Result<Attempt> {
        let (sent, bytes) = self.build(more);
        let [only] = self.map.shards[..] else { return self.send(sent, bytes, None, admitted) };
        self.send(sent, bytes, Some(only.number), admitted)
    }

    fn send(
        &mut self,
        sent: Vec<usize>,
        bytes: u64,
        shard: Option<ShardNumber>,
        admitted: &AtomicU64,
    ) -> Result<Attempt> {
        let shard = shard.unwrap_or(ShardNumber::ANY);
        let (stream, version) = (self.map.stream, self.map.map_version);
        let answer = self.client.put(stream, shard, version, self.builder.finish());
        let outcomes: Vec<Option<ErrorCode>> = match answer {
            Ok(answer) => answer.outcomes().into_iter().map(|(_, o)| o.err()).collect(),
            Err(ClientError::Api(error)) => vec![Some(error.code); sent.len()],
            Err(error) => return Err(error.into()),
        };
        let mut attempt = Attempt { offered_bytes: bytes, ..Attempt::default() };
        let mut kept: Vec<VecDeque<_>> = vec![VecDeque::new(); self.queues.len()];
        for (queue, outcome) in sent.into_iter().zip(outcomes) {
            let record = self.queues[queue].waiting.pop_front().expect("it was sent from there");
            match outcome {
                None => {
                    let (key, counter, hash) = record;
                    self.ledger.add(key, counter, hash).map_err(|difference| {
                        Failure::Protocol(format!("{difference:?}: admitted before an earlier one"))
                    })?;
                    attempt.admitted_records += 1;
                    attempt.admitted_bytes += self.record_bytes(key);
                }
                Some(ErrorCode::ProvisionedThroughputExceeded) => {
                    attempt.refused_records += 1;
                    kept[queue].push_back(record);
                }
                Some(code) => {
                    return Err(Failure::Server { code, message: "of a put".to_owned() });
                }
            }
        }
        for (queue, mut kept) in self.queues.iter_mut().zip(kept) {
            kept.append(&mut queue.waiting);
            queue.waiting = kept;
        }
        self.refused_records += attempt.refused_records;
        admitted.fetch_add(attempt.admitted_records, Ordering::Relaxed);
        self.wait_after(&attempt);
        Ok(attempt)
    }

    /// Builds the next batch; says which queue each record is from, and its data and keys.
    fn build(&mut self, more: bool) -> (Vec<usize>, u64) {
        self.builder.clear();
        let (mut sent, mut bytes, mut data) = (Vec::new(), 0, Vec::new());
        for (at, queue) in self.queues.iter_mut().enumerate() {
            while more && queue.waiting.len() < self.case.batch_records {
                let keys = u64::from(queue.keys.end - queue.keys.start);
                let key = queue.keys.start + (queue.taken % keys) as u32;
                let counter = queue.taken / keys;
                queue.taken += 1;
                let hash = self.keys.record(key, counter, &mut data);
                queue.waiting.push_back((key, counter, hash));
            }
            for &(key, counter, _) in queue.waiting.iter().take(self.case.batch_records) {
                self.keys.record(key, counter, &mut data);
                let name = &self.keys.key(key).name;
                self.builder.push(name, None, &data).expect("batches are far below the limits");
                bytes += (name.len() + data.len()) as u64;
                sent.push(at);
            }
        }
        (sent, bytes)
    }

    /// Behind a refusal a pause, longer each time: between half of it and all of it, so that many
    /// clients do not come back together.
    fn wait_after(&mut self, attempt: &Attempt) {
        if attempt.refused_records == 0 {
            self.backoff = BACKOFF_FIRST;
            return;
        }
        let half = self.backoff.as_micros() as u64 / 2;
        thread::sleep(Duration::from_micros(half + self.rng.below(half)));
        let doubled = (self.backoff * 2).min(BACKOFF_MAX);
        self.backoff = if attempt.admitted_records > 0 { BACKOFF_FIRST } else { doubled };
    }

    fn record_bytes(&self, key: u32) -> u64 {
        (self.keys.key(key).name.len() + self.case.record_bytes) as u64
    }
}

impl Attempt {
    fn add(&mut self, other: Attempt) {
        self.admitted_records += other.admitted_records;
        self.admitted_bytes += other.admitted_bytes;
        self.offered_bytes += other.offered_bytes;
        self.refused_records += other.refused_records;
    }
}
