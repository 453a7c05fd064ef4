//! Changes of the catalog, on core 0: one after the other, durable, then seen by every core, then
//! answered. Core 0 also looks after the streams by itself: it scales those that are on demand and
//! removes shards that have expired.

mod removal;
mod reshard;
mod upkeep;

use std::rc::Rc;
use std::sync::Arc;

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Millis, StreamUuid};
use crate::base::rng::secret;
use crate::base::stream::StreamStatus;
use crate::catalog::on_demand::{OnDemand, OnDemandOptions};
use crate::catalog::{Event, FileStore, MetaStore, Passing, Rules, State, View, decide};
use crate::disk::dma::blocking;
use crate::quota::{ControlCall, ControlRates};
use crate::runtime::control::removal::Removals;
use crate::runtime::state::CoreState;
use crate::service::{
    ControlAnswer, ControlOperation, ControlOutcome, ControlRequest, Message, Outgoing,
};
use crate::wire::alter::{Direction, StreamChange};
use crate::wire::reshard::Reshard;
use crate::wire::shards::SHARDS_PER_PAGE_MAX;
use crate::wire::streams::{CreateStream, DeleteStream};

/// Serves changes until the server stops.
pub async fn control(state: Rc<CoreState>, store: FileStore, catalog: State) {
    let mut control = Control {
        store: Some(store),
        catalog,
        passing: Passing::default(),
        on_demand: OnDemand::new(OnDemandOptions::default()),
        rates: ControlRates::new(),
        removals: Removals::new(),
        state,
    };
    loop {
        let due = control.next_due();
        control.state.control_busy.set(due.is_some());
        match due {
            Some(Due::Upkeep) => control.look_after_streams().await,
            Some(Due::Removed(uuid, gone)) => control.stream_removed(uuid, gone).await,
            Some(Due::Request(request)) => control.serve(request).await,
            None => control.state.control_due.wait().await,
        }
    }
}

/// What core 0 has to do.
enum Due {
    Upkeep,
    /// A deleted stream; whether its files are gone.
    Removed(StreamUuid, bool),
    Request(ControlRequest),
}

struct Control {
    state: Rc<CoreState>,
    store: Option<FileStore>,
    catalog: State,
    /// What is true only while a change is being made.
    passing: Passing,
    on_demand: OnDemand,
    rates: ControlRates,
    removals: Removals,
}

impl Control {
    /// Requests come last: upkeep is due once a second, and must not wait until nobody asks for
    /// anything.
    fn next_due(&self) -> Option<Due> {
        if self.state.upkeep_due.replace(false) {
            return Some(Due::Upkeep);
        }
        if let Some((uuid, gone)) = self.state.removed.borrow_mut().pop() {
            return Some(Due::Removed(uuid, gone));
        }
        self.state.control.borrow_mut().pop_front().map(Due::Request)
    }

    async fn serve(&mut self, request: ControlRequest) {
        let ControlRequest { session, correlation, operation } = request;
        let outcome = match self.check_rate(&operation) {
            Err(error) => Err(error),
            Ok(()) => self.carry_out(&operation).await,
        };
        let deleted = matches!(outcome, Ok(ControlAnswer::Deleted));
        self.post(session.core, Message::ControlDone { session, correlation, outcome });
        if deleted {
            self.remove_deleted();
        }
    }

    async fn carry_out(&mut self, operation: &ControlOperation) -> ControlOutcome {
        let now = Now::read().wall;
        match operation {
            ControlOperation::Create { name, shards, options, tags } => {
                let (shards, options, tags) = (*shards, *options, tags.clone());
                self.create(&CreateStream { name, shards, options, tags }, now).await
            }
            ControlOperation::Delete { name, with_consumers } => {
                let request = DeleteStream { name, with_consumers: *with_consumers };
                let event = decide::delete_stream(&self.catalog, &self.rules(), &request)?;
                self.change(event).await?;
                Ok(ControlAnswer::Deleted)
            }
            ControlOperation::Alter { name, change } => self.alter(name, change, now).await,
            ControlOperation::Reshard { name, reshard } => {
                self.reshard(name, reshard, decide::Cause::Request).await
            }
            ControlOperation::Register { stream, consumer, tags } => {
                let (state, rules) = (&self.catalog, &self.rules());
                let event = decide::register_consumer(state, rules, stream, consumer, tags, now)?;
                self.change(event).await?;
                let view = self.view();
                let consumer = view.require_name(stream)?.consumer(consumer)?;
                Ok(ControlAnswer::Registered(Box::new(consumer)))
            }
            ControlOperation::Deregister { stream, consumer } => {
                let (state, rules) = (&self.catalog, &self.rules());
                let event = decide::deregister_consumer(state, rules, stream, consumer)?;
                self.change(event).await?;
                Ok(ControlAnswer::Deregistered)
            }
            ControlOperation::TagConsumer { stream, consumer, add, remove } => {
                let (state, rules) = (&self.catalog, &self.rules());
                let event = decide::tag_consumer(state, rules, stream, consumer, add, remove)?;
                if let Some(event) = event {
                    self.change(event).await?;
                }
                Ok(ControlAnswer::ConsumerTagged)
            }
            ControlOperation::UpdateAccount { commitment } => {
                let event = decide::update_account(&self.catalog, *commitment, now)?;
                if let Some(event) = event {
                    self.change(event).await?;
                }
                Ok(ControlAnswer::Account(Box::new(self.view().account(now))))
            }
        }
    }

    async fn create(&mut self, request: &CreateStream<'_>, now: Millis) -> ControlOutcome {
        let uuid = StreamUuid(secret());
        let event = decide::create_stream(&self.catalog, &self.rules(), request, now, uuid)?;
        self.append(&event).await?;
        // Until every core knows of it, it is being created.
        self.passing.statuses.insert(uuid, StreamStatus::Creating);
        self.spread(request.name).await;
        self.passing.statuses.remove(&uuid);
        self.spread(request.name).await;
        let description =
            self.view().require_name(request.name)?.describe(None, SHARDS_PER_PAGE_MAX as u32)?;
        Ok(ControlAnswer::Created(Box::new(description)))
    }

    async fn alter(&mut self, name: &str, change: &StreamChange, now: Millis) -> ControlOutcome {
        let rules = self.rules();
        if let Some(event) = decide::alter_stream(&self.catalog, &rules, name, change, now)? {
            let uuid = self.catalog.stream(name).expect("it was just altered").uuid;
            // What changes how the stream works passes through UPDATING, as on AWS.
            let passes = !matches!(
                change,
                StreamChange::Tag(_) | StreamChange::Untag(_) | StreamChange::Policy { .. }
            );
            if passes {
                self.passing.statuses.insert(uuid, StreamStatus::Updating);
                self.spread(name).await;
                self.passing.statuses.remove(&uuid);
            }
            let appended = self.append(&event).await;
            self.spread(name).await;
            appended?;
        }
        let summary = self.view().require_name(name)?.summary();
        Ok(ControlAnswer::Altered(Box::new(summary)))
    }

    /// The control-plane rates of AWS, where the operator wants them.
    fn check_rate(&mut self, operation: &ControlOperation) -> Result<(), ApiError> {
        let rules = self.rules();
        if !rules.control_rates {
            return Ok(());
        }
        let (call, stream) = call_of(operation);
        if call.is_none_or(|call| self.rates.try_take(Now::read().mono, call, stream)) {
            return Ok(());
        }
        Err(rules.rate_exceeded(stream))
    }

    /// Makes an event durable and waits until every core uses what follows from it.
    async fn change(&mut self, event: Event) -> Result<(), ApiError> {
        self.append(&event).await?;
        match event.stream() {
            Some(name) => self.spread(name).await,
            None => {
                let view = self.view().with_account(&self.catalog);
                self.install(view).await;
            }
        }
        Ok(())
    }

    /// Makes an event durable and applies it.
    async fn append(&mut self, event: &Event) -> Result<(), ApiError> {
        let mut store = self.store.take().expect("one change at a time");
        let appended = event.clone();
        let (store, result) = blocking(move || {
            let result = store.append(&appended);
            (store, result)
        })
        .await;
        if let Some(reason) = store.poisoned() {
            self.stop_writes(&format!("the catalog cannot be written: {reason}"));
        }
        self.store = Some(store);
        result
            .map_err(|error| ApiError::internal(format!("the catalog cannot change: {error}")))?;
        self.catalog.apply(event);
        Ok(())
    }

    /// The last change may be on disk or not. Before any shard takes more on one of the two
    /// assumptions, all cores stop acknowledging, and the server ends.
    fn stop_writes(&self, reason: &str) {
        if self.state.has_failed() {
            return;
        }
        for core in (0..self.state.mesh.cores()).map(CoreId) {
            self.post(core, Message::StopWrites(reason.to_owned()));
        }
        self.state.fail(reason);
    }

    /// Every core sees the stream as the catalog and what is passing have it now.
    async fn spread(&mut self, name: &str) {
        let view = self.view().next(&self.catalog, name, &self.passing);
        self.install(view).await;
    }

    async fn install(&mut self, view: View) {
        let cores = self.state.mesh.cores();
        let view = Arc::new(view);
        self.state.installs.set((view.version(), 0));
        for core in (0..cores).map(CoreId) {
            self.post(core, Message::ViewChanged(view.clone()));
        }
        while self.state.installs.get().1 < cores {
            self.state.control_due.wait().await;
        }
        // The same bell announces requests that came meanwhile.
        self.state.control_due.notify();
    }

    fn view(&self) -> Arc<View> {
        self.state.domain.borrow().core.view().clone()
    }

    fn rules(&self) -> Arc<Rules> {
        self.view().rules().clone()
    }

    fn post(&self, to: CoreId, message: Message) {
        let now = Now::read();
        let mut domain = self.state.domain.borrow_mut();
        domain.core.outgoing.push(Outgoing { to, message });
        self.state.finish_turn(&mut domain, now);
    }
}

/// The API's name of a change, where it has a published rate, and the stream it counts for.
fn call_of(operation: &ControlOperation) -> (Option<ControlCall>, Option<&str>) {
    let (call, stream) = match operation {
        ControlOperation::Create { .. } => (ControlCall::CreateStream, None),
        ControlOperation::Delete { name, .. } => (ControlCall::DeleteStream, Some(name)),
        ControlOperation::Alter { name, change } => return (call_of_change(change), Some(name)),
        ControlOperation::Reshard { name, reshard } => {
            let call = match reshard {
                Reshard::Split { .. } => ControlCall::SplitShard,
                Reshard::Merge { .. } => ControlCall::MergeShards,
                Reshard::Scale { .. } => ControlCall::UpdateShardCount,
            };
            (call, Some(name))
        }
        ControlOperation::Register { stream, .. } => (ControlCall::RegisterConsumer, Some(stream)),
        ControlOperation::Deregister { stream, .. } => {
            (ControlCall::DeregisterConsumer, Some(stream))
        }
        ControlOperation::TagConsumer { .. } => (ControlCall::AddTags, None),
        ControlOperation::UpdateAccount { .. } => (ControlCall::UpdateAccountSettings, None),
    };
    (Some(call), stream.map(String::as_str))
}

/// `None` for what has no published rate.
fn call_of_change(change: &StreamChange) -> Option<ControlCall> {
    match change {
        StreamChange::Retention { direction: Direction::Decrease, .. } => {
            Some(ControlCall::DecreaseRetention)
        }
        StreamChange::Retention { .. } => Some(ControlCall::IncreaseRetention),
        StreamChange::WarmThroughput(_) => Some(ControlCall::UpdateWarmThroughput),
        StreamChange::EnableMetrics(_) => Some(ControlCall::EnableMetrics),
        StreamChange::DisableMetrics(_) => Some(ControlCall::DisableMetrics),
        StreamChange::Policy { .. } => Some(ControlCall::Policy),
        StreamChange::Tag(_) => Some(ControlCall::AddTags),
        StreamChange::Untag(_) => Some(ControlCall::RemoveTags),
        StreamChange::Limits(_)
        | StreamChange::RecordBytesMax(_)
        | StreamChange::Mode { .. }
        | StreamChange::Distribution(_)
        | StreamChange::Encryption(_) => None,
    }
}
