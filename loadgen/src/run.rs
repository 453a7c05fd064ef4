//! One run of one workload: connect, load, drain, verify.

use std::time::Duration;

use crate::arrival::Schedule;
use crate::clock::{nanos, now_ns};
use crate::connection::Connection;
use crate::context::Context;
use crate::cpu::Sampler;
use crate::failure::{Failure, Result};
use crate::load::{Load, Tally, Window};
use crate::outcome::Outcome;
use crate::poll::{Poller, Ready};
use crate::read_back;
use crate::server_cpu::ServerCpu;
use crate::session::Session;
use crate::setup;
use crate::skew::Choice;
use crate::stop;
use crate::stream::TestStream;
use crate::workload::Workload;

/// Without any answer or push for so long, the server counts as stalled.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// Late batches of an open loop are sent for so long behind the window; then they are given up.
const DRAIN_TIME: Duration = Duration::from_secs(20);
/// Longest sleep of a run that does not spin: Ctrl-C and the clock are looked at so often.
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// Distance of progress lines.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Runs `workload` on a stream of its own and verifies everything that it wrote.
pub fn run(context: &Context, what: &str, workload: &Workload) -> Result<Outcome> {
    workload.check()?;
    let mut stream = TestStream::create(context.address, workload)?;
    context.note_server(stream.server());
    let mut run = Run::open(context, &mut stream, workload)?;
    run.drive(what)?;
    run.finish(&mut stream)
}

/// Writes `workload` into `stream`, until its time or its records are over, and reads nothing.
pub fn write_only(
    context: &Context,
    what: &str,
    stream: &mut TestStream,
    workload: &Workload,
) -> Result<()> {
    workload.check()?;
    let mut run = Run::open(context, stream, workload)?;
    run.drive(what)
}

struct Run<'a> {
    context: &'a Context,
    workload: &'a Workload,
    poller: Poller,
    connections: Vec<Connection>,
    load: Load,
    schedule: Option<Schedule>,
    choice: Choice,
    /// Connections that got a batch in this turn.
    unflushed: Vec<usize>,
    sending: bool,
    server_cpu: ServerCpu,
    /// When something last arrived.
    progress_ns: u64,
    cpu: Sampler,
    /// Consumers that read nothing.
    _stalled: Vec<Session>,
}

impl<'a> Run<'a> {
    fn open(
        context: &'a Context,
        stream: &mut TestStream,
        workload: &'a Workload,
    ) -> Result<Run<'a>> {
        let poller = Poller::new().map_err(Failure::io("creating an epoll set"))?;
        let mut connections = Vec::new();
        let pools = setup::pools(stream, workload);
        let writers = setup::writers(stream, workload, &pools, &poller, &mut connections)?;
        let subscriptions =
            setup::subscriptions(stream, workload, &pools, &poller, &mut connections)?;
        let stalled = setup::stalled(stream, workload)?;
        let start = now_ns();
        let start_ns = start + nanos(workload.warmup);
        let window = Window { start_ns, end_ns: start_ns + nanos(workload.duration) };
        let schedule = workload.rate.map(|rate| {
            let batches_per_s = rate / f64::from(workload.batch_records);
            Schedule::new(workload.arrival, start, batches_per_s, workload.seed)
        });
        let load = Load {
            shards: setup::shards(stream, workload),
            writers,
            subscriptions,
            window,
            closed_loop: workload.rate.is_none(),
            tally: Tally::new(workload.consumers, window),
        };
        Ok(Run {
            context,
            workload,
            poller,
            connections,
            load,
            schedule,
            choice: Choice::new(workload.writers as usize, workload.skew, workload.seed),
            unflushed: Vec::new(),
            sending: true,
            server_cpu: ServerCpu::at(context.address),
            progress_ns: start,
            cpu: Sampler::start(context.parts, start_ns),
            _stalled: stalled,
        })
    }

    fn drive(&mut self, what: &str) -> Result<()> {
        self.start()?;
        let mut ready = Vec::new();
        let mut shown_ns = 0;
        loop {
            let now = now_ns();
            if self.sending {
                self.send_due(now)?;
            } else if self.load.is_settled(self.workload.consumers) {
                return Ok(());
            } else if now > self.load.window.end_ns + nanos(DRAIN_TIME) {
                self.load.abandon_late();
            }
            ready.clear();
            let timeout = self.timeout(now);
            self.poller.wait(timeout, &mut ready).map_err(Failure::io("waiting"))?;
            if !ready.is_empty() {
                let start = now_ns();
                ready.iter().try_for_each(|&event| self.turn(event))?;
                self.worked_since(start);
            }
            if self.waits_in_vain(now)? {
                return Ok(());
            }
            if now > shown_ns + nanos(PROGRESS_INTERVAL) {
                let Tally { acked_records, series, .. } = &self.load.tally;
                self.context.progress.live(what, *acked_records, series.latest());
                shown_ns = now;
            }
        }
    }

    /// A closed loop starts with all places in flight taken.
    fn start(&mut self) -> Result<()> {
        if self.schedule.is_some() {
            return Ok(());
        }
        let now = now_ns();
        for writer in 0..self.load.writers.len() {
            let token = self.load.writers[writer].token;
            for _ in 0..self.workload.in_flight {
                self.load.arrive(writer, now, &mut self.connections[token].outbox);
            }
        }
        self.connections.iter_mut().try_for_each(|connection| connection.flush(&self.poller, false))
    }

    fn send_due(&mut self, now: u64) -> Result<()> {
        if now >= self.load.window.start_ns {
            self.server_cpu.start();
        }
        let enough = self.workload.records_max;
        let enough = enough.is_some_and(|records| self.load.tally.acked_records >= records);
        if enough || now >= self.load.window.end_ns || stop::requested() {
            self.sending = false;
            self.load.tally.server_cpu_ns = self.server_cpu.spent_ns();
            self.load.closed_loop = false;
            self.load.tally.backlog_batches = self.load.tally.open_batches;
            self.load.window.end_ns = self.load.window.end_ns.min(now);
            return Ok(());
        }
        let Some(schedule) = &mut self.schedule else { return Ok(()) };
        self.unflushed.clear();
        while let Some(intended_ns) = schedule.take_due(now) {
            let writer = self.choice.next();
            let token = self.load.writers[writer].token;
            self.load.arrive(writer, intended_ns, &mut self.connections[token].outbox);
            self.unflushed.push(token);
        }
        // What became due together leaves together; a second flush finds nothing to do.
        for &token in &self.unflushed {
            self.connections[token].flush(&self.poller, false)?;
        }
        if !self.unflushed.is_empty() {
            self.worked_since(now);
        }
        Ok(())
    }

    fn worked_since(&mut self, start_ns: u64) {
        if self.load.window.contains(start_ns) {
            self.load.tally.busy_ns += now_ns() - start_ns;
        }
    }

    fn turn(&mut self, event: Ready) -> Result<()> {
        let connection = &mut self.connections[event.token];
        let (load, progress_ns) = (&mut self.load, &mut self.progress_ns);
        connection.receive(|header, payload, outbox| {
            // One reading for each frame: a long turn must not make later frames look early.
            let now = now_ns();
            *progress_ns = now;
            load.frame(now, header, payload, outbox)
        })?;
        if !connection.outbox.is_empty() {
            connection.flush(&self.poller, event.writable)?;
        }
        Ok(())
    }

    fn timeout(&self, now: u64) -> Duration {
        if self.context.spin {
            return Duration::ZERO;
        }
        let due = self.schedule.as_ref().filter(|_| self.sending).map(|s| s.next_ns());
        due.map_or(SLEEP_MAX, |due| Duration::from_nanos(due.saturating_sub(now))).min(SLEEP_MAX)
    }

    /// Whether acknowledged records do not come any more: the verification will say which. A put
    /// without an answer is a stall instead.
    fn waits_in_vain(&mut self, now: u64) -> Result<bool> {
        let Tally { open_batches, acked_records, read_records, .. } = self.load.tally;
        let waits = open_batches > 0 || !self.sending;
        if !waits {
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
            "nothing for {PROGRESS_TIMEOUT:?}; {open_batches} batches without answer, \
             {acked_records} records acknowledged, {read_records} read"
        )))
    }

    fn finish(self, stream: &mut TestStream) -> Result<Outcome> {
        let Run { context, workload, load, connections, cpu, .. } = self;
        let cpu = cpu.finish(load.window);
        // The load's connections end first, so that a read-back has the server for itself.
        drop(connections);
        let refused = |writer: u32| load.writers[writer as usize].refused;
        for subscription in &load.subscriptions {
            subscription.verifier.finish(&load.shards[subscription.shard].acked, refused)?;
        }
        let read_back = if workload.consumers == 0 {
            Some(read_back::verify(context, stream, workload, &load)?)
        } else {
            None
        };
        // A verified run has paired every push with its ack.
        debug_assert!(load.shards.iter().all(|shard| shard.pending.is_empty()));
        Ok(Outcome::of(workload, load.window, load.tally, read_back, cpu))
    }
}
