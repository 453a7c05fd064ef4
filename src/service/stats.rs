//! What the shards at home here have counted: for listings, and for core 0, which scales
//! on-demand streams.

use crate::base::clock::Now;
use crate::base::ids::StreamUuid;
use crate::base::stream::{ShardLimits, ShardLoad, StreamMode};
use crate::fanout::SubscriptionStats;
use crate::service::core::Core;
use crate::service::report::{HotShard, StreamLoad};
use crate::wire::shards::{HOT_PERCENT, ShardStats};

impl StreamLoad {
    /// Adds what another core says of the stream.
    pub fn merge(&mut self, other: &StreamLoad) {
        let (mine, theirs) = (&mut self.sum, &other.sum);
        self.records += other.records;
        mine.bytes += theirs.bytes;
        mine.in_bytes_per_s += theirs.in_bytes_per_s;
        mine.in_records_per_s += theirs.in_records_per_s;
        mine.throttled += theirs.throttled;
        mine.subscriptions += theirs.subscriptions;
        self.hot.extend(&other.hot);
    }

    fn add(&mut self, shard: &ShardStats, limits: &ShardLimits) {
        self.records += shard.records();
        self.sum.bytes += shard.bytes;
        self.sum.in_bytes_per_s += shard.in_bytes_per_s;
        self.sum.in_records_per_s += shard.in_records_per_s;
        self.sum.throttled += shard.throttled;
        self.sum.subscriptions += shard.subscriptions;
        if let Some(percent) = shard.load_percent(limits).filter(|load| *load > HOT_PERCENT) {
            let ShardStats { number, in_bytes_per_s, in_records_per_s, .. } = *shard;
            self.hot.push(HotShard { shard: number, percent, in_bytes_per_s, in_records_per_s });
        }
    }
}

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

    /// All streams with shards at home here, at a glance.
    #[must_use]
    pub fn stream_loads(&mut self, now: Now) -> Vec<StreamLoad> {
        let view = self.view.clone();
        let mut loads = Vec::new();
        for stream in view.streams() {
            let stats = self.shard_stats(now, stream.uuid);
            if stats.is_empty() {
                continue;
            }
            let mut load = StreamLoad::of(stream.uuid);
            stats.iter().for_each(|shard| load.add(shard, &stream.options.limits));
            loads.push(load);
        }
        loads
    }

    /// How the subscriptions to the shards of a stream at home here are doing.
    #[must_use]
    pub fn subscription_stats(&self, stream: StreamUuid) -> Vec<SubscriptionStats> {
        let Some(view) = self.view.by_uuid(stream) else { return Vec::new() };
        let shown = view.shown().shards_at(self.me);
        let slots = shown.filter_map(|shard| self.slot(view.key(shard.number)).ok());
        let open = slots.filter_map(|slot| Some((slot, self.shard(slot)?)));
        open.flat_map(|(slot, shard)| self.subscriptions.stats(slot, shard)).collect()
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
