//! Every operation once, in both formats, with an answer that has the model's shape.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shardway::gateway::model::Operation;

use crate::call::{BOTH, Caller, Refused, Wire, blob, string};
use crate::endpoint::Endpoint;
use crate::http1::{Ask, JSON};
use crate::process::until;
use crate::shapes::check_output;

/// A client whose answers are all held against the model.
struct Exact {
    caller: Caller,
    asked: BTreeSet<String>,
}

impl Exact {
    #[track_caller]
    fn ok(&mut self, operation: &str, body: Value) -> Value {
        let answer = self.caller.ok(operation, body);
        check_output(operation, &answer);
        self.asked.insert(operation.to_owned());
        answer
    }
}

fn start() -> Endpoint {
    Endpoint::with(|setup| setup.switch("--allow-unsealed-kms"))
}

#[test]
fn every_operation_answers_in_both_formats_with_the_shape_of_the_model() {
    let endpoint = start();
    for wire in BOTH {
        let name = format!("every-{wire:?}");
        let mut exact = Exact { caller: endpoint.caller(wire), asked: BTreeSet::new() };
        let arn = streams(&mut exact, &name);
        records(&mut exact, &name);
        shards(&mut exact, &name);
        settings(&mut exact, &name, &arn);
        consumers(&mut exact, &arn);
        tags_and_policies(&mut exact, &name, &arn);
        modes_and_account(&mut exact, &format!("{name}-demand"));
        exact.ok("DeleteStream", json!({"StreamARN": arn, "EnforceConsumerDeletion": true}));
        let body = json!({ "StreamName": name });
        until("it is gone", || match exact.caller.call("DescribeStream", &body) {
            Ok(answer) => {
                assert_eq!(answer["StreamDescription"]["StreamStatus"], "DELETING");
                false
            }
            Err(refused) => refused.name == "ResourceNotFoundException",
        });
        let offered = Operation::ALL.iter().filter(|operation| operation.input().is_some());
        let offered: BTreeSet<String> = offered
            .map(|operation| operation.name().to_owned())
            // It answers with events, which `subscribing` looks at.
            .filter(|name| name != "SubscribeToShard")
            .collect();
        assert_eq!(exact.asked, offered, "each operation once");
    }
    endpoint.assert_well();
}

fn streams(exact: &mut Exact, name: &str) -> String {
    let tags = json!({"team": "a", "empty": ""});
    exact.ok("CreateStream", json!({"StreamName": name, "ShardCount": 2, "Tags": tags}));
    let described = exact.ok("DescribeStream", json!({"StreamName": name, "Limit": 1}));
    let described = &described["StreamDescription"];
    assert_eq!(described["StreamStatus"], "ACTIVE");
    assert_eq!(described["HasMoreShards"], true);
    assert_eq!(described["RetentionPeriodHours"], 24);
    assert_eq!(described["EncryptionType"], "NONE");
    assert_eq!(described["EnhancedMonitoring"], json!([{"ShardLevelMetrics": []}]));
    assert_eq!(described["Shards"].as_array().unwrap().len(), 1);
    let arn = string(&described["StreamARN"]);
    assert_eq!(arn, format!("arn:aws:kinesis:us-east-1:000000000000:stream/{name}"));
    let summary = exact.ok("DescribeStreamSummary", json!({ "StreamARN": arn }));
    let summary = &summary["StreamDescriptionSummary"];
    assert_eq!(summary["OpenShardCount"], 2);
    assert_eq!(summary["MaxRecordSizeInKiB"], 1024);
    assert_eq!(summary["StreamModeDetails"]["StreamMode"], "PROVISIONED");
    assert_eq!(summary["RecordDistributionStrategy"], "USER_PARTITION_KEY");
    assert_eq!(summary["StreamCreationTimestamp"], described["StreamCreationTimestamp"]);
    let listed = exact.ok("ListStreams", json!({}));
    assert!(listed["StreamNames"].as_array().unwrap().contains(&json!(name)));
    assert_eq!(listed["HasMoreStreams"], false);
    arn
}

fn records(exact: &mut Exact, name: &str) {
    let put = json!({"StreamName": name, "Data": blob("one"), "PartitionKey": "k"});
    let put = exact.ok("PutRecord", put);
    assert_eq!(put["EncryptionType"], "NONE");
    let records = [("two", "k", None), ("three", "é", Some("0"))];
    let records: Vec<Value> = records
        .iter()
        .map(|(data, key, hash)| {
            json!({"Data": blob(data), "PartitionKey": key, "ExplicitHashKey": hash})
        })
        .collect();
    let answer = exact.ok("PutRecords", json!({"StreamName": name, "Records": records}));
    assert_eq!(answer["FailedRecordCount"], 0);
    assert_eq!(answer["Records"].as_array().unwrap().len(), 2);
    assert_eq!(answer["Records"][1]["ShardId"], "shardId-000000000000");
    let body = json!({
        "StreamName": name,
        "ShardId": answer["Records"][1]["ShardId"],
        "ShardIteratorType": "AT_SEQUENCE_NUMBER",
        "StartingSequenceNumber": answer["Records"][1]["SequenceNumber"],
    });
    let iterator = exact.ok("GetShardIterator", body);
    let got = exact.ok("GetRecords", json!({"ShardIterator": iterator["ShardIterator"]}));
    let record = &got["Records"][0];
    assert_eq!(record["Data"], blob("three"));
    assert_eq!(record["PartitionKey"], "é");
    assert_eq!(record["SequenceNumber"], answer["Records"][1]["SequenceNumber"]);
    assert_eq!(got["MillisBehindLatest"], 0);
    assert!(got.get("ChildShards").is_none() && got.get("NextShardIterator").is_some());
    let dry = json!({"StreamName": name, "Data": "", "PartitionKey": "k", "DryRun": true});
    assert_eq!(exact.caller.refused("PutRecord", dry).name, "DryRunOperationException");
}

fn shards(exact: &mut Exact, name: &str) {
    let half = "42535295865117307932921825928971026432";
    let body = json!({"StreamName": name, "ShardToSplit": "0", "NewStartingHashKey": half});
    exact.ok("SplitShard", body);
    let body = json!({
        "StreamName": name,
        "ShardToMerge": "shardId-000000000002",
        "AdjacentShardToMerge": "shardId-000000000003",
    });
    exact.ok("MergeShards", body);
    let body = json!({
        "StreamName": name, "TargetShardCount": 4, "ScalingType": "UNIFORM_SCALING",
    });
    let scaled = exact.ok("UpdateShardCount", body);
    assert_eq!((&scaled["CurrentShardCount"], &scaled["TargetShardCount"]), (&json!(2), &json!(4)));
    assert_eq!(scaled["StreamName"], name);
    let all = exact.ok("ListShards", json!({ "StreamName": name }));
    let merged = &all["Shards"][4];
    assert_eq!(merged["ParentShardId"], "shardId-000000000002");
    assert_eq!(merged["AdjacentParentShardId"], "shardId-000000000003");
    assert!(merged["SequenceNumberRange"].get("EndingSequenceNumber").is_some(), "it is closed");
    let filter = json!({"Type": "AT_LATEST"});
    let open = exact.ok("ListShards", json!({"StreamName": name, "ShardFilter": filter}));
    assert_eq!(open["Shards"].as_array().unwrap().len(), 4);
}

fn settings(exact: &mut Exact, name: &str, arn: &str) {
    let hours = |hours: u32| json!({"StreamName": name, "RetentionPeriodHours": hours});
    exact.ok("IncreaseStreamRetentionPeriod", hours(48));
    exact.ok("DecreaseStreamRetentionPeriod", hours(30));
    let short = exact.caller.refused("DecreaseStreamRetentionPeriod", hours(23));
    let text = "Minimum allowed retention period is 24 hours. Requested retention period (23 \
                hours) is too short.";
    assert_eq!(short, Refused::new("InvalidArgumentException", text));
    exact.ok("UpdateMaxRecordSize", json!({"StreamARN": arn, "MaxRecordSizeInKiB": 2048}));
    let metrics = json!(["IncomingBytes", "OutgoingRecords"]);
    let body = json!({"StreamName": name, "ShardLevelMetrics": metrics});
    let enabled = exact.ok("EnableEnhancedMonitoring", body);
    assert_eq!(enabled["CurrentShardLevelMetrics"], json!([]));
    assert_eq!(enabled["DesiredShardLevelMetrics"], metrics);
    assert_eq!((&enabled["StreamName"], &enabled["StreamARN"]), (&json!(name), &json!(arn)));
    let body = json!({"StreamARN": arn, "ShardLevelMetrics": ["ALL"]});
    let disabled = exact.ok("DisableEnhancedMonitoring", body);
    assert_eq!(disabled["CurrentShardLevelMetrics"], metrics);
    assert_eq!(disabled["DesiredShardLevelMetrics"], json!([]));
    let key = json!({"StreamName": name, "EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"});
    exact.ok("StartStreamEncryption", key.clone());
    let described = exact.ok("DescribeStream", json!({ "StreamName": name }));
    assert_eq!(described["StreamDescription"]["EncryptionType"], "KMS");
    assert_eq!(described["StreamDescription"]["KeyId"], "alias/aws/kinesis");
    assert_eq!(described["StreamDescription"]["RetentionPeriodHours"], 30);
    exact.ok("StopStreamEncryption", key);
}

fn consumers(exact: &mut Exact, arn: &str) {
    let body = json!({"StreamARN": arn, "ConsumerName": "c", "Tags": {"a": "b"}});
    let registered = exact.ok("RegisterStreamConsumer", body.clone());
    let consumer = &registered["Consumer"];
    let consumer_arn = string(&consumer["ConsumerARN"]);
    let created = consumer["ConsumerCreationTimestamp"].as_f64().unwrap() as u64;
    assert_eq!(consumer_arn, format!("{arn}/consumer/c:{created}"));
    assert_eq!(exact.caller.refused("RegisterStreamConsumer", body).name, "ResourceInUseException");
    let body = json!({ "ConsumerARN": consumer_arn });
    let by_arn = exact.ok("DescribeStreamConsumer", body.clone());
    let by_name = json!({"StreamARN": arn, "ConsumerName": "c"});
    assert_eq!(exact.ok("DescribeStreamConsumer", by_name), by_arn);
    assert_eq!(by_arn["ConsumerDescription"]["StreamARN"], arn);
    assert_eq!(by_arn["ConsumerDescription"]["ConsumerStatus"], "ACTIVE");
    let listed = exact.ok("ListStreamConsumers", json!({ "StreamARN": arn }));
    assert_eq!(listed["Consumers"], json!([consumer]));
    let tags = exact.ok("ListTagsForResource", json!({ "ResourceARN": consumer_arn }));
    assert_eq!(tags["Tags"], json!([{"Key": "a", "Value": "b"}]));
    exact.ok("DeregisterStreamConsumer", body.clone());
    let gone = exact.caller.refused("DescribeStreamConsumer", body);
    assert_eq!(gone.name, "ResourceNotFoundException");
}

fn tags_and_policies(exact: &mut Exact, name: &str, arn: &str) {
    exact.ok("AddTagsToStream", json!({"StreamName": name, "Tags": {"b": "1", "c": "2"}}));
    exact.ok("RemoveTagsFromStream", json!({"StreamName": name, "TagKeys": ["team", "none"]}));
    let tags = exact.ok("ListTagsForStream", json!({"StreamName": name, "Limit": 1}));
    assert_eq!((&tags["HasMoreTags"], &tags["Tags"][0]["Key"]), (&json!(true), &json!("b")));
    let rest = json!({"StreamName": name, "ExclusiveStartTagKey": "b"});
    let rest = exact.ok("ListTagsForStream", rest);
    let tag = |key: &str, value: &str| json!({"Key": key, "Value": value});
    assert_eq!(rest, json!({"Tags": [tag("c", "2"), tag("empty", "")], "HasMoreTags": false}));
    exact.ok("TagResource", json!({"ResourceARN": arn, "Tags": {"d": "3"}}));
    exact.ok("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["b", "empty"]}));
    let tags = exact.ok("ListTagsForResource", json!({ "ResourceARN": arn }));
    assert_eq!(tags, json!({"Tags": [tag("c", "2"), tag("d", "3")]}));
    let resource = json!({ "ResourceARN": arn });
    assert_eq!(exact.ok("GetResourcePolicy", resource.clone()), json!({"Policy": "{}"}));
    let refused = exact.caller.refused("DeleteResourcePolicy", resource.clone());
    let text = format!("No resource policy found for resource ARN {arn}.");
    assert_eq!(refused, Refused::new("ResourceNotFoundException", text));
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    exact.ok("PutResourcePolicy", json!({"ResourceARN": arn, "Policy": policy}));
    assert_eq!(exact.ok("GetResourcePolicy", resource.clone()), json!({ "Policy": policy }));
    exact.ok("DeleteResourcePolicy", resource);
}

fn modes_and_account(exact: &mut Exact, name: &str) {
    let mode = json!({"StreamMode": "ON_DEMAND"});
    exact.ok("CreateStream", json!({"StreamName": name, "StreamModeDetails": mode}));
    let summary = exact.ok("DescribeStreamSummary", json!({ "StreamName": name }));
    let summary = &summary["StreamDescriptionSummary"];
    assert_eq!((&summary["OpenShardCount"], &summary["StreamModeDetails"]), (&json!(4), &mode));
    let arn = string(&summary["StreamARN"]);
    let body = json!({"StreamARN": arn, "RecordDistributionStrategy": "AUTO"});
    exact.ok("UpdateStreamRecordDistributionStrategy", body);
    let put = exact.ok("PutRecord", json!({"StreamName": name, "Data": blob("no key")}));
    assert!(put["ShardId"].is_string());
    let limits = exact.ok("DescribeLimits", json!({}));
    assert!(limits["OnDemandStreamCount"].as_u64() >= Some(1), "{limits}");
    let status = |status: &str| json!({"MinimumThroughputBillingCommitment": {"Status": status}});
    let enabled = exact.ok("UpdateAccountSettings", status("ENABLED"));
    assert_eq!(enabled["MinimumThroughputBillingCommitment"]["Status"], "ENABLED");
    let warm = json!({"StreamName": name, "WarmThroughputMiBps": 8});
    let warm = exact.ok("UpdateStreamWarmThroughput", warm);
    assert_eq!(warm["WarmThroughput"]["TargetMiBps"], 8);
    let cold = json!({"StreamName": name, "WarmThroughputMiBps": 0});
    exact.ok("UpdateStreamWarmThroughput", cold);
    let ended = exact.ok("UpdateAccountSettings", status("DISABLED"));
    assert_eq!(exact.ok("DescribeAccountSettings", json!({})), ended);
    let body = json!({"StreamARN": arn, "RecordDistributionStrategy": "USER_PARTITION_KEY"});
    exact.ok("UpdateStreamRecordDistributionStrategy", body);
    let mode = json!({"StreamMode": "PROVISIONED"});
    exact.ok("UpdateStreamMode", json!({"StreamARN": arn, "StreamModeDetails": mode}));
    exact.ok("DeleteStream", json!({ "StreamName": name }));
}

#[test]
fn channels_and_queues_are_refused_by_name() {
    let endpoint = Endpoint::shared();
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        for operation in Operation::ALL.iter().filter(|operation| operation.input().is_none()) {
            let name = operation.name();
            let text = format!("{name} is not offered yet by this server.");
            let refused = caller.refused(name, json!({"QueueARN": 7}));
            assert_eq!(refused, Refused::new("UnsupportedOperationException", text));
        }
    }
}

#[test]
fn times_are_seconds_with_three_decimals_in_json_and_tagged_milliseconds_in_cbor() {
    let endpoint = Endpoint::shared();
    let name = "times";
    endpoint.json().stream(name, 1);
    let mut conn = endpoint.connect();
    let body = json!({ "StreamName": name });
    let ask = Ask::new("DescribeStreamSummary", JSON, Wire::Json.encode(&body));
    let answer = conn.ask(&ask).text();
    let (_, time) = answer.split_once(r#""StreamCreationTimestamp":"#).expect("it is there");
    let time = time.split([',', '}']).next().unwrap();
    let (seconds, decimals) = time.split_once('.').expect("a fraction");
    assert_eq!((seconds.len(), decimals.len()), (10, 3), "{time}");
    let ms: u64 = format!("{seconds}{decimals}").parse().expect("digits");
    let content_type = Wire::Cbor.content_type();
    let ask = Ask::new("DescribeStreamSummary", content_type, Wire::Cbor.encode(&body));
    let answer = conn.ask(&ask).body;
    let wanted = [b"StreamCreationTimestamp\xc1\x1b".as_slice(), &ms.to_be_bytes()].concat();
    assert!(answer.windows(wanted.len()).any(|bytes| bytes == wanted), "{answer:02x?}");
    // The other way: both mean the same millisecond.
    for wire in BOTH {
        let mut caller = endpoint.caller(wire);
        let created =
            |ms: u64| json!({"StreamName": name, "StreamCreationTimestamp": ms as f64 / 1e3});
        caller.ok("ListShards", created(ms));
        let refused = caller.refused("ListShards", created(ms - 1000));
        assert_eq!(refused.name, "ResourceNotFoundException");
    }
}
