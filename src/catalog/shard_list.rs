//! Listings of shards with their filters (AWS: `ListShards`), and the children of a shard.

use super::validation::Violations;
use super::view::{ShardView, StreamView};
use crate::base::error::ApiError;
use crate::base::ids::{Millis, ShardNumber};
use crate::base::stream::StreamStatus;
use crate::wire::shards::{ChildShard, SHARDS_PER_PAGE_MAX, ShardFilter, ShardList};

impl StreamView {
    /// The shards that follow a closed one, by number. None for an open shard.
    #[must_use]
    pub fn children(&self, number: ShardNumber) -> Vec<ChildShard> {
        let shown = self.shown();
        let from = shown.descent.partition_point(|(parent, _)| *parent < number);
        let own = shown.descent[from..].iter().take_while(|(parent, _)| *parent == number);
        own.map(|&(_, at)| {
            let child = &shown.shards[at as usize];
            ChildShard {
                number: child.number,
                parent: child.parent.expect("a child has a parent"),
                adjacent_parent: child.adjacent_parent,
                range: child.range,
            }
        })
        .collect()
    }

    /// At most `limit` shards that pass `filter`, behind `after`, in the order of their numbers.
    /// What has expired by `now` is in no listing, removed or not.
    pub fn list_shards(
        &self,
        filter: ShardFilter,
        after: Option<ShardNumber>,
        limit: u32,
        now: Millis,
    ) -> Result<ShardList, ApiError> {
        let mut violations = Violations::default();
        violations.range_from_one("maxResults", limit, SHARDS_PER_PAGE_MAX);
        violations.finish()?;
        match self.status {
            StreamStatus::Active | StreamStatus::Updating => {}
            status => return Err(self.rules.not_active(&self.name, status)),
        }
        let after = match filter {
            ShardFilter::AfterShard(number) => after.max(Some(number)),
            _ => after,
        };
        let shown = self.shown();
        let from = after.map_or(0, |n| shown.shards.partition_point(|s| s.number <= n));
        let horizon = shown.retention_cutoff(now);
        let mut passing = shown.shards[from..].iter().filter(|s| shown.passes(s, filter, horizon));
        let shards = passing.by_ref().take(limit as usize).map(ShardView::describe).collect();
        Ok(ShardList { shards, more: passing.next().is_some() })
    }

    fn passes(&self, shard: &ShardView, filter: ShardFilter, horizon: Millis) -> bool {
        // What was before the stream existed is the same as what was when it was created.
        let clamp = |time: Millis| time.max(horizon).max(self.created);
        let open_or_closed_since = |time| shard.closed.is_none_or(|closed| closed.at >= time);
        match filter {
            ShardFilter::FromTrimHorizon | ShardFilter::AfterShard(_) => {
                open_or_closed_since(horizon)
            }
            ShardFilter::FromTimestamp(time) => open_or_closed_since(clamp(time)),
            ShardFilter::AtLatest => shard.is_open(),
            ShardFilter::AtTimestamp(time) => self.was_open(shard, clamp(time)),
            ShardFilter::AtTrimHorizon => self.was_open(shard, clamp(horizon)),
        }
    }

    /// Whether a shard was the one of its hash keys at `time`. In the millisecond of a reshard
    /// those are the parents: records of that time may be in both, and readers of the parents
    /// come to the children.
    fn was_open(&self, shard: &ShardView, time: Millis) -> bool {
        let closed_before = |number| {
            let parent = self.shard(number).and_then(|parent| parent.closed);
            parent.is_none_or(|closed| closed.at < time)
        };
        shard.closed.is_none_or(|closed| closed.at >= time) && shard.parents().all(closed_before)
    }
}
