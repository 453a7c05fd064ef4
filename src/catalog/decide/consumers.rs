//! Registered consumers come and go.

use std::collections::BTreeMap;

use super::require_active;
use super::tags::{Subject, add_tags, remove_tags};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::Millis;
use crate::catalog::event::Event;
use crate::catalog::rules::Rules;
use crate::catalog::state::{ConsumerRecord, State, StreamRecord};
use crate::catalog::validation::Violations;

/// Registers a consumer of a stream. It can be used at once.
pub fn register_consumer(
    state: &State,
    rules: &Rules,
    stream: &str,
    consumer: &str,
    tags: &[(String, String)],
    now: Millis,
) -> Result<Event, ApiError> {
    let mut violations = Violations::default();
    violations.name("consumerName", consumer);
    violations.tags(tags);
    violations.finish()?;
    let tags = add_tags(&subject(stream, consumer, rules), &BTreeMap::new(), tags)?;
    let record = require_active(state, rules, stream)?;
    if record.consumers.contains_key(consumer) {
        return Err(ApiError::new(
            ErrorCode::ResourceInUse,
            format!(
                "Consumer {consumer} of stream {stream} under account {} already exists.",
                rules.account
            ),
        ));
    }
    let has = record.consumers.len();
    let max = rules.consumers_of_stream_max(state.account.commitment(now));
    if max != 0 && has >= max as usize {
        return Err(ApiError::new(
            ErrorCode::LimitExceeded,
            format!(
                "This request would exceed the consumer limit of stream {stream} under account \
                 {}. Current consumer count of the stream: {has}. Limit: {max}.",
                rules.account
            ),
        ));
    }
    Ok(Event::ConsumerRegistered {
        stream: record.name.clone(),
        uuid: record.uuid,
        consumer: consumer.to_owned(),
        created: now,
        tags,
    })
}

/// Deregisters a consumer: its subscriptions end.
pub fn deregister_consumer(
    state: &State,
    rules: &Rules,
    stream: &str,
    consumer: &str,
) -> Result<Event, ApiError> {
    let (record, _) = require_consumer(state, rules, stream, consumer)?;
    Ok(Event::ConsumerDeregistered {
        stream: record.name.clone(),
        uuid: record.uuid,
        consumer: consumer.to_owned(),
    })
}

/// Changes the tags of a consumer: first `add`, then `remove`. `None` if nothing is different.
pub fn tag_consumer(
    state: &State,
    rules: &Rules,
    stream: &str,
    consumer: &str,
    add: &[(String, String)],
    remove: &[String],
) -> Result<Option<Event>, ApiError> {
    let mut violations = Violations::default();
    violations.tags(add);
    violations.tag_keys(remove);
    violations.finish()?;
    let (record, found) = require_consumer(state, rules, stream, consumer)?;
    let subject = subject(stream, consumer, rules);
    let tags = add_tags(&subject, &found.tags, add)?;
    let tags = remove_tags(&subject, &tags, remove)?;
    if tags == found.tags {
        return Ok(None);
    }
    let (stream, uuid) = (record.name.clone(), record.uuid);
    Ok(Some(Event::ConsumerTagged { stream, uuid, consumer: consumer.to_owned(), tags }))
}

fn require_consumer<'a>(
    state: &'a State,
    rules: &Rules,
    stream: &str,
    consumer: &str,
) -> Result<(&'a StreamRecord, &'a ConsumerRecord), ApiError> {
    let mut violations = Violations::default();
    violations.name("consumerName", consumer);
    violations.finish()?;
    let record = require_active(state, rules, stream)?;
    let found = record.consumers.get(consumer);
    let found = found.ok_or_else(|| rules.consumer_not_found(stream, consumer))?;
    Ok((record, found))
}

fn subject(stream: &str, consumer: &str, rules: &Rules) -> Subject {
    let name = format!("consumer {consumer} of {}", rules.stream_subject(stream));
    Subject { kind: "consumer", name }
}
