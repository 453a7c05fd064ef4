//! Streams as AWS describes them.

use crate::base::limits::RECORD_BYTES_DEFAULT;
use crate::base::stream::{ShardMetrics, StreamMode, StreamStatus};
use crate::gateway::encode::Encoder;
use crate::gateway::host::Host;
use crate::gateway::names::next_token::NextToken;
use crate::quota::ControlCall;
use crate::wire::streams::StreamSummary;

use super::account::foreign_token;
use super::resource::stream;
use super::shards::write_shard;
use super::streams::count;
use super::{Call, Outcome};

/// Shards of a page of DescribeStream (AWS).
const SHARDS_PER_PAGE: u32 = 100;
/// Names of a page of ListStreams (AWS).
const NAMES_PER_PAGE: u32 = 100;

impl<H: Host> Call<'_, H> {
    pub(super) fn describe_stream(&self) -> Outcome {
        let (view, _) = self.view();
        let stream = stream(&view, self.input)?;
        self.admit(ControlCall::DescribeStream, Some(&stream.name))?;
        let after = self.shard_after(&stream.name)?;
        let limit = self.input.int("Limit").map_or(SHARDS_PER_PAGE, count).min(SHARDS_PER_PAGE);
        let description = stream.describe(after, limit)?;
        let summary = &description.summary;
        let creating = summary.status == StreamStatus::Creating;
        Ok(self.write(|e| {
            e.key("StreamDescription").map(|e| {
                write_common(e, summary, stream.key_id.as_deref());
                e.key("Shards").list(|e| {
                    for shard in description.shards.iter().filter(|_| !creating) {
                        write_shard(e, shard);
                    }
                });
                e.key("HasMoreShards").bool(description.more && !creating);
            });
        }))
    }

    pub(super) fn describe_stream_summary(&self) -> Outcome {
        let (view, _) = self.view();
        let stream = stream(&view, self.input)?;
        self.admit(ControlCall::DescribeSummary, Some(&stream.name))?;
        let summary = stream.summary();
        let options = &summary.options;
        Ok(self.write(|e| {
            e.key("StreamDescriptionSummary").map(|e| {
                write_common(e, &summary, stream.key_id.as_deref());
                e.key("OpenShardCount").int(summary.open_shards.into());
                e.key("ConsumerCount").int(summary.consumers.into());
                e.key("MaxRecordSizeInKiB").int(i64::from(options.record_bytes_max / 1024));
                e.key("RecordDistributionStrategy").text(options.distribution.word());
                if options.warm_mib > 0 {
                    e.key("WarmThroughput");
                    warm_throughput(e, options.warm_mib);
                }
                e.key("ChannelCount").int(0);
                e.key("QueueCount").int(0);
            });
        }))
    }

    pub(super) fn list_streams(&self) -> Outcome {
        self.admit(ControlCall::ListStreams, None)?;
        let limit = self.input.int("Limit").map_or(NAMES_PER_PAGE, count).min(NAMES_PER_PAGE);
        let (view, now) = self.view();
        let after = match self.input.text("NextToken") {
            Some(token) => match self.open_token(token, now.wall)? {
                NextToken::Streams { after } => after,
                _ => return Err(foreign_token()),
            },
            None => self.input.text("ExclusiveStartStreamName").unwrap_or_default().to_owned(),
        };
        let list = view.list(&after, limit)?;
        Ok(self.write(|e| {
            e.key("StreamNames").list(|e| {
                for stream in &list.streams {
                    e.text(&stream.name);
                }
            });
            e.key("HasMoreStreams").bool(list.more);
            if let Some(last) = list.streams.last().filter(|_| list.more) {
                let after = NextToken::Streams { after: last.name.clone() };
                e.key("NextToken").text(&self.next_token(&after, now.wall));
            }
            e.key("StreamSummaries").list(|e| {
                for stream in &list.streams {
                    e.map(|e| {
                        write_names(e, stream);
                        write_mode(e, stream.options.mode);
                        e.key("StreamCreationTimestamp").time(stream.created);
                    });
                }
            });
        }))
    }
}

fn write_names(e: &mut Encoder<'_>, stream: &StreamSummary) {
    e.key("StreamName").text(&stream.name);
    e.key("StreamARN").text(&stream.arn);
    e.key("StreamStatus").text(stream.status.word());
}

fn write_mode(e: &mut Encoder<'_>, mode: StreamMode) {
    e.key("StreamModeDetails").map(|e| {
        e.key("StreamMode").text(mode.word());
    });
}

/// What both descriptions of a stream have.
fn write_common(e: &mut Encoder<'_>, stream: &StreamSummary, key_id: Option<&str>) {
    write_names(e, stream);
    write_mode(e, stream.options.mode);
    e.key("RetentionPeriodHours").int(stream.options.retention_hours.into());
    e.key("StreamCreationTimestamp").time(stream.created);
    e.key("EnhancedMonitoring").list(|e| {
        e.map(|e| {
            e.key("ShardLevelMetrics");
            write_metrics(e, stream.metrics);
        });
    });
    match key_id {
        Some(key) => {
            e.key("EncryptionType").text("KMS");
            e.key("KeyId").text(key);
        }
        None => {
            e.key("EncryptionType").text("NONE");
        }
    }
}

/// A list of metrics by their names.
pub(super) fn write_metrics(e: &mut Encoder<'_>, metrics: ShardMetrics) {
    e.list(|e| {
        for name in metrics.names() {
            e.text(name);
        }
    });
}

/// A stream's warm throughput. It is there as soon as it is asked for.
pub(super) fn warm_throughput(e: &mut Encoder<'_>, mib: u32) {
    e.map(|e| {
        e.key("TargetMiBps").int(mib.into());
        e.key("CurrentMiBps").int(mib.into());
    });
}

const _: () = assert!(RECORD_BYTES_DEFAULT.is_multiple_of(1024), "sizes are shown in KiB");
