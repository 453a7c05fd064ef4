mod account;
mod alter;
mod consumers;
mod expiry;
mod histories;
mod large;
mod misfits;
mod reshard;
mod scale;
mod shard_list;
mod streams;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::decide::{Cause, ReshardPlan};
use super::*;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, home_core};
use crate::base::stream::{Distribution, ShardLimits, StreamMode, StreamOptions, StreamStatus};
use crate::record::{HashKey, HashRange};
use crate::wire::alter::{Direction, StreamChange};
use crate::wire::reshard::Reshard;
use crate::wire::streams::{CreateStream, DeleteStream};

const NOW: Millis = Millis(1_700_000_000_000);
const HOUR: u64 = 3_600_000;

/// A catalog as core 0 keeps it: every decision that was taken is applied.
#[derive(Clone)]
struct World {
    state: State,
    rules: Rules,
    now: Millis,
    events: Vec<Event>,
}

impl World {
    fn new() -> World {
        let (state, rules) = (empty(), Rules::default());
        World { state, rules, now: NOW, events: Vec::new() }
    }

    /// With these streams of so many shards.
    fn with(streams: &[(&str, u32)]) -> World {
        let mut world = World::new();
        for (name, shards) in streams {
            world.create(name, *shards, StreamOptions::default()).unwrap();
        }
        world
    }

    fn apply(&mut self, event: Event) {
        self.state.apply(&event);
        self.events.push(event);
    }

    fn pass(&mut self, ms: u64) {
        self.now.0 += ms;
    }

    fn create(&mut self, name: &str, shards: u32, options: StreamOptions) -> Result<(), ApiError> {
        let uuid = StreamUuid((u128::from(self.state.version) + 1).to_be_bytes());
        let request = CreateStream { name, shards, options, tags: Vec::new() };
        let event = decide::create_stream(&self.state, &self.rules, &request, self.now, uuid)?;
        self.apply(event);
        Ok(())
    }

    fn delete(&mut self, name: &str, with_consumers: bool) -> Result<(), ApiError> {
        let request = DeleteStream { name, with_consumers };
        let event = decide::delete_stream(&self.state, &self.rules, &request)?;
        self.apply(event);
        Ok(())
    }

    /// Whether something changed.
    fn alter(&mut self, name: &str, change: StreamChange) -> Result<bool, ApiError> {
        let event = decide::alter_stream(&self.state, &self.rules, name, &change, self.now)?;
        Ok(event.map(|event| self.apply(event)).is_some())
    }

    fn plan(&self, name: &str, reshard: Reshard) -> Result<ReshardPlan, ApiError> {
        self.plan_by(name, reshard, Cause::Request)
    }

    fn plan_by(&self, name: &str, reshard: Reshard, by: Cause) -> Result<ReshardPlan, ApiError> {
        decide::plan_reshard(&self.state, &self.rules, name, &reshard, by, self.now)
    }

    /// Carries out a plan. Each parent has as many records as its number.
    fn carry_out(&mut self, plan: &ReshardPlan) {
        if plan.is_empty() {
            return;
        }
        let ends: Vec<_> = plan.parents.iter().rev().map(|n| (*n, Seq(u64::from(n.0)))).collect();
        self.apply(decide::reshard(plan, &ends, &self.state, self.now));
    }

    fn reshard(&mut self, name: &str, reshard: Reshard) -> Result<ReshardPlan, ApiError> {
        let plan = self.plan(name, reshard)?;
        self.carry_out(&plan);
        Ok(plan)
    }

    fn register(&mut self, stream: &str, consumer: &str) -> Result<(), ApiError> {
        let event =
            decide::register_consumer(&self.state, &self.rules, stream, consumer, &[], self.now)?;
        self.apply(event);
        Ok(())
    }

    /// The account's commitment begins or ends; whether something changed.
    fn commit(&mut self, commitment: bool) -> Result<bool, ApiError> {
        let event = decide::update_account(&self.state, commitment, self.now)?;
        Ok(event.map(|event| self.apply(event)).is_some())
    }

    /// Removes what has expired and says how many shards.
    fn expire(&mut self) -> usize {
        let events = decide::expire_shards(&self.state, self.now);
        let before = self.shards();
        events.into_iter().for_each(|event| self.apply(event));
        before - self.shards()
    }

    fn shards(&self) -> usize {
        self.state.streams.values().map(|s| s.shards.len()).sum()
    }

    fn stream(&self, name: &str) -> &StreamRecord {
        self.state.stream(name).unwrap()
    }

    fn view(&self) -> View {
        View::of(&self.state, 2, Arc::new(self.rules.clone()))
    }

    /// Numbers of the open shards of a stream in the order of their hash keys.
    fn open(&self, name: &str) -> Vec<u32> {
        let mut open: Vec<_> = self.stream(name).open_shards().collect();
        open.sort_by_key(|shard| shard.range.start);
        open.iter().map(|shard| shard.number.0).collect()
    }
}

fn on_demand() -> StreamOptions {
    StreamOptions { mode: StreamMode::OnDemand, ..StreamOptions::default() }
}

fn split(shard: u32) -> Reshard {
    Reshard::Split { shard: ShardNumber(shard), at: None }
}

fn split_at(shard: u32, at: u128) -> Reshard {
    Reshard::Split { shard: ShardNumber(shard), at: Some(HashKey(at)) }
}

fn merge(shard: u32, adjacent: u32) -> Reshard {
    Reshard::Merge { shard: ShardNumber(shard), adjacent: ShardNumber(adjacent) }
}

fn scale(target: u32) -> Reshard {
    Reshard::Scale { target }
}

fn tags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, ApiError>) -> ErrorCode {
    result.unwrap_err().code
}

/// What AWS would answer: name and text.
fn refusal<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (ErrorCode, String) {
    let error = result.unwrap_err();
    (error.code, error.message)
}

fn empty() -> State {
    State::new([7; 32])
}

fn create(state: &State, name: &str, shards: u32) -> Result<Event, ApiError> {
    let uuid = StreamUuid((u128::from(state.version) + 1).to_be_bytes());
    create_with(state, name, shards, StreamOptions::default(), uuid)
}

fn create_with(
    state: &State,
    name: &str,
    shards: u32,
    options: StreamOptions,
    uuid: StreamUuid,
) -> Result<Event, ApiError> {
    let request = CreateStream { name, shards, options, tags: Vec::new() };
    decide::create_stream(state, &Rules::default(), &request, NOW, uuid)
}

fn delete(state: &State, name: &str) -> Result<Event, ApiError> {
    let request = DeleteStream { name, with_consumers: false };
    decide::delete_stream(state, &Rules::default(), &request)
}

fn view_of(state: &State, cores: u16) -> View {
    View::of(state, cores, Arc::default())
}

fn with_streams(streams: &[(&str, u32)]) -> State {
    World::with(streams).state
}
