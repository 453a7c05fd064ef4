//! What the shards at home here have counted: for listings, and for core 0, which scales
//! on-demand streams.

use crate::base::clock::Now;
use crate::base::ids::StreamUuid;
use crate::base::stream::{ShardLoad, StreamMode};
use crate::service::core::Core;
use crate::wire::shards::ShardStats;

impl Core {
    /// What the shards of a stream at home here have counted.
    #[must_use]
    pub fn shard_stats(&mut self, now: Now, stream: StreamUuid) -> Vec<ShardStats> {
        let Some(view) = self.view.by_uuid(stream).cloned() else { return Vec::new() };
        let mut all = Vec::new();
        for shard in view.shown().shards_at(self.me) {
            let Ok(slot) = self.slot(view.key(shard.number)) else { continue };
            let subscriptions = self.subscriptions.of_shard(slot) as u32;
            let shard = self.shard_mut(slot).expect("an open slot has its shard");
            all.push(ShardStats { subscriptions, ..shard.stats(now) });
        }
        all
    }

    /// What the shards of on-demand streams at home here have taken in since the last call: those
    /// that have taken in anything. `None` while there are no such streams.
    pub fn take_loads(&mut self) -> Option<Vec<ShardLoad>> {
        let view = self.view.clone();
        let mut on_demand = view
            .streams()
            .iter()
            .filter(|stream| stream.options.mode == StreamMode::OnDemand)
            .peekable();
        on_demand.peek()?;
        let mut loads = Vec::new();
        for stream in on_demand {
            for shard in stream.shards_at(self.me) {
                let Ok(slot) = self.slot(stream.key(shard.number)) else { continue };
                let shard = self.shard_mut(slot).expect("an open slot has its shard");
                loads.extend(shard.take_load());
            }
        }
        Some(loads)
    }
}
