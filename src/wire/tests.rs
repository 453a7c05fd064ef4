use std::fmt::Debug;

use super::account::*;
use super::alter::*;
use super::codec::*;
use super::consumers::*;
use super::error::ErrorFrame;
use super::frame::Opcode;
use super::hello::{Hello, HelloAnswer};
use super::put::{Put, PutAnswer, write_put_answer};
use super::read::{Get, GetAnswer, GetIterator};
use super::reshard::*;
use super::shards::*;
use super::streams::*;
use super::subscribe::*;
use super::tags::*;

mod hostile;
mod round_trips;
mod values;

fn encode(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut Writer::new(&mut bytes));
    bytes
}

/// A message without a body: it comes back from its bytes, and neither when they are cut anywhere,
/// nor with the one byte more that `bytes` has.
fn holds<'a, M: Decode<'a> + PartialEq + Debug>(message: &M, bytes: &'a [u8]) {
    let len = bytes.len() - 1;
    assert_eq!(M::decode(&bytes[..len]).as_ref(), Ok(message));
    assert_eq!(M::decode(bytes).err(), Some(DecodeError::Trailing(1)), "{message:?}");
    for end in 0..len {
        assert!(M::decode(&bytes[..end]).is_err(), "cut at {end} of {len}: {message:?}");
    }
}

/// A message that ends in batches: a cut in front of them is an error.
fn holds_with_body<'a, M: Decode<'a> + PartialEq + Debug>(
    message: &M,
    bytes: &'a [u8],
    prefix: usize,
) {
    assert_eq!(M::decode(bytes).as_ref(), Ok(message));
    for end in 0..prefix {
        assert!(M::decode(&bytes[..end]).is_err(), "cut at {end} of {prefix}: {message:?}");
    }
}

/// Decodes a payload of `opcode` and encodes what it found; `None` if it is refused.
fn recode(opcode: Opcode, payload: &[u8]) -> Option<Vec<u8>> {
    match opcode {
        Opcode::CreateStream => with(payload, CreateStream::write),
        Opcode::CreateStreamAnswer | Opcode::DescribeStreamAnswer => {
            with(payload, StreamDescription::write)
        }
        Opcode::DeleteStream => with(payload, DeleteStream::write),
        Opcode::DescribeStream => with(payload, DescribeStream::write),
        Opcode::ListStreams => with(payload, ListStreams::write),
        Opcode::ListStreamsAnswer => with(payload, StreamList::write),
        Opcode::AlterStream => with(payload, AlterStream::write),
        Opcode::AlterStreamAnswer => with(payload, StreamSummary::write),
        Opcode::ShardMap => with(payload, StreamName::write),
        Opcode::ShardMapAnswer => with(payload, ShardMap::write),
        Opcode::ListShards => with(payload, ListShards::write),
        Opcode::ListShardsAnswer => with(payload, ShardList::write),
        Opcode::ShardStats => with(payload, GetShardStats::write),
        Opcode::ShardStatsAnswer => with(payload, ShardCounts::write),
        Opcode::ReshardStream => with(payload, ReshardStream::write),
        Opcode::ReshardStreamAnswer => with(payload, Resharded::write),
        Opcode::RegisterConsumer => with(payload, RegisterConsumer::write),
        Opcode::RegisterConsumerAnswer | Opcode::DescribeConsumerAnswer => {
            with(payload, ConsumerDescription::write)
        }
        Opcode::DeregisterConsumer | Opcode::DescribeConsumer => with(payload, ConsumerName::write),
        Opcode::ListConsumers => with(payload, ListConsumers::write),
        Opcode::ListConsumersAnswer => with(payload, ConsumerList::write),
        Opcode::TagConsumer => with(payload, TagConsumer::write),
        Opcode::ListTags => with(payload, ListTags::write),
        Opcode::ListTagsAnswer => with(payload, TagList::write),
        Opcode::DescribeAccountAnswer | Opcode::UpdateAccountAnswer => {
            with(payload, AccountDescription::write)
        }
        Opcode::UpdateAccount => with(payload, UpdateAccount::write),
        Opcode::DeleteStreamAnswer
        | Opcode::DeregisterConsumerAnswer
        | Opcode::TagConsumerAnswer
        | Opcode::UnsubscribeAnswer
        | Opcode::DescribeAccount => payload.is_empty().then(Vec::new),
        other => recode_data(other, payload),
    }
}

/// [`recode`] for connections and records.
fn recode_data(opcode: Opcode, payload: &[u8]) -> Option<Vec<u8>> {
    match opcode {
        Opcode::Hello => with(payload, Hello::write),
        Opcode::HelloAnswer => with(payload, HelloAnswer::write),
        Opcode::Ping | Opcode::PingAnswer | Opcode::GetIteratorAnswer => Some(payload.to_vec()),
        Opcode::Put => with(payload, |m: &Put<'_>, w| {
            m.write_prefix(w);
            w.bytes(m.batch);
        }),
        Opcode::PutAnswer => with(payload, |m: &PutAnswer<'_>, w| {
            write_put_answer(w, &m.runs, m.message, &m.run_of);
        }),
        Opcode::GetIterator => with(payload, GetIterator::write),
        Opcode::Get => with(payload, Get::write),
        Opcode::GetAnswer => with(payload, |m: &GetAnswer<'_>, w| {
            m.write_prefix(w);
            w.bytes(m.batches);
        }),
        Opcode::Subscribe => with(payload, Subscribe::write),
        Opcode::SubscribeAnswer => with(payload, SubscribeAnswer::write),
        Opcode::Credit => with(payload, Credit::write),
        Opcode::Unsubscribe => with(payload, Unsubscribe::write),
        Opcode::Push => with(payload, |m: &Push<'_>, w| {
            m.write_prefix(w);
            w.bytes(m.batches);
        }),
        Opcode::SubscriptionEnd => with(payload, SubscriptionEnd::write),
        Opcode::ShardEnded => with(payload, ShardEnded::write),
        Opcode::Error => with(payload, ErrorFrame::write),
        other => panic!("{other:?} has no message here"),
    }
}

fn with<'a, M: Decode<'a>>(
    payload: &'a [u8],
    write: impl FnOnce(&M, &mut Writer<'_>),
) -> Option<Vec<u8>> {
    let message = M::decode(payload).ok()?;
    Some(encode(|w| write(&message, w)))
}
