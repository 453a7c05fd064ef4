//! What a core knows of its shards of a stream, for whoever draws them.

use crate::base::clock::Now;
use crate::base::ids::StreamUuid;
use crate::service::core::Core;
use crate::wire::shards::ShardStats;

impl Core {
    /// One line for each shard of `stream` at home here, in no order.
    #[must_use]
    pub fn shard_stats(&self, _now: Now, stream: StreamUuid) -> Vec<ShardStats> {
        let own = self.shards.iter().flatten().filter(|shard| shard.key().stream == stream);
        own.map(|shard| ShardStats {
            number: shard.key().number,
            trim: shard.watermarks().trim,
            end: shard.watermarks().durable,
            last_arrival: shard.last_arrival(),
            ..ShardStats::default()
        })
        .collect()
    }
}
