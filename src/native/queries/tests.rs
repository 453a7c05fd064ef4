use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::clock::Now;
use crate::base::error::ErrorCode;
use crate::base::ids::{CoreId, Millis, SessionId, ShardNumber, StreamUuid, Term};
use crate::base::limits::FRAME_HEADER_BYTES;
use crate::base::stream::{ConsumerStatus, StreamOptions};
use crate::catalog::{ConsumerRecord, Rules, State, StreamRecord, View};
use crate::log::journal::JournalSpec;
use crate::native::{Session, Sessions};
use crate::net::Socket;
use crate::security::iterator::IteratorKey;
use crate::service::{ControlOperation, Core, CoreSpec, Message, Outgoing};
use crate::wire::account::{AccountDescription, Commitment, UpdateAccount};
use crate::wire::alter::{AlterStream, StreamChange};
use crate::wire::consumers::*;
use crate::wire::error::ErrorFrame;
use crate::wire::frame::write_frame;
use crate::wire::reshard::{Reshard, ReshardStream};
use crate::wire::shards::{GetShardStats, ListShards, ShardCounts, ShardFilter, ShardList};
use crate::wire::streams::{DescribeStream, ListStreams, StreamName};
use crate::wire::subscribe::Unsubscribe;
use crate::wire::tags::{ListTags, TagList};
use crate::wire::{Decode, FrameHeader, Opcode, Writer};

const STREAM: StreamUuid = StreamUuid([3; 16]);
const WALL: Millis = Millis(1_700_000_000_000);
const ME: SessionId = SessionId { core: CoreId(0), index: 0, generation: 1 };
const SHARDS: u32 = 20;

/// Core 0 of two, with a stream that has consumers and tags, and one connection.
struct World {
    core: Core,
    sessions: Sessions,
    session: Session,
    client: TcpStream,
    socket: Socket,
    now: Now,
}

fn world() -> World {
    world_with(Rules::default())
}

fn world_with(rules: Rules) -> World {
    let mut stream = StreamRecord::new("orders", STREAM, WALL, SHARDS, StreamOptions::default());
    let tags = |value: &str| [("team".to_owned(), value.to_owned())].into();
    stream.tags = tags("stream");
    for name in ["a", "b", "c"] {
        let consumer = ConsumerRecord { created: Millis(5000), tags: tags(name), policy: None };
        stream.consumers.insert(name.to_owned(), consumer);
    }
    let mut state = State::new([1; 32]);
    state.streams.insert("orders".to_owned(), stream);
    let core = CoreId(0);
    let file_bytes = 64 << 20;
    let spec = CoreSpec {
        core,
        cores: 2,
        data_dir: PathBuf::from("/data"),
        journal: JournalSpec { core, term: Term(1), salt: 5, files: 4, file_bytes },
        tail_bytes: usize::MAX,
        iterator_key: IteratorKey::new(&[1; 32]),
        view: Arc::new(View::of(&state, 2, Arc::new(rules))),
        shards: Vec::new(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = Socket::new(listener.accept().unwrap().0).unwrap();
    let mut session = Session::new(ME, socket.try_clone().unwrap());
    session.greeted = true;
    let now = Now { wall: WALL, mono: Now::read().mono };
    let (core, sessions) = (Core::new(spec, now), Sessions::new(core, 2, [0; 16]));
    World { core, sessions, session, client, socket, now }
}

impl World {
    fn ask(&mut self, opcode: Opcode, payload: impl FnOnce(&mut Writer<'_>)) {
        let mut frame = Vec::new();
        write_frame(&mut frame, opcode, 7, payload);
        let header = FrameHeader::decode(frame.first_chunk().unwrap()).unwrap();
        self.sessions.serve_frame(
            &mut self.core,
            self.now,
            &mut self.session,
            &header,
            &frame,
            &[],
        );
    }

    /// The frame that the connection was sent.
    fn answer(&mut self, opcode: Opcode) -> Vec<u8> {
        let _ = self.session.outbound.flush(&self.socket).unwrap();
        let mut head = [0; FRAME_HEADER_BYTES];
        self.client.read_exact(&mut head).unwrap();
        let header = FrameHeader::decode(&head).unwrap();
        assert_eq!((header.opcode, header.correlation), (opcode, 7));
        let mut payload = vec![0; header.payload_bytes as usize];
        self.client.read_exact(&mut payload).unwrap();
        payload
    }

    fn refusal(&mut self) -> (ErrorCode, String) {
        let payload = self.answer(Opcode::Error);
        let ErrorFrame { code, message, .. } = ErrorFrame::decode(&payload).unwrap();
        (code, message.to_owned())
    }

    /// The only message for another core, or for the catalog.
    fn sent(&mut self) -> Outgoing {
        assert_eq!(self.session.in_flight, 1, "its answer is still to come");
        assert_eq!(self.sessions.outgoing.len(), 1);
        self.sessions.outgoing.remove(0)
    }

    fn change(&mut self) -> ControlOperation {
        let Outgoing { to: CoreId(0), message: Message::Control(request) } = self.sent() else {
            panic!("a change goes to the catalog")
        };
        assert_eq!((request.session, request.correlation), (ME, 7));
        self.session.in_flight = 0;
        request.operation
    }
}

fn numbers(shards: impl IntoIterator<Item = ShardNumber>) -> Vec<u32> {
    shards.into_iter().map(|shard| shard.0).collect()
}

#[test]
fn shards_are_listed_from_the_view_page_by_page() {
    let mut w = world();
    let (filter, after) = (ShardFilter::AtLatest, Some(ShardNumber(4)));
    let list = ListShards { name: "orders", filter, after, limit: 3 };
    w.ask(Opcode::ListShards, |p| list.write(p));
    let page = ShardList::decode(&w.answer(Opcode::ListShardsAnswer)).unwrap();
    assert_eq!(numbers(page.shards.iter().map(|shard| shard.number)), [5, 6, 7]);
    assert!(page.more);
    w.ask(Opcode::ListShards, |p| ListShards { name: "other", ..list }.write(p));
    let text = "Stream other under account 000000000000 not found.";
    assert_eq!(w.refusal(), (ErrorCode::ResourceNotFound, text.to_owned()));
    assert_eq!(w.session.in_flight, 0);
    assert!(w.sessions.outgoing.is_empty(), "no other core is asked");
}

#[test]
fn consumers_and_tags_are_answered_from_the_view() {
    let mut w = world();
    let b = ConsumerName { stream: "orders", consumer: "b" };
    w.ask(Opcode::DescribeConsumer, |p| b.write(p));
    let found = ConsumerDescription::decode(&w.answer(Opcode::DescribeConsumerAnswer)).unwrap();
    assert_eq!((found.name.as_str(), found.status), ("b", ConsumerStatus::Active));
    assert!(found.arn.ends_with(":stream/orders/consumer/b:5"), "{}", found.arn);

    w.ask(Opcode::ListConsumers, |p| {
        ListConsumers { stream: "orders", after: "a", limit: 1 }.write(p);
    });
    let list = ConsumerList::decode(&w.answer(Opcode::ListConsumersAnswer)).unwrap();
    assert_eq!((list.consumers, list.more), (vec![found], true));
    let limit = CONSUMERS_PER_PAGE_MAX as u32 + 1;
    w.ask(Opcode::ListConsumers, |p| {
        ListConsumers { stream: "orders", after: "", limit }.write(p);
    });
    assert_eq!(w.refusal().0, ErrorCode::Validation);

    for (consumer, value) in [("", "stream"), ("c", "c")] {
        w.ask(Opcode::ListTags, |p| ListTags { stream: "orders", consumer }.write(p));
        let tags = TagList::decode(&w.answer(Opcode::ListTagsAnswer)).unwrap();
        assert_eq!(tags.0, [("team".to_owned(), value.to_owned())]);
    }
    w.ask(Opcode::ListTags, |p| ListTags { stream: "orders", consumer: "x" }.write(p));
    assert_eq!(w.refusal().0, ErrorCode::ResourceNotFound);
}

#[test]
fn the_account_is_described_from_the_view() {
    let mut w = world();
    w.ask(Opcode::DescribeAccount, |_| {});
    let payload = w.answer(Opcode::DescribeAccountAnswer);
    let account = AccountDescription::decode(&payload).unwrap();
    assert_eq!((account.open_shards, account.on_demand), (SHARDS, 0));
    assert_eq!(account.commitment, Commitment::Disabled);
}

#[test]
fn the_core_that_has_counted_is_asked_and_answers_with_a_frame() {
    for asked in [0, 1] {
        let mut w = world();
        let after = Some(ShardNumber(9));
        let stats = GetShardStats { stream: STREAM, core: CoreId(asked), after };
        w.ask(Opcode::ShardStats, |p| stats.write(p));
        let Outgoing { to, message } = w.sent();
        assert_eq!(to, CoreId(asked));
        let Message::ShardStats { session, correlation, stream, after: behind } = message else {
            panic!("{message:?}")
        };
        assert_eq!((session, correlation, stream, behind), (ME, 7, STREAM, after));
    }
}

/// What the asked core does: `session` is a connection of another core.
#[test]
fn what_was_counted_goes_to_the_core_of_the_connection() {
    let mut w = world();
    let now = Now::read();
    let all = w.core.shard_stats(now, STREAM);
    assert!(!all.is_empty() && all.len() < SHARDS as usize, "some are at home here");
    let counts = ShardCounts::page(all, None);
    let asker = SessionId { core: CoreId(1), ..ME };
    w.sessions.shard_stats(asker, 7, &counts);
    let Outgoing { to: CoreId(1), message: Message::Frame { session, bytes } } =
        w.sessions.outgoing.remove(0)
    else {
        panic!("a frame for the core of the connection")
    };
    assert_eq!(session, asker);
    assert_eq!(ShardCounts::decode(&bytes[FRAME_HEADER_BYTES..]), Ok(counts));
}

#[test]
fn counts_of_a_core_or_stream_that_does_not_exist_are_refused() {
    let mut w = world();
    let stats = |stream, core| GetShardStats { stream, core: CoreId(core), after: None };
    w.ask(Opcode::ShardStats, |p| stats(STREAM, 2).write(p));
    assert_eq!(w.refusal().0, ErrorCode::InvalidArgument);
    w.ask(Opcode::ShardStats, |p| stats(StreamUuid([4; 16]), 0).write(p));
    assert_eq!(w.refusal().0, ErrorCode::ResourceNotFound);
}

#[test]
fn changes_go_to_the_catalog_as_they_were_asked_for() {
    use ControlOperation as Change;
    let mut w = world();
    let name = ConsumerName { stream: "orders", consumer: "new" };
    let tags = vec![("k".to_owned(), "v".to_owned())];

    let change = StreamChange::RecordBytesMax(5000);
    w.ask(Opcode::AlterStream, |p| {
        AlterStream { name: "orders", change: change.clone() }.write(p);
    });
    let Change::Alter { name: stream, change: found } = w.change() else { panic!() };
    assert_eq!((stream.as_str(), found), ("orders", change));

    let reshard = Reshard::Merge { shard: ShardNumber(3), adjacent: ShardNumber(4) };
    w.ask(Opcode::ReshardStream, |p| ReshardStream { name: "orders", reshard }.write(p));
    let Change::Reshard { name: stream, reshard: found } = w.change() else { panic!() };
    assert_eq!((stream.as_str(), found), ("orders", reshard));

    w.ask(Opcode::RegisterConsumer, |p| RegisterConsumer { name, tags: tags.clone() }.write(p));
    let Change::Register { stream, consumer, tags: found } = w.change() else { panic!() };
    assert_eq!((stream.as_str(), consumer.as_str(), &found), ("orders", "new", &tags));

    w.ask(Opcode::DeregisterConsumer, |p| name.write(p));
    let Change::Deregister { stream, consumer } = w.change() else { panic!() };
    assert_eq!((stream.as_str(), consumer.as_str()), ("orders", "new"));

    let remove = vec!["old".to_owned()];
    w.ask(Opcode::TagConsumer, |p| {
        TagConsumer { name, add: tags.clone(), remove: remove.clone() }.write(p);
    });
    let Change::TagConsumer { stream, consumer, add, remove: gone } = w.change() else { panic!() };
    assert_eq!((stream.as_str(), consumer.as_str()), ("orders", "new"));
    assert_eq!((add, gone), (tags, remove));

    w.ask(Opcode::UpdateAccount, |p| UpdateAccount { commitment: true }.write(p));
    assert!(matches!(w.change(), Change::UpdateAccount { commitment: true }));
}

#[test]
fn what_is_no_request_or_has_a_wrong_payload_ends_the_connection() {
    for (opcode, payload) in [
        (Opcode::ShardEnded, &[][..]),
        (Opcode::ListShardsAnswer, &[]),
        (Opcode::DescribeAccount, &[0]),
        (Opcode::ListTags, &[1]),
        (Opcode::RegisterConsumer, &[]),
    ] {
        let mut w = world();
        w.ask(opcode, |p| {
            p.bytes(payload);
        });
        assert_eq!(w.refusal().0, ErrorCode::Protocol, "{opcode:?}");
        assert!(w.session.is_ending() && w.sessions.outgoing.is_empty());
    }
    let mut w = world();
    w.ask(Opcode::ListTags, |p| StreamName { name: "orders" }.write(p));
    assert_eq!(w.refusal().0, ErrorCode::Protocol, "half of a request");
}

#[test]
fn a_core_answers_its_share_of_the_calls_that_describe_and_list() {
    type Ask = fn(&mut World);
    // (call, its answer, what one of two cores allows in a second)
    let table: [(Ask, Opcode, usize); 5] = [
        (
            |w| {
                let describe = DescribeStream { name: "orders", after: None, limit: 1 };
                w.ask(Opcode::DescribeStream, |p| describe.write(p));
            },
            Opcode::DescribeStreamAnswer,
            5,
        ),
        (
            |w| w.ask(Opcode::ListStreams, |p| ListStreams { after: "", limit: 1 }.write(p)),
            Opcode::ListStreamsAnswer,
            3,
        ),
        (
            |w| {
                let name = ConsumerName { stream: "orders", consumer: "a" };
                w.ask(Opcode::DescribeConsumer, |p| name.write(p));
            },
            Opcode::DescribeConsumerAnswer,
            10,
        ),
        (
            |w| {
                let list = ListConsumers { stream: "orders", after: "", limit: 1 };
                w.ask(Opcode::ListConsumers, |p| list.write(p));
            },
            Opcode::ListConsumersAnswer,
            3,
        ),
        (
            |w| {
                let list = ListTags { stream: "orders", consumer: "" };
                w.ask(Opcode::ListTags, |p| list.write(p));
            },
            Opcode::ListTagsAnswer,
            3,
        ),
    ];
    let mut w = world_with(Rules { control_rates: true, ..Rules::default() });
    for (ask, answer, share) in table {
        for _ in 0..share {
            ask(&mut w);
            w.answer(answer);
        }
        ask(&mut w);
        let (code, text) = w.refusal();
        assert_eq!(code, ErrorCode::LimitExceeded, "{answer:?}");
        assert!(text.starts_with("Rate exceeded for stream "), "{text}");
    }
    // Without the rates anything goes.
    let mut w = world();
    for (ask, answer, share) in table {
        for _ in 0..2 * share {
            ask(&mut w);
            w.answer(answer);
        }
    }
}

#[test]
fn a_subscription_that_is_taken_back_before_its_answer_leaves_its_number_to_the_next() {
    let mut w = world();
    w.session.subscriptions.insert(7, CoreId(1));
    w.session.subscribing.push((50, 7));
    w.ask(Opcode::Unsubscribe, |p| Unsubscribe { subscription: 7 }.write(p));
    assert!(matches!(w.sent(), Outgoing { to: CoreId(1), message: Message::Shard(_) }));
    assert!(w.session.subscriptions.is_empty());
    // The failure of request 50 is still to come, and must not end a new subscription 7.
    assert_eq!(w.session.subscribing, []);
}
