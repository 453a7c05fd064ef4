//! `AlterStream`: changes of what was chosen for a stream.

use super::codec::{Decode, DecodeError, Reader, Writer};
use super::streams::{read_limits, write_limits};
use super::tags::{read_keys, read_tags, write_keys, write_tags};
use crate::base::stream::{Distribution, ShardLimits, ShardMetrics, StreamMode};

/// Which way a retention may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Either.
    Any,
    /// Only longer (AWS: `IncreaseStreamRetentionPeriod`).
    Increase,
    /// Only shorter (AWS: `DecreaseStreamRetentionPeriod`).
    Decrease,
}

/// One change of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamChange {
    /// How long records stay readable.
    Retention {
        /// In hours.
        hours: u32,
        /// What is not in this direction is refused.
        direction: Direction,
    },
    /// What each shard admits.
    Limits(ShardLimits),
    /// Largest record, data and key together, in bytes (AWS: `UpdateMaxRecordSize`).
    RecordBytesMax(u32),
    /// Who chooses the number of shards (AWS: `UpdateStreamMode`).
    Mode {
        /// The new mode.
        mode: StreamMode,
        /// Warm throughput with it, in MiB/s; 0 is none.
        warm_mib: u32,
    },
    /// Write throughput to be ready for, in MiB/s; 0 is none (AWS: `UpdateStreamWarmThroughput`).
    WarmThroughput(u32),
    /// What chooses a record's shard (AWS: `UpdateStreamRecordDistributionStrategy`).
    Distribution(Distribution),
    /// Switches shard-level metrics on (AWS: `EnableEnhancedMonitoring`).
    EnableMetrics(ShardMetrics),
    /// Switches shard-level metrics off (AWS: `DisableEnhancedMonitoring`).
    DisableMetrics(ShardMetrics),
    /// Adds or replaces tags (AWS: `AddTagsToStream`).
    Tag(Vec<(String, String)>),
    /// Removes tags by their keys (AWS: `RemoveTagsFromStream`).
    Untag(Vec<String>),
    /// The key that records are sealed with, or none (AWS: `StartStreamEncryption`,
    /// `StopStreamEncryption`).
    Encryption(Option<String>),
    /// The resource policy of the stream or of one of its consumers, or none (AWS:
    /// `PutResourcePolicy`, `DeleteResourcePolicy`).
    Policy {
        /// The consumer; `None` is the stream itself.
        consumer: Option<String>,
        /// A JSON document.
        policy: Option<String>,
    },
}

/// Asks for a change. The answer is the stream's [`super::streams::StreamSummary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlterStream<'a> {
    /// The stream.
    pub name: &'a str,
    /// What.
    pub change: StreamChange,
}

impl AlterStream<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.name);
        match &self.change {
            StreamChange::Retention { hours, direction } => {
                w.u8(0).u32(*hours).u8(*direction as u8);
            }
            StreamChange::Limits(limits) => write_limits(w.u8(1), limits),
            StreamChange::RecordBytesMax(bytes) => {
                w.u8(2).u32(*bytes);
            }
            StreamChange::Mode { mode, warm_mib } => {
                w.u8(3).u8(*mode as u8).u32(*warm_mib);
            }
            StreamChange::WarmThroughput(mib) => {
                w.u8(4).u32(*mib);
            }
            StreamChange::Distribution(distribution) => {
                w.u8(5).u8(*distribution as u8);
            }
            StreamChange::EnableMetrics(metrics) => {
                w.u8(6).u8(metrics.0);
            }
            StreamChange::DisableMetrics(metrics) => {
                w.u8(7).u8(metrics.0);
            }
            StreamChange::Tag(tags) => write_tags(w.u8(8), tags),
            StreamChange::Untag(keys) => write_keys(w.u8(9), keys),
            StreamChange::Encryption(key) => write_optional_text(w.u8(10), key.as_deref()),
            StreamChange::Policy { consumer, policy } => {
                write_optional_text(w.u8(11), consumer.as_deref());
                write_optional_text(w, policy.as_deref());
            }
        }
    }
}

impl<'a> Decode<'a> for AlterStream<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let name = r.text("name")?;
        let change = match r.u8("change")? {
            0 => StreamChange::Retention {
                hours: r.u32("hours")?,
                direction: match r.u8("direction")? {
                    0 => Direction::Any,
                    1 => Direction::Increase,
                    2 => Direction::Decrease,
                    _ => return Err(DecodeError::Value("direction")),
                },
            },
            1 => StreamChange::Limits(read_limits(r)?),
            2 => StreamChange::RecordBytesMax(r.u32("record_bytes_max")?),
            3 => StreamChange::Mode {
                mode: StreamMode::from_wire(r.u8("mode")?).ok_or(DecodeError::Value("mode"))?,
                warm_mib: r.u32("warm_mib")?,
            },
            4 => StreamChange::WarmThroughput(r.u32("warm_mib")?),
            5 => StreamChange::Distribution(
                Distribution::from_wire(r.u8("distribution")?)
                    .ok_or(DecodeError::Value("distribution"))?,
            ),
            6 => StreamChange::EnableMetrics(read_metrics(r)?),
            7 => StreamChange::DisableMetrics(read_metrics(r)?),
            8 => StreamChange::Tag(read_tags(r)?),
            9 => StreamChange::Untag(read_keys(r)?),
            10 => StreamChange::Encryption(read_optional_text(r, "key")?),
            11 => StreamChange::Policy {
                consumer: read_optional_text(r, "consumer")?,
                policy: read_optional_text(r, "policy")?,
            },
            _ => return Err(DecodeError::Value("change")),
        };
        Ok(AlterStream { name, change })
    }
}

/// A text that may be absent: then it is empty.
fn write_optional_text(w: &mut Writer<'_>, text: Option<&str>) {
    w.text(text.unwrap_or_default());
}

fn read_optional_text(
    r: &mut Reader<'_>,
    field: &'static str,
) -> Result<Option<String>, DecodeError> {
    let text = r.text(field)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Reads a set of metrics.
pub(super) fn read_metrics(r: &mut Reader<'_>) -> Result<ShardMetrics, DecodeError> {
    let metrics = ShardMetrics(r.u8("metrics")?);
    match metrics.without(ShardMetrics::ALL) {
        ShardMetrics::NONE => Ok(metrics),
        _ => Err(DecodeError::Value("metrics")),
    }
}
