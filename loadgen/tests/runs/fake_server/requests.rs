//! The requests, and the streams that they are about.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use shardway::base::clock::wall_now;
use shardway::base::error::ApiError;
use shardway::base::ids::{CoreId, Seq, ShardNumber, StreamUuid};
use shardway::base::stream::ConsumerStatus;
use shardway::wire::alter::AlterStream;
use shardway::wire::consumers::{ConsumerDescription, RegisterConsumer};
use shardway::wire::error::ErrorFrame;
use shardway::wire::hello::{Hello, HelloAnswer};
use shardway::wire::put::{Put, write_put_answer};
use shardway::wire::read::{Get, GetIterator};
use shardway::wire::reshard::ReshardStream;
use shardway::wire::shards::{ListShards, ShardList};
use shardway::wire::streams::{CreateStream, DeleteStream, DescribeStream, StreamName};
use shardway::wire::subscribe::{Credit, Subscribe, SubscribeAnswer};
use shardway::wire::{Decode, FrameHeader, Opcode};

use super::shard::{Subscription, Waiting};
use super::stream::Stream;
use super::{Fault, Out, send};

/// Everything that the server knows.
pub struct State {
    fault: Fault,
    streams: HashMap<String, Stream>,
    created: u8,
}

impl State {
    pub fn new(fault: Fault) -> State {
        State { fault, streams: HashMap::new(), created: 0 }
    }

    /// What happens by itself: on-demand streams grow, long polls run out.
    pub fn tick(&mut self) {
        self.streams.values_mut().for_each(Stream::tick);
    }

    pub fn request(&mut self, header: &FrameHeader, payload: &[u8], out: &Out) {
        if let Err(error) = self.serve(header, payload, out) {
            let frame = ErrorFrame::of(&error, false);
            send(out, Opcode::Error, header.correlation, |w| frame.write(w));
        }
    }

    fn serve(&mut self, header: &FrameHeader, bytes: &[u8], out: &Out) -> Result<(), ApiError> {
        let id = header.correlation;
        match header.opcode {
            Opcode::Hello => {
                Hello::decode(bytes).expect("a hello");
                let (server, release, core) = ([0; 16], "fake", CoreId(0));
                let hello =
                    HelloAnswer { version: 1, features: 0, core, cores: 1, server, release };
                send(out, Opcode::HelloAnswer, id, |w| hello.write(w));
            }
            Opcode::Put => self.put(id, &Put::decode(bytes).expect("a put"), out),
            Opcode::Subscribe => {
                self.subscribe(id, &Subscribe::decode(bytes).expect("one"), out)?
            }
            Opcode::Credit => self.grant(Credit::decode(bytes).expect("a credit"), out),
            Opcode::GetIterator => {
                let get = GetIterator::decode(bytes).expect("an iterator's place");
                let iterator = iterator(get.stream, get.shard, Seq(0));
                send(out, Opcode::GetIteratorAnswer, id, |w| {
                    w.bytes(&iterator);
                });
            }
            Opcode::Get => self.get(id, &Get::decode(bytes).expect("a get"), out),
            _ => return self.serve_control(header, bytes, out),
        }
        Ok(())
    }

    fn serve_control(
        &mut self,
        header: &FrameHeader,
        bytes: &[u8],
        out: &Out,
    ) -> Result<(), ApiError> {
        let id = header.correlation;
        match header.opcode {
            Opcode::CreateStream => {
                let create = CreateStream::decode(bytes).expect("a create");
                self.created += 1;
                let stream = Stream::create(&create, self.created, self.fault);
                send(out, Opcode::CreateStreamAnswer, id, |w| stream.description().write(w));
                self.streams.insert(create.name.to_owned(), stream);
            }
            Opcode::DeleteStream => {
                self.streams.remove(DeleteStream::decode(bytes).expect("a delete").name);
                send(out, Opcode::DeleteStreamAnswer, id, |_| ());
            }
            Opcode::ShardMap => {
                let map = self.named(StreamName::decode(bytes).expect("a name").name)?.map();
                send(out, Opcode::ShardMapAnswer, id, |w| map.write(w));
            }
            Opcode::DescribeStream => {
                let stream = self.named(DescribeStream::decode(bytes).expect("a name").name)?;
                let answer = stream.description();
                send(out, Opcode::DescribeStreamAnswer, id, |w| answer.write(w));
            }
            Opcode::ListShards => {
                let stream = self.named(ListShards::decode(bytes).expect("a listing").name)?;
                let list = ShardList { more: false, shards: stream.description().shards };
                send(out, Opcode::ListShardsAnswer, id, |w| list.write(w));
            }
            Opcode::AlterStream => {
                let alter = AlterStream::decode(bytes).expect("a change");
                let summary = self.named(alter.name)?.alter(&alter.change);
                send(out, Opcode::AlterStreamAnswer, id, |w| summary.write(w));
            }
            Opcode::ReshardStream => {
                let ReshardStream { name, reshard } = ReshardStream::decode(bytes).expect("one");
                let done = self.named(name)?.reshard(reshard)?;
                send(out, Opcode::ReshardStreamAnswer, id, |w| done.write(w));
            }
            Opcode::RegisterConsumer => {
                let RegisterConsumer { name, .. } = Decode::decode(bytes).expect("a consumer");
                let stream = self.named(name.stream)?;
                stream.consumers.push(name.consumer.to_owned());
                let (status, created) = (ConsumerStatus::Active, wall_now());
                let name = name.consumer.to_owned();
                let consumer = ConsumerDescription { arn: name.clone(), name, status, created };
                send(out, Opcode::RegisterConsumerAnswer, id, |w| consumer.write(w));
            }
            other => panic!("the fake server has no {other:?}"),
        }
        Ok(())
    }

    fn named(&mut self, name: &str) -> Result<&mut Stream, ApiError> {
        self.streams.get_mut(name).ok_or(ApiError::not_found(format!("no stream {name}")))
    }

    fn with_uuid(&mut self, uuid: StreamUuid) -> &mut Stream {
        let wanted = self.streams.values_mut().find(|stream| stream.summary.uuid == uuid);
        wanted.expect("the stream exists")
    }

    fn put(&mut self, id: u64, put: &Put<'_>, out: &Out) {
        let (runs, run_of) = self.with_uuid(put.stream).put(put);
        send(out, Opcode::PutAnswer, id, |w| write_put_answer(w, &runs, "", &run_of));
    }

    fn subscribe(&mut self, id: u64, s: &Subscribe<'_>, out: &Out) -> Result<(), ApiError> {
        let stream = self.with_uuid(s.stream);
        if !stream.consumers.iter().any(|consumer| consumer == s.consumer) {
            return Err(ApiError::not_found(format!("Consumer {} not found.", s.consumer)));
        }
        send(out, Opcode::SubscribeAnswer, id, |w| SubscribeAnswer { start: Seq(0) }.write(w));
        let out = out.clone();
        let (id, credit) = (s.subscription, s.credit as i64);
        let shard = &mut stream.shards[s.shard.0 as usize];
        shard.subscriptions.push(Subscription { id, out, cursor: 0, credit });
        shard.pump();
        Ok(())
    }

    fn grant(&mut self, credit: Credit, out: &Out) {
        for shard in self.streams.values_mut().flat_map(|stream| &mut stream.shards) {
            shard.grant(credit, out);
        }
    }

    fn get(&mut self, correlation: u64, get: &Get<'_>, out: &Out) {
        let (stream, shard, from) = read_iterator(get.iterator);
        let shard = &mut self.with_uuid(stream).shards[shard.0 as usize];
        let until = Instant::now() + Duration::from_millis(get.wait_ms.into());
        shard.waiting.push(Waiting { correlation, out: out.clone(), from, until });
        shard.pump();
    }
}

/// An iterator that says what it means.
pub fn iterator(stream: StreamUuid, shard: ShardNumber, from: Seq) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..16].copy_from_slice(&stream.0);
    bytes[16..20].copy_from_slice(&shard.0.to_le_bytes());
    bytes[20..].copy_from_slice(&from.0.to_le_bytes());
    bytes
}

fn read_iterator(bytes: &[u8]) -> (StreamUuid, ShardNumber, Seq) {
    let stream = StreamUuid(bytes[..16].try_into().expect("28 bytes"));
    let shard = u32::from_le_bytes(bytes[16..20].try_into().expect("28 bytes"));
    let from = u64::from_le_bytes(bytes[20..28].try_into().expect("28 bytes"));
    (stream, ShardNumber(shard), Seq(from))
}
