//! Frames that no client would send: a typed error, the end of that connection, and nobody else
//! notices.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use shardway::base::ids::{CoreId, ShardNumber};
use shardway::base::limits::FRAME_PAYLOAD_MAX;
use shardway::base::rng::SplitMix64;
use shardway::record::BatchBuilder;
use shardway::wire::Opcode;
use shardway::wire::frame::{FrameHeader, write_frame_with_body};
use shardway::wire::hello::{ANY_CORE, Hello};
use shardway::wire::put::Put;
use shardway::wire::streams::{DescribeStream, StreamDescription};

use crate::load::{Load, Shape, Wrote};
use crate::oracle::{Filler, Oracle, read_names, seed};
use crate::process::{Server, Setup, new_dir, until};
use crate::raw::{Goodbye, Raw, frame, header, hello, seal};
use crate::unlimited;

/// A writer with puts in flight, beside whom somebody misbehaves.
struct Bystander {
    server: Server,
    stream: StreamDescription,
    load: Load,
    writer: std::thread::JoinHandle<Wrote>,
    _dir: tempfile::TempDir,
}

impl Bystander {
    fn start(seed: u64) -> Bystander {
        let dir = new_dir();
        let server = Setup::new(&dir.path().join("data")).start();
        let stream = server.client().create_stream("calm", 2, unlimited()).unwrap();
        let shape = Shape { records_max: 5, bytes_max: 500, window: 3 };
        let load = Load::new(&stream, &Filler::new(4096), shape);
        let writer = load.start(server.client(), 0, seed, BTreeMap::new());
        Bystander { server, stream, load, writer, _dir: dir }
    }

    /// Waits for a put that was sent after this call, and not an accident of what was on its way.
    fn assert_served(&self) {
        let puts = || self.load.shared.acked_puts.load(Ordering::Relaxed);
        let before = puts();
        until("puts of the bystander", || {
            assert!(!self.writer.is_finished(), "the bystander's connection ended");
            puts() > before + 4
        });
    }

    /// Every acknowledged record is there, every record was sent.
    fn finish(self) {
        self.assert_served();
        self.load.shared.stop.store(true, Ordering::Relaxed);
        let Wrote { sent, error, .. } = self.writer.join().expect("a writer's own checks hold");
        assert!(error.is_none(), "the bystander lost its connection: {error:?}");
        let mut oracle = Oracle::new(self.load.filler);
        oracle.learn(0, sent);
        let mut client = self.server.client();
        for shard in 0..2 {
            let number = ShardNumber(shard);
            let names = read_names(&mut client, self.stream.summary.uuid, number, &oracle.filler);
            oracle.verify(shard, &names);
        }
        self.server.stop_clean();
    }
}

fn put_frame(stream: &StreamDescription, correlation: u64, batch: &[u8]) -> Vec<u8> {
    let put = Put {
        stream: stream.summary.uuid,
        shard: ShardNumber(0),
        map_version: stream.summary.map_version,
        batch,
    };
    let mut out = Vec::new();
    let prefix = |w: &mut shardway::wire::Writer<'_>| put.write_prefix(w);
    write_frame_with_body(&mut out, Opcode::Put, correlation, batch.len(), prefix);
    out.extend_from_slice(batch);
    out
}

fn small_batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push("key", None, b"data").unwrap();
    builder.finish().to_vec()
}

fn with_hello(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [hello(), bytes.as_ref().to_vec()].concat()
}

/// What each breach sends, and what its error says.
fn breaches() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let ping = frame(Opcode::Ping, 7, |w| {
        w.bytes(b"hi");
    });
    let changed = |at: usize, to: u8, sealed: bool| {
        let mut bytes = ping.clone();
        bytes[at] = to;
        if sealed {
            seal(&mut bytes);
        }
        with_hello(bytes)
    };
    let hello_of = |min, max| {
        let hello = Hello {
            version_min: min,
            version_max: max,
            features: u64::MAX,
            wanted_core: ANY_CORE,
            client: "old",
        };
        frame(Opcode::Hello, 9, |w| hello.write(w))
    };
    let opcode = |o: Opcode| o as u16;
    let too_long = (FRAME_PAYLOAD_MAX + 1) as u32;
    let name = |payload: &[u8]| {
        let head = header(opcode(Opcode::DescribeStream), payload.len() as u32, 7);
        with_hello([head, payload.to_vec()].concat())
    };
    vec![
        ("http", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), "CRC"),
        ("a wrong header CRC", changed(20, ping[20] ^ 1, false), "CRC"),
        ("a changed correlation", changed(9, 1, false), "CRC"),
        ("an unknown opcode", with_hello(header(0x1234, 0, 7)), "0x1234"),
        ("flags", changed(6, 1, true), "reserved"),
        ("reserved bytes", changed(16, 1, true), "reserved"),
        ("a ping above its bound", with_hello(header(opcode(Opcode::Ping), 4097, 7)), "4097"),
        ("a put above its bound", with_hello(header(opcode(Opcode::Put), too_long, 7)), "above"),
        ("4 GiB of put", with_hello(header(opcode(Opcode::Put), u32::MAX, 7)), "above"),
        ("no hello first", ping.clone(), "hello"),
        ("a hello of another program", header(opcode(Opcode::Hello), 0, 7), "magic"),
        ("a second hello", with_hello(hello()), "Hello"),
        ("a version of the future", hello_of(2, 9), "version"),
        ("versions that are none", hello_of(1, 0), "version"),
        ("an answer", with_hello(header(opcode(Opcode::PingAnswer), 0, 7)), "request"),
        ("a push", with_hello(header(opcode(Opcode::Push), 0, 7)), "request"),
        ("an error", with_hello(header(opcode(Opcode::Error), 0, 7)), "request"),
        ("a put without its fields", with_hello(header(opcode(Opcode::Put), 0, 7)), "stream"),
        ("a name that is cut off", name(&[9, 0, b'a']), "name"),
        ("bytes behind a name", name(&[1, 0, b'a', 0]), ""),
        ("a name that is no text", name(&[2, 0, 0xff, 0xfe]), ""),
        ("an empty request", name(&[]), "name"),
    ]
}

#[test]
fn every_breach_of_the_protocol_is_named_and_ends_its_own_connection_only() {
    let calm = Bystander::start(seed("breaches"));
    let addr = calm.server.addr();
    for (what, bytes, cause) in breaches() {
        let mut raw = Raw::connect(&addr);
        raw.send(&bytes);
        let goodbye = raw.goodbye(|header, _| assert_eq!(header.opcode, Opcode::HelloAnswer));
        let Goodbye::Error { code, message, .. } = goodbye else {
            panic!("{what}: closed without a word");
        };
        assert_eq!(code, "ProtocolError", "{what}");
        assert!(message.contains(cause), "{what}: {message:?} does not speak of {cause:?}");
    }
    calm.finish();
}

#[test]
fn a_breach_behind_good_requests_leaves_their_answers() {
    let calm = Bystander::start(seed("breach behind requests"));
    let mut raw = Raw::greeted(&calm.server.addr());
    let (batch, mut bytes) = (small_batch(), Vec::new());
    for correlation in 10..20 {
        bytes.extend(put_frame(&calm.stream, correlation, &batch));
        bytes.extend(frame(Opcode::Ping, correlation + 100, |_| {}));
    }
    bytes.extend(header(0x1234, 0, 0));
    raw.send(&bytes);
    let mut answered = Vec::new();
    let goodbye = raw.goodbye(|header, _| answered.push(header.correlation));
    assert!(matches!(goodbye, Goodbye::Error { code: "ProtocolError", .. }), "{goodbye:?}");
    answered.sort_unstable();
    let expected: Vec<u64> = (10..20).chain(110..120).collect();
    assert_eq!(answered, expected, "frames before the breach are answered first");
    calm.server.client().ping().unwrap();
}

#[test]
fn a_damaged_batch_in_an_intact_frame_ends_its_connection_and_no_other() {
    let calm = Bystander::start(seed("damaged batch"));
    let sound = small_batch();
    let mut rotten = sound.clone();
    *rotten.last_mut().unwrap() ^= 1;
    let long = [sound.clone(), vec![0; 8]].concat();
    for (what, batch) in [("rotten", rotten), ("too long", long), ("cut", sound[..100].to_vec())] {
        let mut raw = Raw::greeted(&calm.server.addr());
        raw.send(&put_frame(&calm.stream, 33, &batch));
        let (head, payload) = raw.receive().expect("an answer");
        let text = String::from_utf8_lossy(&payload).into_owned();
        assert_eq!((head.opcode, head.correlation), (Opcode::Error, 33), "{what}: {text}");
        assert!(raw.receive().is_none(), "{what}: the connection goes on");
    }
    calm.finish();
}

#[test]
fn frames_cut_at_every_byte_are_served_when_the_rest_comes() {
    let calm = Bystander::start(seed("cut frames"));
    let mut raw = Raw::connect(&calm.server.addr());
    let name = frame(Opcode::DescribeStream, 2, |w| {
        DescribeStream { name: "calm", after: None, limit: 1 }.write(w);
    });
    let all = [hello(), name, put_frame(&calm.stream, 3, &small_batch())].concat();
    for byte in &all {
        raw.send(&[*byte]);
    }
    for opcode in [Opcode::HelloAnswer, Opcode::DescribeStreamAnswer, Opcode::PutAnswer] {
        assert_eq!(raw.receive().expect("an answer").0.opcode, opcode);
    }
    drop(raw);
    calm.server.client().ping().unwrap();
}

#[test]
fn connections_that_end_or_stall_inside_a_frame_hold_nobody_up() {
    let calm = Bystander::start(seed("stalls"));
    let addr = calm.server.addr();
    let put = put_frame(&calm.stream, 3, &small_batch());
    let mut stalled = Vec::new();
    for cut in (1..put.len()).step_by(7) {
        let mut raw = Raw::greeted(&addr);
        raw.send(&put[..cut]);
        if cut.is_multiple_of(2) {
            stalled.push(raw);
        } else {
            raw.end();
            assert_eq!(raw.goodbye(|h, _| panic!("{h:?} for half a frame")), Goodbye::Silent);
        }
    }
    // And some that have not even said hello.
    stalled.extend((0..20).map(|_| Raw::connect(&addr)));
    calm.assert_served();
    let mut builder = BatchBuilder::new();
    builder.push("key", None, &vec![1; 900_000]).unwrap();
    let mut client = calm.server.client_on(CoreId(0));
    let answer = client.put(calm.stream.summary.uuid, ShardNumber(1), 1, builder.finish());
    assert!(answer.is_ok_and(|a| a.is_stored()));
    drop(stalled);
    calm.server.client().ping().unwrap();
}

#[test]
fn large_frames_that_never_arrive_do_not_take_all_room_for_ever() {
    let calm = Bystander::start(seed("large frames that never arrive"));
    let addr = calm.server.addr();
    let head = FrameHeader {
        opcode: Opcode::Put,
        payload_bytes: FRAME_PAYLOAD_MAX as u32,
        correlation: 1,
    };
    let mut stalled: Vec<Raw> = (0..8).map(|_| Raw::greeted(&addr)).collect();
    for raw in &mut stalled {
        raw.send(&[head.encode().as_slice(), &[0; 5000]].concat());
    }
    calm.assert_served();
    let mut builder = BatchBuilder::new();
    for _ in 0..3 {
        builder.push("key", None, &vec![1; 900_000]).unwrap();
    }
    let (batch, stream) = (builder.finish().to_vec(), calm.stream.summary.uuid);
    let mut client = calm.server.client();
    let id = client.send_put(stream, ShardNumber(1), 1, &batch).unwrap();
    calm.assert_served();
    // As long as they stay, large puts wait in their sockets; nothing else does.
    drop(stalled);
    let answer = client.next_event(crate::process::HANG).unwrap().expect("there is room again");
    assert_eq!(answer.correlation(), Some(id));
    calm.server.client().ping().unwrap();
}

#[test]
fn random_bytes_never_reach_anybody_else() {
    let seed = seed("random bytes");
    let calm = Bystander::start(seed);
    let (addr, mut random) = (calm.server.addr(), SplitMix64::new(seed));
    let put = put_frame(&calm.stream, 3, &small_batch());
    for round in 0..300 {
        let mut raw = if round % 3 == 0 { Raw::connect(&addr) } else { Raw::greeted(&addr) };
        let mut bytes = vec![0; random.below(5000) as usize];
        random.fill(&mut bytes);
        if round % 3 == 2 {
            // A sound frame with a sound header around rot.
            let rot = bytes.len().min(1000) as u32;
            let opcode = 1 + random.below(13) as u16;
            bytes = [header(opcode, rot, 5), bytes].concat();
        } else if round % 3 == 1 {
            bytes = put.clone();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << random.below(8);
        }
        raw.send(&bytes);
        raw.end();
        raw.goodbye(|_, _| {});
    }
    let refused = calm.server.log();
    assert!(!refused.contains("panicked"), "{refused}");
    // What the rot has stored, if any of it was sound, is not the bystander's.
    calm.assert_served();
    let mut client = calm.server.client();
    client.ping().unwrap();
}
