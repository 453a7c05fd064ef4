//! What may happen: a request and the current state give an event, or the API's error.

use super::ACCOUNT;
use super::event::Event;
use super::state::{State, StreamRecord};
use super::validation::{Violations, check_options};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, StreamUuid};
use crate::base::stream::{StreamOptions, StreamStatus};

/// Creates a stream. `uuid` is random and new.
pub fn create_stream(
    state: &State,
    name: &str,
    shards: u32,
    options: StreamOptions,
    now: Millis,
    uuid: StreamUuid,
) -> Result<Event, ApiError> {
    let mut violations = Violations::default();
    violations.stream_name(name);
    violations.shard_count(shards);
    violations.finish()?;
    check_options(&options)?;
    if state.stream(name).is_some() {
        return Err(already_exists(name));
    }
    assert!(!state.has_uuid(uuid), "128 random bits do not repeat");
    Ok(Event::StreamCreated { name: name.to_owned(), uuid, created: now, shards, options })
}

/// Deletes a stream: from now on it takes and gives nothing, and its files may go.
pub fn delete_stream(state: &State, name: &str) -> Result<Event, ApiError> {
    let stream = require(state, name)?;
    if stream.status == StreamStatus::Deleting {
        return Err(not_active(name, stream.status));
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

fn require<'a>(state: &'a State, name: &str) -> Result<&'a StreamRecord, ApiError> {
    let mut violations = Violations::default();
    violations.stream_name(name);
    violations.finish()?;
    state.stream(name).ok_or_else(|| stream_not_found(name))
}

/// The error for a stream that does not exist.
#[must_use]
pub fn stream_not_found(name: &str) -> ApiError {
    ApiError::not_found(format!("Stream {name} under account {ACCOUNT} not found."))
}

/// The error for a stream whose state does not allow the request.
#[must_use]
pub fn not_active(name: &str, status: StreamStatus) -> ApiError {
    let text = format!(
        "Stream {name} under account {ACCOUNT} not ACTIVE, instead in state {}",
        status.word()
    );
    ApiError::new(ErrorCode::ResourceInUse, text)
}

fn already_exists(name: &str) -> ApiError {
    let text = format!("Stream {name} under account {ACCOUNT} already exists.");
    ApiError::new(ErrorCode::ResourceInUse, text)
}
