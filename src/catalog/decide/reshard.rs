//! Shards are split, merged and scaled.
//!
//! A plan is made first: it says which shards end and which follow. While it is carried out, the
//! ends of the parents become known; then one event closes all parents and opens all children.

use super::scale::scale;
use super::{require_active, require_rate, require_shards};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber, StreamUuid};
use crate::base::limits::{SCALINGS_PER_DAY, STREAM_SHARDS_MAX};
use crate::base::stream::StreamMode;
use crate::catalog::event::{Event, PlannedShard};
use crate::catalog::rules::Rules;
use crate::catalog::state::{ShardRecord, State, StreamRecord};
use crate::catalog::validation::Violations;
use crate::catalog::view::{ShardView, StreamView};
use crate::record::{HashKey, HashRange};
use crate::wire::reshard::Reshard;
use crate::wire::shards::ShardDescription;

/// Who wants a reshard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A client: only of provisioned streams, and within the bounds of AWS.
    Request,
    /// The server, for an on-demand stream.
    OnDemand,
}

/// What a reshard will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReshardPlan {
    /// Identity of the stream.
    pub stream: StreamUuid,
    /// Its name.
    pub name: String,
    /// Who wants it.
    pub cause: Cause,
    /// Whether it is a scaling.
    pub is_scaling: bool,
    /// The open shards that will close, by number. None if the shards are as wanted already.
    pub parents: Vec<ShardNumber>,
    /// The shards that follow, by number. What is not open only joins others.
    pub children: Vec<PlannedShard>,
}

impl ReshardPlan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The shards that will close, as the whole server knows them.
    pub fn parent_keys(&self) -> impl Iterator<Item = ShardKey> {
        let stream = self.stream;
        self.parents.iter().map(move |&number| ShardKey { stream, number })
    }

    /// The shards that it has closed and made, by number, as they are in `after`.
    #[must_use]
    pub fn changed(&self, after: &StreamView) -> Vec<ShardDescription> {
        let children = self.children.iter().map(|child| child.number);
        let changed = self.parents.iter().copied().chain(children);
        changed.filter_map(|number| after.shard(number)).map(ShardView::describe).collect()
    }
}

/// Plans a reshard of a stream. Nothing changes yet.
pub fn plan_reshard(
    state: &State,
    rules: &Rules,
    name: &str,
    reshard: &Reshard,
    by: Cause,
    now: Millis,
) -> Result<ReshardPlan, ApiError> {
    let stream = require_active(state, rules, name)?;
    if by == Cause::Request && stream.options.mode == StreamMode::OnDemand {
        return Err(ApiError::new(
            ErrorCode::Validation,
            format!(
                "Request is invalid. Stream {name} under account {} is in On-Demand mode.",
                rules.account
            ),
        ));
    }
    let (parents, children) = match *reshard {
        Reshard::Split { shard, at } => split(rules, stream, shard, at)?,
        Reshard::Merge { shard, adjacent } => merge(rules, stream, shard, adjacent)?,
        Reshard::Scale { target } => {
            check_target(rules, stream, target, by, now)?;
            scale(stream, target)
        }
    };
    let opened = children.iter().filter(|child| child.open).count();
    require_shards(state, rules, opened.saturating_sub(parents.len()))?;
    Ok(ReshardPlan {
        stream: stream.uuid,
        name: name.to_owned(),
        cause: by,
        is_scaling: matches!(reshard, Reshard::Scale { .. }),
        parents,
        children,
    })
}

/// Carries out a plan that is not empty. `ends` are the positions behind the last record of each
/// parent. `now` must not be earlier than the arrival of any of their records: they expire with
/// the shard.
#[must_use]
pub fn reshard(
    plan: &ReshardPlan,
    ends: &[(ShardNumber, Seq)],
    state: &State,
    now: Millis,
) -> Event {
    assert!(!plan.is_empty(), "an empty plan is done already");
    let mut parents = ends.to_vec();
    parents.sort_by_key(|(number, _)| *number);
    let numbers = parents.iter().map(|(number, _)| number);
    assert!(numbers.eq(&plan.parents), "every parent has one end, and nothing else has");
    // The clock may have stepped back; no shard is closed before it was created.
    let records = state.stream(&plan.name).into_iter().flat_map(|stream| {
        plan.parents.iter().filter_map(|number| stream.shard(*number)).map(|shard| shard.created)
    });
    Event::Resharded {
        name: plan.name.clone(),
        uuid: plan.stream,
        at: records.fold(now, Millis::max),
        scaling: plan.is_scaling && plan.cause == Cause::Request,
        parents,
        children: plan.children.clone(),
    }
}

type Change = (Vec<ShardNumber>, Vec<PlannedShard>);

fn split(
    rules: &Rules,
    stream: &StreamRecord,
    number: ShardNumber,
    at: Option<HashKey>,
) -> Result<Change, ApiError> {
    let shard = require_open(rules, stream, number)?;
    let HashRange { start, end } = shard.range;
    let at = at.map_or((start.0 + (end.0 - start.0) / 2).saturating_add(1), |at| at.0);
    if at <= start.0.saturating_add(1) || at >= end.0 {
        return Err(ApiError::invalid(format!(
            "NewStartingHashKey {at} used in SplitShard() on shard {number} in {} is not both \
             greater than one plus the shard's StartingHashKey {start} and less than the shard's \
             EndingHashKey {end}.",
            rules.stream_subject(&stream.name)
        )));
    }
    check_count(stream, stream.open_shards().count() + 1)?;
    let low = HashRange { start, end: HashKey(at - 1) };
    let high = HashRange { start: HashKey(at), end };
    let child = |more: u32, range| PlannedShard {
        number: ShardNumber(stream.next_number() + more),
        range,
        parent: number,
        adjacent_parent: None,
        open: true,
    };
    Ok((vec![number], vec![child(0, low), child(1, high)]))
}

fn merge(
    rules: &Rules,
    stream: &StreamRecord,
    number: ShardNumber,
    adjacent: ShardNumber,
) -> Result<Change, ApiError> {
    let low = require_open(rules, stream, number)?;
    let high = require_open(rules, stream, adjacent)?;
    if low.range.end.0.checked_add(1) != Some(high.range.start.0) {
        return Err(ApiError::invalid(format!(
            "Shards {number} and {adjacent} in {} are not an adjacent pair of shards eligible for \
             merging",
            rules.stream_subject(&stream.name)
        )));
    }
    let child = PlannedShard {
        number: ShardNumber(stream.next_number()),
        range: HashRange { start: low.range.start, end: high.range.end },
        parent: number,
        adjacent_parent: Some(adjacent),
        open: true,
    };
    let mut parents = vec![number, adjacent];
    parents.sort();
    Ok((parents, vec![child]))
}

fn require_open<'a>(
    rules: &Rules,
    stream: &'a StreamRecord,
    number: ShardNumber,
) -> Result<&'a ShardRecord, ApiError> {
    let subject = rules.stream_subject(&stream.name);
    let shard = stream.shard(number).ok_or_else(|| {
        ApiError::not_found(format!("Could not find shard {number} in {subject}."))
    })?;
    match shard.open {
        true => Ok(shard),
        false => Err(ApiError::invalid(format!(
            "Shard {number} in {subject} has already been merged or split, and thus is not \
             eligible for merging or splitting."
        ))),
    }
}

/// Whether a scaling to `target` is allowed.
fn check_target(
    rules: &Rules,
    stream: &StreamRecord,
    target: u32,
    by: Cause,
    now: Millis,
) -> Result<(), ApiError> {
    let mut violations = Violations::default();
    violations.at_least("targetShardCount", target, 1);
    violations.finish()?;
    check_count(stream, target as usize)?;
    if by == Cause::OnDemand {
        return Ok(());
    }
    let open = stream.open_shards().count();
    let refuse = |bound: &str| {
        let text = format!(
            "UpdateShardCount cannot scale {bound} your current open shard count. Current open \
             shard count: {open}, Target shard count: {target}"
        );
        Err(ApiError::new(ErrorCode::LimitExceeded, text))
    };
    if target as usize > 2 * open {
        return refuse("up over double");
    }
    if (target as usize) < open.div_ceil(2) {
        return refuse("down below half");
    }
    let scalings = (stream.scalings.as_slice(), SCALINGS_PER_DAY);
    require_rate(rules, stream, scalings, "shard count", now)
}

/// Whether a stream may have `count` open shards.
fn check_count(stream: &StreamRecord, count: usize) -> Result<(), ApiError> {
    if count <= STREAM_SHARDS_MAX {
        return Ok(());
    }
    let open = stream.open_shards().count();
    Err(ApiError::new(
        ErrorCode::LimitExceeded,
        format!(
            "Target shard count or number of open shards cannot be greater than \
             {STREAM_SHARDS_MAX}. Current open shard count: {open}, Target shard count: {count}"
        ),
    ))
}
