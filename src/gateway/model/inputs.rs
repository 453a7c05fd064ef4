//! The inputs of the operations on data streams, as AWS's model of 2026-11 has them.
//!
//! `StreamId` is reserved: AWS says "Not Implemented", so it is held against its form and ignored.

use super::pattern::Pattern;
use super::shape::{List, Map, Member, Range, Shape, Structure, Text};

// ---- Simple shapes -----------------------------------------------------------------------------

static STREAM_NAME: Shape = pattern(Pattern::Name, 128);
static STREAM_ARN: Shape = pattern(Pattern::StreamArn, 2048);
static STREAM_ID: Shape = pattern(Pattern::StreamId, 24);
static SHARD_ID: Shape = pattern(Pattern::Name, 128);
static CONSUMER_NAME: Shape = pattern(Pattern::Name, 128);
static CONSUMER_ARN: Shape = pattern(Pattern::ConsumerArn, 2048);
static RESOURCE_ARN: Shape = pattern(Pattern::ResourceArn, 2048);
static HASH_KEY: Shape = Shape::Text(Text { pattern: Some(Pattern::HashKey), length: Range::ANY });
static SEQUENCE_NUMBER: Shape =
    Shape::Text(Text { pattern: Some(Pattern::SequenceNumber), length: Range::ANY });
static PARTITION_KEY: Shape = text(1, 256);
static SHARD_ITERATOR: Shape = text(1, 512);
static NEXT_TOKEN: Shape = text(1, 1_048_576);
static KEY_ID: Shape = text(1, 2048);
static POLICY: Shape = Shape::Text(Text { pattern: None, length: Range::ANY });
static TAG_KEY: Shape = text(1, 128);

static FLAG: Shape = Shape::Bool;
static TIMESTAMP: Shape = Shape::Time;
static DATA: Shape = Shape::Blob { max: 10_485_760 };

static POSITIVE: Shape = Shape::Int(Range::from(1));
static NATURAL: Shape = Shape::Int(Range::from(0));
static ANY_INT: Shape = Shape::Int(Range::ANY);
static UP_TO_10_000: Shape = Shape::Int(Range::of(1, 10_000));
static UP_TO_50: Shape = Shape::Int(Range::of(1, 50));
static RECORD_SIZE_KIB: Shape = Shape::Int(Range::of(1024, 10_240));

// The order of words that is known from AWS's own errors differs from the model's.
static ITERATOR_TYPE: Shape = Shape::Enum(&[
    "AFTER_SEQUENCE_NUMBER",
    "LATEST",
    "AT_TIMESTAMP",
    "AT_SEQUENCE_NUMBER",
    "TRIM_HORIZON",
]);
static SHARD_FILTER_TYPE: Shape = Shape::Enum(&[
    "AFTER_SHARD_ID",
    "AT_TRIM_HORIZON",
    "FROM_TRIM_HORIZON",
    "AT_LATEST",
    "AT_TIMESTAMP",
    "FROM_TIMESTAMP",
]);
static STREAM_MODE: Shape = Shape::Enum(&["PROVISIONED", "ON_DEMAND"]);
static DISTRIBUTION: Shape = Shape::Enum(&["AUTO", "USER_PARTITION_KEY"]);
static ENCRYPTION_TYPE: Shape = Shape::Enum(&["NONE", "KMS"]);
static SCALING_TYPE: Shape = Shape::Enum(&["UNIFORM_SCALING"]);
static COMMITMENT_STATUS: Shape = Shape::Enum(&["ENABLED", "DISABLED"]);
static METRICS_NAME: Shape = Shape::Enum(&[
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
    "ALL",
]);

static TAGS: Shape =
    Shape::Map(Map { key: Range::of(1, 128), value: Range::of(0, 256), length: Range::of(1, 200) });
static TAG_KEYS: Shape = Shape::List(List { of: &TAG_KEY, length: Range::of(1, 50) });
static METRICS: Shape = Shape::List(List { of: &METRICS_NAME, length: Range::of(1, 7) });
static RECORDS: Shape =
    Shape::List(List { of: &PUT_RECORDS_ENTRY_SHAPE, length: Range::of(1, 500) });

const fn text(min: i64, max: i64) -> Shape {
    Shape::Text(Text { pattern: None, length: Range::of(min, max) })
}

const fn pattern(pattern: Pattern, max: i64) -> Shape {
    Shape::Text(Text { pattern: Some(pattern), length: Range::of(1, max) })
}

// ---- Structures inside of inputs ---------------------------------------------------------------

const fn required(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, required: true }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Member {
    Member { name, shape, required: false }
}

macro_rules! structure {
    ($id:ident, $name:literal, [$($member:expr),* $(,)?]) => {
        pub(super) static $id: Structure = Structure { name: $name, members: &[$($member),*] };
    };
}

structure!(
    PUT_RECORDS_ENTRY,
    "PutRecordsRequestEntry",
    [
        required("Data", &DATA),
        optional("ExplicitHashKey", &HASH_KEY),
        optional("PartitionKey", &PARTITION_KEY),
    ]
);
static PUT_RECORDS_ENTRY_SHAPE: Shape = Shape::Structure(&PUT_RECORDS_ENTRY);

structure!(STREAM_MODE_DETAILS, "StreamModeDetails", [required("StreamMode", &STREAM_MODE)]);
static MODE_DETAILS: Shape = Shape::Structure(&STREAM_MODE_DETAILS);

structure!(
    SHARD_FILTER,
    "ShardFilter",
    [
        required("Type", &SHARD_FILTER_TYPE),
        optional("ShardId", &SHARD_ID),
        optional("Timestamp", &TIMESTAMP),
    ]
);
static FILTER: Shape = Shape::Structure(&SHARD_FILTER);

structure!(
    STARTING_POSITION,
    "StartingPosition",
    [
        required("Type", &ITERATOR_TYPE),
        optional("SequenceNumber", &SEQUENCE_NUMBER),
        optional("Timestamp", &TIMESTAMP),
    ]
);
static POSITION: Shape = Shape::Structure(&STARTING_POSITION);

structure!(
    COMMITMENT_INPUT,
    "MinimumThroughputBillingCommitmentInput",
    [required("Status", &COMMITMENT_STATUS),]
);
static COMMITMENT: Shape = Shape::Structure(&COMMITMENT_INPUT);

// ---- Inputs ------------------------------------------------------------------------------------

/// An input that names its stream by any of three members, and has others.
macro_rules! stream_input {
    ($id:ident, $name:literal, [$($member:expr),* $(,)?]) => {
        structure!($id, $name, [
            optional("StreamName", &STREAM_NAME),
            optional("StreamARN", &STREAM_ARN),
            optional("StreamId", &STREAM_ID),
            $($member),*
        ]);
    };
}

structure!(EMPTY, "Empty", []);

stream_input!(ADD_TAGS_TO_STREAM, "AddTagsToStreamInput", [required("Tags", &TAGS)]);
structure!(
    CREATE_STREAM,
    "CreateStreamInput",
    [
        required("StreamName", &STREAM_NAME),
        optional("ShardCount", &POSITIVE),
        optional("StreamModeDetails", &MODE_DETAILS),
        optional("Tags", &TAGS),
        optional("WarmThroughputMiBps", &NATURAL),
        optional("MaxRecordSizeInKiB", &RECORD_SIZE_KIB),
        optional("RecordDistributionStrategy", &DISTRIBUTION),
    ]
);
stream_input!(
    DECREASE_RETENTION,
    "DecreaseStreamRetentionPeriodInput",
    [required("RetentionPeriodHours", &ANY_INT),]
);
stream_input!(
    INCREASE_RETENTION,
    "IncreaseStreamRetentionPeriodInput",
    [required("RetentionPeriodHours", &ANY_INT),]
);
structure!(
    DELETE_RESOURCE_POLICY,
    "DeleteResourcePolicyInput",
    [optional("StreamId", &STREAM_ID), required("ResourceARN", &RESOURCE_ARN),]
);
stream_input!(DELETE_STREAM, "DeleteStreamInput", [optional("EnforceConsumerDeletion", &FLAG)]);
structure!(
    DEREGISTER_CONSUMER,
    "DeregisterStreamConsumerInput",
    [
        optional("StreamARN", &STREAM_ARN),
        optional("StreamId", &STREAM_ID),
        optional("ConsumerName", &CONSUMER_NAME),
        optional("ConsumerARN", &CONSUMER_ARN),
    ]
);
stream_input!(
    DESCRIBE_STREAM,
    "DescribeStreamInput",
    [optional("Limit", &UP_TO_10_000), optional("ExclusiveStartShardId", &SHARD_ID),]
);
structure!(
    DESCRIBE_CONSUMER,
    "DescribeStreamConsumerInput",
    [
        optional("StreamARN", &STREAM_ARN),
        optional("StreamId", &STREAM_ID),
        optional("ConsumerName", &CONSUMER_NAME),
        optional("ConsumerARN", &CONSUMER_ARN),
    ]
);
stream_input!(DESCRIBE_STREAM_SUMMARY, "DescribeStreamSummaryInput", []);
stream_input!(
    DISABLE_MONITORING,
    "DisableEnhancedMonitoringInput",
    [required("ShardLevelMetrics", &METRICS),]
);
stream_input!(
    ENABLE_MONITORING,
    "EnableEnhancedMonitoringInput",
    [required("ShardLevelMetrics", &METRICS),]
);
structure!(
    GET_RECORDS,
    "GetRecordsInput",
    [
        optional("StreamARN", &STREAM_ARN),
        optional("StreamId", &STREAM_ID),
        required("ShardIterator", &SHARD_ITERATOR),
        optional("Limit", &UP_TO_10_000),
        optional("DryRun", &FLAG),
    ]
);
structure!(
    GET_RESOURCE_POLICY,
    "GetResourcePolicyInput",
    [optional("StreamId", &STREAM_ID), required("ResourceARN", &RESOURCE_ARN),]
);
stream_input!(
    GET_SHARD_ITERATOR,
    "GetShardIteratorInput",
    [
        required("ShardId", &SHARD_ID),
        required("ShardIteratorType", &ITERATOR_TYPE),
        optional("StartingSequenceNumber", &SEQUENCE_NUMBER),
        optional("Timestamp", &TIMESTAMP),
        optional("DryRun", &FLAG),
    ]
);
stream_input!(
    LIST_SHARDS,
    "ListShardsInput",
    [
        optional("NextToken", &NEXT_TOKEN),
        optional("ExclusiveStartShardId", &SHARD_ID),
        optional("MaxResults", &UP_TO_10_000),
        optional("StreamCreationTimestamp", &TIMESTAMP),
        optional("ShardFilter", &FILTER),
    ]
);
structure!(
    LIST_CONSUMERS,
    "ListStreamConsumersInput",
    [
        optional("StreamId", &STREAM_ID),
        required("StreamARN", &STREAM_ARN),
        optional("NextToken", &NEXT_TOKEN),
        optional("MaxResults", &UP_TO_10_000),
        optional("StreamCreationTimestamp", &TIMESTAMP),
    ]
);
structure!(
    LIST_STREAMS,
    "ListStreamsInput",
    [
        optional("Limit", &UP_TO_10_000),
        optional("ExclusiveStartStreamName", &STREAM_NAME),
        optional("NextToken", &NEXT_TOKEN),
    ]
);
structure!(
    LIST_TAGS_FOR_RESOURCE,
    "ListTagsForResourceInput",
    [optional("StreamId", &STREAM_ID), required("ResourceARN", &RESOURCE_ARN),]
);
stream_input!(
    LIST_TAGS_FOR_STREAM,
    "ListTagsForStreamInput",
    [optional("ExclusiveStartTagKey", &TAG_KEY), optional("Limit", &UP_TO_50),]
);
stream_input!(
    MERGE_SHARDS,
    "MergeShardsInput",
    [required("ShardToMerge", &SHARD_ID), required("AdjacentShardToMerge", &SHARD_ID),]
);
stream_input!(
    PUT_RECORD,
    "PutRecordInput",
    [
        required("Data", &DATA),
        optional("PartitionKey", &PARTITION_KEY),
        optional("ExplicitHashKey", &HASH_KEY),
        optional("SequenceNumberForOrdering", &SEQUENCE_NUMBER),
        optional("DryRun", &FLAG),
    ]
);
stream_input!(
    PUT_RECORDS,
    "PutRecordsInput",
    [required("Records", &RECORDS), optional("DryRun", &FLAG),]
);
structure!(
    PUT_RESOURCE_POLICY,
    "PutResourcePolicyInput",
    [
        optional("StreamId", &STREAM_ID),
        required("ResourceARN", &RESOURCE_ARN),
        required("Policy", &POLICY),
    ]
);
structure!(
    REGISTER_CONSUMER,
    "RegisterStreamConsumerInput",
    [
        optional("StreamId", &STREAM_ID),
        required("StreamARN", &STREAM_ARN),
        required("ConsumerName", &CONSUMER_NAME),
        optional("Tags", &TAGS),
    ]
);
stream_input!(
    REMOVE_TAGS_FROM_STREAM,
    "RemoveTagsFromStreamInput",
    [required("TagKeys", &TAG_KEYS),]
);
stream_input!(
    SPLIT_SHARD,
    "SplitShardInput",
    [required("ShardToSplit", &SHARD_ID), required("NewStartingHashKey", &HASH_KEY),]
);
stream_input!(
    START_ENCRYPTION,
    "StartStreamEncryptionInput",
    [required("EncryptionType", &ENCRYPTION_TYPE), required("KeyId", &KEY_ID),]
);
stream_input!(
    STOP_ENCRYPTION,
    "StopStreamEncryptionInput",
    [required("EncryptionType", &ENCRYPTION_TYPE), required("KeyId", &KEY_ID),]
);
structure!(
    SUBSCRIBE_TO_SHARD,
    "SubscribeToShardInput",
    [
        optional("StreamId", &STREAM_ID),
        required("ConsumerARN", &CONSUMER_ARN),
        required("ShardId", &SHARD_ID),
        required("StartingPosition", &POSITION),
        optional("DryRun", &FLAG),
    ]
);
structure!(
    TAG_RESOURCE,
    "TagResourceInput",
    [
        optional("StreamId", &STREAM_ID),
        required("Tags", &TAGS),
        required("ResourceARN", &RESOURCE_ARN),
    ]
);
structure!(
    UNTAG_RESOURCE,
    "UntagResourceInput",
    [
        optional("StreamId", &STREAM_ID),
        required("TagKeys", &TAG_KEYS),
        required("ResourceARN", &RESOURCE_ARN),
    ]
);
structure!(
    UPDATE_ACCOUNT_SETTINGS,
    "UpdateAccountSettingsInput",
    [required("MinimumThroughputBillingCommitment", &COMMITMENT),]
);
structure!(
    UPDATE_MAX_RECORD_SIZE,
    "UpdateMaxRecordSizeInput",
    [
        optional("StreamARN", &STREAM_ARN),
        optional("StreamId", &STREAM_ID),
        required("MaxRecordSizeInKiB", &RECORD_SIZE_KIB),
    ]
);
stream_input!(
    UPDATE_SHARD_COUNT,
    "UpdateShardCountInput",
    [required("TargetShardCount", &POSITIVE), required("ScalingType", &SCALING_TYPE),]
);
structure!(
    UPDATE_STREAM_MODE,
    "UpdateStreamModeInput",
    [
        optional("StreamId", &STREAM_ID),
        required("StreamARN", &STREAM_ARN),
        required("StreamModeDetails", &MODE_DETAILS),
        optional("WarmThroughputMiBps", &NATURAL),
    ]
);
structure!(
    UPDATE_DISTRIBUTION,
    "UpdateStreamRecordDistributionStrategyInput",
    [
        optional("StreamId", &STREAM_ID),
        required("StreamARN", &STREAM_ARN),
        required("RecordDistributionStrategy", &DISTRIBUTION),
    ]
);
stream_input!(
    UPDATE_WARM_THROUGHPUT,
    "UpdateStreamWarmThroughputInput",
    [required("WarmThroughputMiBps", &NATURAL),]
);
