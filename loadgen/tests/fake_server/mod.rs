//! A server in memory that speaks the native protocol, and can be made to misbehave.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

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
    batches: Vec<Arc<[u8]>>,
    next: u64,
    puts: u64,
    subscriptions: Vec<Subscription>,
}

struct Subscription {
    id: u32,
    socket: Arc<Mutex<TcpStream>>,
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
    let state = Arc::new(Mutex::new(State { fault, streams: HashMap::new(), created: 0 }));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let state = Arc::clone(&state);
            let stream = stream.expect("accepted");
            thread::spawn(move || serve(stream, &state));
        }
    });
    address
}

/// Serves until the client goes.
fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let socket = Arc::new(Mutex::new(stream.try_clone().ok()?));
    let mut payload = Vec::new();
    loop {
        let mut head = [0; FRAME_HEADER_BYTES];
        stream.read_exact(&mut head).ok()?;
        let header = FrameHeader::decode(&head).expect("a valid frame");
        payload.resize(header.payload_bytes as usize, 0);
        stream.read_exact(&mut payload).ok()?;
        let mut state = state.lock().expect("no other thread panicked");
        state.request(&header, &payload, &socket);
    }
}

fn answer(socket: &Mutex<TcpStream>, bytes: &[u8]) {
    // A client that is gone ends its own thread; here it does not matter.
    let _ = socket.lock().expect("no other thread panicked").write_all(bytes);
}

impl State {
    fn request(&mut self, header: &FrameHeader, payload: &[u8], socket: &Arc<Mutex<TcpStream>>) {
        let reply = |opcode, write: &dyn Fn(&mut Writer<'_>)| {
            let mut out = Vec::new();
            write_frame(&mut out, opcode, header.correlation, |w| write(w));
            answer(socket, &out);
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
                    socket: Arc::clone(socket),
                    cursor: 0,
                    credit: subscribe.credit as i64,
                });
                shard.pump();
            }
            Opcode::Credit => {
                let credit = Credit::decode(payload).expect("a credit");
                self.grant(credit, socket);
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

    fn grant(&mut self, credit: Credit, socket: &Arc<Mutex<TcpStream>>) {
        for shard in self.streams.values_mut().flat_map(|(_, shards)| shards) {
            let subscriptions = shard.subscriptions.iter_mut();
            for subscription in subscriptions {
                let ours = Arc::ptr_eq(&subscription.socket, socket);
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
                let mut out = Vec::new();
                write_frame_with_body(&mut out, Opcode::Push, 0, batch.len(), |w| {
                    push.write_prefix(w);
                });
                out.extend_from_slice(batch);
                answer(&subscription.socket, &out);
            }
        }
    }
}
