//! What is shown: the shards, and what their cores have counted.

use std::collections::HashMap;

use crate::base::ids::{CoreId, ShardNumber};
use crate::cli::failure::Failure;
use crate::client::Client;
use crate::wire::shards::{HOT_PERCENT, ShardDescription, ShardFilter, ShardStats};
use crate::wire::streams::{DescribeStream, StreamSummary};

/// See the module.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) stream: StreamSummary,
    /// By number.
    pub(super) shards: Vec<ShardDescription>,
    /// Of each shard; `None` if they were not asked for.
    pub(super) stats: Option<HashMap<ShardNumber, ShardStats>>,
}

impl Listing {
    /// Asks the server, and with `stats` each of its cores.
    pub(super) fn fetch(
        client: &mut Client,
        name: &str,
        filter: ShardFilter,
        stats: bool,
    ) -> Result<Listing, Failure> {
        let request = DescribeStream { name, after: None, limit: 0 };
        let stream = client.describe_page(&request)?.summary;
        let shards = client.all_shards(name, filter)?;
        if !stats {
            return Ok(Listing { stream, shards, stats: None });
        }
        let mut all = HashMap::new();
        for core in 0..client.server().cores {
            let counted = client.shard_stats(stream.uuid, CoreId(core))?;
            all.extend(counted.into_iter().map(|stats| (stats.number, stats)));
        }
        Ok(Listing { stream, shards, stats: Some(all) })
    }

    /// What was counted of a shard. Nothing, where it is gone meanwhile.
    pub(super) fn stats_of(&self, shard: &ShardDescription) -> Option<ShardStats> {
        let all = self.stats.as_ref()?;
        Some(all.get(&shard.number).copied().unwrap_or_default())
    }

    /// How much of what a shard admits comes in, in percent; `None` for a closed one, or without
    /// limits or stats.
    pub(super) fn load_of(&self, shard: &ShardDescription) -> Option<u64> {
        let stats = self.stats_of(shard).filter(|_| shard.is_open())?;
        stats.load_percent(&self.stream.options.limits)
    }

    /// Whether more than half of what a shard admits comes in.
    pub(super) fn is_hot(&self, shard: &ShardDescription) -> bool {
        self.load_of(shard).is_some_and(|percent| percent > HOT_PERCENT)
    }
}
