//! What operations answer, as AWS's model of 2026-11 says it, and a look whether an answer is that
//! and nothing else.

use serde_json::Value;

/// Operations with their members: `*` behind those that are required, then the type, a letter or a
/// structure, in brackets for a list. Operations without members answer with an empty body.
const OUTPUTS: &[(&str, &str)] = &[
    ("AddTagsToStream", ""),
    ("CreateStream", ""),
    ("DecreaseStreamRetentionPeriod", ""),
    ("DeleteResourcePolicy", ""),
    ("DeleteStream", ""),
    ("DeregisterStreamConsumer", ""),
    ("DescribeAccountSettings", "MinimumThroughputBillingCommitment Commitment"),
    (
        "DescribeLimits",
        "ShardLimit* i, OpenShardCount* i, OnDemandStreamCount* i, OnDemandStreamCountLimit* i, \
         ChannelCount i, ChannelCountLimit i",
    ),
    ("DescribeStream", "StreamDescription* StreamDescription"),
    ("DescribeStreamConsumer", "ConsumerDescription* ConsumerDescription"),
    ("DescribeStreamSummary", "StreamDescriptionSummary* StreamDescriptionSummary"),
    ("DisableEnhancedMonitoring", MONITORING),
    ("EnableEnhancedMonitoring", MONITORING),
    (
        "GetRecords",
        "Records* [Record], NextShardIterator s, MillisBehindLatest i, ChildShards [ChildShard]",
    ),
    ("GetResourcePolicy", "Policy* s"),
    ("GetShardIterator", "ShardIterator s"),
    ("IncreaseStreamRetentionPeriod", ""),
    ("ListShards", "Shards [Shard], NextToken s"),
    ("ListStreamConsumers", "Consumers [Consumer], NextToken s"),
    (
        "ListStreams",
        "StreamNames* [s], HasMoreStreams* b, NextToken s, StreamSummaries [StreamSummary]",
    ),
    ("ListTagsForResource", "Tags [Tag]"),
    ("ListTagsForStream", "Tags* [Tag], HasMoreTags* b"),
    ("MergeShards", ""),
    ("PutRecord", "ShardId* s, SequenceNumber* n, EncryptionType s"),
    ("PutRecords", "FailedRecordCount i, Records* [PutRecordsResultEntry], EncryptionType s"),
    ("PutResourcePolicy", ""),
    ("RegisterStreamConsumer", "Consumer* Consumer"),
    ("RemoveTagsFromStream", ""),
    ("SplitShard", ""),
    ("StartStreamEncryption", ""),
    ("StopStreamEncryption", ""),
    ("TagResource", ""),
    ("UntagResource", ""),
    ("UpdateAccountSettings", "MinimumThroughputBillingCommitment Commitment"),
    ("UpdateMaxRecordSize", ""),
    ("UpdateShardCount", "StreamName s, StreamARN s, CurrentShardCount i, TargetShardCount i"),
    ("UpdateStreamMode", ""),
    ("UpdateStreamRecordDistributionStrategy", ""),
    ("UpdateStreamWarmThroughput", "StreamName s, StreamARN s, WarmThroughput Warm"),
];

const MONITORING: &str =
    "StreamName s, StreamARN s, CurrentShardLevelMetrics [s], DesiredShardLevelMetrics [s]";

const STRUCTURES: &[(&str, &str)] = &[
    ("ChildShard", "ShardId* s, ParentShards* [s], HashKeyRange* HashKeyRange"),
    ("Commitment", "Status* s, StartedAt t, EndedAt t, EarliestAllowedEndAt t"),
    (
        "Consumer",
        "ConsumerName* s, ConsumerARN* s, ConsumerStatus* s, ConsumerCreationTimestamp* t",
    ),
    (
        "ConsumerDescription",
        "ConsumerName* s, ConsumerARN* s, ConsumerStatus* s, ConsumerCreationTimestamp* t, \
         StreamARN* s",
    ),
    ("EnhancedMetrics", "ShardLevelMetrics [s]"),
    ("HashKeyRange", "StartingHashKey* n, EndingHashKey* n"),
    ("PutRecordsResultEntry", "SequenceNumber n, ShardId s, ErrorCode s, ErrorMessage s"),
    (
        "Record",
        "SequenceNumber* n, ApproximateArrivalTimestamp t, Data* d, PartitionKey s, \
         EncryptionType s",
    ),
    ("SequenceNumberRange", "StartingSequenceNumber* n, EndingSequenceNumber n"),
    (
        "Shard",
        "ShardId* s, ParentShardId s, AdjacentParentShardId s, HashKeyRange* HashKeyRange, \
         SequenceNumberRange* SequenceNumberRange",
    ),
    (
        "StreamDescription",
        "StreamName* s, StreamARN* s, StreamStatus* s, StreamModeDetails StreamModeDetails, \
         Shards* [Shard], HasMoreShards* b, RetentionPeriodHours* i, StreamCreationTimestamp* t, \
         EnhancedMonitoring* [EnhancedMetrics], EncryptionType s, KeyId s",
    ),
    (
        "StreamDescriptionSummary",
        "StreamName* s, StreamARN* s, StreamStatus* s, StreamModeDetails StreamModeDetails, \
         RetentionPeriodHours* i, StreamCreationTimestamp* t, EnhancedMonitoring* \
         [EnhancedMetrics], EncryptionType s, KeyId s, OpenShardCount* i, ConsumerCount i, \
         WarmThroughput Warm, MaxRecordSizeInKiB i, ChannelCount i, RecordDistributionStrategy s, \
         QueueCount i",
    ),
    ("StreamModeDetails", "StreamMode* s"),
    (
        "StreamSummary",
        "StreamName* s, StreamARN* s, StreamStatus* s, StreamModeDetails StreamModeDetails, \
         StreamCreationTimestamp t",
    ),
    ("SubscribeToShardEvent", EVENT),
    ("Tag", "Key* s, Value v"),
    ("Warm", "TargetMiBps i, CurrentMiBps i"),
];

/// The continuation is required in the model, and absent at the end of a shard.
const EVENT: &str = "Records* [Record], ContinuationSequenceNumber n, MillisBehindLatest* i, \
                     ChildShards [ChildShard]";

/// Holds the answer of an operation against the model.
#[track_caller]
pub fn check_output(operation: &str, answer: &Value) {
    let members = find(OUTPUTS, operation);
    if members.is_empty() {
        assert_eq!(*answer, Value::Null, "{operation} answers with an empty body");
        return;
    }
    check_members(operation, members, answer);
}

/// Holds a structure against the model.
#[track_caller]
pub fn check_structure(structure: &str, value: &Value) {
    check_members(structure, find(STRUCTURES, structure), value);
}

fn find(table: &[(&'static str, &'static str)], name: &str) -> &'static str {
    let row = table.iter().find(|(other, _)| *other == name);
    row.unwrap_or_else(|| panic!("{name} is not in the table")).1
}

fn check_members(path: &str, members: &str, value: &Value) {
    let given = value.as_object().unwrap_or_else(|| panic!("{path} is no structure: {value}"));
    let mut known = Vec::new();
    for member in members.split(',') {
        let (name, kind) = member.trim().rsplit_once(' ').expect("a name and a type");
        let required = name.trim().strip_suffix('*');
        let name = required.unwrap_or(name).trim();
        known.push(name);
        match given.get(name) {
            Some(value) => check(&format!("{path}.{name}"), kind, value),
            None => assert!(required.is_none(), "{path} has no {name}: {value}"),
        }
    }
    for name in given.keys() {
        assert!(known.contains(&name.as_str()), "{path} has no {name} in the model");
    }
}

fn check(path: &str, kind: &str, value: &Value) {
    if let Some(of) = kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
        let items = value.as_array().unwrap_or_else(|| panic!("{path} is no list: {value}"));
        return items.iter().for_each(|item| check(path, of, item));
    }
    let text = value.as_str();
    let right = match kind {
        "s" => text.is_some_and(|text| !text.is_empty()),
        "n" => {
            text.is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        }
        "v" | "d" => text.is_some(),
        "i" => value.is_u64(),
        "b" => value.is_boolean(),
        "t" => value.as_f64().is_some_and(|seconds| (1.6e9..1e10).contains(&seconds)),
        structure => return check_structure(structure, value),
    };
    assert!(right, "{path} is {value} and not {kind}");
}
