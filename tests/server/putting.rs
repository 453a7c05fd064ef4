//! What a put promises: all sizes, routing, order, limits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use shardway::base::error::ErrorCode;
use shardway::base::ids::{CoreId, Seq, ShardNumber};
use shardway::base::limits::{PUT_BYTES_MAX, PUT_RECORDS_MAX, RECORD_BYTES_MAX};
use shardway::base::rng::SplitMix64;
use shardway::base::stream::{Distribution, Position, ShardLimits, StreamMode, StreamOptions};
use shardway::client::{Client, ClientError, Incoming, PutAnswer};
use shardway::record::{BatchBuilder, HashKey};
use shardway::wire::streams::StreamDescription;

use crate::oracle::{read_to_tip, seed};
use crate::process::{HANG, Server, Setup, cpus, new_dir, skipped};
use crate::unlimited;

/// Key and data of all records of a shard, in order.
fn stored(client: &mut Client, stream: &StreamDescription, shard: u32) -> Vec<(String, Vec<u8>)> {
    let mut records = Vec::new();
    let (uuid, shard) = (stream.summary.uuid, ShardNumber(shard));
    read_to_tip(client, uuid, shard, Position::TrimHorizon, |read| {
        assert_eq!(read.record.seq.0, records.len() as u64);
        records.push((read.record.partition_key.to_owned(), read.record.data.to_vec()));
    });
    records
}

fn put_any(client: &mut Client, stream: &StreamDescription, batch: &[u8]) -> PutAnswer {
    client.put(stream.summary.uuid, ShardNumber::ANY, stream.summary.map_version, batch).unwrap()
}

#[test]
fn puts_of_every_size_up_to_the_largest_are_stored_whole() {
    let dir = new_dir();
    let setup = Setup::new(&dir.path().join("data"));
    let server = setup.start();
    let options = StreamOptions { record_bytes_max: RECORD_BYTES_MAX as u32, ..unlimited() };
    let mut client = server.client();
    let stream = client.create_stream("large", 1, options).unwrap();
    let mut data = vec![0; PUT_BYTES_MAX];
    SplitMix64::new(3).fill(&mut data);
    let mut expected = Vec::new();
    let key = "k".to_owned();
    let sizes = [(1, 0), (1, 1), (500, 10), (500, PUT_BYTES_MAX / 500 - 1), (1, PUT_BYTES_MAX - 1)];
    for (count, bytes) in sizes {
        let mut builder = BatchBuilder::new();
        for i in 0..count {
            let data = data[i..][..bytes.min(data.len() - i)].to_vec();
            builder.push(&key, None, &data).unwrap();
            expected.push((key.clone(), data));
        }
        let answer = client.put(stream.summary.uuid, ShardNumber(0), 1, builder.finish()).unwrap();
        assert!(answer.is_stored(), "{count} records of {bytes} bytes: {}", answer.message);
    }
    assert!(stored(&mut client, &stream, 0) == expected, "what is read is what was put");
    server.kill();
    let server = setup.start();
    assert!(stored(&mut server.client(), &stream, 0) == expected, "also after kill -9");
    server.stop_clean();
    let server = setup.start();
    assert!(stored(&mut server.client(), &stream, 0) == expected, "and from segments alone");
}

#[test]
fn a_record_above_the_maximum_of_its_stream_is_refused_with_its_size() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let options = StreamOptions { record_bytes_max: 2000, ..unlimited() };
    let stream = client.create_stream("small", 2, options).unwrap();
    let mut builder = BatchBuilder::new();
    builder.push("key", None, &[0; 10]).unwrap();
    builder.push("key", None, &[0; 1998]).unwrap();
    let refused =
        client.put(stream.summary.uuid, ShardNumber::ANY, 1, builder.finish()).unwrap_err();
    let text = refused.to_string();
    assert!(text.starts_with("InvalidArgumentException") && text.contains("2001"), "{text}");
    builder.clear();
    builder.push("key", None, &[0; 1997]).unwrap();
    assert!(put_any(&mut client, &stream, builder.finish()).is_stored());
    let all: usize = (0..2).map(|shard| stored(&mut client, &stream, shard).len()).sum();
    assert_eq!(all, 1, "nothing of the refused put is stored");
}

#[test]
fn records_routed_by_the_server_keep_their_order_per_key_and_their_answers_match() {
    let mut random = SplitMix64::new(seed("routing"));
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).cores(cpus().len().min(2) as u16).start();
    let mut client = server.client();
    let stream = client.create_stream("routed", 16, unlimited()).unwrap();
    let mut told: BTreeMap<(u32, u64), (String, Vec<u8>)> = BTreeMap::new();
    let mut open = BTreeMap::new();
    let mut number = 0u64;
    for put in 0..60 {
        let mut builder = BatchBuilder::new();
        let mut batch = Vec::new();
        for _ in 0..=random.below(PUT_RECORDS_MAX as u64 - 1) {
            let key = format!("key-{}", random.below(40));
            // Every tenth chooses its place itself.
            let hash = random.below(10) == 0;
            let hash = hash.then(|| HashKey(u128::from(random.next_u64()) << 64));
            let data = number.to_be_bytes().to_vec();
            number += 1;
            builder.push(&key, hash, &data).unwrap();
            batch.push((key, hash, data));
        }
        // An old version of the map makes the server route, too.
        let (shard, version) =
            if put % 2 == 0 { (ShardNumber::ANY, 1) } else { (ShardNumber(3), 0) };
        let id = client.send_put(stream.summary.uuid, shard, version, builder.finish()).unwrap();
        open.insert(id, batch);
    }
    while !open.is_empty() {
        let Some(Incoming::Put { correlation, answer }) = client.next_event(HANG).unwrap() else {
            panic!("only puts were asked for");
        };
        let batch = open.remove(&correlation).unwrap();
        assert!(answer.is_stored(), "{}", answer.message);
        for ((key, hash, data), (shard, seq)) in batch.into_iter().zip(answer.outcomes()) {
            let hash = hash.unwrap_or_else(|| HashKey::of_partition_key(key.as_bytes()));
            assert!(stream.shards[shard.0 as usize].range.contains(hash), "{key} in {shard}");
            assert_eq!(told.insert((shard.0, seq.unwrap().0), (key, data)), None);
        }
    }
    let mut last: BTreeMap<(u32, String), Vec<u8>> = BTreeMap::new();
    for shard in 0..16 {
        for (seq, record) in stored(&mut client, &stream, shard).into_iter().enumerate() {
            assert_eq!(told.remove(&(shard, seq as u64)).as_ref(), Some(&record));
            let (key, data) = record;
            let before = last.insert((shard, key), data.clone());
            assert!(before.is_none_or(|before| before < data), "order within a key and shard");
        }
    }
    assert!(told.is_empty(), "every answer names a stored record");
}

/// Two connections on either core of a server write to all shards, pipelined.
fn forwarded(server: &Server, stream: &StreamDescription, core: u16, first: u64) {
    let mut client = server.client_on(CoreId(core));
    assert_eq!(client.server().core, CoreId(core), "the connection is handed over");
    let mut open: BTreeMap<u64, (u32, u64)> = BTreeMap::new();
    for number in first..first + 400 {
        let shard = (number % stream.shards.len() as u64) as u32;
        let mut builder = BatchBuilder::new();
        builder.push(&format!("from-{core}"), None, &number.to_be_bytes()).unwrap();
        let batch = builder.finish();
        let version = stream.summary.map_version;
        let id = client.send_put(stream.summary.uuid, ShardNumber(shard), version, batch).unwrap();
        open.insert(id, (shard, number));
    }
    let mut last: BTreeMap<u32, (u64, Seq)> = BTreeMap::new();
    while !open.is_empty() {
        let Some(Incoming::Put { correlation, answer }) = client.next_event(HANG).unwrap() else {
            panic!("only puts were asked for");
        };
        let (shard, number) = open.remove(&correlation).unwrap();
        let seq = answer.runs[0].outcome.unwrap();
        let before = last.insert(shard, (number, seq));
        assert!(before.is_none_or(|(n, s)| n < number && s < seq), "answers of {shard} in order");
    }
}

#[test]
fn requests_to_the_wrong_core_are_forwarded_and_answered_in_order() {
    if cpus().len() < 2 {
        skipped("forwarding", "two cores need two CPUs");
        return;
    }
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).cores(2).start();
    let stream = server.client().create_stream("both", 8, unlimited()).unwrap();
    let homes: Vec<u16> = stream.shards.iter().map(|shard| shard.home.0).collect();
    println!("home cores: {homes:?}");
    forwarded(&server, &stream, 0, 0);
    forwarded(&server, &stream, 1, 400);
    for core in [0, 1] {
        let mut client = server.client_on(CoreId(core));
        for shard in 0..8 {
            let records = stored(&mut client, &stream, shard);
            let numbers: Vec<u64> = records
                .iter()
                .map(|(_, data)| u64::from_be_bytes(data.as_slice().try_into().unwrap()))
                .collect();
            let expected: Vec<u64> = (0..800).filter(|n| n % 8 == u64::from(shard)).collect();
            assert_eq!(numbers, expected, "shard {shard} through core {core}");
        }
    }
}

/// Puts until the answer is not a throttle any more; how often it was one.
fn put_patiently(client: &mut Client, stream: &StreamDescription, shard: u32, batch: &[u8]) -> u32 {
    let (deadline, mut refused, mut pause) = (Instant::now() + HANG, 0, Duration::from_millis(5));
    loop {
        let answer = client.put(stream.summary.uuid, ShardNumber(shard), 1, batch).unwrap();
        match answer.runs[0].outcome {
            Ok(_) => return refused,
            Err(code) => {
                assert_eq!(code, ErrorCode::ProvisionedThroughputExceeded, "{}", answer.message);
                let name = format!("shardId-{shard:012}");
                assert!(answer.message.contains(&name), "{name} in {:?}", answer.message);
                assert!(Instant::now() < deadline, "throttled for {HANG:?}");
                refused += 1;
                // As a client backs off: the limit itself is what is waited for.
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(200));
            }
        }
    }
}

#[test]
fn limits_throttle_by_shard_and_patience_brings_everything_in_in_order() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let options = StreamOptions { limits: ShardLimits::AWS, ..StreamOptions::default() };
    let stream = client.create_stream("limited", 2, options).unwrap();
    let started = Instant::now();
    let mut refused = 0;
    for put in 0..8u64 {
        let mut builder = BatchBuilder::new();
        for record in 0..400 {
            builder.push("k", None, &(put * 400 + record).to_be_bytes()).unwrap();
        }
        refused += put_patiently(&mut client, &stream, 1, builder.finish());
    }
    assert!(refused > 0, "3,200 records are above 1,000 a second");
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds > 1.0, "1,000 at once and 1,000 a second: not within {seconds} s");
    // Reading is limited as well; one get brings all.
    let from =
        client.get_iterator(stream.summary.uuid, ShardNumber(1), Position::TrimHorizon).unwrap();
    let fetched = client.get(&from, 10_000, 1 << 20, 0).unwrap();
    let mut numbers = Vec::new();
    let collect = |read: shardway::client::ReadRecord<'_>| {
        numbers.push(u64::from_be_bytes(read.record.data.try_into().unwrap()));
    };
    fetched.batches.for_each(collect).unwrap();
    assert_eq!(numbers, (0..3200).collect::<Vec<_>>());
    let mut builder = BatchBuilder::new();
    builder.push("k", None, b"the other shard is not full").unwrap();
    assert_eq!(put_patiently(&mut client, &stream, 0, builder.finish()), 0);
}

#[test]
fn an_auto_stream_spreads_records_and_needs_no_keys() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let options = StreamOptions {
        mode: StreamMode::OnDemand,
        distribution: Distribution::Auto,
        ..unlimited()
    };
    let auto = client.create_stream("auto", 4, options).unwrap();
    let keyed = client.create_stream("keyed", 4, unlimited()).unwrap();
    let mut builder = BatchBuilder::new();
    builder.push("same", None, b"with a key").unwrap();
    builder.push_keyless(b"without").unwrap();
    let mut used = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let answer = put_any(&mut client, &auto, builder.finish());
        assert!(answer.is_stored(), "{}", answer.message);
        used.extend(answer.runs.iter().map(|run| run.shard));
    }
    assert_eq!(used.len(), 4, "all shards get some, though the key is always the same");
    let all: Vec<_> = (0..4).flat_map(|shard| stored(&mut client, &auto, shard)).collect();
    assert_eq!(all.iter().filter(|(key, _)| key.is_empty()).count(), 8);
    assert_eq!(all.iter().filter(|(key, _)| key == "same").count(), 8);
    let (uuid, version) = (keyed.summary.uuid, keyed.summary.map_version);
    let put = client.put(uuid, ShardNumber::ANY, version, builder.finish());
    let Err(ClientError::Api(refused)) = put else { panic!("{put:?}") };
    assert_eq!(refused.code, ErrorCode::Validation, "{refused}");
    assert!(refused.message.contains("record 1 has no partition key"), "{refused}");
}

#[test]
fn a_put_to_a_shard_that_never_was_is_refused_in_streams_of_any_size() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let mut builder = BatchBuilder::new();
    builder.push("key", None, b"data").unwrap();
    for shards in [1, 3] {
        let stream = client.create_stream(&format!("s{shards}"), shards, unlimited()).unwrap();
        let (uuid, version) = (stream.summary.uuid, stream.summary.map_version);
        let missing = ShardNumber(shards);
        let put = client.put(uuid, missing, version, builder.finish());
        let Err(ClientError::Api(refused)) = put else { panic!("{put:?}") };
        assert_eq!(refused.code, ErrorCode::ResourceNotFound, "{refused}");
    }
}

#[test]
fn the_answer_to_a_put_says_when_its_records_arrived() {
    let dir = new_dir();
    let server = Setup::new(&dir.path().join("data")).start();
    let mut client = server.client();
    let stream = client.create_stream("times", 1, unlimited()).unwrap();
    let mut builder = BatchBuilder::new();
    builder.push("key", None, b"data").unwrap();
    let answer = put_any(&mut client, &stream, builder.finish());
    let mut arrivals = Vec::new();
    let uuid = stream.summary.uuid;
    read_to_tip(&mut client, uuid, ShardNumber(0), Position::TrimHorizon, |read| {
        arrivals.push(read.arrival);
    });
    assert_eq!(arrivals, [answer.runs[0].arrival], "as every reader sees it");
    assert!(arrivals[0].0 > 1_600_000_000_000, "in milliseconds since 1970");
}
