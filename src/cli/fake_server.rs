//! A server of one stream for the tests of the commands: in memory, and rude when asked.

mod state;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Seq, ShardNumber};
use crate::base::stream::{ConsumerStatus, ShardLimits};
use crate::record::{BatchBuilder, BatchView};
use crate::wire::alter::AlterStream;
use crate::wire::consumers::{
    ConsumerDescription, ConsumerList, ConsumerName, ListConsumers, RegisterConsumer, TagConsumer,
};
use crate::wire::error::ErrorFrame;
use crate::wire::frame::write_frame;
use crate::wire::hello::{Hello, HelloAnswer};
use crate::wire::put::{Put, write_put_answer};
use crate::wire::read::{Get, GetAnswer, GetIterator};
use crate::wire::reshard::ReshardStream;
use crate::wire::shards::{GetShardStats, ListShards, ShardCounts, ShardList};
use crate::wire::streams::{CreateStream, DeleteStream, DescribeStream, StreamList};
use crate::wire::subscribe::{Credit, Subscribe, SubscribeAnswer};
use crate::wire::tags::{ListTags, TagList};
use crate::wire::{Decode, FrameHeader, Opcode, Writer};
pub(super) use state::{Asked, State, Subscriber};

/// A server on a thread; it ends with the process.
#[derive(Clone)]
pub(super) struct FakeServer {
    pub(super) addr: String,
    pub(super) state: Arc<Mutex<State>>,
}

/// The writing half of a connection: answers and pushes share it.
pub(super) type Out = Arc<Mutex<TcpStream>>;

impl FakeServer {
    /// A server of a stream `orders` with so many shards on two cores.
    pub(super) fn start(shards: usize, limits: ShardLimits) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::new(shards as u32, limits)));
        let server = FakeServer { addr, state: Arc::clone(&state) };
        thread::spawn(move || {
            for socket in listener.incoming() {
                let state = Arc::clone(&state);
                thread::spawn(move || Session::new(socket.unwrap(), state).run());
            }
        });
        server
    }

    /// What the server holds.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Stores one batch of these texts.
    pub(super) fn store(&self, shard: usize, texts: &[&str]) {
        let mut builder = BatchBuilder::new();
        for text in texts {
            builder.push("k", None, text.as_bytes()).unwrap();
        }
        self.lock().store(ShardNumber(shard as u32), builder.finish());
    }

    /// The data of all records of a shard, in order.
    pub(super) fn records(&self, shard: usize) -> Vec<String> {
        self.lock().records(ShardNumber(shard as u32))
    }

    /// The requests for changes so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// Returns once `holds` of the server.
    pub(super) fn until(&self, mut holds: impl FnMut(&State) -> bool) {
        while !holds(&self.lock()) {
            thread::yield_now();
        }
    }
}

/// Writes one frame. A client that has gone is no error.
fn send(out: &Out, opcode: Opcode, correlation: u64, payload: impl FnOnce(&mut Writer<'_>)) {
    let mut frame = Vec::new();
    write_frame(&mut frame, opcode, correlation, payload);
    let _ = out.lock().unwrap().write_all(&frame);
}

struct Session {
    socket: TcpStream,
    out: Out,
    state: Arc<Mutex<State>>,
}

impl Session {
    fn new(socket: TcpStream, state: Arc<Mutex<State>>) -> Session {
        let out = Arc::new(Mutex::new(socket.try_clone().unwrap()));
        Session { socket, out, state }
    }

    fn run(mut self) {
        while let Some((header, payload)) = self.read() {
            if let Err(error) = self.answer(&header, &payload) {
                let frame = ErrorFrame::of(&error, false);
                self.send(Opcode::Error, header.correlation, |w| frame.write(w));
            }
        }
    }

    fn read(&mut self) -> Option<(FrameHeader, Vec<u8>)> {
        let mut head = [0; 24];
        self.socket.read_exact(&mut head).ok()?;
        let header = FrameHeader::decode(&head).unwrap();
        let mut payload = vec![0; header.payload_bytes as usize];
        self.socket.read_exact(&mut payload).ok()?;
        Some((header, payload))
    }

    fn send(&self, opcode: Opcode, correlation: u64, payload: impl FnOnce(&mut Writer<'_>)) {
        send(&self.out, opcode, correlation, payload);
    }

    fn answer(&mut self, h: &FrameHeader, payload: &[u8]) -> Result<(), ApiError> {
        let (id, p) = (h.correlation, payload);
        match h.opcode {
            Opcode::Hello => {
                let core = Hello::decode(p).unwrap().wanted_core;
                let (server, release) = ([1; 16], "test");
                let answer =
                    HelloAnswer { version: 1, features: 0, core, cores: 2, server, release };
                self.send(Opcode::HelloAnswer, id, |w| answer.write(w));
            }
            Opcode::Put => self.put(id, &Put::decode(p).unwrap()),
            Opcode::GetIterator => {
                let GetIterator { shard, position, .. } = GetIterator::decode(p).unwrap();
                let start = self.lock().start_of(shard, position)?;
                self.send(Opcode::GetIteratorAnswer, id, |w| {
                    w.u32(shard.0).u64(start.0);
                });
            }
            Opcode::Get => self.get(id, &Get::decode(p).unwrap()),
            Opcode::Subscribe => self.subscribe(id, &Subscribe::decode(p).unwrap())?,
            Opcode::Credit => {
                self.lock().credit_granted += Credit::decode(p).unwrap().bytes;
            }
            Opcode::Unsubscribe => self.send(Opcode::UnsubscribeAnswer, id, |_| {}),
            _ => return self.control(h, payload),
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn put(&mut self, id: u64, put: &Put<'_>) {
        let (runs, run_of) = self.lock().put(put);
        let refused = runs.iter().any(|run| run.outcome.is_err());
        let message = if refused { "not now" } else { "" };
        self.send(Opcode::PutAnswer, id, |w| write_put_answer(w, &runs, message, &run_of));
    }

    fn get(&mut self, id: u64, get: &Get<'_>) {
        let shard = ShardNumber(u32::from_le_bytes(get.iterator[..4].try_into().unwrap()));
        let first = Seq(u64::from_le_bytes(get.iterator[4..].try_into().unwrap()));
        let (batches, children) = {
            let mut state = self.lock();
            state.gets += 1;
            (state.batch_at(shard, first), state.children_at_end(shard, first))
        };
        let end = match BatchView::check_stamped(&batches) {
            Ok(view) => view.header().end(),
            Err(_) => first,
        };
        let mut next = Vec::new();
        if children.is_empty() {
            Writer::new(&mut next).u32(shard.0).u64(end.0);
        }
        let next_iterator = &next;
        let answer =
            GetAnswer { next_iterator, behind_ms: 0, first, end, children, batches: &batches };
        self.send(Opcode::GetAnswer, id, |w| {
            answer.write_prefix(w);
            w.bytes(&batches);
        });
    }

    /// Pushes what is stored now and later, one batch at a time.
    fn subscribe(&mut self, id: u64, request: &Subscribe<'_>) -> Result<(), ApiError> {
        let mut state = self.state.lock().unwrap();
        if std::mem::take(&mut state.forget_consumers_at_next_subscribe) {
            state.consumers.clear();
        }
        state.consumer(request.consumer)?;
        if let Some(error) = state.subscribe_errors.pop() {
            return Err(error);
        }
        let start = state.start_of(request.shard, request.position)?;
        self.send(Opcode::SubscribeAnswer, id, |w| SubscribeAnswer { start }.write(w));
        state.subscribers.push(Subscriber {
            out: Arc::clone(&self.out),
            subscription: request.subscription,
            shard: request.shard,
            next: start,
        });
        state.pump();
        Ok(())
    }

    /// Requests about the stream, its shards and consumers, and the account.
    fn control(&mut self, h: &FrameHeader, p: &[u8]) -> Result<(), ApiError> {
        let id = h.correlation;
        let state = Arc::clone(&self.state);
        let mut state = state.lock().unwrap();
        match h.opcode {
            Opcode::CreateStream => {
                let CreateStream { name, shards, options, tags } = CreateStream::decode(p).unwrap();
                let name = name.to_owned();
                state.asked.push(Asked::Created { name, shards, options, tags });
                let description = state.description();
                self.send(Opcode::CreateStreamAnswer, id, |w| description.write(w));
            }
            Opcode::DeleteStream => {
                let DeleteStream { name, with_consumers } = DeleteStream::decode(p).unwrap();
                state.named(name)?;
                if !with_consumers && !state.consumers.is_empty() {
                    return Err(ApiError::new(ErrorCode::ResourceInUse, "It has consumers."));
                }
                state.asked.push(Asked::Deleted { with_consumers });
                self.send(Opcode::DeleteStreamAnswer, id, |_| {});
            }
            Opcode::DescribeStream => {
                let request = DescribeStream::decode(p).unwrap();
                state.named(request.name)?;
                let mut description = state.description();
                description.shards.truncate(request.limit as usize);
                self.send(Opcode::DescribeStreamAnswer, id, |w| description.write(w));
            }
            Opcode::ListStreams => {
                let list = StreamList { more: false, streams: vec![state.description().summary] };
                self.send(Opcode::ListStreamsAnswer, id, |w| list.write(w));
            }
            Opcode::ListShards => {
                let request = ListShards::decode(p).unwrap();
                state.named(request.name)?;
                let mut shards = state.listed(request.filter);
                shards.retain(|shard| request.after.is_none_or(|after| shard.number > after));
                let more = shards.len() > request.limit as usize;
                shards.truncate(request.limit as usize);
                self.send(Opcode::ListShardsAnswer, id, |w| ShardList { more, shards }.write(w));
            }
            Opcode::ShardStats => {
                let GetShardStats { core, after, .. } = GetShardStats::decode(p).unwrap();
                let counts = ShardCounts::page(state.stats_of(core), after);
                self.send(Opcode::ShardStatsAnswer, id, |w| counts.write(w));
            }
            Opcode::AlterStream => {
                let AlterStream { name, change } = AlterStream::decode(p).unwrap();
                state.named(name)?;
                let summary = state.alter(change);
                self.send(Opcode::AlterStreamAnswer, id, |w| summary.write(w));
            }
            Opcode::ReshardStream => {
                let ReshardStream { name, reshard } = ReshardStream::decode(p).unwrap();
                state.named(name)?;
                let done = state.reshard(reshard);
                self.send(Opcode::ReshardStreamAnswer, id, |w| done.write(w));
            }
            _ => return self.consumers(h, p, &mut state),
        }
        Ok(())
    }

    fn consumers(&self, h: &FrameHeader, p: &[u8], state: &mut State) -> Result<(), ApiError> {
        let id = h.correlation;
        match h.opcode {
            Opcode::RegisterConsumer => {
                let RegisterConsumer { name, tags } = RegisterConsumer::decode(p).unwrap();
                state.named(name.stream)?;
                let name = name.consumer.to_owned();
                let arn = format!("{}/consumer/{name}:1700000000", state.summary.arn);
                let (status, created) = (ConsumerStatus::Active, state.summary.created);
                let consumer = ConsumerDescription { name: name.clone(), arn, status, created };
                state.consumers.push(consumer.clone());
                state.asked.push(Asked::Registered { name, tags });
                self.send(Opcode::RegisterConsumerAnswer, id, |w| consumer.write(w));
            }
            Opcode::DescribeConsumer => {
                let consumer = state.consumer(ConsumerName::decode(p).unwrap().consumer)?;
                self.send(Opcode::DescribeConsumerAnswer, id, |w| consumer.write(w));
            }
            Opcode::DeregisterConsumer => {
                let ConsumerName { consumer, .. } = ConsumerName::decode(p).unwrap();
                state.consumer(consumer)?;
                state.consumers.retain(|known| known.name != consumer);
                self.send(Opcode::DeregisterConsumerAnswer, id, |_| {});
            }
            Opcode::ListConsumers => {
                state.named(ListConsumers::decode(p).unwrap().stream)?;
                let list = ConsumerList { more: false, consumers: state.consumers.clone() };
                self.send(Opcode::ListConsumersAnswer, id, |w| list.write(w));
            }
            Opcode::TagConsumer => {
                let TagConsumer { add, remove, .. } = TagConsumer::decode(p).unwrap();
                state.asked.push(Asked::TaggedConsumer { add, remove });
                self.send(Opcode::TagConsumerAnswer, id, |_| {});
            }
            Opcode::ListTags => {
                state.named(ListTags::decode(p).unwrap().stream)?;
                let tags = TagList(state.tags.clone().into_iter().collect());
                self.send(Opcode::ListTagsAnswer, id, |w| tags.write(w));
            }
            Opcode::DescribeAccount => {
                self.send(Opcode::DescribeAccountAnswer, id, |w| state::account().write(w));
            }
            Opcode::UpdateAccount => {
                state.asked.push(Asked::UpdatedAccount(p == [1]));
                self.send(Opcode::UpdateAccountAnswer, id, |w| state::account().write(w));
            }
            _ => return Err(ApiError::not_found("no such stream")),
        }
        Ok(())
    }
}
