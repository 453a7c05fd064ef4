//! One run over HTTP: connect, load, drain, verify.
//!
//! Every writer has a connection of HTTP/1.1 and one request at a time, as an SDK's thread has. In
//! a closed loop an answer is followed by the writer's next request; in an open loop a batch that
//! is due takes the writer that is free longest, or waits here, and its wait counts. Consumers have
//! a connection of HTTP/2 each, in the same thread and on the same clock.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use shardway::security::sigv4::Signer;

use super::answer::{Answer, Refusal};
use super::connection::Connection;
use super::control::not_json;
use super::fan_out::{FanOut, Wanted};
use super::ledger::{Ledger, Reader};
use super::model::{PutRecordsAnswer, PutResult};
use super::pool::{Operation, Pool};
use super::read_back;
use super::stream::{HttpShard, HttpStream};
use super::target::Target;
use super::writer::Writer;
use crate::arrival::Schedule;
use crate::clock::{nanos, now_ns};
use crate::context::Context;
use crate::cpu::Sampler;
use crate::failure::{Failure, Result};
use crate::load::{Tally, Window};
use crate::outcome::Outcome;
use crate::pending::Delivery;
use crate::poll::{Poller, Ready};
use crate::server_cpu::ServerCpu;
use crate::stop;
use crate::workload::Workload;

/// Without any answer or record for so long, the server counts as stalled.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// Late batches of an open loop are sent for so long behind the window; then they are given up.
const DRAIN_TIME: Duration = Duration::from_secs(20);
/// Longest sleep of a run that does not spin: Ctrl-C and the clock are looked at so often.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// Runs `workload` on a stream of its own and verifies everything that it wrote.
pub fn run(
    context: &Context,
    target: &Target,
    what: &str,
    operation: Operation,
    workload: &Workload,
) -> Result<Outcome> {
    context.progress.stage(&format!("{what}: preparing"));
    let stream = HttpStream::create(target, workload.shards)?;
    let mut run = Run::open(context, target, stream, operation, workload)?;
    run.drive(what)?;
    run.finish()
}

struct Run<'a> {
    context: &'a Context,
    target: &'a Target,
    workload: &'a Workload,
    stream: HttpStream,
    shards: Rc<[HttpShard]>,
    pools: Rc<[Rc<Pool>]>,
    signer: Signer,
    poller: Rc<Poller>,
    /// Connection n is writer n's.
    connections: Vec<Connection>,
    writers: Vec<Writer>,
    consumers: Option<Consumers>,
    /// Writers without a request, the one that is so longest first.
    idle: VecDeque<usize>,
    /// Intended times of batches that wait for a writer.
    late: VecDeque<u64>,
    schedule: Option<Schedule>,
    sending: bool,
    server_cpu: ServerCpu,
    window: Window,
    acked: Ledger,
    tally: Tally,
    /// When something last arrived.
    progress_ns: u64,
    cpu: Sampler,
}

/// Consumers, each of which reads every shard.
struct Consumers {
    fan_out: FanOut,
    readers: Vec<Reader>,
}

impl<'a> Run<'a> {
    fn open(
        context: &'a Context,
        target: &'a Target,
        mut stream: HttpStream,
        operation: Operation,
        workload: &'a Workload,
    ) -> Result<Run<'a>> {
        let poller = Rc::new(Poller::new().map_err(Failure::io("creating an epoll set"))?);
        let shards: Rc<[HttpShard]> = stream.shards.clone().into();
        let pool =
            |writer| Rc::new(Pool::build(writer, operation, stream.name(), &shards, workload));
        let pools: Rc<[Rc<Pool>]> = (0..workload.writers).map(pool).collect();
        let mut signer = target.identity.signer();
        let endpoint = &target.endpoint;
        let connections = (0..pools.len())
            .map(|token| Connection::open(endpoint, &poller, token))
            .collect::<Result<Vec<_>>>()?;
        let writers: Vec<Writer> =
            pools.iter().map(|pool| Writer::new(Rc::clone(pool), &mut signer, endpoint)).collect();
        let consumers = match workload.consumers {
            0 => None,
            n => {
                let wanted = register(&mut stream, n as usize)?;
                let first = connections.len();
                let fan_out = FanOut::open(target, &poller, first, wanted, n as usize)?;
                let readers = (0..n).map(|_| Reader::new(&pools, &shards)).collect();
                Some(Consumers { fan_out, readers })
            }
        };
        let start = now_ns();
        let start_ns = start + nanos(workload.warmup);
        let window = Window { start_ns, end_ns: start_ns + nanos(workload.duration) };
        let schedule = workload.rate.map(|rate| {
            let batches_per_s = rate / f64::from(workload.batch_records);
            Schedule::new(workload.arrival, start, batches_per_s, workload.seed)
        });
        Ok(Run {
            idle: (0..writers.len()).collect(),
            acked: Ledger::new(writers.len(), shards.len()),
            context,
            target,
            workload,
            stream,
            shards,
            pools,
            signer,
            poller,
            connections,
            writers,
            consumers,
            late: VecDeque::new(),
            schedule,
            sending: true,
            server_cpu: ServerCpu::at(endpoint.address),
            window,
            tally: Tally::new(workload.consumers, window),
            progress_ns: start,
            cpu: Sampler::start(context.parts, start_ns),
        })
    }

    fn drive(&mut self, what: &str) -> Result<()> {
        if self.schedule.is_none() {
            // A closed loop starts with every writer.
            let now = now_ns();
            (0..self.writers.len()).try_for_each(|_| self.arrive(now))?;
        }
        let mut ready = Vec::new();
        loop {
            let now = now_ns();
            if self.sending {
                self.send_due(now)?;
            } else if self.is_settled() {
                return Ok(());
            } else if now > self.window.end_ns + nanos(DRAIN_TIME) {
                self.abandon_late();
            }
            ready.clear();
            self.poller.wait(self.timeout(now), &mut ready).map_err(Failure::io("waiting"))?;
            if !ready.is_empty() {
                let start = now_ns();
                ready.iter().try_for_each(|&event| self.turn(event))?;
                self.deliver()?;
                self.worked_since(start);
            } else {
                // A subscription may be due to be opened again.
                self.deliver()?;
            }
            if self.waits_in_vain(now)? {
                return Ok(());
            }
            let Tally { acked_records, series, .. } = &self.tally;
            self.context.progress.live(what, *acked_records, series.latest());
        }
    }

    fn send_due(&mut self, now: u64) -> Result<()> {
        if now >= self.window.start_ns {
            self.server_cpu.start();
        }
        if now >= self.window.end_ns || stop::requested() {
            self.sending = false;
            self.tally.server_cpu_ns = self.server_cpu.spent_ns();
            self.tally.backlog_batches = self.tally.open_batches;
            self.window.end_ns = self.window.end_ns.min(now);
            return Ok(());
        }
        let Some(mut schedule) = self.schedule.take() else { return Ok(()) };
        let mut sent = false;
        while let Some(intended_ns) = schedule.take_due(now) {
            self.arrive(intended_ns)?;
            sent = true;
        }
        self.schedule = Some(schedule);
        if sent {
            self.worked_since(now);
        }
        Ok(())
    }

    /// A batch is meant to leave at `intended_ns`.
    fn arrive(&mut self, intended_ns: u64) -> Result<()> {
        self.tally.open_batches += 1;
        self.tally.open_batches_max = self.tally.open_batches_max.max(self.tally.open_batches);
        match self.idle.pop_front() {
            Some(writer) => self.send(writer, intended_ns),
            None => {
                self.late.push_back(intended_ns);
                Ok(())
            }
        }
    }

    fn send(&mut self, at: usize, intended_ns: u64) -> Result<()> {
        let writer = &mut self.writers[at];
        let endpoint = &self.target.endpoint;
        let (head, slot) = writer.next(intended_ns, &mut self.signer, endpoint);
        self.connections[at].send(head, &writer.pool, slot, &self.poller)
    }

    fn worked_since(&mut self, start_ns: u64) {
        if self.window.contains(start_ns) {
            self.tally.busy_ns += now_ns() - start_ns;
        }
    }

    fn turn(&mut self, event: Ready) -> Result<()> {
        let at = event.token;
        if at >= self.connections.len() {
            if let Some(consumers) = &self.consumers {
                consumers.fan_out.ready(event);
            }
            return Ok(());
        }
        if event.writable {
            self.connections[at].flush(&self.poller)?;
        }
        let answers =
            Answers { writer: &mut self.writers[at], shards: &self.shards, acked: &mut self.acked };
        let stored = self.connections[at].receive(&self.poller, |answer| answers.take(&answer))?;
        let Some(Stored { intended_ns, records, refused }) = stored else { return Ok(()) };
        let now = now_ns();
        self.progress_ns = now;
        self.tally.refused_batches += u64::from(refused > 0);
        if records > 0 {
            self.tally.acked(intended_ns, now, records, self.window);
        }
        self.tally.open_batches -= 1;
        if let Some(intended_ns) = self.late.pop_front() {
            return self.send(at, intended_ns);
        }
        self.idle.push_back(at);
        if self.sending && self.schedule.is_none() { self.arrive(now) } else { Ok(()) }
    }

    /// Takes what was pushed.
    fn deliver(&mut self) -> Result<()> {
        let Some(Consumers { fan_out, readers }) = &mut self.consumers else { return Ok(()) };
        let (writers, tally, window) = (&self.writers, &mut self.tally, self.window);
        let progress_ns = &mut self.progress_ns;
        fan_out.turn(|consumer, shard, records| {
            // One reading for each event: a long turn must not make later ones look early.
            let now = now_ns();
            for record in records {
                *progress_ns = now;
                let sent = |writer: u32| writers[writer as usize].sent();
                let seen = readers[consumer].take(shard, record, sent);
                let seen = seen.map_err(Failure::HttpMismatch)?;
                let intended = writers[seen.writer as usize].intended_ns(seen.batch);
                let Some(intended_ns) = intended else {
                    let what = "a consumer is too far behind to be measured".to_owned();
                    return Err(Failure::Stalled(what));
                };
                tally.read_records += 1;
                let (reader, at_ns) = (consumer as u32, now);
                tally.delivered(Delivery { reader, intended_ns, at_ns, records: 1 }, window);
            }
            Ok(())
        })
    }

    fn timeout(&self, now: u64) -> Duration {
        if self.context.spin {
            return Duration::ZERO;
        }
        let due = self.schedule.as_ref().filter(|_| self.sending).map(Schedule::next_ns);
        due.map_or(SLEEP_MAX, |due| Duration::from_nanos(due.saturating_sub(now))).min(SLEEP_MAX)
    }

    fn is_settled(&self) -> bool {
        let wanted = self.tally.acked_records * u64::from(self.workload.consumers);
        self.tally.open_batches == 0 && self.tally.read_records >= wanted
    }

    fn abandon_late(&mut self) {
        let abandoned = std::mem::take(&mut self.late).len() as u64;
        self.tally.open_batches -= abandoned;
        self.tally.abandoned_batches += abandoned;
    }

    /// Whether acknowledged records do not come any more: the verification will say which. A
    /// request without an answer is a stall instead.
    fn waits_in_vain(&mut self, now: u64) -> Result<bool> {
        let Tally { open_batches, acked_records, .. } = self.tally;
        if open_batches == 0 && self.sending {
            // A pause between two batches of a slow schedule is nobody's fault.
            self.progress_ns = now;
        }
        if now < self.progress_ns + nanos(PROGRESS_TIMEOUT) {
            return Ok(false);
        }
        if open_batches == 0 {
            return Ok(true);
        }
        Err(Failure::Stalled(format!(
            "nothing for {PROGRESS_TIMEOUT:?}; {open_batches} requests without answer, \
             {acked_records} records acknowledged"
        )))
    }

    fn finish(self) -> Result<Outcome> {
        let Run { context, workload, mut stream, shards, pools, writers, acked, tally, .. } = self;
        let cpu = self.cpu.finish(self.window);
        if let Some(Consumers { readers, .. }) = self.consumers {
            for reader in &readers {
                acked.compare(reader.ledger(), &shards).map_err(Failure::HttpMismatch)?;
            }
            return Ok(Outcome::of(workload, self.window, tally, None, cpu));
        }
        // The load's connections end first, so that a read-back has the server for itself.
        drop(self.connections);
        let mut reader = Reader::new(&pools, &shards);
        let sent = |writer: u32| writers[writer as usize].sent();
        let progress = &context.progress;
        let read_back =
            read_back::read(&mut stream, &mut reader, tally.acked_records, sent, progress)?;
        acked.compare(reader.ledger(), &shards).map_err(Failure::HttpMismatch)?;
        Ok(Outcome::of(workload, self.window, tally, Some(read_back), cpu))
    }
}

/// Registers consumers; each wants every shard.
pub fn register(stream: &mut HttpStream, consumers: usize) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for consumer in 0..consumers {
        let consumer_arn: Rc<str> = stream.register(&format!("loadgen-{consumer}"))?.into();
        wanted.extend(stream.shards.iter().enumerate().map(|(shard, HttpShard { id, .. })| {
            let (consumer_arn, shard_id) = (Rc::clone(&consumer_arn), id.clone());
            Wanted { consumer, consumer_arn, shard, shard_id }
        }));
    }
    Ok(wanted)
}

/// Takes the answers of a writer.
struct Answers<'a> {
    writer: &'a mut Writer,
    shards: &'a [HttpShard],
    acked: &'a mut Ledger,
}

/// What became of a batch.
struct Stored {
    intended_ns: u64,
    records: u64,
    refused: u64,
}

impl Answers<'_> {
    fn take(self, answer: &Answer<'_>) -> Result<Stored> {
        let in_flight = self.writer.in_flight.take();
        let (n, intended_ns) = in_flight.expect("only a request has an answer");
        let pool = &self.writer.pool;
        let (operation, slot) = (pool.operation.name(), pool.slot(n));
        if answer.status != 200 {
            let refusal = Refusal::of(operation, answer.status, &answer.body);
            if refusal.is_throttling() {
                let refused = pool.batch_records() as u64;
                return Ok(Stored { intended_ns, records: 0, refused });
            }
            return Err(Failure::Refused(refusal));
        }
        let not_json = |e| not_json(operation, &e);
        let results = match pool.operation {
            Operation::PutRecord => vec![serde_json::from_slice(&answer.body).map_err(not_json)?],
            Operation::PutRecords => {
                let answer: PutRecordsAnswer<'_> =
                    serde_json::from_slice(&answer.body).map_err(not_json)?;
                answer.records
            }
        };
        let hashes = pool.batch_hashes(slot);
        if results.len() != hashes.len() {
            let (found, wanted) = (results.len(), hashes.len());
            let what = format!("{operation} of {wanted} records is answered with {found} results");
            return Err(Failure::Protocol(what));
        }
        let mut records = 0;
        for (at, (result, hash)) in results.iter().zip(hashes).enumerate() {
            let shard = pool.shard_at(at);
            if let Some(number) = stored_at(operation, result, &self.shards[shard])? {
                self.acked.add(pool.writer, shard, number, *hash);
                records += 1;
            }
        }
        Ok(Stored { intended_ns, records, refused: hashes.len() as u64 - records })
    }
}

/// The sequence number of a record that should be in `shard`; none if it was refused for a while.
pub fn stored_at<'r>(
    operation: &str,
    result: &'r PutResult<'_>,
    shard: &HttpShard,
) -> Result<Option<&'r str>> {
    let PutResult { sequence_number, shard_id, error_code, error_message } = result;
    match (sequence_number, shard_id, error_code) {
        (Some(number), Some(id), None) if id.0 == shard.id => Ok(Some(&number.0)),
        (Some(_), Some(id), None) => {
            let what = format!("a record of {} was stored in {}", shard.id, id.0);
            Err(Failure::Protocol(what))
        }
        (None, _, Some(code)) => {
            let message = error_message.as_ref().map_or("", |message| &message.0);
            let (operation, code) = (operation.to_owned(), code.0.clone().into_owned());
            let message = message.to_owned();
            let refusal = Refusal { operation, status: 200, code, message };
            if refusal.is_throttling() { Ok(None) } else { Err(Failure::Refused(refusal)) }
        }
        _ => Err(Failure::Protocol("a record is neither stored nor refused".to_owned())),
    }
}
