//! The load under which the script is carried out: many writers on few connections, one thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use shardway::base::limits::{SHARD_IN_BYTES, SHARD_IN_RECORDS};
use shardway::client::PutAnswer;
use shardway::record::BatchBuilder;
use shardway::wire::error::ErrorFrame;
use shardway::wire::shards::ShardMap;
use shardway::wire::{FrameHeader, Opcode, put};

use super::director::{News, Performed};
use super::lane::{Lane, Sender};
use super::options::LifeOptions;
use super::pauses::Answered;
use super::report::{StepRow, Steps};
use crate::arrival::{Arrival, Schedule};
use crate::clock::{nanos, now_ns};
use crate::connection::{Connection, decode};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::keyed::{Keys, Ledger};
use crate::outbox::Outbox;
use crate::poll::{Poller, Ready};
use crate::session::Session;
use crate::stop;
use crate::writer::writer_of;

/// Puts without an answer for so long: the server counts as stalled.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest sleep: Ctrl-C, the director's news and the clock are looked at so often.
const SLEEP_MAX: Duration = Duration::from_millis(10);
/// The load under which an on-demand stream must grow, as a share of its shards' limits.
const ABOVE_HALF: f64 = 0.75;

/// What the load has left behind.
#[derive(Debug)]
pub struct Written {
    /// What was acknowledged.
    pub ledger: Ledger,
    /// The steps as the writers saw them.
    pub steps: Steps,
    /// Records that were refused.
    pub refused_records: u64,
    /// Batches that the server routed by a newer map than their writer's.
    pub redirected_batches: u64,
}

/// Whether anybody still reads: a reader that has failed ends the load.
pub type ReadersRun<'a> = dyn Fn() -> bool + 'a;

/// Writes until the director says that it is over, and all puts are answered.
pub fn write(
    context: &Context,
    options: &LifeOptions,
    keys: &Arc<Keys>,
    map: &ShardMap,
    news: &Receiver<News>,
    readers_run: &ReadersRun<'_>,
) -> Result<Written> {
    let mut load = Load::open(context, options, keys, map)?;
    load.start()?;
    while !load.over {
        load.turn(news)?;
        if !readers_run() {
            break;
        }
    }
    load.drain()?;
    load.evaluate();
    let lanes = &load.lanes;
    Ok(Written {
        refused_records: lanes.iter().map(|lane| lane.refused_records).sum(),
        redirected_batches: lanes.iter().map(|lane| lane.redirected).sum(),
        ledger: load.ledger,
        steps: load.steps,
    })
}

struct Load<'a> {
    context: &'a Context,
    options: &'a LifeOptions,
    keys: &'a Keys,
    sender: Sender<'a>,
    poller: Poller,
    connections: Vec<Connection>,
    lanes: Vec<Lane>,
    next_lane: usize,
    schedule: Option<Schedule>,
    ledger: Ledger,
    /// Since the last step that was evaluated.
    answered: Vec<Answered>,
    /// Steps whose puts may still be under way.
    performed: Vec<Performed>,
    steps: Steps,
    /// When the last answer came, or nothing was awaited.
    progress_ns: u64,
    over: bool,
}

impl<'a> Load<'a> {
    fn open(
        context: &'a Context,
        options: &'a LifeOptions,
        keys: &'a Keys,
        map: &ShardMap,
    ) -> Result<Load<'a>> {
        let poller = Poller::new().map_err(Failure::io("creating an epoll set"))?;
        let connect = |token| Session::connect(context.address)?.into_connection(&poller, token);
        let connections: Vec<_> =
            (0..options.connections as usize).map(connect).collect::<Result<_>>()?;
        let lane = |w: u32| Lane::new(w, w as usize % connections.len(), keys, map);
        let lanes = (0..options.writers).map(lane).collect();
        let sender = Sender {
            stream: map.stream,
            keys,
            batch_records: options.batch_records,
            in_flight_max: options.in_flight,
            builder: BatchBuilder::new(),
            data: Vec::new(),
        };
        let now = now_ns();
        Ok(Load {
            context,
            options,
            keys,
            sender,
            poller,
            connections,
            lanes,
            next_lane: 0,
            schedule: options.rate.map(|rate| schedule(options, rate, now)),
            ledger: Ledger::new(keys.len()),
            answered: Vec::new(),
            performed: Vec::new(),
            steps: Steps::from(now),
            progress_ns: now,
            over: false,
        })
    }

    /// A closed loop starts with all places in flight taken.
    fn start(&mut self) -> Result<()> {
        if self.schedule.is_none() {
            let now = now_ns();
            for lane in &mut self.lanes {
                let outbox = &mut self.connections[lane.connection].outbox;
                for _ in 0..self.options.in_flight {
                    lane.arrive(now, &mut self.sender, outbox);
                }
            }
        }
        self.flush()
    }

    fn turn(&mut self, news: &Receiver<News>) -> Result<()> {
        self.hear(news)?;
        let now = now_ns();
        self.send_due(now);
        self.flush()?;
        self.receive(now)?;
        if self.performed.first().is_some_and(|step| !self.owes(step.end_ns)) {
            self.evaluate_first();
        }
        self.context.progress.show("the life of a stream", self.ledger.records());
        Ok(())
    }

    fn hear(&mut self, news: &Receiver<News>) -> Result<()> {
        loop {
            match news.try_recv() {
                Ok(News::Map(map)) => {
                    self.lanes.iter_mut().for_each(|lane| lane.route(self.keys, &map));
                }
                Ok(News::HalfOf(shards)) => {
                    let rate = f64::from(shards) * shard_rate(self.options.record_bytes);
                    self.lanes.iter_mut().for_each(Lane::abandon_late);
                    self.schedule = Some(schedule(self.options, rate, now_ns()));
                }
                Ok(News::Done(performed)) => self.performed.push(performed),
                Ok(News::Over(result)) => {
                    self.over = true;
                    return result;
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    return Err(Failure::Stalled("the script has broken off".to_owned()));
                }
            }
        }
        self.over |= stop::requested();
        Ok(())
    }

    fn send_due(&mut self, now: u64) {
        let Some(schedule) = &mut self.schedule else { return };
        while let Some(intended_ns) = schedule.take_due(now) {
            let at = self.next_lane;
            self.next_lane = (at + 1) % self.lanes.len();
            let lane = &mut self.lanes[at];
            let outbox = &mut self.connections[lane.connection].outbox;
            lane.arrive(intended_ns, &mut self.sender, outbox);
        }
    }

    fn flush(&mut self) -> Result<()> {
        let poller = &self.poller;
        let waiting = self.connections.iter_mut().filter(|c| !c.outbox.is_empty());
        waiting.into_iter().try_for_each(|connection| connection.flush(poller, false))
    }

    fn receive(&mut self, now: u64) -> Result<()> {
        let due = self.schedule.as_ref().filter(|_| !self.over).map(Schedule::next_ns);
        let wait = due.map_or(SLEEP_MAX, |due| Duration::from_nanos(due.saturating_sub(now)));
        let wait = if self.context.spin { Duration::ZERO } else { wait.min(SLEEP_MAX) };
        let mut ready = Vec::new();
        self.poller.wait(wait, &mut ready).map_err(Failure::io("waiting"))?;
        let mut connections = std::mem::take(&mut self.connections);
        let result = ready.into_iter().try_for_each(|Ready { token, writable }| {
            let connection = &mut connections[token];
            connection.receive(|header, payload, outbox| self.frame(&header, payload, outbox))?;
            connection.flush(&self.poller, writable)
        });
        self.connections = connections;
        result?;
        if self.lanes.iter().all(Lane::is_settled) {
            self.progress_ns = now;
        }
        if now_ns() > self.progress_ns + nanos(ANSWER_TIMEOUT) {
            return Err(Failure::Stalled(format!("no put was answered for {ANSWER_TIMEOUT:?}")));
        }
        Ok(())
    }

    fn frame(&mut self, header: &FrameHeader, bytes: &[u8], outbox: &mut Outbox) -> Result<()> {
        let at_ns = now_ns();
        self.progress_ns = at_ns;
        let (id, writer) = (header.correlation, writer_of(header.correlation));
        let nobody = || Failure::Protocol(format!("an answer for writer {writer}, who is nobody"));
        let lane = self.lanes.get_mut(writer as usize).ok_or_else(nobody)?;
        let intended_ns = match header.opcode {
            Opcode::PutAnswer => {
                let put::PutAnswer { runs, message, run_of } = decode(header, bytes)?;
                let answer = PutAnswer { runs, message: message.to_owned(), run_of };
                lane.answered(id, &answer, &mut self.ledger)?
            }
            Opcode::Error => {
                let ErrorFrame { code, message, .. } = decode(header, bytes)?;
                lane.refused(id, code, message, &mut self.ledger)?
            }
            other => return Err(Failure::Protocol(format!("{other:?} that nobody asked for"))),
        };
        self.answered.push(Answered { writer, intended_ns, at_ns });
        if self.schedule.is_none() && !self.over {
            lane.arrive(at_ns, &mut self.sender, outbox);
        } else {
            lane.catch_up(&mut self.sender, outbox);
        }
        Ok(())
    }

    /// Whether a put that was meant for a time before `ns` has no answer yet.
    fn owes(&self, ns: u64) -> bool {
        self.lanes.iter().any(|lane| lane.owes(ns))
    }

    /// Waits for the answers that are under way.
    fn drain(&mut self) -> Result<()> {
        self.over = true;
        self.lanes.iter_mut().for_each(Lane::abandon_late);
        while !self.lanes.iter().all(Lane::is_settled) {
            self.flush()?;
            self.receive(now_ns())?;
        }
        Ok(())
    }

    fn evaluate(&mut self) {
        while !self.performed.is_empty() {
            self.evaluate_first();
        }
    }

    fn evaluate_first(&mut self) {
        let step = self.performed.remove(0);
        let (keys, closed) = (self.keys, &step.closed);
        let affected = |writer: u32| {
            let mut of_writer = keys.of_slice(writer).map(|key| keys.key(key).hash);
            of_writer.any(|hash| closed.iter().any(|range| range.contains(hash)))
        };
        let row = StepRow::of(
            &step,
            &self.answered,
            self.steps.quiet_from_ns(),
            self.options.writers,
            affected,
        );
        self.context.progress.stage(&row.what);
        self.steps.add(row, step.end_ns);
        self.answered.retain(|put| put.at_ns > step.end_ns);
    }
}

fn schedule(options: &LifeOptions, records_per_s: f64, now: u64) -> Schedule {
    let batches_per_s = records_per_s / options.batch_records as f64;
    Schedule::new(Arrival::Constant, now, batches_per_s, options.seed)
}

/// Records a second that are clearly above half of a shard's limits, and within both.
fn shard_rate(record_bytes: usize) -> f64 {
    let by_bytes = SHARD_IN_BYTES as f64 / record_bytes as f64;
    ABOVE_HALF * by_bytes.min(SHARD_IN_RECORDS as f64)
}
