//! Streams come and go, also under those who use them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shardway::base::error::ErrorCode;
use shardway::base::ids::{Seq, ShardNumber};
use shardway::base::stream::{Durability, Position, StreamOptions, StreamStatus};
use shardway::client::{Client, ClientError, Incoming};
use shardway::record::BatchBuilder;
use shardway::wire::streams::DeleteStream;
use shardway::wire::subscribe::Subscribe;

use crate::load::{Load, Shape, Wrote, wait_acked};
use crate::oracle::{Filler, seed, tip_of};
use crate::process::{HANG, Setup, cpus, new_dir, until};
use crate::{check_agrees, unlimited};

const SHARD: ShardNumber = ShardNumber(0);

fn code<T: std::fmt::Debug>(result: Result<T, ClientError>) -> ErrorCode {
    match result {
        Err(ClientError::Api(error)) => error.code,
        other => panic!("{other:?} instead of a refusal"),
    }
}

fn wait_deleted(client: &mut Client, name: &str) {
    until("the end of a deletion", || match client.describe_stream(name) {
        Ok(stream) => {
            assert_eq!(stream.summary.status, StreamStatus::Deleting);
            false
        }
        refused => code(refused) == ErrorCode::ResourceNotFound,
    });
}

#[test]
fn a_stream_is_what_it_was_created_as_also_after_a_restart() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    let mut client = server.client();
    let options = StreamOptions {
        durability: Durability::Written,
        retention_hours: 48,
        record_bytes_max: 5000,
        ..StreamOptions::default()
    };
    let made = client.create_stream("as-made", 3, options).unwrap();
    assert_eq!(
        (made.summary.status, made.summary.options, made.shards.len()),
        (StreamStatus::Active, options, 3)
    );
    assert_eq!(client.describe_stream("as-made").unwrap(), made);
    let map = client.shard_map("as-made").unwrap();
    assert_eq!((map.stream, &map.shards), (made.summary.uuid, &made.shards));
    server.kill();
    let server = setup.start();
    assert_eq!(server.client().describe_stream("as-made").unwrap(), made);
}

#[test]
fn requests_that_cannot_be_are_refused_by_name() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    client.create_stream("taken", 1, unlimited()).unwrap();
    assert_eq!(code(client.create_stream("taken", 1, unlimited())), ErrorCode::ResourceInUse);
    let long = "x".repeat(129);
    for name in ["", "a b", "a/b", "ü", "../up", &long] {
        assert_eq!(
            code(client.create_stream(name, 1, unlimited())),
            ErrorCode::Validation,
            "{name}"
        );
    }
    for shards in [0, 10_001] {
        assert_eq!(code(client.create_stream("many", shards, unlimited())), ErrorCode::Validation);
    }
    for hours in [0, 8761] {
        let options = StreamOptions { retention_hours: hours, ..unlimited() };
        assert_eq!(code(client.create_stream("kept", 1, options)), ErrorCode::InvalidArgument);
    }
    let huge = StreamOptions { record_bytes_max: (10 << 20) + 1, ..unlimited() };
    assert_eq!(code(client.create_stream("huge", 1, huge)), ErrorCode::InvalidArgument);
    assert_eq!(code(client.describe_stream("none")), ErrorCode::ResourceNotFound);
    assert_eq!(code(client.shard_map("none")), ErrorCode::ResourceNotFound);
    assert_eq!(code(client.delete_stream("none")), ErrorCode::ResourceNotFound);
    assert_eq!(client.list_streams("", 100).unwrap().streams.len(), 1, "nothing was made");
    client.create_stream(&"x".repeat(128), 1, unlimited()).unwrap();
}

#[test]
fn a_list_goes_page_by_page_in_the_order_of_the_names() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let mut names: Vec<String> = (0..25).map(|n| format!("stream-{:02}", (n * 7) % 25)).collect();
    for name in &names {
        client.create_stream(name, 1, unlimited()).unwrap();
    }
    names.sort();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.list_streams(&after, 10).unwrap();
        assert!(page.streams.len() <= 10);
        seen.extend(page.streams.iter().map(|stream| stream.name.clone()));
        after.clone_from(seen.last().unwrap());
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, names);
    let behind = client.list_streams("stream-10-and-a-half", 1).unwrap();
    assert_eq!((behind.streams[0].name.as_str(), behind.more), ("stream-11", true));
    assert!(client.list_streams("zzz", 10).unwrap().streams.is_empty());
    for limit in [0, 10_001] {
        assert!(client.list_streams("", limit).is_err());
    }
}

#[test]
fn a_stream_of_the_same_name_is_another_stream() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let old = client.create_stream("phoenix", 1, unlimited()).unwrap();
    let mut builder = BatchBuilder::new();
    builder.push("k", None, b"old").unwrap();
    let batch = builder.finish();
    client.put(old.summary.uuid, SHARD, 1, batch).unwrap();
    let iterator = client.get_iterator(old.summary.uuid, SHARD, Position::TrimHorizon).unwrap();
    client.delete_stream("phoenix").unwrap();
    wait_deleted(&mut client, "phoenix");
    let new = client.create_stream("phoenix", 1, unlimited()).unwrap();
    assert_ne!(old.summary.uuid, new.summary.uuid);
    assert_eq!(code(client.get(&iterator, 1, 1000, 0)), ErrorCode::ResourceNotFound);
    assert_eq!(code(client.put(old.summary.uuid, SHARD, 1, batch)), ErrorCode::ResourceNotFound);
    let position = Position::TrimHorizon;
    let refused = client.get_iterator(old.summary.uuid, SHARD, position);
    assert_eq!(code(refused), ErrorCode::ResourceNotFound);
    assert_eq!(
        tip_of(&mut client, new.summary.uuid, SHARD),
        Seq(0),
        "nothing of the old one is there"
    );
    let files = dir.path().join("data/streams").join(old.summary.uuid.to_string());
    assert!(!files.exists(), "the old one's files are gone");
}

/// Deletes a stream in use; whoever used it is told, and the server goes on.
fn delete_in_use(round: u64, setup: &Setup, seed: u64) {
    let server = setup.start();
    let mut client = server.client();
    let stream = client.create_stream("busy", 4, unlimited()).unwrap();
    let shape = Shape { records_max: 30, bytes_max: 20_000, window: 8 };
    let load = Load::new(&stream, &Filler::new(20_000), shape);
    let start = |id: u32| {
        let seed = seed + round * 10 + u64::from(id);
        load.start(server.client(), id, seed, BTreeMap::new())
    };
    let writers: Vec<_> = (0..3).map(start).collect();
    let mut consumer = server.client();
    crate::register(&mut consumer, stream.summary.uuid, "app");
    for (subscription, shard) in stream.shards.iter().enumerate() {
        let (shard, position) = (shard.number, Position::TrimHorizon);
        let (subscription, stream) = (subscription as u32, stream.summary.uuid);
        let credit = if subscription == 0 { 1 } else { u64::MAX };
        let consumer_name = "app";
        let request =
            Subscribe { subscription, stream, shard, consumer: consumer_name, position, credit };
        consumer.subscribe(request).unwrap();
    }
    wait_acked(&load.shared, (2 + round * 7) << 20, &writers);
    client.delete_stream_with(&DeleteStream { name: "busy", with_consumers: true }).unwrap();
    for writer in writers {
        let Wrote { error, .. } = writer.join().expect("a writer's own checks hold");
        // DELETING for a moment, then gone.
        let code = code(Err::<(), _>(error.unwrap()));
        assert!(
            [ErrorCode::ResourceInUse, ErrorCode::ResourceNotFound].contains(&code),
            "{code:?}"
        );
    }
    let mut ended = 0;
    while ended < 4 {
        match consumer.next_event(HANG).unwrap() {
            Some(Incoming::Pushed(_)) => {}
            Some(Incoming::Ended(end)) => {
                assert_eq!(end.error.code, ErrorCode::ResourceNotFound);
                ended += 1;
            }
            other => panic!("{other:?} instead of an end"),
        }
    }
    wait_deleted(&mut client, "busy");
    let next = client.create_stream("busy", 1, unlimited()).unwrap();
    assert_ne!(next.summary.uuid, stream.summary.uuid);
    client.delete_stream_with(&DeleteStream { name: "busy", with_consumers: true }).unwrap();
    wait_deleted(&mut client, "busy");
    assert!(!server.log().contains("ERROR"), "{}", server.log());
    server.stop_clean();
    check_agrees(setup.data_dir());
}

#[test]
fn a_stream_deleted_under_load_ends_its_users_and_nothing_else() {
    let seed = seed("delete under load");
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data")).cores(cpus().len().min(2) as u16);
    (0..6).for_each(|round| delete_in_use(round, &setup, seed));
}

#[test]
fn gets_that_wait_end_with_their_stream() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let (mut reader, mut client) = (server.client(), server.client());
    let stream = client.create_stream("short", 1, unlimited()).unwrap().summary.uuid;
    let iterator = reader.get_iterator(stream, SHARD, Position::Latest).unwrap();
    let waiting = reader.send_get(&iterator, 1, 1000, 30_000).unwrap();
    reader.ping().unwrap();
    client.delete_stream("short").unwrap();
    let told = reader.next_event(HANG).unwrap().unwrap();
    let Incoming::Failed { correlation, error, closes } = told else { panic!("{told:?}") };
    assert_eq!((correlation, error.code), (waiting, ErrorCode::ResourceNotFound));
    assert!(!closes);
    reader.ping().unwrap();
}

#[test]
fn a_deletion_that_a_crash_cuts_short_is_finished_by_the_next_start() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    for round in 0..6 {
        let server = setup.start();
        let mut client = server.client();
        let stream = client.create_stream("brief", 2, unlimited()).unwrap();
        let mut builder = BatchBuilder::new();
        builder.push("k", None, &vec![3; 500_000]).unwrap();
        let batch = builder.finish();
        for shard in [0, 1, 0, 1].map(ShardNumber) {
            client.put(stream.summary.uuid, shard, 1, batch).unwrap();
        }
        client.delete_stream("brief").unwrap();
        if round % 2 == 0 {
            wait_deleted(&mut client, "brief");
        }
        server.kill();
        let server = setup.start();
        let mut client = server.client();
        assert_eq!(code(client.describe_stream("brief")), ErrorCode::ResourceNotFound);
        assert!(client.list_streams("", 10).unwrap().streams.is_empty());
        server.stop_clean();
        check_agrees(setup.data_dir());
    }
}

#[test]
fn a_removal_that_fails_holds_up_nobody_and_is_tried_again() {
    let dir = new_dir();
    let data = dir.path().join("data");
    let server = Setup::new(&data).start();
    let mut client = server.client();
    let (mut in_the_way, mut quickest) = (Vec::new(), Duration::MAX);
    for round in 0..3 {
        let name = format!("stuck-{round}");
        let stream = client.create_stream(&name, 1, unlimited()).unwrap().summary.uuid;
        // A file where its directory would be: it cannot be removed like one.
        std::fs::create_dir_all(data.join("streams")).unwrap();
        let file = data.join("streams").join(stream.to_string());
        std::fs::write(&file, b"in the way").unwrap();
        client.delete_stream(&name).unwrap();
        let asked = Instant::now();
        client.create_stream(&format!("other-{round}"), 1, unlimited()).unwrap();
        quickest = quickest.min(asked.elapsed());
        let again = client.create_stream(&name, 1, unlimited());
        assert_eq!(code(again), ErrorCode::ResourceInUse, "its name stays taken");
        in_the_way.push((name, file));
    }
    assert!(quickest < Duration::from_millis(500), "others wait for {quickest:?}");
    until("the removals to fail", || server.log().contains("cannot be removed"));
    for (name, file) in in_the_way {
        std::fs::remove_file(file).unwrap();
        wait_deleted(&mut client, &name);
        client.create_stream(&name, 1, unlimited()).unwrap();
    }
    server.stop_clean();
}
