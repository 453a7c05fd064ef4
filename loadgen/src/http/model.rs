//! Answers of the API as far as this tool reads them, borrowed from their bodies.

use std::borrow::Cow;

use serde::Deserialize;

/// A text, borrowed where it has no escapes. Serde would copy a bare `Option<Cow<str>>`.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Words<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Of PutRecords.
#[derive(Debug, Deserialize)]
pub struct PutRecordsAnswer<'a> {
    /// One for each record of the request, in its order.
    #[serde(borrow, rename = "Records")]
    pub records: Vec<PutResult<'a>>,
}

/// Of PutRecord, and of one record of PutRecords.
#[derive(Debug, Deserialize)]
pub struct PutResult<'a> {
    /// Absent where the record was refused.
    #[serde(borrow, rename = "SequenceNumber")]
    pub sequence_number: Option<Words<'a>>,
    /// Absent where the record was refused.
    #[serde(borrow, rename = "ShardId")]
    pub shard_id: Option<Words<'a>>,
    /// Why it was refused.
    #[serde(borrow, rename = "ErrorCode")]
    pub error_code: Option<Words<'a>>,
    /// In a sentence.
    #[serde(borrow, rename = "ErrorMessage")]
    pub error_message: Option<Words<'a>>,
}

/// Of GetRecords.
#[derive(Debug, Deserialize)]
pub struct GetRecordsAnswer<'a> {
    /// The records.
    #[serde(borrow, rename = "Records")]
    pub records: Vec<Record<'a>>,
    /// For the next call; absent at the end of a closed shard.
    #[serde(rename = "NextShardIterator")]
    pub next: Option<String>,
}

/// A record.
#[derive(Debug, Deserialize)]
pub struct Record<'a> {
    /// Its place in the shard.
    #[serde(borrow, rename = "SequenceNumber")]
    pub sequence_number: Cow<'a, str>,
    /// In base64.
    #[serde(borrow, rename = "Data")]
    pub data: Cow<'a, str>,
    /// Its key.
    #[serde(borrow, rename = "PartitionKey")]
    pub partition_key: Cow<'a, str>,
}

/// An event of SubscribeToShard.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// The records; none in a heartbeat.
    #[serde(borrow, rename = "Records")]
    pub records: Vec<Record<'a>>,
    /// Where a next subscription continues; absent at the end of a shard.
    #[serde(borrow, rename = "ContinuationSequenceNumber")]
    pub continuation: Option<Words<'a>>,
}
