//! The requests, one method each.

use std::time::Duration;

use super::answers::{Fetched, PutAnswer};
use super::connection::Client;
use super::error::ClientError;
use super::incoming::Incoming;
use crate::base::ids::{Seq, ShardNumber, StreamUuid};
use crate::base::stream::{Position, StreamOptions};
use crate::wire::put::Put;
use crate::wire::read::{Get, GetIterator};
use crate::wire::streams::{
    CreateStream, ListStreams, ShardMap, StreamDescription, StreamList, StreamName,
};
use crate::wire::subscribe::{Credit, Subscribe, SubscribeAnswer, Unsubscribe};
use crate::wire::{Decode, Opcode};

impl Client {
    /// Checks that the server answers.
    pub fn ping(&mut self) -> Result<(), ClientError> {
        let echo = self.call(Opcode::Ping, Opcode::PingAnswer, |w| {
            w.bytes(b"ping");
        })?;
        if echo == b"ping" { Ok(()) } else { Err(self.protocol("a ping came back changed".into())) }
    }

    /// Creates a stream.
    pub fn create_stream(
        &mut self,
        name: &str,
        shards: u32,
        options: StreamOptions,
    ) -> Result<StreamDescription, ClientError> {
        let request = CreateStream { name, shards, options };
        let payload =
            self.call(Opcode::CreateStream, Opcode::CreateStreamAnswer, |w| request.write(w))?;
        self.decoded(StreamDescription::decode(&payload))
    }

    /// Deletes a stream and its records.
    pub fn delete_stream(&mut self, name: &str) -> Result<(), ClientError> {
        let request = StreamName { name };
        self.call(Opcode::DeleteStream, Opcode::DeleteStreamAnswer, |w| request.write(w))?;
        Ok(())
    }

    /// Everything about one stream.
    pub fn describe_stream(&mut self, name: &str) -> Result<StreamDescription, ClientError> {
        let request = StreamName { name };
        let payload =
            self.call(Opcode::DescribeStream, Opcode::DescribeStreamAnswer, |w| request.write(w))?;
        self.decoded(StreamDescription::decode(&payload))
    }

    /// One page of streams, by name, behind `after`.
    pub fn list_streams(&mut self, after: &str, limit: u32) -> Result<StreamList, ClientError> {
        let request = ListStreams { after, limit };
        let payload =
            self.call(Opcode::ListStreams, Opcode::ListStreamsAnswer, |w| request.write(w))?;
        self.decoded(StreamList::decode(&payload))
    }

    /// What is needed to route records to shards and cores.
    pub fn shard_map(&mut self, name: &str) -> Result<ShardMap, ClientError> {
        let request = StreamName { name };
        let payload = self.call(Opcode::ShardMap, Opcode::ShardMapAnswer, |w| request.write(w))?;
        self.decoded(ShardMap::decode(&payload))
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
}
