//! A reshard, from the first fence to the new shards.

use std::time::{Duration, Instant};

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber};
use crate::base::stream::StreamStatus;
use crate::catalog::decide::{self, Cause, ReshardPlan};
use crate::runtime::control::Control;
use crate::service::{ControlAnswer, ControlOutcome};
use crate::wire::reshard::{Reshard, Resharded};

/// A reshard is given up when its shards cannot make durable what they have taken: the disk is full
/// or has failed. Writers wait for no longer than this.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Behind the last record of each closing shard.
type Ends = Vec<(ShardNumber, Seq)>;

impl Control {
    /// Changes the shards of a stream. All of it happens or nothing, for readers, writers and a
    /// crash alike.
    pub(super) async fn reshard(
        &mut self,
        name: &str,
        reshard: &Reshard,
        cause: Cause,
    ) -> ControlOutcome {
        let now = Now::read().wall;
        let plan = decide::plan_reshard(&self.catalog, &self.rules(), name, reshard, cause, now)?;
        let before = self.view().require_name(name)?.open_shards() as u32;
        if plan.is_empty() {
            // A scaling to the shards that there are: no shard closes, nobody waits.
            let map_version = self.view().require_name(name)?.map_version;
            let done = Resharded { before, after: before, map_version, shards: Vec::new() };
            return Ok(ControlAnswer::Resharded(Box::new(done)));
        }
        let outcome = self.carry_out_plan(&plan).await;
        self.passing.closing.clear();
        if outcome.is_ok() {
            // What was held goes on, to the new shards. Whoever is told of one may ask any core for
            // it: all of them know the shards before one of them tells.
            let before = self.view().require_name(name)?.clone();
            self.passing.before.insert(plan.stream, before);
            self.spread(name).await;
            self.passing.before.clear();
        }
        self.passing.statuses.remove(&plan.stream);
        // The new shards, or the old ones again, for everybody.
        self.spread(name).await;
        outcome?;
        self.on_demand.resharded(plan.stream, Now::read().wall);
        let view = self.view();
        let stream = view.require_name(name)?;
        let shards = plan.changed(stream);
        let (after, map_version) = (stream.open_shards() as u32, stream.map_version);
        Ok(ControlAnswer::Resharded(Box::new(Resharded { before, after, map_version, shards })))
    }

    async fn carry_out_plan(&mut self, plan: &ReshardPlan) -> Result<(), ApiError> {
        let keys: Vec<ShardKey> =
            plan.parents.iter().map(|&number| ShardKey { stream: plan.stream, number }).collect();
        self.passing.statuses.insert(plan.stream, StreamStatus::Updating);
        self.passing.closing.extend(keys.iter().copied());
        let view = self.view().next(&self.catalog, &plan.name, &self.passing);
        self.state.drained.borrow_mut().begin(view.version());
        self.install(view).await;
        let (ends, newest) = self.ends_of(&keys).await?;
        // A parent never closes before its last record arrived, whatever the clock says meanwhile.
        let at = Now::read().wall.max(newest);
        let event = decide::reshard(plan, &ends, &self.catalog, at);
        self.append(&event).await
    }

    /// Waits until each of the shards has said where it ends. Also returns when the newest of their
    /// records arrived.
    async fn ends_of(&self, shards: &[ShardKey]) -> Result<(Ends, Millis), ApiError> {
        let deadline = Instant::now() + DRAIN_MAX;
        loop {
            {
                let drained = self.state.drained.borrow();
                let drained = drained.ends();
                if drained.len() == shards.len() {
                    let ends = shards.iter().map(|key| (key.number, drained[key].0)).collect();
                    let newest = drained.values().map(|(_, arrival)| *arrival).max();
                    return Ok((ends, newest.unwrap_or_default()));
                }
            }
            if Instant::now() >= deadline {
                let drained = self.state.drained.borrow();
                let waits = shards.iter().find(|key| !drained.ends().contains_key(key));
                let waits = waits.expect("one of them has not answered").number;
                return Err(ApiError::internal(format!(
                    "shard {waits} could not make its records durable within {} s: nothing was \
                     changed. Look at the server's log for the state of its disk",
                    DRAIN_MAX.as_secs()
                )));
            }
            // Notified by each answer and by every look after the streams.
            self.state.control_due.wait().await;
        }
    }
}
