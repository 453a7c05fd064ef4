//! Put: admit, sequence, stage. The answer follows when the batch is durable.

use crate::base::clock::Now;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{SessionId, ShardKey, ShardNumber, StreamUuid};
use crate::base::stream::Durability;
use crate::catalog::StreamView;
use crate::fanout::Effect;
use crate::log::staging::Full;
use crate::metrics::Counter;
use crate::record::BatchView;
use crate::service::core::{Core, ParkedPut, PutWaiter};
use crate::wire::put::PutRun;

/// Where the records of a put go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// All to one shard.
    One(ShardNumber),
    /// Each by its hash key.
    ByHashKey,
}

impl Core {
    /// Decides how a put is routed, and checks what holds for the whole stream.
    ///
    /// A client that routes by an old shard map is not refused: its records are routed again.
    pub fn route_put(
        &self,
        stream: StreamUuid,
        shard: ShardNumber,
        map_version: u64,
        batch: &BatchView<'_>,
    ) -> Result<Route, ApiError> {
        let view = self.view.require_uuid(stream)?;
        view.require_active()?;
        if batch.record_bytes_max() > view.options.record_bytes_max {
            return Err(ApiError::invalid(format!(
                "a record of {} bytes (data and partition key) is above the {} bytes that stream \
                 {} allows",
                batch.record_bytes_max(),
                view.options.record_bytes_max,
                view.name
            )));
        }
        if shard != ShardNumber::ANY {
            let known = view.require_shard(shard)?;
            if map_version == view.map_version && known.is_open() {
                return Ok(Route::One(shard));
            }
        }
        Ok(single_shard(view).map_or(Route::ByHashKey, Route::One))
    }

    /// Whether a batch of so many bytes can be taken now. If not, it waits where it is.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        // What will be refused needs no room: it must not wait for a full disk to have some.
        self.refuses_puts()
            || (self.parked.is_empty() && !self.is_behind() && self.log.has_room(bytes))
    }

    fn refuses_puts(&self) -> bool {
        self.refusal.is_some() || self.log.failure().is_some()
    }

    /// Answers a put that came when nothing can be stored any more.
    pub fn refuse_put(&mut self, waiter: PutWaiter, key: ShardKey, batch: &[u8]) {
        let count = BatchView::check_client(batch).map_or(0, |view| view.header().count);
        let outcome = Err(ErrorCode::ShuttingDown);
        let run = PutRun { shard: key.number, count, outcome };
        self.put_done(waiter, run, "the server is stopping".to_owned());
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
    pub fn put_or_park(&mut self, now: Now, waiter: PutWaiter, key: ShardKey, batch: Vec<u8>) {
        if self.has_room(batch.len()) {
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

    /// Whether puts of other cores should wait in their mailboxes.
    #[must_use]
    pub fn is_parking(&self) -> bool {
        !self.parked.is_empty()
    }

    fn stage(&mut self, now: Now, waiter: PutWaiter, key: ShardKey, batch: &BatchView<'_>) {
        let count = batch.header().count;
        if let Err(error) = self.try_stage(now, waiter, key, batch) {
            let counter = match error.code {
                ErrorCode::ProvisionedThroughputExceeded => Counter::PutThrottles,
                _ => Counter::RefusedPuts,
            };
            self.metrics.add(counter, 1);
            let run = PutRun { shard: key.number, count, outcome: Err(error.code) };
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
        if let Some(reason) = self.log.failure().or(self.refusal.as_deref()) {
            return Err(ApiError::internal(format!("nothing was stored: {reason}")));
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
        let mut waits = waiter;
        if durability == Durability::Memory {
            let run = PutRun { shard: key.number, count, outcome: Ok(stamp.base) };
            self.put_done(waiter, run, String::new());
            waits.session = None;
        }
        self.staged_waiters.push(waits);
        Ok(())
    }

    pub(super) fn put_done(&mut self, waiter: PutWaiter, run: PutRun, message: String) {
        let PutWaiter { session: Some(session), correlation, part } = waiter else { return };
        self.effects.list.push(Effect::PutDone { session, correlation, part, run, message });
    }
}

impl PutWaiter {
    /// A connection's request, or a part of it.
    #[must_use]
    pub fn new(session: SessionId, correlation: u64, part: Option<u16>) -> PutWaiter {
        PutWaiter { session: Some(session), correlation, part }
    }
}

/// The only open shard, if there is just one: every key belongs to it.
fn single_shard(view: &StreamView) -> Option<ShardNumber> {
    let mut open = view.shards.iter().filter(|shard| shard.is_open());
    let first = open.next()?;
    open.next().is_none().then_some(first.number)
}
