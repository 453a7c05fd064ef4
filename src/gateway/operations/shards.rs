//! Shards: listed, split, merged, scaled.

use crate::base::ids::{Millis, ShardNumber, StreamUuid};
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::gateway::names::next_token::NextToken;
use crate::gateway::names::sequence_number::{Origin, SequenceNumber};
use crate::gateway::names::words::shard_filter_of;
use crate::gateway::names::{hash_key, shard_id};
use crate::quota::ControlCall;
use crate::record::HashRange;
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::reshard::{Reshard, Resharded};
use crate::wire::shards::{ShardDescription, ShardFilter};

use super::account::foreign_token;
use super::resource::stream;
use super::streams::{count, same_second};
use super::{Call, Outcome};

/// Shards of a page of ListShards (AWS).
const SHARDS_PER_PAGE: u32 = 1000;

/// Which page of which shards.
struct Listing {
    /// By a token; else the request names it.
    stream: Option<StreamUuid>,
    filter: ShardFilter,
    after: Option<ShardNumber>,
}

impl<H: Host> Call<'_, H> {
    pub(super) fn list_shards(&self) -> Outcome {
        let (view, now) = self.view();
        let input = self.input;
        let limit = input.int("MaxResults").map_or(SHARDS_PER_PAGE, count).min(SHARDS_PER_PAGE);
        let listing = match input.text("NextToken") {
            Some(token) => self.continued_listing(token, now.wall)?,
            None => Listing { stream: None, filter: shard_filter_of(input)?, after: None },
        };
        let Listing { filter, .. } = listing;
        let stream = match listing.stream {
            Some(uuid) => view.require_uuid(uuid)?,
            None => stream(&view, input)?,
        };
        self.admit(ControlCall::ListShards, Some(&stream.name))?;
        self.check_created(stream.created)?;
        let after = listing.after.or(self.shard_after(&stream.name)?);
        let list = stream.list_shards(filter, after, limit, now.wall)?;
        Ok(self.write(|e| {
            e.key("Shards").list(|e| {
                for shard in &list.shards {
                    write_shard(e, shard);
                }
            });
            if let Some(last) = list.shards.last().filter(|_| list.more) {
                let (stream, name, after) = (stream.uuid, stream.name.clone(), last.number);
                let next = NextToken::Shards { stream, name, filter, after };
                e.key("NextToken").text(&self.next_token(&next, now.wall));
            }
        }))
    }

    /// Where a token of an earlier page goes on. It names the stream and the filter, too.
    fn continued_listing(&self, token: &str, now: Millis) -> Result<Listing, Refusal> {
        let others = ["StreamName", "StreamARN", "ExclusiveStartShardId", "ShardFilter"];
        if let Some(other) = others.into_iter().find(|other| self.input.has(other)) {
            return Err(Refusal::invalid_argument(format!(
                "NextToken and {other} cannot be provided together."
            )));
        }
        match self.open_token(token, now)? {
            NextToken::Shards { stream, filter, after, .. } => {
                Ok(Listing { stream: Some(stream), filter, after: Some(after) })
            }
            _ => Err(foreign_token()),
        }
    }

    /// `ExclusiveStartShardId`.
    pub(super) fn shard_after(&self, stream: &str) -> Result<Option<ShardNumber>, Refusal> {
        let id = self.input.text("ExclusiveStartShardId");
        id.map(|id| self.shard_number(id, stream)).transpose()
    }

    /// The number in a shard's id.
    pub(super) fn shard_number(&self, id: &str, stream: &str) -> Result<ShardNumber, Refusal> {
        let (view, _) = self.view();
        shard_id::required(id, stream, &view.rules().account)
    }

    /// `StreamCreationTimestamp` tells a stream from an earlier one of the same name.
    pub(super) fn check_created(&self, created: Millis) -> Result<(), Refusal> {
        match self.input.time("StreamCreationTimestamp") {
            Some(time) if !same_second(time, created) => {
                Err(Refusal::not_found("There is no stream of this name and creation time."))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn split_shard(&self) -> Outcome {
        let name = self.stream_name()?;
        let shard = self.shard_number(self.text("ShardToSplit"), &name)?;
        let at = self.text("NewStartingHashKey");
        let at = Some(hash_key::parse(at).ok_or_else(|| {
            Refusal::invalid_argument(format!(
                "Invalid NewStartingHashKey. NewStartingHashKey must be in the range: [0, \
                 2^128-1]. Specified value was {at}"
            ))
        })?);
        self.reshard(Reshard::Split { shard, at }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn merge_shards(&self) -> Outcome {
        let name = self.stream_name()?;
        let shard = self.shard_number(self.text("ShardToMerge"), &name)?;
        let adjacent = self.shard_number(self.text("AdjacentShardToMerge"), &name)?;
        self.reshard(Reshard::Merge { shard, adjacent }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn update_shard_count(&self) -> Outcome {
        let target = count(self.input.int("TargetShardCount").expect("the model requires it"));
        let name = self.stream_name()?;
        let arn = self.view().0.require_name(&name)?.arn();
        let resharded = self.reshard(Reshard::Scale { target }).await?;
        Ok(self.write(|e| {
            e.key("StreamName").text(&name);
            e.key("StreamARN").text(&arn);
            e.key("CurrentShardCount").int(resharded.before.into());
            e.key("TargetShardCount").int(target.into());
        }))
    }

    async fn reshard(&self, reshard: Reshard) -> Result<Resharded, Refusal> {
        let name = self.stream_name()?;
        match self.caller().change(ControlOperation::Reshard { name, reshard }).await? {
            ControlAnswer::Resharded(resharded) => Ok(*resharded),
            other => unreachable!("a reshard is not answered with {other:?}"),
        }
    }
}

/// A `Shard` of AWS.
pub(super) fn write_shard(e: &mut Encoder<'_>, shard: &ShardDescription) {
    let origin = Origin { shard: shard.number, created: shard.created };
    e.map(|e| {
        e.key("ShardId").text(&shard.number.to_string());
        if let Some(parent) = shard.parent {
            e.key("ParentShardId").text(&parent.to_string());
        }
        if let Some(adjacent) = shard.adjacent_parent {
            e.key("AdjacentParentShardId").text(&adjacent.to_string());
        }
        e.key("HashKeyRange");
        write_range(e, shard.range);
        e.key("SequenceNumberRange").map(|e| {
            e.key("StartingSequenceNumber").text(&SequenceNumber::start(origin).to_string());
            if let Some(closed) = shard.closed {
                let end = SequenceNumber::end(origin, closed.at).to_string();
                e.key("EndingSequenceNumber").text(&end);
            }
        });
    });
}

pub(super) fn write_range(e: &mut Encoder<'_>, range: HashRange) {
    e.map(|e| {
        e.key("StartingHashKey").text(&range.start.0.to_string());
        e.key("EndingHashKey").text(&range.end.0.to_string());
    });
}
