//! The AWS SDK for Rust against a server: JSON over HTTP/1.1 on a plain port, and over HTTP/2, by
//! ALPN, under TLS.
//!
//! usage: rust-client --http URL [--https URL --ca FILE]

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::describe_stream_summary::DescribeStreamSummaryError;
use aws_sdk_kinesis::operation::subscribe_to_shard::SubscribeToShardOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    ConsumerStatus, PutRecordsRequestEntry, Record, ShardIteratorType, StartingPosition,
    StreamDescriptionSummary, StreamStatus, SubscribeToShardEvent, SubscribeToShardEventStream,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<(), Error>;

/// Nothing that works takes this long; only a hang gets here.
const HANG: Duration = Duration::from_secs(60);
const SHARD: &str = "shardId-000000000000";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options: HashMap<_, _> = std::env::args().skip(1).zip(std::env::args().skip(2)).collect();
    let mut failed = false;
    if let Some(url) = options.get("--http") {
        failed |= !all("http", &client(url, None)).await;
    }
    if let Some(url) = options.get("--https") {
        let ca = std::fs::read(&options["--ca"]).expect("the file of the CA");
        failed |= !all("https", &client(url, Some(ca))).await;
    }
    ExitCode::from(u8::from(failed))
}

/// A client of this endpoint that trusts one certificate and retries nothing.
fn client(url: &str, ca: Option<Vec<u8>>) -> Client {
    let http = match ca {
        None => Builder::new().build_http(),
        Some(pem) => {
            let trust = TrustStore::empty().with_pem_certificate(pem);
            let context = TlsContext::builder().with_trust_store(trust).build().expect("a CA");
            let provider = Provider::Rustls(CryptoMode::Ring);
            Builder::new().tls_provider(provider).tls_context(context).build_https()
        }
    };
    let config = aws_sdk_kinesis::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "suite"))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(url)
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// Runs all proofs; whether they all held.
async fn all(transport: &str, client: &Client) -> bool {
    let start = Instant::now();
    let own = |proof: &str| (client.clone(), format!("rust-{transport}-{proof}"));
    let outcomes = [
        ("create, describe, list, delete", ended(life(own("life"))).await),
        ("records come back as they were put", ended(there_and_back(own("records"))).await),
        ("errors have types of their own", ended(errors(own("errors"))).await),
        ("a subscription pushes, and ends with the shard", ended(push(own("push"))).await),
    ];
    for (what, outcome) in &outcomes {
        match outcome {
            Ok(()) => println!("proved  {transport}: {what}"),
            Err(error) => println!("FAILED  {transport}: {what}: {error}: {error:?}"),
        }
    }
    println!("rust: {transport} in {:.1?}", start.elapsed());
    outcomes.iter().all(|(_, outcome)| outcome.is_ok())
}

/// How a proof ends, also if it is in a panic: the others are to be tried.
async fn ended(proof: impl Future<Output = Outcome> + Send + 'static) -> Outcome {
    tokio::spawn(proof).await?
}

async fn life((client, name): (Client, String)) -> Outcome {
    let (client, name) = (&client, name.as_str());
    create(client, name, 3).await?;
    let summary = summary(client, name).await?;
    assert_eq!(summary.open_shard_count(), 3);
    let shards = client.list_shards().stream_name(name).send().await?;
    assert_eq!(shards.shards().len(), 3);
    let mut pages = client.list_streams().limit(1).into_paginator().send();
    let mut found = false;
    while let Some(page) = pages.next().await {
        found |= page?.stream_names().contains(&name.to_owned());
    }
    assert!(found, "{name} is in no page of ListStreams");
    delete(client, name).await?;
    let deadline = Instant::now() + HANG;
    loop {
        match client.describe_stream_summary().stream_name(name).send().await {
            Err(error) => match error.into_service_error() {
                DescribeStreamSummaryError::ResourceNotFoundException(_) => return Ok(()),
                other => return Err(other.into()),
            },
            Ok(_) => assert!(Instant::now() < deadline, "{name} is still there"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn there_and_back((client, name): (Client, String)) -> Outcome {
    let (client, name) = (&client, name.as_str());
    create(client, name, 1).await?;
    let large = (0..300_000u32).map(|n| (n % 251) as u8).collect::<Vec<_>>();
    let put = client.put_record().stream_name(name).partition_key("🦀");
    let first = put.data(Blob::new(large.clone())).send().await?;
    put_numbers(client, name, 0, 100).await?;
    let start = client.get_shard_iterator().stream_name(name).shard_id(SHARD);
    let start = start.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await?;
    let (mut iterator, mut records) = (start.shard_iterator, Vec::<Record>::new());
    let deadline = Instant::now() + HANG;
    while records.len() < 101 {
        assert!(Instant::now() < deadline, "{} records of 101", records.len());
        let answer = client.get_records().set_shard_iterator(iterator).limit(60).send().await?;
        records.extend_from_slice(answer.records());
        iterator = answer.next_shard_iterator;
    }
    assert_eq!(records[0].sequence_number(), first.sequence_number());
    assert_eq!(records[0].data().as_ref(), large);
    assert_eq!(records[0].partition_key(), Some("🦀"));
    assert!(records[0].approximate_arrival_timestamp().is_some());
    assert_eq!(numbers(&records[1..]), (0..100).collect::<Vec<_>>());
    delete(client, name).await
}

async fn errors((client, name): (Client, String)) -> Outcome {
    let (client, name) = (&client, name.as_str());
    let answer = client.put_record().stream_name(name).data(Blob::new([])).partition_key("k");
    let error = answer.send().await.expect_err("no such stream").into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    assert!(error.message().is_some_and(|text| text.contains(name)), "{error:?}");
    let answer = client.get_records().shard_iterator("nothing").send().await;
    let error = answer.expect_err("no such iterator").into_service_error();
    assert!(error.is_invalid_argument_exception(), "{error:?}");
    let answer = client.describe_stream_summary().stream_name("not/a/name").send().await;
    let error = answer.expect_err("no such name").into_service_error();
    assert_eq!(error.code(), Some("ValidationException"), "{error:?}");
    Ok(())
}

async fn push((client, name): (Client, String)) -> Outcome {
    let (client, name) = (&client, name.as_str());
    create(client, name, 1).await?;
    put_numbers(client, name, 0, 20).await?;
    let mut subscription = subscribe(client, name).await?;
    let (mut got, mut children) = (Vec::new(), None);
    while let Some(event) = next(&mut subscription).await? {
        assert!(children.is_none(), "nothing comes behind the end of the shard: {event:?}");
        let before = got.len();
        got.extend(numbers(event.records()));
        if before < 20 && got.len() >= 20 {
            put_numbers(client, name, 20, 40).await?;
        }
        if before < 40 && got.len() >= 40 {
            let split = client.split_shard().stream_name(name).shard_to_split(SHARD);
            split.new_starting_hash_key("7").send().await?;
        }
        if event.child_shards().is_empty() {
            assert!(!event.continuation_sequence_number().is_empty(), "where to go on: {event:?}");
        } else {
            assert!(event.continuation_sequence_number().is_empty(), "{event:?}");
            children = Some(event.child_shards().to_vec());
        }
    }
    assert_eq!(got, (0..40).collect::<Vec<_>>());
    let children = children.ok_or("the shard's end named no children")?;
    assert_eq!(children.len(), 2);
    assert!(children.iter().all(|child| child.parent_shards() == [SHARD]), "{children:?}");
    delete(client, name).await
}

async fn subscribe(client: &Client, name: &str) -> Result<SubscribeToShardOutput, Error> {
    let stream = summary(client, name).await?.stream_arn;
    let answer = client.register_stream_consumer().stream_arn(stream).consumer_name("rust");
    let consumer = answer.send().await?.consumer.ok_or("a consumer")?.consumer_arn;
    let deadline = Instant::now() + HANG;
    loop {
        let answer = client.describe_stream_consumer().consumer_arn(&consumer).send().await?;
        let described = answer.consumer_description.ok_or("a description")?;
        if described.consumer_status == ConsumerStatus::Active {
            break;
        }
        assert!(Instant::now() < deadline, "{consumer} has not become ACTIVE");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let position = StartingPosition::builder().r#type(ShardIteratorType::TrimHorizon).build()?;
    let ask = client.subscribe_to_shard().consumer_arn(consumer).shard_id(SHARD);
    Ok(tokio::time::timeout(HANG, ask.starting_position(position).send()).await??)
}

/// The next event; `None` when the subscription has ended.
async fn next(
    subscription: &mut SubscribeToShardOutput,
) -> Result<Option<SubscribeToShardEvent>, Error> {
    match tokio::time::timeout(HANG, subscription.event_stream.recv()).await?? {
        None => Ok(None),
        Some(SubscribeToShardEventStream::SubscribeToShardEvent(event)) => Ok(Some(event)),
        Some(other) => Err(format!("an event that nobody knows: {other:?}").into()),
    }
}

async fn create(client: &Client, name: &str, shards: i32) -> Outcome {
    client.create_stream().stream_name(name).shard_count(shards).send().await?;
    settled(client, name).await
}

async fn delete(client: &Client, name: &str) -> Outcome {
    settled(client, name).await?;
    let delete = client.delete_stream().stream_name(name).enforce_consumer_deletion(true);
    delete.send().await?;
    Ok(())
}

async fn settled(client: &Client, name: &str) -> Outcome {
    let deadline = Instant::now() + HANG;
    while summary(client, name).await?.stream_status != StreamStatus::Active {
        assert!(Instant::now() < deadline, "{name} has not become ACTIVE");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn summary(client: &Client, name: &str) -> Result<StreamDescriptionSummary, Error> {
    let answer = client.describe_stream_summary().stream_name(name).send().await?;
    Ok(answer.stream_description_summary.ok_or("a summary")?)
}

async fn put_numbers(client: &Client, name: &str, start: u32, end: u32) -> Outcome {
    let entry = |n: u32| {
        let entry = PutRecordsRequestEntry::builder().partition_key("k");
        entry.data(Blob::new(n.to_string())).build()
    };
    let entries = (start..end).map(entry).collect::<Result<Vec<_>, _>>()?;
    let answer = client.put_records().stream_name(name).set_records(Some(entries)).send().await?;
    assert_eq!(answer.failed_record_count(), Some(0));
    Ok(())
}

fn numbers(records: &[Record]) -> Vec<u32> {
    let text = |record: &Record| String::from_utf8_lossy(record.data().as_ref()).into_owned();
    records.iter().map(|record| text(record).parse().expect("a number was put")).collect()
}
