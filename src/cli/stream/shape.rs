//! How streams look: as JSON and as text.

use serde::Serialize;

use super::limit_values::limits_text;
use super::warm::warm_text;
use crate::base::stream::{ShardLimits, ShardMetrics, StreamOptions};
use crate::cli::failure::Failure;
use crate::cli::output::{Format, lines_of, print, print_json, table};
use crate::cli::shard::{ShardShape, parents_text, state_text};
use crate::cli::time::format_time;
use crate::config::ByteSize;
use crate::wire::streams::{StreamDescription, StreamSummary};

/// A stream as JSON shows it.
#[derive(Serialize)]
pub(super) struct StreamShape {
    name: String,
    arn: String,
    uuid: String,
    status: &'static str,
    created: String,
    mode: &'static str,
    warm_mib_per_second: u32,
    distribution: &'static str,
    durability: &'static str,
    limits: LimitsShape,
    retention_hours: u32,
    max_record_bytes: u32,
    shard_metrics: Vec<&'static str>,
    consumers: u32,
    open_shards: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<Vec<ShardShape>>,
}

#[derive(Serialize)]
struct LimitsShape {
    profile: &'static str,
    #[serde(flatten)]
    values: ShardLimits,
}

impl StreamShape {
    pub(super) fn of_summary(s: &StreamSummary) -> StreamShape {
        let StreamOptions { limits, retention_hours, record_bytes_max, .. } = s.options;
        StreamShape {
            name: s.name.clone(),
            arn: s.arn.clone(),
            uuid: s.uuid.to_string(),
            status: s.status.word(),
            created: format_time(s.created),
            mode: s.options.mode.word(),
            warm_mib_per_second: s.options.warm_mib,
            distribution: s.options.distribution.word(),
            durability: s.options.durability.word(),
            limits: LimitsShape { profile: limits.word(), values: limits },
            retention_hours,
            max_record_bytes: record_bytes_max,
            shard_metrics: s.metrics.names().collect(),
            consumers: s.consumers,
            open_shards: s.open_shards,
            shards: None,
        }
    }

    fn of_description(s: &StreamDescription) -> StreamShape {
        let shards = Some(s.shards.iter().map(ShardShape::of).collect());
        StreamShape { shards, ..Self::of_summary(&s.summary) }
    }
}

/// Prints a stream with its shards.
pub(super) fn print_description(s: &StreamDescription, format: Format) -> Result<(), Failure> {
    if format.json {
        return print_json(&StreamShape::of_description(s));
    }
    print(&description_text(s))
}

fn description_text(s: &StreamDescription) -> String {
    let mut fields = table(&[]);
    let StreamDescription { summary, shards: all, .. } = s;
    let options = &summary.options;
    for (name, value) in [
        ("name", summary.name.clone()),
        ("ARN", summary.arn.clone()),
        ("uuid", summary.uuid.to_string()),
        ("status", summary.status.word().to_owned()),
        ("created", format_time(summary.created)),
        ("mode", options.mode.word().to_owned()),
        ("warm throughput", warm_text(options.warm_mib)),
        ("distribution", options.distribution.word().to_owned()),
        ("durability", options.durability.word().to_owned()),
        ("limits", limits_text(&options.limits)),
        ("retention", retention_text(options.retention_hours)),
        ("largest record", ByteSize(u64::from(options.record_bytes_max)).to_string()),
        ("shard metrics", metrics_text(summary.metrics)),
        ("consumers", summary.consumers.to_string()),
        ("open shards", summary.open_shards.to_string()),
    ] {
        fields.add_row([name.to_owned(), value]);
    }
    let header = ["SHARD", "STATE", "PARENTS", "CORE", "CLOSED", "FIRST HASH KEY", "LAST HASH KEY"];
    let mut shards = table(&header);
    for shard in all {
        shards.add_row([
            shard.number.to_string(),
            state_text(shard).to_owned(),
            parents_text(shard),
            shard.home.to_string(),
            shard.closed.map_or("-".to_owned(), |closed| format_time(closed.at)),
            shard.range.start.to_string(),
            shard.range.end.to_string(),
        ]);
    }
    format!("{}\n{}", lines_of(fields), lines_of(shards))
}

/// The names of the metrics with commas between them, `ALL`, or `none`.
pub(super) fn metrics_text(metrics: ShardMetrics) -> String {
    match metrics {
        ShardMetrics::NONE => "none".to_owned(),
        ShardMetrics::ALL => "ALL".to_owned(),
        some => some.names().collect::<Vec<_>>().join(","),
    }
}

/// Days where they are whole, else hours.
pub(super) fn retention_text(hours: u32) -> String {
    if hours > 24 && hours.is_multiple_of(24) {
        format!("{}d", hours / 24)
    } else {
        format!("{hours}h")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_prints_in_days_where_they_are_whole() {
        assert_eq!(
            ["24h", "7d", "25h"],
            [24, 168, 25].map(retention_text).each_ref().map(|s| s.as_str())
        );
    }
}
