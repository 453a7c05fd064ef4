//! Shards: listed, split, merged, scaled.

use crate::base::ids::{Millis, ShardNumber};
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::host::Host;
use crate::gateway::names::{hash_key, shard_id};
use crate::record::HashRange;
use crate::service::{ControlAnswer, ControlOperation};
use crate::wire::reshard::{Reshard, Resharded};
use crate::wire::shards::{ShardDescription, ShardFilter};

use super::resource::stream_name;
use super::sequence;
use super::streams::{count, same_second};
use super::{Call, Outcome};

/// Shards of a page of ListShards (AWS).
const SHARDS_PER_PAGE: u32 = 1000;

/// What a token of ListShards carries, beside the stream and the last shard.
const FILTER_SEPARATOR: char = ' ';

impl<H: Host> Call<'_, H> {
    pub(super) fn list_shards(&self) -> Outcome {
        let (view, now) = self.view();
        let input = self.input;
        let limit = input.int("MaxResults").map_or(SHARDS_PER_PAGE, count).min(SHARDS_PER_PAGE);
        let (name, filter, after) = match input.text("NextToken") {
            Some(token) => self.continued_listing(token, now.wall)?,
            None => (stream_name(input)?, self.shard_filter()?, self.exclusive_start()?),
        };
        let stream = view.require_name(&name)?;
        self.check_created(stream.created)?;
        let list = stream.list_shards(filter, after, limit, now.wall)?;
        Ok(self.write(|e| {
            e.key("Shards").list(|e| {
                for shard in &list.shards {
                    write_shard(e, shard);
                }
            });
            if let Some(last) = list.shards.last().filter(|_| list.more) {
                let behind = format!("{}{FILTER_SEPARATOR}{}", last.number.0, filter_word(filter));
                e.key("NextToken").text(&self.next_token(&name, &behind, now.wall));
            }
        }))
    }

    /// Where a token of an earlier page goes on.
    fn continued_listing(
        &self,
        token: &str,
        now: Millis,
    ) -> Result<(String, ShardFilter, Option<ShardNumber>), Refusal> {
        for other in ["StreamName", "StreamARN", "ExclusiveStartShardId"] {
            if self.input.has(other) {
                return Err(Refusal::invalid_argument(format!(
                    "NextToken and {other} cannot be provided together."
                )));
            }
        }
        let token = self.open_token(token, now)?;
        let broken = || Refusal::invalid_argument("NextToken is invalid.");
        let (number, filter) = token.after.split_once(FILTER_SEPARATOR).ok_or_else(broken)?;
        let number = number.parse().map_err(|_| broken())?;
        let filter = filter_of(filter).ok_or_else(broken)?;
        Ok((token.stream, filter, Some(ShardNumber(number))))
    }

    fn exclusive_start(&self) -> Result<Option<ShardNumber>, Refusal> {
        self.input.text("ExclusiveStartShardId").map(shard_id::parse).transpose()
    }

    fn shard_filter(&self) -> Result<ShardFilter, Refusal> {
        let Some(filter) = self.input.structure("ShardFilter") else {
            return Ok(ShardFilter::default());
        };
        let kind = filter.text("Type").expect("the model requires it");
        let time = || {
            filter.time("Timestamp").ok_or_else(|| {
                Refusal::invalid_argument(format!("Timestamp must be specified with {kind}."))
            })
        };
        Ok(match kind {
            "AFTER_SHARD_ID" => {
                let id = filter.text("ShardId").ok_or_else(|| {
                    Refusal::invalid_argument("ShardId must be specified with AFTER_SHARD_ID.")
                })?;
                ShardFilter::AfterShard(shard_id::parse(id)?)
            }
            "AT_TRIM_HORIZON" => ShardFilter::AtTrimHorizon,
            "AT_LATEST" => ShardFilter::AtLatest,
            "AT_TIMESTAMP" => ShardFilter::AtTimestamp(time()?),
            "FROM_TIMESTAMP" => ShardFilter::FromTimestamp(time()?),
            _ => ShardFilter::FromTrimHorizon,
        })
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
        let shard = shard_id::parse(self.text("ShardToSplit"))?;
        let at = Some(hash_key::parse(self.text("NewStartingHashKey"))?);
        self.reshard(Reshard::Split { shard, at }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn merge_shards(&self) -> Outcome {
        let shard = shard_id::parse(self.text("ShardToMerge"))?;
        let adjacent = shard_id::parse(self.text("AdjacentShardToMerge"))?;
        self.reshard(Reshard::Merge { shard, adjacent }).await?;
        Ok(Vec::new())
    }

    pub(super) async fn update_shard_count(&self) -> Outcome {
        let target = count(self.input.int("TargetShardCount").expect("the model requires it"));
        let name = stream_name(self.input)?;
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
        let name = stream_name(self.input)?;
        match self.caller().change(ControlOperation::Reshard { name, reshard }).await? {
            ControlAnswer::Resharded(resharded) => Ok(*resharded),
            other => unreachable!("a reshard is not answered with {other:?}"),
        }
    }
}

/// A `Shard` of AWS.
pub(super) fn write_shard(e: &mut Encoder<'_>, shard: &ShardDescription) {
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
            e.key("StartingSequenceNumber").text(&sequence::start(shard));
            if let Some(end) = sequence::end(shard) {
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

fn filter_word(filter: ShardFilter) -> String {
    match filter {
        ShardFilter::FromTrimHorizon => "from-trim".to_owned(),
        ShardFilter::AtTrimHorizon => "at-trim".to_owned(),
        ShardFilter::AtLatest => "latest".to_owned(),
        ShardFilter::AtTimestamp(time) => format!("at-{}", time.0),
        ShardFilter::FromTimestamp(time) => format!("from-{}", time.0),
        ShardFilter::AfterShard(number) => format!("after-{}", number.0),
    }
}

fn filter_of(word: &str) -> Option<ShardFilter> {
    let number = |text: &str| text.parse::<u64>().ok();
    Some(match word.split_once('-') {
        None => ShardFilter::AtLatest,
        Some(("from", "trim")) => ShardFilter::FromTrimHorizon,
        Some(("at", "trim")) => ShardFilter::AtTrimHorizon,
        Some(("at", time)) => ShardFilter::AtTimestamp(Millis(number(time)?)),
        Some(("from", time)) => ShardFilter::FromTimestamp(Millis(number(time)?)),
        Some((_, shard)) => {
            let number = u32::try_from(number(shard)?).ok()?;
            ShardFilter::AfterShard(ShardNumber(number))
        }
    })
}
