//! One connection to one home core: sends its shards' batches, takes their answers.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::judge::{Judgement, judge, judge_refusal};
use super::router::Routed;
use super::shard_queue::{Batch, ShardQueue, may_retry};
use super::summary::Totals;
use crate::base::ids::{ShardNumber, StreamUuid};
use crate::cli::failure::Failure;
use crate::cli::pause::pause;
use crate::client::{Client, ClientError, Incoming, PutAnswer};
use crate::wire::put::PutRun;
use crate::wire::streams::StreamDescription;

/// The shard map by which records are routed, and whether answers show that it is old.
///
/// The server routes what comes by an old map itself, so old maps cost time and nothing else.
#[derive(Clone, Debug)]
pub(super) struct Map {
    version: u64,
    /// The highest number of a shard. Those of a reshard are higher than all before.
    last: ShardNumber,
    is_old: Arc<AtomicBool>,
}

impl Map {
    pub(super) fn of(stream: &StreamDescription) -> Map {
        let last = stream.shards.iter().map(|shard| shard.number).max();
        Map {
            version: stream.summary.map_version,
            last: last.unwrap_or_default(),
            is_old: Arc::default(),
        }
    }

    /// Whether records have gone to a shard that is not on it.
    pub(super) fn is_old(&self) -> bool {
        self.is_old.load(Relaxed)
    }

    /// Looks at where the records of a put have gone, or would have gone.
    fn learn(&self, answer: &PutAnswer) {
        let new = |run: &PutRun| run.shard > self.last && run.shard != ShardNumber::ANY;
        if answer.runs.iter().any(new) {
            self.is_old.store(true, Relaxed);
        }
    }
}

/// What a lane works with.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) client: Client,
    pub(super) stream: StreamUuid,
    pub(super) map: Map,
    /// Batches of one shard in flight.
    pub(super) window: usize,
    pub(super) retry_for: Duration,
    pub(super) totals: Arc<Totals>,
}

impl Lane {
    /// Runs until `inbox` is closed and every batch is settled.
    pub(super) fn run(self, inbox: &Receiver<Routed>) -> Result<(), Failure> {
        let mut running = Running {
            lane: self,
            queues: BTreeMap::new(),
            owners: HashMap::new(),
            queued: 0,
            open: true,
        };
        running.run(inbox)
    }
}

struct Running {
    lane: Lane,
    queues: BTreeMap<ShardNumber, ShardQueue>,
    /// The shard of each batch in flight, by correlation.
    owners: HashMap<u64, ShardNumber>,
    /// Batches in all queues.
    queued: usize,
    /// Whether more batches may come.
    open: bool,
}

impl Running {
    fn run(&mut self, inbox: &Receiver<Routed>) -> Result<(), Failure> {
        loop {
            self.take_all(inbox);
            self.send_all()?;
            if !self.owners.is_empty() {
                self.wait_for_an_answer()?;
            } else if let Some(wake_at) = self.wake_at() {
                self.wait_for_time(inbox, wake_at);
            } else if !self.open {
                return Ok(());
            } else {
                match inbox.recv() {
                    Ok(routed) => self.take(routed),
                    Err(_) => self.open = false,
                }
            }
        }
    }

    fn take_all(&mut self, inbox: &Receiver<Routed>) {
        while self.open && self.queued < QUEUED_MAX {
            match inbox.try_recv() {
                Ok(routed) => self.take(routed),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.open = false,
            }
        }
    }

    fn take(&mut self, routed: Routed) {
        let (window, seed) = (self.lane.window, u64::from(routed.shard.0));
        let queue =
            self.queues.entry(routed.shard).or_insert_with(|| ShardQueue::new(window, seed));
        queue.push(routed.batch);
        self.queued += 1;
    }

    fn send_all(&mut self) -> Result<(), Failure> {
        let Lane { client, stream, map, .. } = &mut self.lane;
        let now = Instant::now();
        for (shard, queue) in &mut self.queues {
            while let Some(batch) = queue.sendable(now) {
                let correlation = client.send_put(*stream, *shard, map.version, &batch.bytes)?;
                queue.sent(correlation);
                self.owners.insert(correlation, *shard);
            }
        }
        Ok(())
    }

    fn wait_for_an_answer(&mut self) -> Result<(), Failure> {
        let patience = match self.wake_at() {
            Some(at) => at.saturating_duration_since(Instant::now()).min(ANSWER_TIMEOUT),
            None => ANSWER_TIMEOUT,
        };
        match self.lane.client.next_event(patience)? {
            Some(Incoming::Put { correlation, answer }) => {
                let Some((shard, batch, may_retry)) = self.answered(correlation) else {
                    return Ok(());
                };
                self.lane.map.learn(&answer);
                let judged = judge(&batch, &answer, may_retry).map_err(|cause| {
                    ClientError::Protocol { addr: self.lane.client.addr().to_owned(), cause }
                })?;
                self.account(shard, correlation, &batch, judged, &answer.message);
            }
            Some(Incoming::Failed { correlation, error, .. }) => {
                let Some((shard, batch, may_retry)) = self.answered(correlation) else {
                    return Err(error.into());
                };
                let judged = judge_refusal(&batch, error.code, may_retry);
                self.account(shard, correlation, &batch, judged, &error.to_string());
            }
            Some(_) => {}
            None if patience == ANSWER_TIMEOUT => {
                return Err(ClientError::Io {
                    context: format!("{} has not answered a put", self.lane.client.addr()),
                    source: ErrorKind::TimedOut.into(),
                }
                .into());
            }
            None => {}
        }
        Ok(())
    }

    /// The batch that an answer is about, and whether it may be sent again.
    fn answered(&mut self, correlation: u64) -> Option<(ShardNumber, Batch, bool)> {
        let shard = self.owners.remove(&correlation)?;
        let queue = self.queues.get_mut(&shard).expect("a batch in flight has a queue");
        let batch = queue.answered(correlation).expect("an owner is removed with its answer");
        let again = may_retry(&batch, Instant::now(), self.lane.retry_for);
        Some((shard, batch, again))
    }

    fn account(
        &mut self,
        shard: ShardNumber,
        correlation: u64,
        batch: &Batch,
        judged: Judgement,
        message: &str,
    ) {
        let totals = &self.lane.totals;
        totals.stored(judged.stored, judged.stored_bytes);
        if judged.failed > 0 {
            totals.failed(judged.failed, || format!("{shard}: {message}"));
        }
        let queue = self.queues.get_mut(&shard).expect("a batch in flight has a queue");
        match judged.again {
            Some(rest) => {
                totals.refused();
                queue.refuse(correlation, batch, rest, Instant::now());
            }
            None => {
                queue.settle(correlation, batch);
                self.queued -= 1;
            }
        }
    }

    /// When the first of the batches that wait only for time may go.
    fn wake_at(&self) -> Option<Instant> {
        self.queues.values().filter_map(ShardQueue::wake_at).min()
    }

    /// Nothing is in flight: waits for the end of a backoff, or for another shard's batch.
    fn wait_for_time(&mut self, inbox: &Receiver<Routed>, wake_at: Instant) {
        let wait = wake_at.saturating_duration_since(Instant::now());
        if !self.open || self.queued >= QUEUED_MAX {
            return pause(wait);
        }
        match inbox.recv_timeout(wait) {
            Ok(routed) => self.take(routed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.open = false,
        }
    }
}

/// Batches of a lane that are not stored yet; above it, the input waits.
const QUEUED_MAX: usize = 64;
/// A server that is silent for so long while it owes an answer is taken for dead.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
