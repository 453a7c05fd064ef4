//! What AWS's model says: every operation, and the shape of its input, as constant tables.

mod class;
mod inputs;
mod pattern;
mod shape;

use inputs as i;
pub use pattern::Pattern;
pub use shape::{List, Map, Member, Range, Shape, Structure, Text};

/// Service and version in front of the operation in the header `X-Amz-Target`.
pub const TARGET_PREFIX: &str = "Kinesis_20131202.";

macro_rules! operations {
    ($($operation:ident => $input:expr,)*) => {
        /// Every operation of the API, by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "AWS's documentation describes them")]
        pub enum Operation {
            $($operation,)*
        }

        impl Operation {
            /// All of them, in the order of their names.
            pub const ALL: &'static [Operation] = &[$(Operation::$operation,)*];

            /// Its name, as in the header `X-Amz-Target` and in `kinesis:NAME` of policies.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Operation::$operation => stringify!($operation),)*
                }
            }

            /// The structure of its input, or `None` if this server does not offer it: the
            /// families of channels and of queues.
            #[must_use]
            pub fn input(self) -> Option<&'static Structure> {
                match self {
                    $(Operation::$operation => $input,)*
                }
            }
        }
    };
}

operations! {
    AcknowledgeDeadLetterQueueRecords => None,
    AcknowledgeQueueRecords => None,
    AddTagsToStream => Some(&i::ADD_TAGS_TO_STREAM),
    CreateChannel => None,
    CreateQueue => None,
    CreateStream => Some(&i::CREATE_STREAM),
    DecreaseStreamRetentionPeriod => Some(&i::DECREASE_RETENTION),
    DeleteChannel => None,
    DeleteQueue => None,
    DeleteResourcePolicy => Some(&i::DELETE_RESOURCE_POLICY),
    DeleteStream => Some(&i::DELETE_STREAM),
    DeregisterStreamConsumer => Some(&i::DEREGISTER_CONSUMER),
    DescribeAccountSettings => Some(&i::EMPTY),
    DescribeChannel => None,
    DescribeLimits => Some(&i::EMPTY),
    DescribeQueue => None,
    DescribeStream => Some(&i::DESCRIBE_STREAM),
    DescribeStreamConsumer => Some(&i::DESCRIBE_CONSUMER),
    DescribeStreamSummary => Some(&i::DESCRIBE_STREAM_SUMMARY),
    DisableEnhancedMonitoring => Some(&i::DISABLE_MONITORING),
    EnableEnhancedMonitoring => Some(&i::ENABLE_MONITORING),
    GetRecords => Some(&i::GET_RECORDS),
    GetResourcePolicy => Some(&i::GET_RESOURCE_POLICY),
    GetShardIterator => Some(&i::GET_SHARD_ITERATOR),
    IncreaseStreamRetentionPeriod => Some(&i::INCREASE_RETENTION),
    ListChannels => None,
    ListQueues => None,
    ListShards => Some(&i::LIST_SHARDS),
    ListStreamConsumers => Some(&i::LIST_CONSUMERS),
    ListStreams => Some(&i::LIST_STREAMS),
    ListTagsForResource => Some(&i::LIST_TAGS_FOR_RESOURCE),
    ListTagsForStream => Some(&i::LIST_TAGS_FOR_STREAM),
    MergeShards => Some(&i::MERGE_SHARDS),
    PutRecord => Some(&i::PUT_RECORD),
    PutRecords => Some(&i::PUT_RECORDS),
    PutResourcePolicy => Some(&i::PUT_RESOURCE_POLICY),
    ReceiveDeadLetterQueueRecords => None,
    ReceiveQueueRecords => None,
    RegisterStreamConsumer => Some(&i::REGISTER_CONSUMER),
    RemoveTagsFromStream => Some(&i::REMOVE_TAGS_FROM_STREAM),
    RestoreDeadLetterQueueRecords => None,
    SplitShard => Some(&i::SPLIT_SHARD),
    StartStreamEncryption => Some(&i::START_ENCRYPTION),
    StopStreamEncryption => Some(&i::STOP_ENCRYPTION),
    SubscribeToShard => Some(&i::SUBSCRIBE_TO_SHARD),
    TagResource => Some(&i::TAG_RESOURCE),
    UntagResource => Some(&i::UNTAG_RESOURCE),
    UpdateAccountSettings => Some(&i::UPDATE_ACCOUNT_SETTINGS),
    UpdateChannel => None,
    UpdateDeadLetterQueueRecordsVisibility => None,
    UpdateMaxRecordSize => Some(&i::UPDATE_MAX_RECORD_SIZE),
    UpdateQueue => None,
    UpdateQueueRecordsVisibility => None,
    UpdateShardCount => Some(&i::UPDATE_SHARD_COUNT),
    UpdateStreamMode => Some(&i::UPDATE_STREAM_MODE),
    UpdateStreamRecordDistributionStrategy => Some(&i::UPDATE_DISTRIBUTION),
    UpdateStreamWarmThroughput => Some(&i::UPDATE_WARM_THROUGHPUT),
}

impl Operation {
    /// The operation with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Operation> {
        let at = Self::ALL.binary_search_by_key(&name, |operation| operation.name()).ok()?;
        Some(Self::ALL[at])
    }

    /// The operation that a header `X-Amz-Target` names, `Kinesis_20131202.NAME`.
    #[must_use]
    pub fn by_target(target: &str) -> Option<Operation> {
        Self::by_name(target.strip_prefix(TARGET_PREFIX)?)
    }
}

#[cfg(test)]
mod tests;
