//! The requests, one method each.

use std::time::Duration;

use super::answers::{Fetched, PutAnswer};
use super::connection::Client;
use super::error::ClientError;
use super::incoming::Incoming;
use crate::base::ids::{CoreId, Seq, ShardNumber, StreamUuid};
use crate::base::stream::{Position, StreamOptions};
use crate::wire::account::{AccountDescription, UpdateAccount};
use crate::wire::alter::{AlterStream, StreamChange};
use crate::wire::consumers::{
    ConsumerDescription, ConsumerList, ConsumerName, ListConsumers, RegisterConsumer, TagConsumer,
};
use crate::wire::put::Put;
use crate::wire::read::{Get, GetIterator};
use crate::wire::reshard::{Reshard, ReshardStream, Resharded};
use crate::wire::shards::{
    GetShardStats, ListShards, ShardCounts, ShardDescription, ShardFilter, ShardList, ShardMap,
    ShardStats,
};
use crate::wire::streams::{
    CreateStream, DeleteStream, DescribeStream, ListStreams, StreamDescription, StreamList,
    StreamName, StreamSummary,
};
use crate::wire::subscribe::{Credit, Subscribe, SubscribeAnswer, Unsubscribe};
use crate::wire::tags::{ListTags, TagList};
use crate::wire::{Decode, Opcode, Writer};

impl Client {
    /// Checks that the server answers.
    pub fn ping(&mut self) -> Result<(), ClientError> {
        let echo = self.call(Opcode::Ping, Opcode::PingAnswer, |w| {
            w.bytes(b"ping");
        })?;
        if echo == b"ping" { Ok(()) } else { Err(self.protocol("a ping came back changed".into())) }
    }

    /// Creates a stream without tags.
    pub fn create_stream(
        &mut self,
        name: &str,
        shards: u32,
        options: StreamOptions,
    ) -> Result<StreamDescription, ClientError> {
        self.create_tagged_stream(&CreateStream { name, shards, options, tags: Vec::new() })
    }

    /// Creates a stream. Its description has the first page of its shards.
    pub fn create_tagged_stream(
        &mut self,
        request: &CreateStream<'_>,
    ) -> Result<StreamDescription, ClientError> {
        self.ask(Opcode::CreateStream, Opcode::CreateStreamAnswer, |w| request.write(w))
    }

    /// Deletes a stream and its records, unless it has registered consumers.
    pub fn delete_stream(&mut self, name: &str) -> Result<(), ClientError> {
        self.delete_stream_with(&DeleteStream { name, with_consumers: false })
    }

    /// Deletes a stream and its records.
    pub fn delete_stream_with(&mut self, request: &DeleteStream<'_>) -> Result<(), ClientError> {
        self.call(Opcode::DeleteStream, Opcode::DeleteStreamAnswer, |w| request.write(w)).map(drop)
    }

    /// Everything about one stream, with all of its shards.
    pub fn describe_stream(&mut self, name: &str) -> Result<StreamDescription, ClientError> {
        let mut all = self.describe_page(&DescribeStream { name, after: None, limit: PAGE })?;
        let mut got = all.shards.len();
        while self.goes_on(all.more, got)? {
            let after = all.shards.last().map(|shard| shard.number);
            let page = self.describe_page(&DescribeStream { name, after, limit: PAGE })?;
            got = page.shards.len();
            all.shards.extend(page.shards);
            all.more = page.more;
        }
        Ok(all)
    }

    /// One stream with one page of its shards.
    pub fn describe_page(
        &mut self,
        request: &DescribeStream<'_>,
    ) -> Result<StreamDescription, ClientError> {
        self.ask(Opcode::DescribeStream, Opcode::DescribeStreamAnswer, |w| request.write(w))
    }

    /// One page of streams, by name, behind `after`.
    pub fn list_streams(&mut self, after: &str, limit: u32) -> Result<StreamList, ClientError> {
        let request = ListStreams { after, limit };
        self.ask(Opcode::ListStreams, Opcode::ListStreamsAnswer, |w| request.write(w))
    }

    /// What is needed to route records to shards and cores.
    pub fn shard_map(&mut self, name: &str) -> Result<ShardMap, ClientError> {
        let request = StreamName { name };
        self.ask(Opcode::ShardMap, Opcode::ShardMapAnswer, |w| request.write(w))
    }

    /// All shards of a stream that `filter` lets through, by number.
    ///
    /// With more shards than a page has, a reshard between two pages may show a parent as open and
    /// its children as well.
    pub fn all_shards(
        &mut self,
        name: &str,
        filter: ShardFilter,
    ) -> Result<Vec<ShardDescription>, ClientError> {
        let mut all: Vec<ShardDescription> = Vec::new();
        loop {
            let after = all.last().map(|shard| shard.number);
            let page = self.list_shards(&ListShards { name, filter, after, limit: PAGE })?;
            all.extend(&page.shards);
            if !self.goes_on(page.more, page.shards.len())? {
                return Ok(all);
            }
        }
    }

    /// One page of shards.
    pub fn list_shards(&mut self, request: &ListShards<'_>) -> Result<ShardList, ClientError> {
        self.ask(Opcode::ListShards, Opcode::ListShardsAnswer, |w| request.write(w))
    }

    /// What `core` has counted of all of its shards of a stream, by number.
    pub fn shard_stats(
        &mut self,
        stream: StreamUuid,
        core: CoreId,
    ) -> Result<Vec<ShardStats>, ClientError> {
        let mut all: Vec<ShardStats> = Vec::new();
        loop {
            let after = all.last().map(|shard| shard.number);
            let request = GetShardStats { stream, core, after };
            let (opcode, answer) = (Opcode::ShardStats, Opcode::ShardStatsAnswer);
            let page: ShardCounts = self.ask(opcode, answer, |w| request.write(w))?;
            all.extend(&page.shards);
            if !self.goes_on(page.more, page.shards.len())? {
                return Ok(all);
            }
        }
    }

    /// Changes what was chosen for a stream.
    pub fn alter_stream(
        &mut self,
        name: &str,
        change: StreamChange,
    ) -> Result<StreamSummary, ClientError> {
        let request = AlterStream { name, change };
        self.ask(Opcode::AlterStream, Opcode::AlterStreamAnswer, |w| request.write(w))
    }

    /// Splits, merges or scales the shards of a stream, and waits until it is done.
    pub fn reshard_stream(
        &mut self,
        name: &str,
        reshard: Reshard,
    ) -> Result<Resharded, ClientError> {
        let request = ReshardStream { name, reshard };
        self.ask(Opcode::ReshardStream, Opcode::ReshardStreamAnswer, |w| request.write(w))
    }

    /// Registers a consumer.
    pub fn register_consumer(
        &mut self,
        request: &RegisterConsumer<'_>,
    ) -> Result<ConsumerDescription, ClientError> {
        self.ask(Opcode::RegisterConsumer, Opcode::RegisterConsumerAnswer, |w| request.write(w))
    }

    /// Removes a consumer; its subscriptions end.
    pub fn deregister_consumer(&mut self, name: ConsumerName<'_>) -> Result<(), ClientError> {
        let (opcode, answer) = (Opcode::DeregisterConsumer, Opcode::DeregisterConsumerAnswer);
        self.call(opcode, answer, |w| name.write(w)).map(drop)
    }

    /// One consumer.
    pub fn describe_consumer(
        &mut self,
        name: ConsumerName<'_>,
    ) -> Result<ConsumerDescription, ClientError> {
        self.ask(Opcode::DescribeConsumer, Opcode::DescribeConsumerAnswer, |w| name.write(w))
    }

    /// One page of a stream's consumers.
    pub fn list_consumers(
        &mut self,
        request: &ListConsumers<'_>,
    ) -> Result<ConsumerList, ClientError> {
        self.ask(Opcode::ListConsumers, Opcode::ListConsumersAnswer, |w| request.write(w))
    }

    /// Changes the tags of a consumer.
    pub fn tag_consumer(&mut self, request: &TagConsumer<'_>) -> Result<(), ClientError> {
        self.call(Opcode::TagConsumer, Opcode::TagConsumerAnswer, |w| request.write(w)).map(drop)
    }

    /// Tags of a stream, or of one of its consumers.
    pub fn list_tags(&mut self, request: ListTags<'_>) -> Result<TagList, ClientError> {
        self.ask(Opcode::ListTags, Opcode::ListTagsAnswer, |w| request.write(w))
    }

    /// Limits and settings of the account.
    pub fn describe_account(&mut self) -> Result<AccountDescription, ClientError> {
        self.ask(Opcode::DescribeAccount, Opcode::DescribeAccountAnswer, |_| {})
    }

    /// Begins or ends the commitment to a minimum throughput.
    pub fn update_account(&mut self, commitment: bool) -> Result<AccountDescription, ClientError> {
        let request = UpdateAccount { commitment };
        self.ask(Opcode::UpdateAccount, Opcode::UpdateAccountAnswer, |w| request.write(w))
    }

    /// Stores one batch and waits until it is acknowledged.
    pub fn put(
        &mut self,
        stream: StreamUuid,
        shard: ShardNumber,
        map_version: u64,
        batch: &[u8],
    ) -> Result<PutAnswer, ClientError> {
        let correlation = self.send_put(stream, shard, map_version, batch)?;
        match self.wait_for(correlation, self.timeout(), Opcode::Put)? {
            Incoming::Put { answer, .. } => Ok(answer),
            other => Err(self.mismatch(Opcode::Put, &other)),
        }
    }

    /// Sends a put and returns at once; its answer comes as [`Incoming::Put`] or
    /// [`Incoming::Failed`] with the returned correlation.
    pub fn send_put(
        &mut self,
        stream: StreamUuid,
        shard: ShardNumber,
        map_version: u64,
        batch: &[u8],
    ) -> Result<u64, ClientError> {
        let request = Put { stream, shard, map_version, batch };
        self.send_with_body(Opcode::Put, |w| request.write_prefix(w), batch)
    }

    /// An iterator at `position`.
    pub fn get_iterator(
        &mut self,
        stream: StreamUuid,
        shard: ShardNumber,
        position: Position,
    ) -> Result<Vec<u8>, ClientError> {
        let request = GetIterator { stream, shard, position };
        self.call(Opcode::GetIterator, Opcode::GetIteratorAnswer, |w| request.write(w))
    }

    /// Reads records; waits up to `wait_ms` for a first one.
    pub fn get(
        &mut self,
        iterator: &[u8],
        limit: u32,
        bytes_max: u32,
        wait_ms: u32,
    ) -> Result<Fetched, ClientError> {
        let correlation = self.send_get(iterator, limit, bytes_max, wait_ms)?;
        let timeout = self.timeout() + Duration::from_millis(u64::from(wait_ms));
        match self.wait_for(correlation, timeout, Opcode::Get)? {
            Incoming::Fetched { answer, .. } => Ok(answer),
            other => Err(self.mismatch(Opcode::Get, &other)),
        }
    }

    /// Sends a get and returns at once; its answer comes as [`Incoming::Fetched`] or
    /// [`Incoming::Failed`] with the returned correlation.
    pub fn send_get(
        &mut self,
        iterator: &[u8],
        limit: u32,
        bytes_max: u32,
        wait_ms: u32,
    ) -> Result<u64, ClientError> {
        let request = Get { iterator, limit, bytes_max, wait_ms };
        self.send(Opcode::Get, |w| request.write(w))
    }

    /// Opens a subscription and returns the first sequence that it will bring. Its records come as
    /// [`Incoming::Pushed`], its end as [`Incoming::Ended`].
    pub fn subscribe(&mut self, request: Subscribe<'_>) -> Result<Seq, ClientError> {
        let payload =
            self.call(Opcode::Subscribe, Opcode::SubscribeAnswer, |w| request.write(w))?;
        Ok(self.decoded(SubscribeAnswer::decode(&payload))?.start)
    }

    /// Grants a subscription more bytes.
    pub fn credit(&mut self, subscription: u32, bytes: u64) -> Result<(), ClientError> {
        let request = Credit { subscription, bytes };
        self.send(Opcode::Credit, |w| request.write(w)).map(drop)
    }

    /// Ends a subscription; pushes that were under way are still in
    /// [`next_event`](Client::next_event).
    pub fn unsubscribe(&mut self, subscription: u32) -> Result<(), ClientError> {
        let request = Unsubscribe { subscription };
        self.call(Opcode::Unsubscribe, Opcode::UnsubscribeAnswer, |w| request.write(w)).map(drop)
    }

    /// Whether another page is to be asked for. A page that is empty and not the last would be
    /// asked for again for ever.
    fn goes_on(&self, more: bool, got: usize) -> Result<bool, ClientError> {
        if more && got == 0 {
            return Err(self.protocol("an empty page says that more follow".to_owned()));
        }
        Ok(more)
    }

    /// A request whose answer is one value.
    fn ask<T: for<'a> Decode<'a>>(
        &mut self,
        opcode: Opcode,
        answer: Opcode,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<T, ClientError> {
        let payload = self.call(opcode, answer, payload)?;
        self.decoded(T::decode(&payload))
    }
}

/// Shards that are asked for at once: a page of most streams, and a third of a MiB.
const PAGE: u32 = 5000;
