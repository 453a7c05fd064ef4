//! Requests about streams, shards, consumers and the account: answered from the core's own view, or
//! sent to core 0, which changes the catalog.

use crate::base::error::ApiError;
use crate::native::dispatch::{Refused, Request, answer};
use crate::native::session::Session;
use crate::native::sessions::Sessions;
use crate::quota::ControlCall;
use crate::service::{ControlOperation, Core, Message, Outgoing};
use crate::wire::account::UpdateAccount;
use crate::wire::alter::AlterStream;
use crate::wire::consumers::{ConsumerName, ListConsumers, RegisterConsumer, TagConsumer};
use crate::wire::frame::Opcode;
use crate::wire::reshard::ReshardStream;
use crate::wire::shards::{GetShardStats, ListShards};
use crate::wire::tags::{ListTags, TagList};
use crate::wire::{Decode, Reader, Writer};

impl Sessions {
    /// Serves a request that is not about records.
    pub(super) fn query(
        &mut self,
        core: &mut Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        if let Some(operation) = change_of(r)? {
            self.ask_catalog(session, r.correlation, operation);
            return Ok(());
        }
        if r.opcode == Opcode::ShardStats {
            return self.ask_for_stats(core, session, r);
        }
        let view = core.view().clone();
        let reply = |session: &mut Session, opcode, payload: &dyn Fn(&mut Writer<'_>)| {
            answer(session, opcode, r.correlation, payload);
        };
        match r.opcode {
            Opcode::ListShards => {
                let ListShards { name, filter, after, limit } = ListShards::decode(r.payload)?;
                core.admit_query(r.now, ControlCall::ListShards, Some(name))?;
                let stream = view.require_name(name)?;
                let list = stream.list_shards(filter, after, limit, r.now.wall)?;
                reply(session, Opcode::ListShardsAnswer, &|w| list.write(w));
            }
            Opcode::DescribeConsumer => {
                let ConsumerName { stream, consumer } = ConsumerName::decode(r.payload)?;
                core.admit_query(r.now, ControlCall::DescribeConsumer, Some(stream))?;
                let consumer = view.require_name(stream)?.consumer(consumer)?;
                reply(session, Opcode::DescribeConsumerAnswer, &|w| consumer.write(w));
            }
            Opcode::ListConsumers => {
                let ListConsumers { stream, after, limit } = ListConsumers::decode(r.payload)?;
                core.admit_query(r.now, ControlCall::ListConsumers, Some(stream))?;
                let list = view.require_name(stream)?.list_consumers(after, limit)?;
                reply(session, Opcode::ListConsumersAnswer, &|w| list.write(w));
            }
            Opcode::ListTags => {
                let ListTags { stream, consumer } = ListTags::decode(r.payload)?;
                core.admit_query(r.now, ControlCall::ListTags, Some(stream))?;
                let stream = view.require_name(stream)?;
                let tags: TagList = match consumer {
                    "" => stream.tags(),
                    consumer => stream.consumer_tags(consumer)?,
                };
                reply(session, Opcode::ListTagsAnswer, &|w| tags.write(w));
            }
            Opcode::DescribeAccount => {
                Reader::new(r.payload).finish()?;
                core.admit_query(r.now, ControlCall::DescribeAccountSettings, None)?;
                let account = view.account(r.now.wall);
                reply(session, Opcode::DescribeAccountAnswer, &|w| account.write(w));
            }
            other => return Err(Refused::Connection(format!("{other:?} is not a request"))),
        }
        Ok(())
    }

    fn ask_for_stats(
        &mut self,
        core: &Core,
        session: &mut Session,
        r: &Request<'_>,
    ) -> Result<(), Refused> {
        let GetShardStats { stream, core: to, after } = GetShardStats::decode(r.payload)?;
        core.view().require_uuid(stream)?;
        if to.0 >= self.cores {
            let text = format!("there is no core {to}; this server has {}", self.cores);
            return Err(ApiError::invalid(text).into());
        }
        session.in_flight += 1;
        let (session, correlation) = (session.id, r.correlation);
        let message = Message::ShardStats { session, correlation, stream, after };
        self.outgoing.push(Outgoing { to, message });
        Ok(())
    }
}

/// The change of the catalog that a request asks for, if it does.
fn change_of(r: &Request<'_>) -> Result<Option<ControlOperation>, Refused> {
    let of = |name: ConsumerName<'_>| (name.stream.to_owned(), name.consumer.to_owned());
    Ok(Some(match r.opcode {
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
            let (stream, consumer) = of(name);
            ControlOperation::Register { stream, consumer, tags }
        }
        Opcode::DeregisterConsumer => {
            let (stream, consumer) = of(ConsumerName::decode(r.payload)?);
            ControlOperation::Deregister { stream, consumer }
        }
        Opcode::TagConsumer => {
            let TagConsumer { name, add, remove } = TagConsumer::decode(r.payload)?;
            let (stream, consumer) = of(name);
            ControlOperation::TagConsumer { stream, consumer, add, remove }
        }
        Opcode::UpdateAccount => {
            let UpdateAccount { commitment } = UpdateAccount::decode(r.payload)?;
            ControlOperation::UpdateAccount { commitment }
        }
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
