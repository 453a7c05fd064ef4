//! Streams come and go.

use std::collections::BTreeMap;

use super::tags::{Subject, add_tags};
use super::{require, require_on_demand, require_shards};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, StreamUuid};
use crate::base::limits::{ON_DEMAND_SHARDS, STREAM_SHARDS_MAX, STREAMS_CREATING_MAX};
use crate::base::stream::{StreamMode, StreamStatus};
use crate::catalog::event::Event;
use crate::catalog::rules::Rules;
use crate::catalog::state::State;
use crate::catalog::validation::{
    Violations, check_distribution, check_options, check_warm_throughput,
};
use crate::wire::streams::{CreateStream, DeleteStream};

/// Creates a stream. `uuid` is random and new. An on-demand stream begins with 4 shards, or with
/// as many as its warm throughput needs, whatever number was asked for (AWS).
pub fn create_stream(
    state: &State,
    rules: &Rules,
    request: &CreateStream<'_>,
    now: Millis,
    uuid: StreamUuid,
) -> Result<Event, ApiError> {
    let CreateStream { name, shards, options, ref tags } = *request;
    let on_demand = options.mode == StreamMode::OnDemand;
    let mut violations = Violations::default();
    violations.name("streamName", name);
    if !on_demand {
        violations.range_from_one("shardCount", shards, STREAM_SHARDS_MAX);
    }
    violations.tags(tags);
    violations.finish()?;
    check_options(&options)?;
    check_distribution(options.mode, options.distribution)?;
    check_warm_throughput(options.mode, options.warm_mib, state.account.commitment(now))?;
    let tags = add_tags(&Subject::stream(rules, name), &BTreeMap::new(), tags)?;
    if state.stream(name).is_some() {
        return Err(rules.already_exists(name));
    }
    let creating = state.streams.values().filter(|s| s.status == StreamStatus::Creating).count();
    if creating >= STREAMS_CREATING_MAX {
        return Err(ApiError::new(
            ErrorCode::LimitExceeded,
            format!(
                "{creating} streams under account {} are being created, which is the limit. Try \
                 again when one of them is ACTIVE.",
                rules.account
            ),
        ));
    }
    let shards = if on_demand { ON_DEMAND_SHARDS.max(options.warm_mib) } else { shards };
    if on_demand {
        require_on_demand(state, rules)?;
    }
    require_shards(state, rules, shards as usize)?;
    assert!(!state.has_uuid(uuid), "128 random bits do not repeat");
    Ok(Event::StreamCreated { name: name.to_owned(), uuid, created: now, shards, options, tags })
}

/// Deletes a stream: from now on it takes and gives nothing, and its files may go.
pub fn delete_stream(
    state: &State,
    rules: &Rules,
    request: &DeleteStream<'_>,
) -> Result<Event, ApiError> {
    let name = request.name;
    let stream = require(state, rules, name)?;
    if stream.status == StreamStatus::Deleting {
        return Err(rules.not_active(name, stream.status));
    }
    let consumers = stream.consumers.len();
    if consumers > 0 && !request.with_consumers {
        return Err(ApiError::new(
            ErrorCode::ResourceInUse,
            format!(
                "Stream {name} under account {} has {consumers} registered consumers. Deregister \
                 them first, or delete the stream with its consumers (EnforceConsumerDeletion).",
                rules.account
            ),
        ));
    }
    Ok(Event::StreamDeleted { name: name.to_owned(), uuid: stream.uuid })
}

/// A deleted stream's files are gone. `None` if the stream is not being deleted: then the caller
/// has removed nothing that the catalog still needs to know of.
#[must_use]
pub fn remove_stream(state: &State, uuid: StreamUuid) -> Option<Event> {
    let stream = state.by_uuid(uuid)?;
    (stream.status == StreamStatus::Deleting)
        .then(|| Event::StreamRemoved { name: stream.name.clone(), uuid })
}
