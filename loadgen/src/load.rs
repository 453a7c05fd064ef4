//! Everything a run knows besides its sockets: writers, shards, subscriptions, and the counts.

use shardway::base::ids::ShardKey;
use shardway::wire::put::PutAnswer;
use shardway::wire::subscribe::{Credit, Push};
use shardway::wire::{FrameHeader, Opcode};

use crate::connection::{decode, server_error};
use crate::failure::{Failure, Result};
use crate::latency::Latencies;
use crate::outbox::Outbox;
use crate::pending::{Delivery, Pending};
use crate::series::Recorder;
use crate::session::subscription_end;
use crate::verify::{Acked, ReadVerifier};
use crate::writer::{Writer, writer_of};

/// Credit of a subscription: more than a server has under way, so that it never waits for us.
pub const CREDIT_BYTES: u64 = 32 << 20;

/// A window of this length is long: its end is compared with its beginning.
const LONG_NS: u64 = 60_000_000_000;

/// A shard under load.
#[derive(Debug)]
pub struct ShardLoad {
    /// Which.
    pub key: ShardKey,
    /// What was acknowledged.
    pub acked: Acked,
    /// Pairs of acknowledgement and push.
    pub pending: Pending,
}

/// A consumer's reading of one shard.
#[derive(Debug)]
pub struct Subscription {
    /// Whose.
    pub consumer: u32,
    /// Index of the shard.
    pub shard: usize,
    /// What was read.
    pub verifier: ReadVerifier,
    /// Bytes since credit was last granted.
    pub used: u64,
}

/// The measured part of a run.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// From.
    pub start_ns: u64,
    /// To, exclusive.
    pub end_ns: u64,
}

impl Window {
    /// Whether `ns` is measured.
    #[must_use]
    pub fn contains(&self, ns: u64) -> bool {
        self.start_ns <= ns && ns < self.end_ns
    }
}

/// What was counted.
#[derive(Debug)]
pub struct Tally {
    /// Records acknowledged inside the window.
    pub window_records: u64,
    /// CPU time of the server inside the window, where it can be read.
    pub server_cpu_ns: Option<u64>,
    /// Records acknowledged at all.
    pub acked_records: u64,
    /// Records read, over all subscriptions.
    pub read_records: u64,
    /// Batches that the server refused.
    pub refused_batches: u64,
    /// Batches without an answer, sent or late.
    pub open_batches: u64,
    /// The most of them at once.
    pub open_batches_max: u64,
    /// Those without an answer when the window ended.
    pub backlog_batches: u64,
    /// Late batches that were given up.
    pub abandoned_batches: u64,
    /// Time in the window that this thread spent on sockets that were ready and batches due.
    pub busy_ns: u64,
    /// Intended send to acknowledgement, of batches meant for the window.
    pub ack: Latencies,
    /// Intended send to arrival, for each consumer.
    pub push: Vec<Latencies>,
    /// The same second by second.
    pub series: Recorder,
    /// Push, or else ack, of the first sixth of a long window, and of the last.
    pub sixths: Option<[Latencies; 2]>,
}

/// A run without its sockets.
#[derive(Debug)]
pub struct Load {
    /// Shards by index.
    pub shards: Vec<ShardLoad>,
    /// Writers by number.
    pub writers: Vec<Writer>,
    /// Subscriptions by number.
    pub subscriptions: Vec<Subscription>,
    /// What is measured.
    pub window: Window,
    /// Whether an answer is followed by the writer's next batch.
    pub closed_loop: bool,
    /// The counts.
    pub tally: Tally,
}

impl Load {
    /// A batch of `writer` is meant to leave at `intended_ns`.
    pub fn arrive(&mut self, writer: usize, intended_ns: u64, outbox: &mut Outbox) {
        self.tally.open_batches += 1;
        self.tally.open_batches_max = self.tally.open_batches_max.max(self.tally.open_batches);
        self.writers[writer].arrive(intended_ns, outbox);
    }

    /// Takes a frame that came at `now_ns`; what it causes goes to `outbox`, its connection's.
    pub fn frame(
        &mut self,
        now_ns: u64,
        header: FrameHeader,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<()> {
        match header.opcode {
            Opcode::PutAnswer => self.put_answer(now_ns, &header, payload, outbox),
            Opcode::Push => self.push(now_ns, &decode(&header, payload)?, outbox),
            Opcode::Error => self.error(now_ns, &header, payload, outbox),
            Opcode::SubscriptionEnd => Err(subscription_end(&header, payload)),
            other => Err(Failure::Protocol(format!("{other:?} that nobody asked for"))),
        }
    }

    fn put_answer(
        &mut self,
        now_ns: u64,
        header: &FrameHeader,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<()> {
        let answer: PutAnswer<'_> = decode(header, payload)?;
        let at = self.writer_index(header)?;
        let writer = &mut self.writers[at];
        let shard = &mut self.shards[writer.shard];
        let records = writer.pool.batch_records();
        let [run] = answer.runs[..] else {
            let runs = answer.runs.len();
            return Err(Failure::Protocol(format!("a put to one shard has {runs} runs")));
        };
        if run.shard != shard.key.number || run.count != records {
            return Err(Failure::Protocol(format!(
                "a put of {records} records to {} is answered with {} to {}",
                shard.key.number, run.count, run.shard
            )));
        }
        let base = match run.outcome {
            Ok(base) => base.0,
            Err(code) if code.is_retryable() => {
                writer.refuse(header.correlation)?;
                self.tally.refused_batches += 1;
                self.answered(at, now_ns, outbox);
                return Ok(());
            }
            Err(code) => {
                return Err(Failure::Server { code, message: answer.message.to_owned() });
            }
        };
        let batch = writer.stored(header.correlation)?;
        shard.acked.add(base, &writer.pool, batch.n)?;
        let (tally, window) = (&mut self.tally, self.window);
        let end = base + u64::from(records);
        shard.pending.acked(base, end, batch.intended_ns, |d| tally.delivered(d, window));
        tally.acked(batch.intended_ns, now_ns, u64::from(records), window);
        self.answered(at, now_ns, outbox);
        Ok(())
    }

    fn error(
        &mut self,
        now_ns: u64,
        header: &FrameHeader,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<()> {
        match server_error(header, payload) {
            Failure::Server { code, .. } if code.is_retryable() && header.correlation != 0 => {
                let at = self.writer_index(header)?;
                self.writers[at].refuse(header.correlation)?;
                self.tally.refused_batches += 1;
                self.answered(at, now_ns, outbox);
                Ok(())
            }
            failure => Err(failure),
        }
    }

    /// A place in flight is free.
    fn answered(&mut self, writer: usize, now_ns: u64, outbox: &mut Outbox) {
        self.tally.open_batches -= 1;
        self.writers[writer].catch_up(outbox);
        if self.closed_loop {
            self.arrive(writer, now_ns, outbox);
        }
    }

    fn writer_index(&self, header: &FrameHeader) -> Result<usize> {
        let writer = writer_of(header.correlation) as usize;
        if writer < self.writers.len() {
            return Ok(writer);
        }
        Err(Failure::Protocol(format!("an answer for writer {writer}, who does not exist")))
    }

    fn push(&mut self, now_ns: u64, push: &Push<'_>, outbox: &mut Outbox) -> Result<()> {
        let id = push.subscription;
        let Some(subscription) = self.subscriptions.get_mut(id as usize) else {
            return Err(Failure::Protocol(format!("a push for subscription {id}, never opened")));
        };
        let pending = &mut self.shards[subscription.shard].pending;
        let (tally, window, consumer) = (&mut self.tally, self.window, subscription.consumer);
        subscription.verifier.batches(push.batches, push.first.0, |seen| {
            tally.read_records += seen.records;
            let end = seen.first + seen.records;
            pending.pushed(consumer, seen.first, end, now_ns, |d| tally.delivered(d, window));
        })?;
        subscription.used += push.batches.len() as u64;
        if subscription.used >= CREDIT_BYTES / 2 {
            let credit = Credit { subscription: id, bytes: subscription.used };
            outbox.control(Opcode::Credit, 0, |w| credit.write(w));
            subscription.used = 0;
        }
        Ok(())
    }

    /// Gives up what is late: the server is too far behind. What is in flight is still awaited.
    pub fn abandon_late(&mut self) {
        let abandoned: u64 = self.writers.iter_mut().map(Writer::abandon_late).sum();
        self.tally.open_batches -= abandoned;
        self.tally.abandoned_batches += abandoned;
    }

    /// Whether every batch is answered and everything acknowledged is read.
    #[must_use]
    pub fn is_settled(&self, consumers: u32) -> bool {
        let wanted = self.tally.acked_records * u64::from(consumers);
        self.tally.open_batches == 0 && self.tally.read_records >= wanted
    }
}

impl Tally {
    /// Nothing yet, in front of a window.
    #[must_use]
    pub fn new(consumers: u32, window: Window) -> Tally {
        Tally {
            window_records: 0,
            acked_records: 0,
            read_records: 0,
            refused_batches: 0,
            open_batches: 0,
            open_batches_max: 0,
            backlog_batches: 0,
            abandoned_batches: 0,
            busy_ns: 0,
            server_cpu_ns: None,
            ack: Latencies::new(),
            push: (0..consumers).map(|_| Latencies::new()).collect(),
            series: Recorder::new(window.start_ns),
            sixths: (window.end_ns - window.start_ns >= LONG_NS)
                .then(|| [Latencies::new(), Latencies::new()]),
        }
    }

    /// CPU time of the server for each record that was acknowledged in the window.
    #[must_use]
    pub fn server_cpu_us_per_record(&self) -> Option<f64> {
        let records = self.window_records as f64;
        self.server_cpu_ns.filter(|_| records > 0.0).map(|ns| ns as f64 / 1e3 / records)
    }

    /// Counts for the sixth that `intended_ns` is in, if that is the first or the last.
    fn record_sixth(&mut self, intended_ns: u64, ns: u64, records: u64, window: Window) {
        let Some([first, last]) = &mut self.sixths else { return };
        let sixth = (window.end_ns - window.start_ns) / 6;
        if intended_ns < window.start_ns + sixth {
            first.record(ns, records);
        } else if intended_ns >= window.end_ns - sixth {
            last.record(ns, records);
        }
    }

    /// Records that were meant to leave at `intended_ns` were acknowledged.
    pub fn acked(&mut self, intended_ns: u64, now_ns: u64, records: u64, window: Window) {
        self.acked_records += records;
        self.series.acked(now_ns, now_ns - intended_ns, records);
        if window.contains(now_ns) {
            self.window_records += records;
        }
        if window.contains(intended_ns) {
            self.ack.record(now_ns - intended_ns, records);
            if self.push.is_empty() {
                self.record_sixth(intended_ns, now_ns - intended_ns, records, window);
            }
        }
    }

    /// Records have reached a reader.
    pub fn delivered(&mut self, delivery: Delivery, window: Window) {
        let ns = delivery.at_ns.saturating_sub(delivery.intended_ns);
        self.series.pushed(delivery.at_ns, ns, delivery.records);
        if window.contains(delivery.intended_ns) {
            self.push[delivery.reader as usize].record(ns, delivery.records);
            self.record_sixth(delivery.intended_ns, ns, delivery.records, window);
        }
    }
}
