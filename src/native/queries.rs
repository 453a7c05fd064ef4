//! What is asked about streams, shards, consumers, tags and the account, and changes of them.
//!
//! Questions are answered by the core of the connection, from its own view of the catalog; what a
//! core has counted is answered by that core. Changes go to core 0.

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{SessionId, ShardNumber, StreamUuid};
use crate::native::dispatch::{Refused, Request, answer};
use crate::native::session::Session;
use crate::native::sessions::{Outgoing, Sessions};
use crate::service::{ControlOperation, Core, Message};
use crate::wire::account::UpdateAccount;
use crate::wire::alter::AlterStream;
use crate::wire::consumers::{ConsumerName, ListConsumers, RegisterConsumer, TagConsumer};
use crate::wire::frame::{Opcode, write_frame};
use crate::wire::reshard::ReshardStream;
use crate::wire::shards::{GetShardStats, ListShards, ShardCounts};
use crate::wire::tags::ListTags;
use crate::wire::{Decode, Reader};

impl Sessions {
    pub(super) fn query_or_change(
        &mut self,
        core: &Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        if r.opcode == Opcode::ShardStats {
            self.ask_stats(core, session, r)?;
        } else if !query(core, session, r)? {
            let operation = change(r)?;
            self.ask_catalog(session, r.correlation, operation);
        }
        Ok(())
    }

    fn ask_stats(
        &mut self,
        core: &Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        let GetShardStats { stream, core: asked, after } = GetShardStats::decode(r.payload)?;
        core.view().require_uuid(stream)?;
        if asked.0 >= self.cores {
            let why = format!("core {asked} does not exist, there are {}", self.cores);
            return Err(ApiError::invalid(why).into());
        }
        if asked == self.me {
            let counts = ShardCounts::page(core.shard_stats(r.now, stream), after);
            answer(session, Opcode::ShardStatsAnswer, r.correlation, |w| counts.write(w));
            return Ok(());
        }
        session.in_flight += 1;
        let (session, correlation) = (session.id, r.correlation);
        let message = Message::ShardStats { session, correlation, stream, after };
        self.outgoing.push(Outgoing { to: asked, message });
        Ok(())
    }

    /// Answers a connection of another core with what this one has counted.
    pub fn shard_stats(
        &mut self,
        core: &Core,
        now: Now,
        (session, correlation): (SessionId, u64),
        (stream, after): (StreamUuid, Option<ShardNumber>),
    ) {
        let counts = ShardCounts::page(core.shard_stats(now, stream), after);
        let mut bytes = Vec::new();
        write_frame(&mut bytes, Opcode::ShardStatsAnswer, correlation, |w| counts.write(w));
        let message = Message::Frame { session, bytes };
        self.outgoing.push(Outgoing { to: session.core, message });
    }
}

/// Answers what the view knows; false for everything else.
fn query(core: &Core, session: &mut Session, r: &Request<'_>) -> Result<bool, Refused> {
    let view = core.view();
    match r.opcode {
        Opcode::ListShards => {
            let ListShards { name, filter, after, limit } = ListShards::decode(r.payload)?;
            let stream = view.require_name(name)?;
            let list = stream.list_shards(filter, after, limit, r.now.wall)?;
            answer(session, Opcode::ListShardsAnswer, r.correlation, |w| list.write(w));
        }
        Opcode::DescribeConsumer => {
            let ConsumerName { stream, consumer } = ConsumerName::decode(r.payload)?;
            let consumer = view.require_name(stream)?.consumer(consumer)?;
            answer(session, Opcode::DescribeConsumerAnswer, r.correlation, |w| consumer.write(w));
        }
        Opcode::ListConsumers => {
            let ListConsumers { stream, after, limit } = ListConsumers::decode(r.payload)?;
            let list = view.require_name(stream)?.list_consumers(after, limit)?;
            answer(session, Opcode::ListConsumersAnswer, r.correlation, |w| list.write(w));
        }
        Opcode::ListTags => {
            let ListTags { stream, consumer } = ListTags::decode(r.payload)?;
            let stream = view.require_name(stream)?;
            let tags = match consumer {
                "" => stream.tags(),
                consumer => stream.consumer_tags(consumer)?,
            };
            answer(session, Opcode::ListTagsAnswer, r.correlation, |w| tags.write(w));
        }
        Opcode::DescribeAccount => {
            Reader::new(r.payload).finish()?;
            let account = view.account(r.now.wall);
            answer(session, Opcode::DescribeAccountAnswer, r.correlation, |w| account.write(w));
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What is to change in the catalog.
fn change(r: &Request<'_>) -> Result<ControlOperation, Refused> {
    Ok(match r.opcode {
        Opcode::AlterStream => {
            let AlterStream { name, change } = AlterStream::decode(r.payload)?;
            ControlOperation::Alter { name: name.to_owned(), change }
        }
        Opcode::ReshardStream => {
            let ReshardStream { name, reshard } = ReshardStream::decode(r.payload)?;
            ControlOperation::Reshard { name: name.to_owned(), reshard }
        }
        Opcode::RegisterConsumer => {
            let RegisterConsumer { name, tags } = RegisterConsumer::decode(r.payload)?;
            let (stream, consumer) = owned(name);
            ControlOperation::Register { stream, consumer, tags }
        }
        Opcode::DeregisterConsumer => {
            let (stream, consumer) = owned(ConsumerName::decode(r.payload)?);
            ControlOperation::Deregister { stream, consumer }
        }
        Opcode::TagConsumer => {
            let TagConsumer { name, add, remove } = TagConsumer::decode(r.payload)?;
            let (stream, consumer) = owned(name);
            ControlOperation::TagConsumer { stream, consumer, add, remove }
        }
        Opcode::UpdateAccount => {
            let UpdateAccount { commitment } = UpdateAccount::decode(r.payload)?;
            ControlOperation::UpdateAccount { commitment }
        }
        other => return Err(Refused::Connection(format!("{other:?} is not a request"))),
    })
}

fn owned(name: ConsumerName<'_>) -> (String, String) {
    (name.stream.to_owned(), name.consumer.to_owned())
}

#[cfg(test)]
mod tests;
