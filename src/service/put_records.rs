//! Put: route, admit, sequence, stage. The answer follows when the records are durable.

use std::time::Instant;

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, SessionId, ShardKey, ShardNumber, StreamUuid};
use crate::base::limits::{FORWARDED_BYTES_MAX, HELD_BYTES_MAX};
use crate::base::stream::{Distribution, Durability};
use crate::catalog::StreamView;
use crate::fanout::Effect;
use crate::log::staging::Full;
use crate::metrics::{Counter, Histogram};
use crate::record::BatchView;
use crate::service::core::{Core, ParkedPut, PutWaiter};
use crate::service::held::HeldPut;
use crate::service::message::Message;
use crate::service::split::{Split, split_by_hash_key, split_evenly};
use crate::wire::put::PutRun;

/// A put as a connection asks for it.
#[derive(Clone, Copy, Debug)]
pub struct PutRequest<'a> {
    /// Who asks.
    pub session: SessionId,
    /// The request.
    pub correlation: u64,
    /// The stream.
    pub stream: StreamUuid,
    /// The shard of all records, or [`ShardNumber::ANY`].
    pub shard: ShardNumber,
    /// Version of the map by which the client chose the shard.
    pub map_version: u64,
    /// The records.
    pub batch: &'a BatchView<'a>,
}

/// A shard as the way to it needs it.
#[derive(Clone, Copy, Debug)]
struct Target {
    shard: ShardKey,
    home: CoreId,
    closing: bool,
}

impl Target {
    fn of(stream: &StreamView, shard: ShardNumber) -> Target {
        let known = stream.shard(shard).expect("a route leads to a shard");
        Target { shard: stream.key(shard), home: known.home, closing: known.closing }
    }
}

/// Where the records of a put go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    /// All to one shard.
    One(ShardNumber),
    /// Each by its hash key.
    ByHashKey,
    /// Anywhere, evenly.
    Evenly,
}

impl Core {
    /// Takes a put that came in on this core, for whichever shards it is. The caller has seen that
    /// there is room ([`Core::has_room`]). Without an error the answer comes as an effect.
    pub fn submit_put(&mut self, now: Now, request: &PutRequest<'_>) -> Result<(), ApiError> {
        let PutRequest { session, correlation, stream, batch, .. } = *request;
        let view = self.view.require_uuid(stream)?;
        match route_put(view, request)? {
            Route::One(shard) => {
                let target = Target::of(view, shard);
                let waiter = PutWaiter::new(session, correlation, None, now.mono);
                self.send_put(now, waiter, target, batch);
            }
            route => {
                if self.pending.contains(session, correlation) {
                    return Err(ApiError::invalid(format!(
                        "correlation {correlation} is in use by a put on its way"
                    )));
                }
                let view = view.clone();
                self.turns = self.turns.wrapping_add(1);
                let Split { parts, part_of } = match route {
                    Route::Evenly => split_evenly(&view, batch, self.turns),
                    _ => split_by_hash_key(&view, batch),
                };
                self.pending.start(session, correlation, parts.len(), part_of);
                for (part, (shard, batch)) in (0..).zip(parts) {
                    let waiter = PutWaiter::new(session, correlation, Some(part), now.mono);
                    self.send_owned_put(now, waiter, Target::of(&view, shard), batch);
                }
            }
        }
        Ok(())
    }

    /// Sends a batch to its shard. It is copied only where it must wait or travel.
    fn send_put(&mut self, now: Now, waiter: PutWaiter, target: Target, batch: &BatchView<'_>) {
        if target.home == self.me && !target.closing && self.parked.is_empty() {
            self.stage(now, waiter, target.shard, batch);
        } else {
            self.send_owned_put(now, waiter, target, batch.bytes().to_vec());
        }
    }

    fn send_owned_put(&mut self, now: Now, waiter: PutWaiter, target: Target, batch: Vec<u8>) {
        let Target { shard, home, closing } = target;
        // A core that refuses puts asks none of them to wait. Where they would have to, they are
        // refused at once, or more and more of them would be held.
        let would_wait = closing || self.forwarded_bytes >= FORWARDED_BYTES_MAX;
        if home == self.me && !closing {
            self.put_or_park(now, waiter, shard, batch);
        } else if would_wait && let Some(error) = self.refusal() {
            self.metrics.add(Counter::RefusedPuts, 1);
            self.refuse_records(waiter, shard, &batch, &error);
        } else if closing {
            self.held.push(HeldPut { waiter, shard, batch });
        } else {
            self.metrics.add(Counter::ForwardedRequests, 1);
            self.forwarded_bytes += batch.len();
            let PutWaiter { session, correlation, part, .. } = waiter;
            let session = session.expect("a put on its way has its connection");
            self.send(home, Message::Put { session, correlation, part, shard, batch });
        }
    }

    /// Sends on what waited for shards to close, as far as they have, in the order in which it
    /// came.
    pub(super) fn release_held(&mut self, now: Now) {
        if self.held.is_empty() {
            return;
        }
        for HeldPut { waiter, shard, batch } in self.held.take() {
            let view = self.view.clone();
            let stream = match view.require_uuid(shard.stream) {
                Ok(stream) if stream.require_usable().is_ok() => stream,
                _ => {
                    let error = view.rules().stream_not_found(&shard.stream.to_string());
                    self.refuse_records(waiter, shard, &batch, &error);
                    continue;
                }
            };
            let open = stream.shard(shard.number).is_some_and(|known| known.is_open());
            if open {
                // Still closing: it goes on waiting. Not closed after all: it goes there.
                self.send_owned_put(now, waiter, Target::of(stream, shard.number), batch);
            } else {
                self.send_divided(now, stream, waiter, shard, batch);
            }
        }
    }

    /// A batch whose shard has closed goes to the shards that have taken its place.
    fn send_divided(
        &mut self,
        now: Now,
        stream: &StreamView,
        waiter: PutWaiter,
        old: ShardKey,
        batch: Vec<u8>,
    ) {
        let view = BatchView::check_client(&batch).expect("its core checked it");
        let Split { mut parts, part_of } = split_by_hash_key(stream, &view);
        if parts.len() == 1 {
            let (shard, _) = parts.remove(0);
            return self.send_owned_put(now, waiter, Target::of(stream, shard), batch);
        }
        let PutWaiter { session: Some(session), correlation, part, since, .. } = waiter else {
            return;
        };
        let numbers = match part {
            Some(part) => self.pending.divide(session, correlation, part, parts.len(), &part_of),
            None if self.pending.contains(session, correlation) => {
                let error = ApiError::invalid(format!("correlation {correlation} is in use twice"));
                return self.refuse_records(waiter, old, &batch, &error);
            }
            None => {
                self.pending.start(session, correlation, parts.len(), part_of);
                Some((0..parts.len() as u16).collect())
            }
        };
        // Nobody waits any more for a put whose connection has gone; none of it was stored.
        for (part, (shard, batch)) in numbers.into_iter().flatten().zip(parts) {
            let waiter = PutWaiter::new(session, correlation, Some(part), since);
            self.send_owned_put(now, waiter, Target::of(stream, shard), batch);
        }
    }

    /// Whether a batch of so many bytes can be taken now. If not, it waits where it is.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        // What will be refused needs no room: it must not wait for a full disk to have some.
        self.refuses_puts()
            || (self.parked.is_empty()
                && self.held.bytes() < HELD_BYTES_MAX
                && self.forwarded_bytes < FORWARDED_BYTES_MAX
                && !self.is_behind()
                && self.log.has_room(bytes))
    }

    fn refuses_puts(&self) -> bool {
        self.refusal.is_some() || self.log.failure().is_some()
    }

    /// Why all puts are refused, if they are.
    fn refusal(&self) -> Option<ApiError> {
        let reason = self.log.failure().or(self.refusal.as_deref())?;
        Some(ApiError::internal(format!("nothing was stored: {reason}")))
    }

    /// Answers a put that came when nothing can be stored any more.
    pub fn refuse_put(&mut self, waiter: PutWaiter, key: ShardKey, batch: &[u8]) {
        let error = ApiError::new(ErrorCode::ShuttingDown, "the server is stopping");
        self.refuse_records(waiter, key, batch, &error);
    }

    /// Refuses all records of a batch.
    fn refuse_records(&mut self, waiter: PutWaiter, key: ShardKey, batch: &[u8], error: &ApiError) {
        let count = BatchView::check_client(batch).map_or(0, |view| view.header().count);
        let run = PutRun { shard: key.number, count, outcome: Err(error.code), arrival: Millis(0) };
        self.put_done(waiter, run, error.message.clone());
    }

    /// Puts a checked batch into a shard at home here.
    pub fn put(
        &mut self,
        now: Now,
        waiter: PutWaiter,
        key: ShardKey,
        batch: &BatchView<'_>,
    ) -> Result<(), Full> {
        if !self.has_room(batch.bytes().len()) {
            return Err(Full);
        }
        self.stage(now, waiter, key, batch);
        Ok(())
    }

    /// Like [`Core::put`], for bytes that nobody else keeps: they wait here for room.
    ///
    /// What waits is bounded by its senders, each of which has so much on its way at most
    /// ([`FORWARDED_BYTES_MAX`]) and takes in no more puts meanwhile. No two cores wait for each
    /// other: what is parked here goes on by this core's journal and segments alone, and mail is
    /// taken in whether there is room or not, so that answers and everything else come through.
    pub fn put_or_park(&mut self, now: Now, waiter: PutWaiter, key: ShardKey, batch: Vec<u8>) {
        let takes = self.parked.is_empty() && !self.is_behind() && self.log.has_room(batch.len());
        if takes || self.refuses_puts() {
            let view = BatchView::check_client(&batch).expect("its core checked it");
            self.stage(now, waiter, key, &view);
        } else {
            self.parked.push_back(ParkedPut { waiter, shard: key, batch });
        }
    }

    /// Stages parked puts while there is room.
    pub fn unpark(&mut self, now: Now) {
        while let Some(first) = self.parked.front() {
            let waits = self.is_behind() || !self.log.has_room(first.batch.len());
            if waits && !self.refuses_puts() {
                return;
            }
            let ParkedPut { waiter, shard, batch } = self.parked.pop_front().expect("just seen");
            let view = BatchView::check_client(&batch).expect("its core checked it");
            self.stage(now, waiter, shard, &view);
        }
    }

    /// Whether puts wait here for room.
    #[must_use]
    pub fn is_parking(&self) -> bool {
        !self.parked.is_empty()
    }

    fn stage(&mut self, now: Now, waiter: PutWaiter, key: ShardKey, batch: &BatchView<'_>) {
        let count = batch.header().count;
        if let Err(error) = self.try_stage(now, waiter, key, batch) {
            if error.code == ErrorCode::ProvisionedThroughputExceeded {
                self.metrics.add(Counter::PutThrottles, 1);
                self.metrics.add(Counter::ThrottledRecords, u64::from(count));
            } else {
                self.metrics.add(Counter::RefusedPuts, 1);
            }
            let run =
                PutRun { shard: key.number, count, outcome: Err(error.code), arrival: Millis(0) };
            self.put_done(waiter, run, error.message);
        }
    }

    fn try_stage(
        &mut self,
        now: Now,
        waiter: PutWaiter,
        key: ShardKey,
        batch: &BatchView<'_>,
    ) -> Result<(), ApiError> {
        if let Some(error) = self.refusal() {
            return Err(error);
        }
        let slot = self.slot(key)?;
        let count = batch.header().count;
        let shard = self.shards[slot.0 as usize].as_mut().expect("an open slot has its shard");
        shard.admit(now, count, batch.quota_bytes())?;
        let stamp = shard.sequence(now.wall, count);
        let (durability, needs_sync) = (shard.options().durability, shard.needs_sync());
        self.log
            .stage(slot, batch.bytes(), count, &stamp, needs_sync)
            .expect("room was checked before");
        self.unwritten_bytes += batch.bytes().len() as u64;
        self.metrics.add(Counter::RecordsIn, u64::from(count));
        self.metrics.add(Counter::BytesIn, u64::from(batch.quota_bytes()));
        self.metrics.record(Histogram::PutBatchRecords, u64::from(count));
        self.metrics.record(Histogram::PutBatchBytes, batch.bytes().len() as u64);
        let mut waits = waiter;
        if durability == Durability::Memory {
            let run = PutRun {
                shard: key.number,
                count,
                outcome: Ok(stamp.base),
                arrival: stamp.arrival,
            };
            self.metrics.record(Histogram::PutMicros, waiter.waited_us(now));
            self.put_done(waiter, run, String::new());
            waits.session = None;
        }
        self.staged_waiters.push(waits);
        Ok(())
    }

    /// Tells the core of the connection what became of a put or of a part of one.
    pub(super) fn put_done(&mut self, waiter: PutWaiter, run: PutRun, message: String) {
        let PutWaiter { session: Some(session), correlation, part, forwarded, .. } = waiter else {
            return;
        };
        if session.core == self.me {
            self.settle_put(session, correlation, part, run, message);
        } else {
            let bytes = forwarded;
            let done = Message::PutDone { session, correlation, part, run, message, bytes };
            self.send(session.core, done);
        }
    }

    /// Another core has answered for a batch of so many bytes.
    pub fn forwarded_done(&mut self, bytes: u32) {
        let left = self.forwarded_bytes.checked_sub(bytes as usize);
        self.forwarded_bytes = left.expect("each forwarded batch is answered once");
    }

    /// A put of a connection here is done, or a part of one: the answer waits for all parts.
    pub fn settle_put(
        &mut self,
        session: SessionId,
        correlation: u64,
        part: Option<u16>,
        run: PutRun,
        message: String,
    ) {
        let Some(part) = part else {
            self.effects.list.push(Effect::PutDone { session, correlation, run, message });
            return;
        };
        if let Some(whole) = self.pending.done(session, correlation, part, run, message) {
            let runs = whole.runs.into_iter().map(|run| run.expect("all parts are done")).collect();
            let (run_of, message) = (whole.run_of, whole.message);
            let done = Effect::PutInPartsDone { session, correlation, runs, run_of, message };
            self.effects.list.push(done);
        }
    }
}

impl PutWaiter {
    /// A connection's request, or a part of it, which came at `since`.
    #[must_use]
    pub fn new(
        session: SessionId,
        correlation: u64,
        part: Option<u16>,
        since: Instant,
    ) -> PutWaiter {
        PutWaiter { session: Some(session), correlation, part, forwarded: 0, since }
    }

    /// The same, where a batch of so many bytes came from the core of the connection.
    #[must_use]
    pub fn forwarded(
        session: SessionId,
        correlation: u64,
        part: Option<u16>,
        bytes: usize,
        since: Instant,
    ) -> PutWaiter {
        let forwarded = u32::try_from(bytes).expect("lengths of batches are 32 bits");
        PutWaiter { forwarded, ..PutWaiter::new(session, correlation, part, since) }
    }

    /// For how long the put has been on this core.
    pub(super) fn waited_us(&self, now: Now) -> u64 {
        now.mono.saturating_duration_since(self.since).as_micros() as u64
    }
}

/// Decides how a put is routed, and checks what holds for the whole stream.
///
/// A client that routes by an old shard map is not refused: its records are routed again.
fn route_put(stream: &StreamView, request: &PutRequest<'_>) -> Result<Route, ApiError> {
    let PutRequest { shard, map_version, batch, .. } = *request;
    stream.require_usable()?;
    if batch.record_bytes_max() > stream.options.record_bytes_max {
        return Err(ApiError::invalid(format!(
            "a record of {} bytes (data and partition key) is above the {} bytes that stream {} \
             allows",
            batch.record_bytes_max(),
            stream.options.record_bytes_max,
            stream.name
        )));
    }
    let (auto, named) =
        (stream.options.distribution == Distribution::Auto, shard != ShardNumber::ANY);
    if let Some(record) = batch.keyless().filter(|_| !auto) {
        return Err(ApiError::new(
            ErrorCode::Validation,
            format!(
                "record {record} has no partition key, and stream {} does not distribute by itself",
                stream.name
            ),
        ));
    }
    // A newer map may have shards that this core is still to hear of.
    if named && map_version <= stream.map_version {
        stream.require_numbered(shard)?;
    }
    if let Some(only) = stream.single_open_shard() {
        return Ok(Route::One(only));
    }
    if auto {
        return Ok(Route::Evenly);
    }
    let by_this_map = named && map_version == stream.map_version;
    if by_this_map && stream.shard(shard).is_some_and(|known| known.is_open()) {
        return Ok(Route::One(shard));
    }
    Ok(Route::ByHashKey)
}
