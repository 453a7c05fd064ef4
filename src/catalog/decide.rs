//! What may happen: a request and the current state give an event, or the API's error.

use super::event::Event;
use super::rules::Rules;
use super::state::{State, StreamRecord};
use super::validation::{Violations, check_options};
use crate::base::error::ApiError;
use crate::base::ids::{Millis, StreamUuid};
use crate::base::stream::StreamStatus;
use crate::wire::streams::CreateStream;

/// Creates a stream. `uuid` is random and new.
pub fn create_stream(
    state: &State,
    rules: &Rules,
    request: &CreateStream<'_>,
    now: Millis,
    uuid: StreamUuid,
) -> Result<Event, ApiError> {
    let CreateStream { name, shards, options, .. } = *request;
    let mut violations = Violations::default();
    violations.stream_name(name);
    violations.shard_count(shards);
    violations.finish()?;
    check_options(&options)?;
    if state.stream(name).is_some() {
        return Err(rules.already_exists(name));
    }
    assert!(!state.has_uuid(uuid), "128 random bits do not repeat");
    Ok(Event::StreamCreated { name: name.to_owned(), uuid, created: now, shards, options })
}

/// Deletes a stream: from now on it takes and gives nothing, and its files may go.
pub fn delete_stream(state: &State, rules: &Rules, name: &str) -> Result<Event, ApiError> {
    let stream = require(state, rules, name)?;
    if stream.status == StreamStatus::Deleting {
        return Err(rules.not_active(name, stream.status));
    }
    Ok(Event::StreamDeleted { name: name.to_owned(), uuid: stream.uuid })
}

/// A deleted stream's files are gone. `None` if the stream is not being deleted: then the caller
/// has removed nothing that the catalog still needs to know of.
#[must_use]
pub fn remove_stream(state: &State, uuid: StreamUuid) -> Option<Event> {
    let stream = state.streams.values().find(|s| s.uuid == uuid)?;
    (stream.status == StreamStatus::Deleting)
        .then(|| Event::StreamRemoved { name: stream.name.clone(), uuid })
}

fn require<'a>(state: &'a State, rules: &Rules, name: &str) -> Result<&'a StreamRecord, ApiError> {
    let mut violations = Violations::default();
    violations.stream_name(name);
    violations.finish()?;
    state.stream(name).ok_or_else(|| rules.stream_not_found(name))
}
