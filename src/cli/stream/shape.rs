//! How streams look: as JSON and as text.

use serde::Serialize;

use crate::base::stream::{ShardLimits, StreamOptions};
use crate::cli::failure::Failure;
use crate::cli::output::{Format, lines_of, print, print_json, table};
use crate::cli::time::format_time;
use crate::config::ByteSize;
use crate::wire::shards::ShardDescription;
use crate::wire::streams::{StreamDescription, StreamSummary};

/// A stream as JSON shows it.
#[derive(Serialize)]
pub(super) struct StreamShape {
    name: String,
    uuid: String,
    status: &'static str,
    created: String,
    durability: &'static str,
    limits: LimitsShape,
    retention_hours: u32,
    max_record_bytes: u32,
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

/// Hash keys are text: they have more digits than JSON numbers keep.
#[derive(Serialize)]
struct ShardShape {
    shard: String,
    open: bool,
    home_core: u16,
    hash_key_start: String,
    hash_key_end: String,
}

impl StreamShape {
    pub(super) fn of_summary(s: &StreamSummary) -> StreamShape {
        let StreamOptions { durability, limits, retention_hours, record_bytes_max, .. } = s.options;
        StreamShape {
            name: s.name.clone(),
            uuid: s.uuid.to_string(),
            status: s.status.word(),
            created: format_time(s.created),
            durability: durability.word(),
            limits: LimitsShape { profile: limits.word(), values: limits },
            retention_hours,
            max_record_bytes: record_bytes_max,
            open_shards: s.open_shards,
            shards: None,
        }
    }

    fn of_description(s: &StreamDescription) -> StreamShape {
        let shards = Some(s.shards.iter().map(ShardShape::of).collect());
        StreamShape { shards, ..Self::of_summary(&s.summary) }
    }
}

impl ShardShape {
    fn of(s: &ShardDescription) -> ShardShape {
        ShardShape {
            shard: s.number.to_string(),
            open: s.is_open(),
            home_core: s.home.0,
            hash_key_start: s.range.start.to_string(),
            hash_key_end: s.range.end.to_string(),
        }
    }
}

/// Prints a stream with its shards.
pub(super) fn print_description(s: &StreamDescription, format: Format) -> Result<(), Failure> {
    if format.json {
        return print_json(&StreamShape::of_description(s));
    }
    let mut fields = table(&[]);
    let StreamDescription { summary, shards: all, .. } = s;
    let options = &summary.options;
    for (name, value) in [
        ("name", summary.name.clone()),
        ("uuid", summary.uuid.to_string()),
        ("status", summary.status.word().to_owned()),
        ("created", format_time(summary.created)),
        ("durability", options.durability.word().to_owned()),
        ("limits", limits_text(&options.limits)),
        ("retention", retention_text(options.retention_hours)),
        ("largest record", ByteSize(u64::from(options.record_bytes_max)).to_string()),
    ] {
        fields.add_row([name.to_owned(), value]);
    }
    let mut shards = table(&["SHARD", "STATE", "CORE", "FIRST HASH KEY", "LAST HASH KEY"]);
    for shard in all {
        shards.add_row([
            shard.number.to_string(),
            if shard.is_open() { "open" } else { "closed" }.to_owned(),
            shard.home.to_string(),
            shard.range.start.to_string(),
            shard.range.end.to_string(),
        ]);
    }
    print(&format!("{}\n{}", lines_of(fields), lines_of(shards)))
}

/// `aws`, `off`, or the values that differ from `aws`.
pub(super) fn limits_text(limits: &ShardLimits) -> String {
    if limits.word() != "custom" {
        return limits.word().to_owned();
    }
    let (aws, size) = (ShardLimits::AWS, |n| ByteSize(n).to_string());
    // What `--limits` takes where the burst is not named.
    let burst = limits.in_bytes.saturating_mul(10);
    [
        ("in_bytes", limits.in_bytes, aws.in_bytes, size(limits.in_bytes)),
        ("in_burst_bytes", limits.in_burst_bytes, burst, size(limits.in_burst_bytes)),
        ("in_records", limits.in_records, aws.in_records, limits.in_records.to_string()),
        ("out_bytes", limits.out_bytes, aws.out_bytes, size(limits.out_bytes)),
        ("reads", limits.reads, aws.reads, limits.reads.to_string()),
    ]
    .into_iter()
    .filter(|(_, value, aws, _)| value != aws)
    .map(|(name, _, _, text)| format!("{name}={text}"))
    .collect::<Vec<_>>()
    .join(",")
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
    use crate::cli::stream::limits::parse_limits;

    #[test]
    fn custom_limits_print_as_create_reads_them() {
        let limits = ShardLimits { in_bytes: 4 << 20, in_records: 0, ..ShardLimits::AWS };
        let text = limits_text(&limits);
        assert_eq!(text, "in_bytes=4MiB,in_burst_bytes=10MiB,in_records=0");
        assert_eq!(parse_limits(&text), Ok(limits));
        assert_eq!(limits_text(&ShardLimits::OFF), "off");
    }

    #[test]
    fn retention_prints_in_days_where_they_are_whole() {
        assert_eq!(
            ["24h", "7d", "25h"],
            [24, 168, 25].map(retention_text).each_ref().map(|s| s.as_str())
        );
    }
}
