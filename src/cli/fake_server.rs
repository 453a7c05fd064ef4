//! A server of one stream for the tests of the commands: in memory, and rude when asked.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::stream::{Position, ShardLimits, ShardMetrics, StreamOptions, StreamStatus};
use crate::record::{BatchBuilder, BatchView, HashRange, Stamp, stamp_in_place};
use crate::wire::error::ErrorFrame;
use crate::wire::frame::write_frame;
use crate::wire::hello::{Hello, HelloAnswer};
use crate::wire::put::{Put, PutRun, write_put_answer};
use crate::wire::read::{Get, GetAnswer, GetIterator};
use crate::wire::shards::ShardDescription;
use crate::wire::streams::{DescribeStream, StreamDescription, StreamSummary};
use crate::wire::subscribe::{Credit, Push, Subscribe, SubscribeAnswer};
use crate::wire::{Decode, FrameHeader, Opcode, Writer};

const STREAM: StreamUuid = StreamUuid([5; 16]);

/// What the server holds and how it behaves.
#[derive(Default)]
pub(super) struct State {
    /// Stored batches of each shard.
    shards: Vec<Vec<Vec<u8>>>,
    limits: Option<ShardLimits>,
    /// How the next puts are answered; when it is empty they are stored.
    pub(super) moods: Vec<Option<ErrorCode>>,
    /// Bytes that consumers granted beyond their first window.
    pub(super) credit_granted: u64,
}

/// A server on a thread; it ends with the process.
#[derive(Clone)]
pub(super) struct FakeServer {
    pub(super) addr: String,
    pub(super) state: Arc<Mutex<State>>,
}

impl FakeServer {
    /// A server of a stream `orders` with so many shards on two cores.
    pub(super) fn start(shards: usize, limits: ShardLimits) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let state =
            State { shards: vec![vec![]; shards], limits: Some(limits), ..State::default() };
        let server = FakeServer { addr, state: Arc::new(Mutex::new(state)) };
        let state = Arc::clone(&server.state);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let state = Arc::clone(&state);
                thread::spawn(move || Session { socket: socket.unwrap(), state }.run());
            }
        });
        server
    }

    /// Stores one batch of these texts.
    pub(super) fn store(&self, shard: usize, texts: &[&str]) {
        let mut builder = BatchBuilder::new();
        for text in texts {
            builder.push("k", None, text.as_bytes()).unwrap();
        }
        self.state.lock().unwrap().store(shard, builder.finish());
    }

    /// The data of all records of a shard, in order.
    pub(super) fn records(&self, shard: usize) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut all = Vec::new();
        for batch in &state.shards[shard] {
            let view = BatchView::check_stamped(batch).unwrap();
            all.extend(view.records().map(|r| String::from_utf8(r.data.to_vec()).unwrap()));
        }
        all
    }
}

impl State {
    fn store(&mut self, shard: usize, batch: &[u8]) -> Seq {
        let base = self.end(shard);
        let mut batch = batch.to_vec();
        let number = ShardNumber(shard as u32);
        let shard_key = ShardKey { stream: STREAM, number };
        let arrival = Millis(1_700_000_000_000);
        stamp_in_place(&mut batch, &Stamp { shard: shard_key, term: Term(1), base, arrival });
        self.shards[shard].push(batch);
        base
    }

    fn end(&self, shard: usize) -> Seq {
        self.shards[shard]
            .last()
            .map_or(Seq::ZERO, |b| BatchView::check_stamped(b).unwrap().header().end())
    }

    fn start_of(&self, shard: usize, position: Position) -> Seq {
        match position {
            Position::TrimHorizon | Position::AtTimestamp(_) => Seq::ZERO,
            Position::Latest => self.end(shard),
            Position::AtSequence(seq) => seq,
            Position::AfterSequence(seq) => seq.plus(1),
        }
    }

    /// The first batch that ends behind `from`.
    fn batch_at(&self, shard: usize, from: Seq) -> Vec<u8> {
        let ends_behind = |b: &&Vec<u8>| BatchView::check_stamped(b).unwrap().header().end() > from;
        self.shards[shard].iter().find(ends_behind).cloned().unwrap_or_default()
    }

    fn description(&self) -> StreamDescription {
        let ranges = HashRange::split_evenly(self.shards.len() as u32);
        let shard = |(i, range)| ShardDescription {
            number: ShardNumber(i as u32),
            home: CoreId((i % 2) as u16),
            range,
            parent: None,
            adjacent_parent: None,
            created: Millis(1_700_000_000_000),
            closed: None,
        };
        StreamDescription {
            summary: StreamSummary {
                name: "orders".into(),
                arn: "arn:aws:kinesis:us-east-1:000000000000:stream/orders".into(),
                uuid: STREAM,
                status: StreamStatus::Active,
                created: Millis(1_700_000_000_000),
                options: StreamOptions {
                    limits: self.limits.unwrap(),
                    record_bytes_max: 1000,
                    ..StreamOptions::default()
                },
                metrics: ShardMetrics::NONE,
                open_shards: self.shards.len() as u32,
                consumers: 0,
                map_version: 1,
            },
            shards: ranges.into_iter().enumerate().map(shard).collect(),
            more: false,
        }
    }
}

struct Session {
    socket: TcpStream,
    state: Arc<Mutex<State>>,
}

impl Session {
    fn run(mut self) {
        let mut subscriptions = HashMap::new();
        while let Some((header, payload)) = self.read() {
            self.answer(&header, &payload, &mut subscriptions);
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

    /// A client that has gone is no error.
    fn send(&mut self, opcode: Opcode, correlation: u64, payload: impl FnOnce(&mut Writer<'_>)) {
        let mut out = Vec::new();
        write_frame(&mut out, opcode, correlation, payload);
        let _ = self.socket.write_all(&out);
    }

    fn answer(&mut self, h: &FrameHeader, payload: &[u8], subs: &mut HashMap<u32, usize>) {
        let id = h.correlation;
        match h.opcode {
            Opcode::Hello => {
                let core = Hello::decode(payload).unwrap().wanted_core;
                let (server, release) = ([1; 16], "test");
                let answer =
                    HelloAnswer { version: 1, features: 0, core, cores: 2, server, release };
                self.send(Opcode::HelloAnswer, id, |w| answer.write(w));
            }
            Opcode::DescribeStream if DescribeStream::decode(payload).unwrap().name == "orders" => {
                let description = self.state.lock().unwrap().description();
                self.send(Opcode::DescribeStreamAnswer, id, |w| description.write(w));
            }
            Opcode::Put => self.put(id, &Put::decode(payload).unwrap()),
            Opcode::GetIterator => {
                let GetIterator { shard, position, .. } = GetIterator::decode(payload).unwrap();
                let start = self.state.lock().unwrap().start_of(shard.0 as usize, position);
                self.send(Opcode::GetIteratorAnswer, id, |w| {
                    w.u32(shard.0).u64(start.0);
                });
            }
            Opcode::Get => self.get(id, &Get::decode(payload).unwrap()),
            Opcode::Subscribe => self.subscribe(id, &Subscribe::decode(payload).unwrap(), subs),
            Opcode::Credit => {
                let credit = Credit::decode(payload).unwrap();
                assert!(subs.contains_key(&credit.subscription));
                self.state.lock().unwrap().credit_granted += credit.bytes;
            }
            Opcode::Unsubscribe => self.send(Opcode::UnsubscribeAnswer, id, |_| {}),
            _ => {
                let error = ApiError::not_found("no such stream");
                self.send(Opcode::Error, id, |w| ErrorFrame::of(&error, false).write(w));
            }
        }
    }

    fn put(&mut self, id: u64, put: &Put<'_>) {
        let view = BatchView::check_client(put.batch).unwrap();
        let mut state = self.state.lock().unwrap();
        let mood = if state.moods.is_empty() { None } else { state.moods.remove(0) };
        let outcome = match mood {
            None => Ok(state.store(put.shard.0 as usize, put.batch)),
            Some(code) => Err(code),
        };
        drop(state);
        let run = PutRun { shard: put.shard, count: view.header().count, outcome };
        let message = if outcome.is_ok() { "" } else { "not now" };
        self.send(Opcode::PutAnswer, id, |w| write_put_answer(w, &[run], message, &[]));
    }

    fn get(&mut self, id: u64, get: &Get<'_>) {
        let shard = u32::from_le_bytes(get.iterator[..4].try_into().unwrap());
        let first = Seq(u64::from_le_bytes(get.iterator[4..].try_into().unwrap()));
        let batches = self.state.lock().unwrap().batch_at(shard as usize, first);
        let end = match BatchView::check_stamped(&batches) {
            Ok(view) => view.header().end(),
            Err(_) => first,
        };
        let mut next = Vec::new();
        Writer::new(&mut next).u32(shard).u64(end.0);
        let answer =
            GetAnswer { next_iterator: &next, behind_ms: 0, first, end, children: vec![], batches: &batches };
        self.send(Opcode::GetAnswer, id, |w| {
            answer.write_prefix(w);
            w.bytes(&batches);
        });
    }

    /// Pushes all that is stored, one batch at a time.
    fn subscribe(&mut self, id: u64, request: &Subscribe<'_>, subs: &mut HashMap<u32, usize>) {
        let shard = request.shard.0 as usize;
        subs.insert(request.subscription, shard);
        let state = Arc::clone(&self.state);
        let state = state.lock().unwrap();
        let mut first = state.start_of(shard, request.position);
        let start = SubscribeAnswer { start: first };
        self.send(Opcode::SubscribeAnswer, id, |w| start.write(w));
        while first < state.end(shard) {
            let batches = state.batch_at(shard, first);
            let subscription = request.subscription;
            let push = Push { subscription, first, behind_ms: 0, batches: &batches };
            self.send(Opcode::Push, 0, |w| {
                push.write_prefix(w);
                w.bytes(&batches);
            });
            first = BatchView::check_stamped(&batches).unwrap().header().end();
        }
    }
}
