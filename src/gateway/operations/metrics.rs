//! Enhanced monitoring: which shard-level metrics a stream has.

use crate::base::stream::ShardMetrics;
use crate::gateway::host::Host;
use crate::gateway::names::words::metrics_of;
use crate::wire::alter::StreamChange;

use super::describe::write_metrics;
use super::resource::stream;
use super::{Call, Outcome};

impl<H: Host> Call<'_, H> {
    pub(super) async fn enable_monitoring(&self) -> Outcome {
        self.monitor(StreamChange::EnableMetrics).await
    }

    pub(super) async fn disable_monitoring(&self) -> Outcome {
        self.monitor(StreamChange::DisableMetrics).await
    }

    async fn monitor(&self, change: fn(ShardMetrics) -> StreamChange) -> Outcome {
        let wanted = metrics_of(self.input);
        let current = stream(&self.view().0, self.input)?.summary().metrics;
        let stream = self.alter(change(wanted)).await?;
        Ok(self.write(|e| {
            e.key("StreamName").text(&stream.name);
            e.key("StreamARN").text(&stream.arn);
            e.key("CurrentShardLevelMetrics");
            write_metrics(e, current);
            e.key("DesiredShardLevelMetrics");
            write_metrics(e, stream.metrics);
        }))
    }
}
