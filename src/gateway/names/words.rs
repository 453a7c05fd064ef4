//! AWS's words for what `base` has types for. The types know the way out (`word`, `names`); this
//! is the way in, for words that the model's constraints have let through.

use crate::base::ids::ShardNumber;
use crate::base::stream::{Distribution, ShardMetrics, StreamMode};
use crate::gateway::check::Input;
use crate::gateway::error::Refusal;
use crate::wire::shards::ShardFilter;

use super::shard_id;

/// A `StreamMode`.
#[must_use]
pub fn stream_mode(word: &str) -> StreamMode {
    let modes = [StreamMode::Provisioned, StreamMode::OnDemand];
    modes.into_iter().find(|mode| mode.word() == word).expect("constraints know the modes")
}

/// The mode of `StreamModeDetails`, if the input has it.
#[must_use]
pub fn stream_mode_of(input: &Input<'_>) -> Option<StreamMode> {
    let word = input.structure("StreamModeDetails")?.text("StreamMode")?;
    Some(stream_mode(word))
}

/// A `RecordDistributionStrategy`.
#[must_use]
pub fn distribution(word: &str) -> Distribution {
    let all = [Distribution::Auto, Distribution::UserPartitionKey];
    all.into_iter().find(|one| one.word() == word).expect("constraints know the strategies")
}

/// The metrics of a list `ShardLevelMetrics`; `ALL` is every one of them.
#[must_use]
pub fn metrics_of(input: &Input<'_>) -> ShardMetrics {
    let names = input.list("ShardLevelMetrics").unwrap_or_default();
    let metric = |name| ShardMetrics::named(name).expect("constraints know the metrics");
    names.iter().fold(ShardMetrics::NONE, |set, name| set.with(metric(name.as_text())))
}

/// A `ShardFilter` of ListShards; without one, everything that is still retained (AWS).
pub fn shard_filter_of(input: &Input<'_>) -> Result<ShardFilter, Refusal> {
    let Some(filter) = input.structure("ShardFilter") else {
        return Ok(ShardFilter::FromTrimHorizon);
    };
    let kind = filter.text("Type").expect("the type is required");
    let lacks = |member: &str| {
        Refusal::invalid_argument(format!("{member} must be provided for ShardFilter type {kind}."))
    };
    let time = || filter.time("Timestamp").ok_or_else(|| lacks("Timestamp"));
    Ok(match kind {
        "FROM_TRIM_HORIZON" => ShardFilter::FromTrimHorizon,
        "AT_TRIM_HORIZON" => ShardFilter::AtTrimHorizon,
        "AT_LATEST" => ShardFilter::AtLatest,
        "AT_TIMESTAMP" => ShardFilter::AtTimestamp(time()?),
        "FROM_TIMESTAMP" => ShardFilter::FromTimestamp(time()?),
        "AFTER_SHARD_ID" => {
            let id = filter.text("ShardId").ok_or_else(|| lacks("ShardId"))?;
            ShardFilter::AfterShard(shard_id_of(id)?)
        }
        other => unreachable!("constraints do not know {other}"),
    })
}

fn shard_id_of(id: &str) -> Result<ShardNumber, Refusal> {
    shard_id::parse(id)
        .ok_or_else(|| Refusal::invalid_argument(format!("Invalid ShardId in ShardFilter: {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::Millis;
    use crate::gateway::check;
    use crate::gateway::model::Operation;
    use crate::gateway::value::Format;

    fn input(operation: Operation, body: &str) -> Input<'_> {
        check::input(operation, Format::Json, body.as_bytes()).unwrap()
    }

    #[test]
    fn every_word_that_a_type_prints_is_read_again() {
        for mode in [StreamMode::Provisioned, StreamMode::OnDemand] {
            assert_eq!(stream_mode(mode.word()), mode);
        }
        for strategy in [Distribution::Auto, Distribution::UserPartitionKey] {
            assert_eq!(distribution(strategy.word()), strategy);
        }
    }

    #[test]
    fn all_metrics_are_the_seven() {
        let metrics = |names: &str| {
            let body = format!(r#"{{"StreamName":"a","ShardLevelMetrics":[{names}]}}"#);
            metrics_of(&input(Operation::EnableEnhancedMonitoring, &body))
        };
        assert_eq!(metrics(r#""ALL""#), ShardMetrics::ALL);
        let two = metrics(r#""OutgoingBytes","IncomingBytes","OutgoingBytes""#);
        assert_eq!(two.names().collect::<Vec<_>>(), ["IncomingBytes", "OutgoingBytes"]);
    }

    #[test]
    fn a_shard_filter_has_what_its_type_needs() {
        let filter = |members: &str| {
            let body = format!(r#"{{"StreamName":"a","ShardFilter":{{{members}}}}}"#);
            shard_filter_of(&input(Operation::ListShards, &body))
        };
        assert_eq!(filter(r#""Type":"AT_LATEST""#).unwrap(), ShardFilter::AtLatest);
        let at = filter(r#""Type":"AT_TIMESTAMP","Timestamp":1.5"#).unwrap();
        assert_eq!(at, ShardFilter::AtTimestamp(Millis(1500)));
        let after = filter(r#""Type":"AFTER_SHARD_ID","ShardId":"shardId-7""#).unwrap();
        assert_eq!(after, ShardFilter::AfterShard(ShardNumber(7)));
        for lacking in ["AT_TIMESTAMP", "FROM_TIMESTAMP", "AFTER_SHARD_ID"] {
            let error = filter(&format!(r#""Type":"{lacking}""#)).unwrap_err();
            assert_eq!(error.code, "InvalidArgumentException");
        }
        let none = input(Operation::ListShards, r#"{"StreamName":"a"}"#);
        assert_eq!(shard_filter_of(&none).unwrap(), ShardFilter::FromTrimHorizon);
    }
}
