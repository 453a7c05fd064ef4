//! Positions of a shard as AWS sequence numbers.
//!
//! Record `k` of a shard has index `k + 1`: index 0 is the number that the shard starts with, so that
//! a reader can go on behind it before there is any record.

use crate::base::ids::{Millis, Seq};
use crate::base::stream::Position;
use crate::catalog::{ShardView, StreamView};
use crate::gateway::error::Refusal;
use crate::gateway::names::sequence::{INDEX_MAX, SequenceNumber};
use crate::wire::shards::ShardDescription;

/// The number of a record.
pub(super) fn of_record(shard: &ShardView, seq: Seq, arrival: Millis) -> String {
    let (created, number) = (shard.created, shard.number);
    SequenceNumber { created, shard: number, index: seq.0 + 1, time: arrival }.to_string()
}

/// The number behind which a reader at `next` goes on.
pub(super) fn continuation(shard: &ShardView, next: Seq, now: Millis) -> String {
    let (created, number) = (shard.created, shard.number);
    SequenceNumber { created, shard: number, index: next.0, time: now }.to_string()
}

/// The number that a shard starts with.
pub(super) fn start(shard: &ShardDescription) -> String {
    let ShardDescription { created, number, .. } = *shard;
    SequenceNumber { created, shard: number, index: 0, time: created }.to_string()
}

/// The number that a closed shard ends with: above those of all its records.
pub(super) fn end(shard: &ShardDescription) -> Option<String> {
    let ShardDescription { created, number, closed, .. } = *shard;
    let time = closed?.at;
    Some(SequenceNumber { created, shard: number, index: INDEX_MAX, time }.to_string())
}

/// Whether a position is to be read from, or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// `AT_SEQUENCE_NUMBER`.
    At,
    /// `AFTER_SEQUENCE_NUMBER`.
    After,
}

/// The position in a shard that a sequence number stands for.
pub(super) fn position(
    stream: &StreamView,
    shard: &ShardView,
    side: Side,
    text: &str,
    now: Millis,
) -> Result<Position, Refusal> {
    let foreign = || {
        Refusal::invalid_argument(format!(
            "StartingSequenceNumber {text} used in GetShardIterator on shard {} in stream {} under \
             account {} is invalid because it did not come from this stream.",
            shard.number,
            stream.name,
            stream.account()
        ))
    };
    let number = SequenceNumber::parse(text, now).ok_or_else(foreign)?;
    if number.shard != shard.number {
        return Err(Refusal::invalid_argument(format!(
            "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a \
             shard with {}",
            number.shard, shard.number
        )));
    }
    if number.created.0 / 1000 != shard.created.0 / 1000 {
        return Err(foreign());
    }
    Ok(match (number.index, side) {
        // Above all records there can be.
        (INDEX_MAX, _) => Position::Latest,
        (0, _) => Position::AtSequence(Seq(0)),
        (index, Side::At) => Position::AtSequence(Seq(index - 1)),
        (index, Side::After) => Position::AfterSequence(Seq(index - 1)),
    })
}
