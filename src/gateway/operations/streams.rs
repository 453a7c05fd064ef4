//! Streams: made, changed, removed.

use crate::base::ids::Millis;
use crate::base::limits::RECORD_BYTES_DEFAULT;
use crate::base::stream::{Distribution, ShardLimits, StreamMode, StreamOptions};
use crate::gateway::check::Input;
use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::gateway::names::arn::stream_of;
use crate::gateway::names::words::{distribution, stream_mode_of};
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::alter::{Direction, StreamChange};
use crate::wire::streams::StreamSummary;

use super::describe::warm_throughput;
use super::{Call, Outcome};

/// The shortest retention on AWS. Natively it may be shorter.
const RETENTION_HOURS_MIN: u32 = 24;

impl<H: Host> Call<'_, H> {
    pub(super) async fn create_stream(&self) -> Outcome {
        let input = self.input;
        let mode = stream_mode_of(input).unwrap_or_default();
        let shards = match (mode, input.int("ShardCount")) {
            (StreamMode::Provisioned, None) => {
                return Err(Refusal::validation(
                    "ShardCount must be specified when creating a stream in PROVISIONED mode.",
                ));
            }
            (StreamMode::Provisioned, Some(shards)) => count(shards),
            // The server chooses.
            (StreamMode::OnDemand, _) => 0,
        };
        let record_bytes_max = input
            .int("MaxRecordSizeInKiB")
            .map_or(RECORD_BYTES_DEFAULT as u32, |n| count(n) * 1024);
        let options = StreamOptions {
            limits: ShardLimits::AWS,
            record_bytes_max,
            mode,
            distribution: distribution_of(input).unwrap_or_default(),
            warm_mib: input.int("WarmThroughputMiBps").map_or(0, count),
            ..StreamOptions::default()
        };
        let name = self.text("StreamName").to_owned();
        let tags = tags(input);
        self.change(ControlOperation::Create { name, shards, options, tags }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn delete_stream(&self) -> Outcome {
        let name = self.stream_name()?;
        let with_consumers = self.input.flag("EnforceConsumerDeletion");
        self.change(ControlOperation::Delete { name, with_consumers }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn increase_retention(&self) -> Outcome {
        self.retention(Direction::Increase).await
    }

    pub(super) async fn decrease_retention(&self) -> Outcome {
        self.retention(Direction::Decrease).await
    }

    async fn retention(&self, direction: Direction) -> Outcome {
        let hours = self.input.int("RetentionPeriodHours").expect("the model requires it");
        if hours < RETENTION_HOURS_MIN as i32 {
            return Err(Refusal::invalid_argument(format!(
                "Minimum allowed retention period is {RETENTION_HOURS_MIN} hours. Requested \
                 retention period ({hours} hours) is too short."
            )));
        }
        let hours = count(hours);
        self.alter(StreamChange::Retention { hours, direction }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn update_stream_mode(&self) -> Outcome {
        let mode = stream_mode_of(self.input).expect("the model requires it");
        let warm_mib = self.input.int("WarmThroughputMiBps").map_or(0, count);
        self.alter(StreamChange::Mode { mode, warm_mib }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn update_max_record_size(&self) -> Outcome {
        let kib = self.input.int("MaxRecordSizeInKiB").expect("the model requires it");
        self.alter(StreamChange::RecordBytesMax(count(kib) * 1024)).await?;
        Ok(Vec::new())
    }

    pub(super) async fn update_distribution(&self) -> Outcome {
        let distribution = distribution_of(self.input).expect("the model requires it");
        self.alter(StreamChange::Distribution(distribution)).await?;
        Ok(Vec::new())
    }

    pub(super) async fn update_warm_throughput(&self) -> Outcome {
        let mib = self.input.int("WarmThroughputMiBps").map_or(0, count);
        let stream = self.alter(StreamChange::WarmThroughput(mib)).await?;
        Ok(self.write(|e| {
            e.key("StreamName").text(&stream.name);
            e.key("StreamARN").text(&stream.arn);
            e.key("WarmThroughput");
            warm_throughput(e, stream.options.warm_mib);
        }))
    }

    /// The name of the stream that the request names.
    pub(super) fn stream_name(&self) -> Result<String, Refusal> {
        let (view, _) = self.view();
        Ok(stream_of(self.input, view.rules())?.to_owned())
    }

    /// Changes the stream that the request names.
    pub(super) async fn alter(&self, change: StreamChange) -> Result<StreamSummary, Refusal> {
        let name = self.stream_name()?;
        match self.caller().change(ControlOperation::Alter { name, change }).await? {
            ControlAnswer::Altered(summary) => Ok(*summary),
            other => unreachable!("a change of a stream is not answered with {other:?}"),
        }
    }
}

fn distribution_of(input: &Input<'_>) -> Option<Distribution> {
    input.text("RecordDistributionStrategy").map(distribution)
}

/// The tags of a request, as the catalog takes them.
pub(super) fn tags(input: &Input<'_>) -> Vec<(String, String)> {
    let tags = input.map("Tags").unwrap_or_default();
    tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// A number that the model keeps from being negative.
pub(super) fn count(n: i32) -> u32 {
    u32::try_from(n).expect("the model has no negative counts")
}

/// A point in time that was meant in seconds.
pub(super) fn same_second(a: Millis, b: Millis) -> bool {
    a.0 / 1000 == b.0 / 1000
}
