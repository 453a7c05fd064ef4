//! `Subscribe`, `Push`, `Credit`, `Unsubscribe`: enhanced fan-out.

use super::codec::{Decode, DecodeError, Reader, Writer};
use super::position::{read_position, write_position};
use super::shards::ChildShard;
use crate::base::error::ErrorCode;
use crate::base::ids::{Seq, ShardNumber, StreamUuid};
use crate::base::stream::Position;

/// Opens a subscription. The answer is the position it starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Chosen by the client, unique on its connection.
    pub subscription: u32,
    /// The stream.
    pub stream: StreamUuid,
    /// The shard.
    pub shard: ShardNumber,
    /// The consumer's name. A second subscription of it to the shard takes the first one over.
    pub consumer: &'a str,
    /// Where to start.
    pub position: Position,
    /// Bytes of batches that the client accepts before it grants more.
    pub credit: u64,
}

impl Subscribe<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.subscription).bytes(&self.stream.0).u32(self.shard.0);
        write_position(w, self.position);
        w.u64(self.credit).text(self.consumer);
    }
}

impl<'a> Decode<'a> for Subscribe<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Subscribe {
            subscription: r.u32("subscription")?,
            stream: StreamUuid(r.array("stream")?),
            shard: ShardNumber(r.u32("shard")?),
            position: read_position(r)?,
            credit: r.u64("credit")?,
            consumer: r.text("consumer")?,
        })
    }
}

/// The answer to a subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeAnswer {
    /// The first record that the subscription will bring.
    pub start: Seq,
}

impl SubscribeAnswer {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u64(self.start.0);
    }
}

impl Decode<'_> for SubscribeAnswer {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(SubscribeAnswer { start: Seq(r.u64("start")?) })
    }
}

/// Records for a subscription: whole batches as they are stored. Its bytes use up credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push<'a> {
    /// Which.
    pub subscription: u32,
    /// First record that is new to the subscriber; earlier ones of the first batch are not.
    pub first: Seq,
    /// How far the last record is behind the newest, in ms; 0 at the tip.
    pub behind_ms: u64,
    /// Batches, one behind the other.
    pub batches: &'a [u8],
}

impl Push<'_> {
    /// Writes everything in front of the batches.
    pub fn write_prefix(&self, w: &mut Writer<'_>) {
        w.u32(self.subscription).u32(0).u64(self.first.0).u64(self.behind_ms);
    }
}

impl<'a> Decode<'a> for Push<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let subscription = r.u32("subscription")?;
        r.reserved(4)?;
        Ok(Push {
            subscription,
            first: Seq(r.u64("first")?),
            behind_ms: r.u64("behind_ms")?,
            batches: r.rest(),
        })
    }
}

/// Grants more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// To which.
    pub subscription: u32,
    /// How many.
    pub bytes: u64,
}

impl Credit {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.subscription).u64(self.bytes);
    }
}

impl Decode<'_> for Credit {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Credit { subscription: r.u32("subscription")?, bytes: r.u64("bytes")? })
    }
}

/// Ends a subscription. The answer has no payload, and no push follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Which.
    pub subscription: u32,
}

impl Unsubscribe {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.subscription);
    }
}

impl Decode<'_> for Unsubscribe {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Unsubscribe { subscription: r.u32("subscription")? })
    }
}

/// The server ended a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionEnd<'a> {
    /// Which.
    pub subscription: u32,
    /// Where a new one would continue.
    pub continue_at: Seq,
    /// Why.
    pub code: ErrorCode,
    /// Why, for a person.
    pub message: &'a str,
}

impl SubscriptionEnd<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.subscription).u64(self.continue_at.0).u16(self.code as u16).text(self.message);
    }
}

impl<'a> Decode<'a> for SubscriptionEnd<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(SubscriptionEnd {
            subscription: r.u32("subscription")?,
            continue_at: Seq(r.u64("continue_at")?),
            code: ErrorCode::from_wire(r.u16("code")?).ok_or(DecodeError::Value("code"))?,
            message: r.text("message")?,
        })
    }
}

/// The shard of a subscription is closed and all of its records were pushed: the subscription has
/// ended, and the records go on in the children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardEnded {
    /// Which.
    pub subscription: u32,
    /// Behind the shard's last record.
    pub end: Seq,
    /// Where the records go on.
    pub children: Vec<ChildShard>,
}

impl ShardEnded {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u32(self.subscription).u64(self.end.0);
        ChildShard::write_all(&self.children, w);
    }
}

impl Decode<'_> for ShardEnded {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ShardEnded {
            subscription: r.u32("subscription")?,
            end: Seq(r.u64("end")?),
            children: ChildShard::read_all(r)?,
        })
    }
}
