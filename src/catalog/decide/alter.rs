//! What was chosen for a stream changes.

use super::tags::{Subject, add_tags, remove_tags};
use super::{require_active, require_on_demand, require_rate, require_shards};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::Millis;
use crate::base::limits::{ENCRYPTION_CHANGES_PER_DAY, MODE_CHANGES_PER_DAY, POLICY_BYTES_MAX};
use crate::base::stream::{Distribution, ShardMetrics, StreamMode};
use crate::catalog::event::{Alteration, Event};
use crate::catalog::rules::Rules;
use crate::catalog::state::{State, StreamRecord};
use crate::catalog::validation::{
    Violations, check_distribution, check_record_bytes, check_retention, check_warm_throughput,
};
use crate::wire::alter::{Direction, StreamChange};

/// Changes what was chosen for a stream. `None` if nothing would be different.
pub fn alter_stream(
    state: &State,
    rules: &Rules,
    name: &str,
    change: &StreamChange,
    now: Millis,
) -> Result<Option<Event>, ApiError> {
    let stream = require_active(state, rules, name)?;
    let options = &stream.options;
    let alteration = match change {
        StreamChange::Retention { hours, direction } => retention(stream, *hours, *direction, now)?,
        StreamChange::Limits(limits) => {
            (*limits != options.limits).then_some(Alteration::Limits(*limits))
        }
        StreamChange::RecordBytesMax(bytes) => {
            check_record_bytes(*bytes)?;
            (*bytes != options.record_bytes_max).then_some(Alteration::RecordBytesMax(*bytes))
        }
        StreamChange::Mode { mode, warm_mib } => {
            change_mode(state, rules, stream, (*mode, *warm_mib), now)?
        }
        StreamChange::WarmThroughput(mib) => {
            require_warm(state, rules, stream, options.mode, *mib, now)?;
            (*mib != options.warm_mib).then_some(Alteration::WarmThroughput(*mib))
        }
        StreamChange::Distribution(distribution) => {
            check_distribution(options.mode, *distribution)?;
            let differs = *distribution != options.distribution;
            differs.then_some(Alteration::Distribution(*distribution))
        }
        StreamChange::EnableMetrics(metrics) => metrics_of(stream, stream.metrics.with(*metrics)),
        StreamChange::DisableMetrics(metrics) => {
            metrics_of(stream, stream.metrics.without(*metrics))
        }
        StreamChange::Tag(added) => tag(rules, stream, added)?,
        StreamChange::Untag(keys) => untag(rules, stream, keys)?,
        StreamChange::Encryption(key) => change_encryption(rules, stream, key.as_deref(), now)?,
        StreamChange::Policy { consumer, policy } => {
            let (consumer, policy) = (consumer.clone(), policy.clone());
            change_policy(rules, stream, consumer, policy)?
        }
    };
    let (name, uuid) = (stream.name.clone(), stream.uuid);
    Ok(alteration.map(|alteration| Event::StreamAltered { name, uuid, at: now, alteration }))
}

fn retention(
    stream: &StreamRecord,
    hours: u32,
    direction: Direction,
    now: Millis,
) -> Result<Option<Alteration>, ApiError> {
    check_retention(hours)?;
    let (name, old) = (&stream.name, stream.options.retention_hours);
    let refuse = |must: &str, instead: &str| {
        Err(ApiError::invalid(format!(
            "Requested retention period ({hours} hours) for stream {name} {must} existing \
             retention period ({old} hours).{instead}"
        )))
    };
    match direction {
        Direction::Increase if hours < old => {
            refuse("can not be shorter than", " Use DecreaseRetentionPeriod API.")
        }
        Direction::Decrease if hours > old => {
            refuse("can not be longer than", " Use IncreaseRetentionPeriod API.")
        }
        Direction::Increase if hours == old => refuse("must be longer than", ""),
        Direction::Decrease if hours == old => refuse("must be shorter than", ""),
        // What has expired until now stays gone.
        _ => Ok((hours != old)
            .then(|| Alteration::Retention { hours, floor: stream.retention_cutoff(now) })),
    }
}

fn change_mode(
    state: &State,
    rules: &Rules,
    stream: &StreamRecord,
    (mode, warm_mib): (StreamMode, u32),
    now: Millis,
) -> Result<Option<Alteration>, ApiError> {
    let options = &stream.options;
    require_warm(state, rules, stream, mode, warm_mib, now)?;
    if mode == options.mode {
        let differs = warm_mib != options.warm_mib;
        return Ok(differs.then_some(Alteration::WarmThroughput(warm_mib)));
    }
    if mode == StreamMode::Provisioned && options.distribution == Distribution::Auto {
        return Err(ApiError::invalid(format!(
            "Stream {} under account {} has the record distribution strategy AUTO, which needs \
             ON_DEMAND mode. Change the strategy to USER_PARTITION_KEY first.",
            stream.name, rules.account
        )));
    }
    let changes = (stream.mode_changes.as_slice(), MODE_CHANGES_PER_DAY);
    require_rate(rules, stream, changes, "mode", now)?;
    if mode == StreamMode::OnDemand {
        require_on_demand(state, rules)?;
    }
    Ok(Some(Alteration::Mode { mode, warm_mib }))
}

fn change_encryption(
    rules: &Rules,
    stream: &StreamRecord,
    key: Option<&str>,
    now: Millis,
) -> Result<Option<Alteration>, ApiError> {
    if key == stream.key_id.as_deref() {
        return Ok(None);
    }
    let times = match key {
        Some(_) => &stream.encryption_starts,
        None => &stream.encryption_stops,
    };
    let changes = (times.as_slice(), ENCRYPTION_CHANGES_PER_DAY);
    require_rate(rules, stream, changes, "encryption", now)?;
    Ok(Some(Alteration::Encryption(key.map(str::to_owned))))
}

/// The API's error unless a stream of this mode may have this warm throughput, and the account
/// the shards that it needs.
fn require_warm(
    state: &State,
    rules: &Rules,
    stream: &StreamRecord,
    mode: StreamMode,
    mib: u32,
    now: Millis,
) -> Result<(), ApiError> {
    // What a stream has it may keep.
    if mib == stream.options.warm_mib && mode == stream.options.mode {
        return Ok(());
    }
    check_warm_throughput(mode, mib, state.account.commitment(now))?;
    let more = (mib as usize).saturating_sub(stream.open_shards().count());
    require_shards(state, rules, more)
}

/// Stores, replaces or removes a resource policy. What it says is for whoever enforces it.
fn change_policy(
    rules: &Rules,
    stream: &StreamRecord,
    consumer: Option<String>,
    policy: Option<String>,
) -> Result<Option<Alteration>, ApiError> {
    let (now, arn) = match &consumer {
        None => (&stream.policy, rules.stream_arn(&stream.name)),
        Some(name) => {
            let known = stream.consumers.get(name);
            let known = known.ok_or_else(|| rules.consumer_not_found(&stream.name, name))?;
            (&known.policy, rules.consumer_arn(&stream.name, name, known.created))
        }
    };
    match &policy {
        Some(text) if text.len() > POLICY_BYTES_MAX => {
            return Err(ApiError::new(
                ErrorCode::LimitExceeded,
                format!("A resource policy has at most {POLICY_BYTES_MAX} bytes."),
            ));
        }
        Some(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() => {
            return Err(ApiError::invalid("The resource policy is not a JSON document."));
        }
        None if now.is_none() => {
            let text = format!("No resource policy found for resource ARN {arn}.");
            return Err(ApiError::not_found(text));
        }
        _ => {}
    }
    Ok((policy != *now).then_some(Alteration::Policy { consumer, policy }))
}

fn metrics_of(stream: &StreamRecord, metrics: ShardMetrics) -> Option<Alteration> {
    (metrics != stream.metrics).then_some(Alteration::Metrics(metrics))
}

fn tag(
    rules: &Rules,
    stream: &StreamRecord,
    added: &[(String, String)],
) -> Result<Option<Alteration>, ApiError> {
    let mut violations = Violations::default();
    violations.tags(added);
    violations.finish()?;
    let tags = add_tags(&Subject::stream(rules, &stream.name), &stream.tags, added)?;
    Ok((tags != stream.tags).then_some(Alteration::Tags(tags)))
}

fn untag(
    rules: &Rules,
    stream: &StreamRecord,
    keys: &[String],
) -> Result<Option<Alteration>, ApiError> {
    let mut violations = Violations::default();
    violations.tag_keys(keys);
    violations.finish()?;
    let tags = remove_tags(&Subject::stream(rules, &stream.name), &stream.tags, keys)?;
    Ok((tags != stream.tags).then_some(Alteration::Tags(tags)))
}
