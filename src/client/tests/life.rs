//! Shards that change, consumers, tags and the account, as a client asks for and hears of them.

use super::*;
use crate::base::stream::ConsumerStatus;
use crate::record::HashKey;
use crate::wire::account::{AccountDescription, Commitment, UpdateAccount};
use crate::wire::alter::{AlterStream, Direction, StreamChange};
use crate::wire::consumers::*;
use crate::wire::reshard::{Reshard, ReshardStream, Resharded};
use crate::wire::shards::*;
use crate::wire::streams::DeleteStream;
use crate::wire::subscribe::ShardEnded;
use crate::wire::tags::{ListTags, TagList};

fn shard(number: u32) -> ShardDescription {
    ShardDescription {
        number: ShardNumber(number),
        home: CoreId(0),
        range: HashRange::split_evenly(1)[0],
        parent: None,
        adjacent_parent: None,
        created: Millis(5),
        closed: None,
    }
}

fn children() -> Vec<ChildShard> {
    let [lower, upper] = <[HashRange; 2]>::try_from(HashRange::split_evenly(2)).unwrap();
    [(1, lower), (2, upper)]
        .map(|(number, range)| ChildShard {
            number: ShardNumber(number),
            parent: ShardNumber(0),
            adjacent_parent: None,
            range,
        })
        .into()
}

fn summary() -> StreamSummary {
    StreamSummary {
        name: "orders".into(),
        arn: "arn".into(),
        uuid: STREAM,
        status: StreamStatus::Active,
        created: Millis(5),
        options: StreamOptions::default(),
        metrics: ShardMetrics::ALL,
        open_shards: 2,
        consumers: 1,
        map_version: 4,
    }
}

// ---- Changes of a stream ---------------------------------------------------------------------

#[test]
fn a_reshard_brings_what_was_closed_and_what_is_new() {
    let done =
        Resharded { before: 1, after: 2, map_version: 2, shards: (0..3).map(shard).collect() };
    let sent = done.clone();
    let reshard = Reshard::Split { shard: ShardNumber(0), at: Some(HashKey(77)) };
    session(
        move |peer| {
            let (correlation, payload) = peer.expect(Opcode::ReshardStream);
            let asked = ReshardStream::decode(&payload).unwrap();
            assert_eq!(asked, ReshardStream { name: "orders", reshard });
            peer.send(Opcode::ReshardStreamAnswer, correlation, |w| sent.write(w));
        },
        |client| assert_eq!(client.reshard_stream("orders", reshard).unwrap(), done),
    );
}

#[test]
fn a_refused_reshard_is_the_servers_own_error() {
    session(
        |peer| {
            let (correlation, _) = peer.expect(Opcode::ReshardStream);
            let error = ApiError::new(ErrorCode::LimitExceeded, "too often");
            peer.send(Opcode::Error, correlation, |w| ErrorFrame::of(&error, false).write(w));
        },
        |client| {
            let error = client.reshard_stream("orders", Reshard::Scale { target: 9 }).unwrap_err();
            assert_eq!(error.to_string(), "LimitExceededException: too often");
        },
    );
}

#[test]
fn an_alteration_brings_the_stream_as_it_is_now() {
    let change = StreamChange::Retention { hours: 48, direction: Direction::Increase };
    let expected = change.clone();
    session(
        move |peer| {
            let (correlation, payload) = peer.expect(Opcode::AlterStream);
            let asked = AlterStream::decode(&payload).unwrap();
            assert_eq!(asked, AlterStream { name: "orders", change: expected });
            peer.send(Opcode::AlterStreamAnswer, correlation, |w| summary().write(w));
        },
        |client| assert_eq!(client.alter_stream("orders", change).unwrap(), summary()),
    );
}

#[test]
fn a_delete_spares_streams_with_consumers_unless_it_says_otherwise() {
    session(
        |peer| {
            for with_consumers in [false, true] {
                let (correlation, payload) = peer.expect(Opcode::DeleteStream);
                let asked = DeleteStream::decode(&payload).unwrap();
                assert_eq!(asked, DeleteStream { name: "orders", with_consumers });
                peer.send(Opcode::DeleteStreamAnswer, correlation, |_| {});
            }
        },
        |client| {
            client.delete_stream("orders").unwrap();
            let all = DeleteStream { name: "orders", with_consumers: true };
            client.delete_stream_with(&all).unwrap();
        },
    );
}

#[test]
fn a_request_that_no_server_would_read_is_refused_before_it_is_sent() {
    session(
        |peer| {
            let (correlation, payload) = peer.expect(Opcode::Ping);
            peer.send(Opcode::PingAnswer, correlation, |w| {
                w.bytes(&payload);
            });
        },
        |client| {
            let tags = vec![("k".repeat(1000), "v".repeat(1000)); 100];
            let error = client.alter_stream("orders", StreamChange::Tag(tags)).unwrap_err();
            let text = "ValidationException: the request AlterStream has 200411 bytes, at most \
                        131072 are allowed";
            assert_eq!(error.to_string(), text);
            client.ping().unwrap();
        },
    );
}

// ---- Listings --------------------------------------------------------------------------------

#[test]
fn all_shards_are_asked_for_page_by_page() {
    let filter = ShardFilter::AtTimestamp(Millis(9));
    session(
        move |peer| {
            for (after, numbers, more) in
                [(None, vec![0, 3], true), (Some(3), vec![4], true), (Some(4), vec![], false)]
            {
                let (correlation, payload) = peer.expect(Opcode::ListShards);
                let asked = ListShards::decode(&payload).unwrap();
                assert_eq!((asked.name, asked.filter), ("orders", filter));
                assert_eq!(asked.after, after.map(ShardNumber));
                let list = ShardList { more, shards: numbers.into_iter().map(shard).collect() };
                peer.send(Opcode::ListShardsAnswer, correlation, |w| list.write(w));
            }
        },
        move |client| {
            let all = client.all_shards("orders", filter).unwrap();
            assert_eq!(all, [0, 3, 4].map(shard));
        },
    );
}

#[test]
fn an_empty_page_in_the_middle_is_not_asked_for_again_for_ever() {
    session(
        |peer| {
            let (correlation, _) = peer.expect(Opcode::ListShards);
            let list = ShardList { more: true, shards: Vec::new() };
            peer.send(Opcode::ListShardsAnswer, correlation, |w| list.write(w));
        },
        |client| {
            let error = client.all_shards("orders", ShardFilter::AtLatest).unwrap_err();
            assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
        },
    );
}

#[test]
fn counts_of_a_core_are_asked_for_page_by_page() {
    let counts = |number| ShardStats { number: ShardNumber(number), ..ShardStats::default() };
    session(
        move |peer| {
            for (after, numbers, more) in [(None, vec![1, 2], true), (Some(2), vec![8], false)] {
                let (correlation, payload) = peer.expect(Opcode::ShardStats);
                let after = after.map(ShardNumber);
                let expected = GetShardStats { stream: STREAM, core: CoreId(1), after };
                assert_eq!(GetShardStats::decode(&payload).unwrap(), expected);
                let page = ShardCounts { more, shards: numbers.into_iter().map(counts).collect() };
                peer.send(Opcode::ShardStatsAnswer, correlation, |w| page.write(w));
            }
        },
        move |client| {
            assert_eq!(client.shard_stats(STREAM, CoreId(1)).unwrap(), [1, 2, 8].map(counts));
        },
    );
}

// ---- Consumers, tags, account ----------------------------------------------------------------

#[test]
fn a_consumer_is_registered_described_listed_tagged_and_removed() {
    let app = ConsumerDescription {
        name: "app".into(),
        arn: "arn".into(),
        status: ConsumerStatus::Active,
        created: Millis(5),
    };
    let name = ConsumerName { stream: "orders", consumer: "app" };
    let tags = vec![("k".to_owned(), "v".to_owned())];
    let (sent, sent_tags) = (app.clone(), tags.clone());
    session(
        move |peer| {
            let (id, payload) = peer.expect(Opcode::RegisterConsumer);
            let asked = RegisterConsumer::decode(&payload).unwrap();
            assert_eq!(asked, RegisterConsumer { name, tags: sent_tags.clone() });
            peer.send(Opcode::RegisterConsumerAnswer, id, |w| sent.write(w));
            let (id, payload) = peer.expect(Opcode::DescribeConsumer);
            assert_eq!(ConsumerName::decode(&payload), Ok(name));
            peer.send(Opcode::DescribeConsumerAnswer, id, |w| sent.write(w));
            let (id, _) = peer.expect(Opcode::ListConsumers);
            let list = ConsumerList { more: false, consumers: vec![sent] };
            peer.send(Opcode::ListConsumersAnswer, id, |w| list.write(w));
            let (id, payload) = peer.expect(Opcode::TagConsumer);
            let remove = vec!["old".to_owned()];
            let asked = TagConsumer { name, add: sent_tags.clone(), remove };
            assert_eq!(TagConsumer::decode(&payload), Ok(asked));
            peer.send(Opcode::TagConsumerAnswer, id, |_| {});
            let (id, _) = peer.expect(Opcode::ListTags);
            peer.send(Opcode::ListTagsAnswer, id, |w| TagList(sent_tags).write(w));
            let (id, payload) = peer.expect(Opcode::DeregisterConsumer);
            assert_eq!(ConsumerName::decode(&payload), Ok(name));
            peer.send(Opcode::DeregisterConsumerAnswer, id, |_| {});
        },
        |client| {
            let register = RegisterConsumer { name, tags: tags.clone() };
            assert_eq!(client.register_consumer(&register).unwrap(), app);
            assert_eq!(client.describe_consumer(name).unwrap(), app);
            let list = ListConsumers { stream: "orders", after: "", limit: 100 };
            let list = client.list_consumers(&list).unwrap();
            assert_eq!(list, ConsumerList { more: false, consumers: vec![app] });
            let remove = vec!["old".to_owned()];
            client.tag_consumer(&TagConsumer { name, add: tags.clone(), remove }).unwrap();
            let of_consumer = ListTags { stream: "orders", consumer: "app" };
            assert_eq!(client.list_tags(of_consumer).unwrap(), TagList(tags));
            client.deregister_consumer(name).unwrap();
        },
    );
}

#[test]
fn the_account_is_described_and_changed() {
    let account = AccountDescription {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        shards_max: 100,
        open_shards: 3,
        on_demand_max: 50,
        on_demand: 0,
        commitment: Commitment::Enabled { since: Millis(7) },
    };
    let sent = account.clone();
    session(
        move |peer| {
            let (correlation, payload) = peer.expect(Opcode::DescribeAccount);
            assert!(payload.is_empty());
            peer.send(Opcode::DescribeAccountAnswer, correlation, |w| sent.write(w));
            let (correlation, payload) = peer.expect(Opcode::UpdateAccount);
            assert_eq!(UpdateAccount::decode(&payload), Ok(UpdateAccount { commitment: true }));
            peer.send(Opcode::UpdateAccountAnswer, correlation, |w| sent.write(w));
        },
        |client| {
            assert_eq!(client.describe_account().unwrap(), account);
            assert_eq!(client.update_account(true).unwrap(), account);
        },
    );
}

// ---- The end of a shard ----------------------------------------------------------------------

#[test]
fn a_get_at_the_end_of_a_closed_shard_names_its_children() {
    session(
        |peer| {
            let (correlation, _) = peer.expect(Opcode::Get);
            let batches = stored_batch(10, &["last"]);
            let answer = GetAnswer {
                next_iterator: b"",
                behind_ms: 0,
                first: Seq(10),
                end: Seq(11),
                children: children(),
                batches: &batches,
            };
            peer.send(Opcode::GetAnswer, correlation, |w| {
                answer.write_prefix(w);
                w.bytes(&batches);
            });
        },
        |client| {
            let fetched = client.get(b"here", 100, 1 << 20, 0).unwrap();
            assert_eq!(texts(&fetched.batches), ["last"]);
            assert!(fetched.next_iterator.is_empty());
            assert_eq!(fetched.children, children());
        },
    );
}

/// The end may overtake an answer that the client waits for, like a push.
#[test]
fn a_subscription_hears_of_the_end_of_its_shard() {
    let ended = ShardEnded { subscription: 8, end: Seq(6), children: children() };
    let sent = ended.clone();
    session(
        move |peer| {
            let (correlation, _) = peer.expect(Opcode::Subscribe);
            peer.send(Opcode::SubscribeAnswer, correlation, |w| {
                SubscribeAnswer { start: Seq(5) }.write(w);
            });
            let (correlation, payload) = peer.expect(Opcode::Ping);
            let batches = stored_batch(5, &["last"]);
            let push = Push { subscription: 8, first: Seq(5), behind_ms: 0, batches: &batches };
            peer.send(Opcode::Push, 0, |w| {
                push.write_prefix(w);
                w.bytes(&batches);
            });
            peer.send(Opcode::ShardEnded, 0, |w| sent.write(w));
            peer.send(Opcode::PingAnswer, correlation, |w| {
                w.bytes(&payload);
            });
        },
        |client| {
            let subscribe = Subscribe {
                subscription: 8,
                stream: STREAM,
                shard: ShardNumber(0),
                consumer: "me",
                position: Position::TrimHorizon,
                credit: 1000,
            };
            assert_eq!(client.subscribe(subscribe).unwrap(), Seq(5));
            client.ping().unwrap();
            let Incoming::Pushed(push) = client.recv().unwrap() else { panic!("a push") };
            assert_eq!(texts(&push.batches), ["last"]);
            let Incoming::ShardEnded(heard) = client.recv().unwrap() else { panic!("an end") };
            assert_eq!(heard, ended);
        },
    );
}
