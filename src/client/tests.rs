use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::stream::{Position, ShardMetrics, StreamOptions, StreamStatus};
use crate::record::{BatchBuilder, HashRange, Stamp, stamp_in_place};
use crate::wire::error::ErrorFrame;
use crate::wire::frame::write_frame;
use crate::wire::hello::{Hello, HelloAnswer};
use crate::wire::put::{Put, PutRun, write_put_answer};
use crate::wire::read::GetAnswer;
use crate::wire::shards::ShardDescription;
use crate::wire::streams::{CreateStream, StreamDescription, StreamSummary};
use crate::wire::subscribe::{Credit, Push, Subscribe, SubscribeAnswer, SubscriptionEnd};
use crate::wire::{Decode, FrameHeader, Opcode, Writer};

mod life;

const STREAM: StreamUuid = StreamUuid([3; 16]);

/// The server's side of one connection.
struct Peer(TcpStream);

impl Peer {
    fn read(&mut self) -> (FrameHeader, Vec<u8>) {
        let mut head = [0; 24];
        self.0.read_exact(&mut head).unwrap();
        let header = FrameHeader::decode(&head).unwrap();
        let mut payload = vec![0; header.payload_bytes as usize];
        self.0.read_exact(&mut payload).unwrap();
        (header, payload)
    }

    fn expect(&mut self, opcode: Opcode) -> (u64, Vec<u8>) {
        let (header, payload) = self.read();
        assert_eq!(header.opcode, opcode);
        (header.correlation, payload)
    }

    fn send(&mut self, opcode: Opcode, correlation: u64, payload: impl FnOnce(&mut Writer<'_>)) {
        let mut out = Vec::new();
        write_frame(&mut out, opcode, correlation, payload);
        self.0.write_all(&out).unwrap();
    }

    fn welcome(&mut self) {
        let (correlation, payload) = self.expect(Opcode::Hello);
        let hello = Hello::decode(&payload).unwrap();
        assert_eq!(hello.client, "a test");
        let answer = HelloAnswer {
            version: 1,
            features: 0,
            core: CoreId(1),
            cores: 2,
            server: [7; 16],
            release: "0.1.0",
        };
        self.send(Opcode::HelloAnswer, correlation, |w| answer.write(w));
    }
}

fn options() -> ConnectOptions {
    ConnectOptions {
        client_name: "a test".into(),
        timeout: Duration::from_secs(5),
        ..ConnectOptions::default()
    }
}

fn listen(serve: impl FnOnce(Peer) + Send + 'static) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || serve(Peer(listener.accept().unwrap().0)));
    (addr, serving)
}

/// Connects to a server that says hello and then runs `serve`; runs `test` against it.
fn session(serve: impl FnOnce(&mut Peer) + Send + 'static, test: impl FnOnce(&mut Client)) {
    let (addr, serving) = listen(|mut peer| {
        peer.welcome();
        serve(&mut peer);
    });
    let mut client = Client::connect(&addr, options()).unwrap();
    test(&mut client);
    drop(client);
    serving.join().unwrap();
}

fn stored_batch(base: u64, data: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (i, text) in data.iter().enumerate() {
        builder.push(&format!("k{i}"), None, text.as_bytes()).unwrap();
    }
    let mut batch = builder.finish().to_vec();
    let shard = ShardKey { stream: STREAM, number: ShardNumber(0) };
    stamp_in_place(
        &mut batch,
        &Stamp { shard, term: Term(1), base: Seq(base), arrival: Millis(9) },
    );
    batch
}

fn texts(batches: &Batches) -> Vec<String> {
    let mut all = Vec::new();
    batches
        .for_each(|r| all.push(String::from_utf8(r.record.data.to_vec()).unwrap()))
        .expect("the batches are sound");
    all
}

#[test]
fn hello_tells_what_the_server_is() {
    session(
        |_| {},
        |client| {
            let info = client.server();
            assert_eq!((info.core, info.cores, info.server), (CoreId(1), 2, [7; 16]));
        },
    );
}

#[test]
fn a_closed_port_is_named_with_what_to_do() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let addr = format!("127.0.0.1:{port}");
    let error = Client::connect(&addr, options()).unwrap_err();
    assert!(error.is_connection());
    assert_eq!(
        error.to_string(),
        format!("no Shardway server answers at {addr}; start one with `shardway serve`")
    );
}

#[test]
fn another_protocol_is_named() {
    let (addr, serving) = listen(|mut peer| {
        peer.0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        peer.expect(Opcode::Hello);
    });
    let error = Client::connect(&addr, options()).unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
    serving.join().unwrap();
}

#[test]
fn a_refused_request_leaves_the_connection_usable() {
    session(
        |peer| {
            let (correlation, payload) = peer.expect(Opcode::CreateStream);
            assert_eq!(CreateStream::decode(&payload).unwrap().name, "orders");
            let error = ApiError::new(ErrorCode::ResourceInUse, "orders exists");
            peer.send(Opcode::Error, correlation, |w| ErrorFrame::of(&error, false).write(w));
            let (correlation, payload) = peer.expect(Opcode::Ping);
            peer.send(Opcode::PingAnswer, correlation, |w| {
                w.bytes(&payload);
            });
        },
        |client| {
            let error = client.create_stream("orders", 2, StreamOptions::default()).unwrap_err();
            assert!(matches!(&error, ClientError::Api(e) if e.code == ErrorCode::ResourceInUse));
            client.ping().unwrap();
        },
    );
}

#[test]
fn a_description_comes_back_whole() {
    let description = StreamDescription {
        summary: StreamSummary {
            name: "orders".into(),
            arn: "arn:aws:kinesis:us-east-1:000000000000:stream/orders".into(),
            uuid: STREAM,
            status: StreamStatus::Active,
            created: Millis(5),
            options: StreamOptions::default(),
            metrics: ShardMetrics::NONE,
            open_shards: 1,
            consumers: 0,
            map_version: 1,
        },
        shards: vec![ShardDescription {
            number: ShardNumber(0),
            home: CoreId(1),
            range: HashRange::split_evenly(1)[0],
            parent: None,
            adjacent_parent: None,
            created: Millis(5),
            closed: None,
        }],
        more: false,
    };
    let sent = description.clone();
    session(
        move |peer| {
            let (correlation, _) = peer.expect(Opcode::DescribeStream);
            peer.send(Opcode::DescribeStreamAnswer, correlation, |w| sent.write(w));
        },
        |client| assert_eq!(client.describe_stream("orders").unwrap(), description),
    );
}

#[test]
fn pipelined_puts_are_told_apart_by_correlation() {
    session(
        |peer| {
            let first = peer.expect(Opcode::Put);
            let second = peer.expect(Opcode::Put);
            for (base, (correlation, payload)) in [(7, second), (0, first)] {
                let put = Put::decode(&payload).unwrap();
                crate::record::BatchView::check_client(put.batch).unwrap();
                let run = PutRun {
                    shard: put.shard,
                    count: 1,
                    outcome: Ok(Seq(base)),
                    arrival: Millis(0),
                };
                peer.send(Opcode::PutAnswer, correlation, |w| {
                    write_put_answer(w, &[run], "", &[]);
                });
            }
        },
        |client| {
            let mut builder = BatchBuilder::new();
            builder.push("k", None, b"data").unwrap();
            let batch = builder.finish();
            let first = client.send_put(STREAM, ShardNumber(0), 1, batch).unwrap();
            let second = client.put(STREAM, ShardNumber(1), 1, batch).unwrap();
            assert_eq!(second.outcomes(), [(ShardNumber(1), Ok(Seq(7)))]);
            let Incoming::Put { correlation, answer } = client.recv().unwrap() else {
                panic!("the first put's answer was kept");
            };
            assert_eq!((correlation, answer.is_stored()), (first, true));
        },
    );
}

#[test]
fn a_get_gives_only_the_records_that_were_asked_for() {
    session(
        |peer| {
            let (correlation, _) = peer.expect(Opcode::GetIterator);
            peer.send(Opcode::GetIteratorAnswer, correlation, |w| {
                w.bytes(b"here");
            });
            let (correlation, _) = peer.expect(Opcode::Get);
            let batches =
                [stored_batch(10, &["a", "b", "c"]), stored_batch(13, &["d", "e"])].concat();
            let answer = GetAnswer {
                next_iterator: b"next",
                behind_ms: 3,
                first: Seq(11),
                end: Seq(14),
                children: Vec::new(),
                batches: &batches,
            };
            peer.send(Opcode::GetAnswer, correlation, |w| {
                answer.write_prefix(w);
                w.bytes(&batches);
            });
        },
        |client| {
            let at = client.get_iterator(STREAM, ShardNumber(0), Position::TrimHorizon).unwrap();
            assert_eq!(at, b"here");
            let fetched = client.get(&at, 100, 1 << 20, 0).unwrap();
            assert_eq!(fetched.next_iterator, b"next");
            assert_eq!(texts(&fetched.batches), ["b", "c", "d"]);
        },
    );
}

#[test]
fn a_subscription_pushes_takes_credit_and_ends() {
    session(
        |peer| {
            let (correlation, payload) = peer.expect(Opcode::Subscribe);
            let request = Subscribe::decode(&payload).unwrap();
            assert_eq!((request.consumer, request.credit), ("me", 1000));
            let batches = stored_batch(4, &["old", "new"]);
            let push = Push { subscription: 8, first: Seq(5), behind_ms: 0, batches: &batches };
            // A push may overtake the answer to the subscribe.
            peer.send(Opcode::Push, 0, |w| {
                push.write_prefix(w);
                w.bytes(&batches);
            });
            let start = SubscribeAnswer { start: Seq(5) };
            peer.send(Opcode::SubscribeAnswer, correlation, |w| start.write(w));
            let (_, payload) = peer.expect(Opcode::Credit);
            let credit = Credit::decode(&payload).unwrap();
            assert_eq!(credit, Credit { subscription: 8, bytes: batches.len() as u64 });
            let end = SubscriptionEnd {
                subscription: 8,
                continue_at: Seq(6),
                code: ErrorCode::ResourceInUse,
                message: "taken over",
            };
            peer.send(Opcode::SubscriptionEnd, 0, |w| end.write(w));
        },
        |client| {
            let start = client.subscribe(Subscribe {
                subscription: 8,
                stream: STREAM,
                shard: ShardNumber(0),
                consumer: "me",
                position: Position::Latest,
                credit: 1000,
            });
            assert_eq!(start.unwrap(), Seq(5));
            let Incoming::Pushed(push) = client.recv().unwrap() else { panic!("a push") };
            assert_eq!(texts(&push.batches), ["new"]);
            client.credit(8, push.batches.bytes()).unwrap();
            let Incoming::Ended(end) = client.recv().unwrap() else { panic!("an end") };
            assert_eq!((end.continue_at, end.error.message.as_str()), (Seq(6), "taken over"));
        },
    );
}

#[test]
fn a_frame_that_arrives_in_pieces_survives_a_timeout() {
    session(
        |peer| {
            let mut frame = Vec::new();
            write_frame(&mut frame, Opcode::SubscriptionEnd, 0, |w| {
                SubscriptionEnd {
                    subscription: 1,
                    continue_at: Seq(0),
                    code: ErrorCode::ShuttingDown,
                    message: "stopping",
                }
                .write(w);
            });
            peer.0.write_all(&frame[..30]).unwrap();
            // The ping is the signal that the client has timed out once.
            let (correlation, payload) = peer.expect(Opcode::Ping);
            peer.0.write_all(&frame[30..]).unwrap();
            peer.send(Opcode::PingAnswer, correlation, |w| {
                w.bytes(&payload);
            });
        },
        |client| {
            assert!(client.next_event(Duration::from_millis(30)).unwrap().is_none());
            client.ping().unwrap();
            let Incoming::Ended(end) = client.recv().unwrap() else { panic!("an end") };
            assert_eq!(end.error.code, ErrorCode::ShuttingDown);
        },
    );
}

#[test]
fn a_server_that_says_goodbye_is_quoted() {
    session(
        |peer| {
            let error = ApiError::new(ErrorCode::ShuttingDown, "connect again");
            peer.send(Opcode::Error, 0, |w| ErrorFrame::of(&error, true).write(w));
        },
        |client| {
            let error = client.recv().unwrap_err();
            assert_eq!(error.to_string(), "ShuttingDown: connect again");
        },
    );
}

#[test]
fn rotten_bytes_missing_records_and_short_answers_are_noticed() {
    let whole = [stored_batch(0, &["a"]), stored_batch(1, &["b"])].concat();
    let check =
        |bytes: &[u8], first| Batches::from_push(bytes.to_vec(), 0, Seq(first)).for_each(|_| {});
    assert_eq!(check(&whole, 0), Ok(Seq(2)));
    assert!(check(&whole[..whole.len() - 1], 0).unwrap_err().contains("cut off"));
    let mut rotten = whole.clone();
    *rotten.last_mut().unwrap() ^= 1;
    assert!(check(&rotten, 0).unwrap_err().contains("CRC"));
    let gap = [stored_batch(0, &["a"]), stored_batch(2, &["c"])].concat();
    assert!(check(&gap, 0).unwrap_err().contains("does not follow"));
    let late = stored_batch(5, &["f"]);
    assert!(check(&late, 4).unwrap_err().contains("missing"));
}

#[test]
fn outcomes_follow_the_order_of_the_request() {
    let answer = PutAnswer {
        runs: vec![
            PutRun { shard: ShardNumber(0), count: 2, outcome: Ok(Seq(10)), arrival: Millis(0) },
            PutRun {
                shard: ShardNumber(1),
                count: 1,
                outcome: Err(ErrorCode::ProvisionedThroughputExceeded),
                arrival: Millis(0),
            },
        ],
        message: "slow down".into(),
        run_of: vec![0, 1, 0],
    };
    let refused = Err(ErrorCode::ProvisionedThroughputExceeded);
    assert_eq!(
        answer.outcomes(),
        [(ShardNumber(0), Ok(Seq(10))), (ShardNumber(1), refused), (ShardNumber(0), Ok(Seq(11)))]
    );
    assert!(!answer.is_stored());
    assert_eq!(answer.records(), 3);
}
