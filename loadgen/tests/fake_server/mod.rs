//! A server in memory that speaks the native protocol, and can be made to misbehave.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use shardway::base::clock::wall_now;
use shardway::base::error::ErrorCode;
use shardway::base::ids::{CoreId, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::base::stream::StreamStatus;
use shardway::record::{BatchView, HashRange, Stamp, stamp_in_place};
use shardway::wire::frame::{write_frame, write_frame_with_body};
use shardway::wire::hello::{Hello, HelloAnswer};
use shardway::wire::put::{Put, PutRun, write_put_answer};
use shardway::wire::streams::{
    CreateStream, ShardDescription, ShardMap, StreamDescription, StreamName,
};
use shardway::wire::subscribe::{Credit, Push, Subscribe, SubscribeAnswer};
use shardway::wire::{Decode, FrameHeader, Opcode, Writer};

/// What one read may bring.
const RECEIVE_BYTES: usize = 256 << 10;

/// How the server misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// The 20th batch of a shard is acknowledged but not kept.
    Lost,
    /// The 20th batch of a shard is delivered with another batch's bytes, validly stamped.
    Replaced,
    /// Every 10th put is refused as throttled: legitimate.
    Throttled,
}

struct Shard {
    key: ShardKey,
    batches: Vec<Box<[u8]>>,
    next: u64,
    puts: u64,
    subscriptions: Vec<Subscription>,
}

struct Subscription {
    id: u32,
    out: Out,
    cursor: usize,
    credit: i64,
}

struct State {
    fault: Fault,
    streams: HashMap<String, (StreamDescription, Vec<Shard>)>,
    created: u8,
}

/// Starts a server on a free port; it runs until the process ends.
pub fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("a socket");
    thread::spawn(move || serve(&listener, fault));
    address
}

/// One thread for all connections, as a core of the real server has.
fn serve(listener: &TcpListener, fault: Fault) {
    let mut state = State { fault, streams: HashMap::new(), created: 0 };
    let mut connections: Vec<Connection> = Vec::new();
    let mut buffer = vec![0; RECEIVE_BYTES];
    let mut idle_turns = 0;
    loop {
        idle_turns += 1;
        if let Ok((stream, _)) = listener.accept() {
            connections.push(Connection::new(stream));
        }
        connections.retain_mut(|connection| {
            let alive = connection.turn(&mut state, &mut buffer);
            if alive == Some(true) {
                idle_turns = 0;
            }
            alive.is_some()
        });
        if idle_turns > 1000 {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// What is to be written to a client.
type Out = Rc<RefCell<VecDeque<u8>>>;

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    out: Out,
}

impl Connection {
    fn new(stream: TcpStream) -> Connection {
        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).expect("a socket");
        Connection { stream, received: Vec::new(), out: Out::default() }
    }

    /// Reads, answers, writes. None when the client is gone, else whether there was anything.
    fn turn(&mut self, state: &mut State, buffer: &mut [u8]) -> Option<bool> {
        let read = self.stream.read(buffer);
        match &read {
            Ok(0) => return None,
            Ok(n) => self.received.extend_from_slice(&buffer[..*n]),
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return None,
        }
        let mut at = 0;
        while let Some(head) = self.received[at..].first_chunk::<FRAME_HEADER_BYTES>() {
            let header = FrameHeader::decode(head).expect("a valid frame");
            let payload = at + FRAME_HEADER_BYTES;
            let end = payload + header.payload_bytes as usize;
            if end > self.received.len() {
                break;
            }
            state.request(&header, &self.received[payload..end], &self.out);
            at = end;
        }
        self.received.drain(..at);
        let mut out = self.out.borrow_mut();
        let wants_write = !out.is_empty();
        while !out.is_empty() {
            let written = match self.stream.write(out.as_slices().0) {
                Ok(written) => written,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return None,
            };
            out.drain(..written);
        }
        Some(read.is_ok() || wants_write)
    }
}

impl State {
    fn request(&mut self, header: &FrameHeader, payload: &[u8], out: &Out) {
        let reply = |opcode, write: &dyn Fn(&mut Writer<'_>)| {
            let mut frame = Vec::new();
            write_frame(&mut frame, opcode, header.correlation, |w| write(w));
            out.borrow_mut().extend(&frame);
        };
        match header.opcode {
            Opcode::Hello => {
                Hello::decode(payload).expect("a hello");
                let (server, release) = ([0; 16], "fake");
                let core = CoreId(0);
                let hello =
                    HelloAnswer { version: 1, features: 0, core, cores: 1, server, release };
                reply(Opcode::HelloAnswer, &|w| hello.write(w));
            }
            Opcode::CreateStream => {
                let stream = self.create(&CreateStream::decode(payload).expect("a create"));
                reply(Opcode::CreateStreamAnswer, &|w| stream.write(w));
            }
            Opcode::DeleteStream => {
                self.streams.remove(StreamName::decode(payload).expect("a name").name);
                reply(Opcode::DeleteStreamAnswer, &|_| ());
            }
            Opcode::ShardMap => {
                let name = StreamName::decode(payload).expect("a name").name;
                let stream = &self.streams[name].0;
                let (map_version, shards) = (stream.map_version, stream.shards.clone());
                let map = ShardMap { stream: stream.uuid, map_version, shards };
                reply(Opcode::ShardMapAnswer, &|w| map.write(w));
            }
            Opcode::Put => {
                let put = Put::decode(payload).expect("a put");
                let fault = self.fault;
                let run = self.shard(put.stream, put.shard).put(put.batch, fault);
                reply(Opcode::PutAnswer, &|w| write_put_answer(w, &[run], "", &[]));
            }
            Opcode::Subscribe => {
                let subscribe = Subscribe::decode(payload).expect("a subscribe");
                let shard = self.shard(subscribe.stream, subscribe.shard);
                reply(Opcode::SubscribeAnswer, &|w| SubscribeAnswer { start: Seq(0) }.write(w));
                shard.subscriptions.push(Subscription {
                    id: subscribe.subscription,
                    out: Rc::clone(out),
                    cursor: 0,
                    credit: subscribe.credit as i64,
                });
                shard.pump();
            }
            Opcode::Credit => {
                let credit = Credit::decode(payload).expect("a credit");
                self.grant(credit, out);
            }
            other => panic!("the fake server has no {other:?}"),
        }
    }

    fn create(&mut self, create: &CreateStream<'_>) -> StreamDescription {
        self.created += 1;
        let uuid = StreamUuid([self.created; 16]);
        let ranges = HashRange::split_evenly(create.shards).into_iter().zip(0..);
        let shards: Vec<_> = ranges
            .map(|(range, n)| ShardDescription {
                number: ShardNumber(n),
                open: true,
                home: CoreId(0),
                range,
            })
            .collect();
        let stream = StreamDescription {
            name: create.name.to_owned(),
            uuid,
            status: StreamStatus::Active,
            created: wall_now(),
            options: create.options,
            map_version: 1,
            shards: shards.clone(),
        };
        let shard = |s: ShardDescription| Shard {
            key: ShardKey { stream: uuid, number: s.number },
            batches: Vec::new(),
            next: 0,
            puts: 0,
            subscriptions: Vec::new(),
        };
        let loads = shards.into_iter().map(shard).collect();
        self.streams.insert(create.name.to_owned(), (stream.clone(), loads));
        stream
    }

    fn shard(&mut self, stream: StreamUuid, number: ShardNumber) -> &mut Shard {
        let streams = self.streams.values_mut();
        let shards = streams.flat_map(|(_, shards)| shards);
        let wanted = ShardKey { stream, number };
        shards.into_iter().find(|shard| shard.key == wanted).expect("the shard exists")
    }

    fn grant(&mut self, credit: Credit, out: &Out) {
        for shard in self.streams.values_mut().flat_map(|(_, shards)| shards) {
            let subscriptions = shard.subscriptions.iter_mut();
            for subscription in subscriptions {
                let ours = Rc::ptr_eq(&subscription.out, out);
                if ours && subscription.id == credit.subscription {
                    subscription.credit += credit.bytes as i64;
                }
            }
            shard.pump();
        }
    }
}

impl Shard {
    fn put(&mut self, batch: &[u8], fault: Fault) -> PutRun {
        let view = BatchView::check_client(batch).expect("a valid batch");
        let count = view.header().count;
        self.puts += 1;
        let shard = self.key.number;
        if fault == Fault::Throttled && self.puts.is_multiple_of(10) {
            let outcome = Err(ErrorCode::ProvisionedThroughputExceeded);
            return PutRun { shard, count, outcome };
        }
        let base = Seq(self.next);
        self.next += u64::from(count);
        let strikes = self.puts == 20;
        let mut bytes = batch.to_vec();
        if fault == Fault::Replaced && strikes {
            bytes = self.batches[0].to_vec();
        }
        stamp_in_place(
            &mut bytes,
            &Stamp { shard: self.key, term: Term(1), base, arrival: wall_now() },
        );
        if !(fault == Fault::Lost && strikes) {
            self.batches.push(bytes.into());
        }
        // Pushed before the put is answered: the client must cope with either order.
        self.pump();
        PutRun { shard, count, outcome: Ok(base) }
    }

    fn pump(&mut self) {
        for subscription in &mut self.subscriptions {
            while subscription.credit > 0
                && let Some(batch) = self.batches.get(subscription.cursor)
            {
                subscription.cursor += 1;
                subscription.credit -= batch.len() as i64;
                let first = BatchView::check_stamped(batch).expect("stored").header().stamp.base;
                let id = subscription.id;
                let push = Push { subscription: id, first, behind_ms: 0, batches: &[] };
                let mut frame = Vec::new();
                write_frame_with_body(&mut frame, Opcode::Push, 0, batch.len(), |w| {
                    push.write_prefix(w);
                });
                let mut out = subscription.out.borrow_mut();
                out.extend(&frame);
                out.extend(batch.iter());
            }
        }
    }
}
