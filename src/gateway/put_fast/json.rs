//! The JSON form, by serde's derived code: it refuses unknown members and repeated ones.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Data, PutRecord, PutRecordsInput};

pub(super) fn parse(body: &[u8]) -> Option<PutRecordsInput<'_>> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    let records = body.records.into_iter().map(|entry| PutRecord {
        data: Data::Base64(entry.data.0),
        partition_key: entry.partition_key.map(|key| key.0),
        explicit_hash_key: entry.explicit_hash_key.map(|key| key.0),
    });
    Some(PutRecordsInput {
        stream_name: body.stream_name.map(|name| name.0),
        stream_arn: body.stream_arn.map(|arn| arn.0),
        records: records.collect(),
    })
}

/// A text, borrowed from the body where it has no escapes. Serde would copy a bare
/// `Option<Cow<str>>`.
#[derive(Deserialize)]
struct Words<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow, rename = "StreamName")]
    stream_name: Option<Words<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Words<'a>>,
    #[serde(borrow, rename = "Records")]
    records: Vec<Entry<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow, rename = "Data")]
    data: Words<'a>,
    #[serde(borrow, rename = "PartitionKey")]
    partition_key: Option<Words<'a>>,
    #[serde(borrow, rename = "ExplicitHashKey")]
    explicit_hash_key: Option<Words<'a>>,
}
