//! What may happen: a request and the current state give an event, or the API's error.

mod account;
mod alter;
mod consumers;
mod expire;
mod peak;
mod reshard;
mod scale;
mod streams;
mod tags;

use super::rules::Rules;
use super::state::{State, StreamRecord};
use super::validation::Violations;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::Millis;
use crate::base::limits::DAY_MS;
use crate::base::stream::StreamStatus;

pub use account::{account, update_account};
pub use alter::alter_stream;
pub use consumers::{deregister_consumer, register_consumer, tag_consumer};
pub use expire::expire_shards;
pub use peak::observe_peak;
pub use reshard::{Cause, ReshardPlan, plan_reshard, reshard};
pub use streams::{create_stream, delete_stream, remove_stream};

/// The stream with this name, or the API's error.
fn require<'a>(state: &'a State, rules: &Rules, name: &str) -> Result<&'a StreamRecord, ApiError> {
    let mut violations = Violations::default();
    violations.name("streamName", name);
    violations.finish()?;
    state.stream(name).ok_or_else(|| rules.stream_not_found(name))
}

/// The stream with this name, which can be changed, or the API's error.
fn require_active<'a>(
    state: &'a State,
    rules: &Rules,
    name: &str,
) -> Result<&'a StreamRecord, ApiError> {
    let stream = require(state, rules, name)?;
    match stream.status {
        StreamStatus::Active => Ok(stream),
        status => Err(rules.not_active(name, status)),
    }
}

/// The API's error unless the account may have so many more open shards.
fn require_shards(state: &State, rules: &Rules, more: usize) -> Result<(), ApiError> {
    let now = state.open_shards();
    if rules.shards_max == 0 || more == 0 || now + more <= rules.shards_max as usize {
        return Ok(());
    }
    Err(rules.over_shard_limit(now, more))
}

/// The API's error unless the account may have one more on-demand stream.
fn require_on_demand(state: &State, rules: &Rules) -> Result<(), ApiError> {
    let now = state.on_demand();
    if rules.on_demand_max == 0 || now < rules.on_demand_max as usize {
        return Ok(());
    }
    let Rules { account, region, on_demand_max, .. } = rules;
    Err(ApiError::new(
        ErrorCode::LimitExceeded,
        format!(
            "This request would exceed the on-demand stream limit for the account {account} in \
             {region}. Current on-demand stream count for the account: {now}. Limit: \
             {on_demand_max}."
        ),
    ))
}

/// The API's error if something has happened `max` times in the last 24 hours, and the rates of
/// AWS are enforced.
fn require_rate(
    rules: &Rules,
    stream: &StreamRecord,
    (times, max): (&[Millis], usize),
    what: &str,
    now: Millis,
) -> Result<(), ApiError> {
    let recent = times.iter().filter(|at| now.since(**at) < DAY_MS);
    if !rules.control_rates || recent.clone().count() < max {
        return Ok(());
    }
    let oldest = recent.min().expect("there is at least one");
    let minutes = (DAY_MS - now.since(*oldest)).div_ceil(60_000);
    Err(ApiError::new(
        ErrorCode::LimitExceeded,
        format!(
            "The {what} of stream {} under account {} was changed {max} times in the last 24 \
             hours, which is the limit. It can change again in {minutes} minutes.",
            stream.name, rules.account
        ),
    ))
}
