//! A record put from the console, and records read by it, as JSON.

use serde::Deserialize;
use serde_json::{Value, json};

use super::page::Page;
use crate::base::ids::{Millis, Seq, ShardNumber};

/// A record to put.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutForm {
    /// Name of the stream.
    pub stream: String,
    /// Partition key.
    pub key: String,
    /// Text.
    pub data: String,
}

/// Where to read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailForm {
    /// Name of the stream.
    pub stream: String,
    /// Number of the shard.
    pub shard: u32,
    /// The next record wanted; `None` begins behind the newest.
    pub from: Option<u64>,
}

/// Bytes of a record that are shown.
const SHOWN_BYTES_MAX: usize = 4096;

/// What became of a put.
#[must_use]
pub fn put_page(shard: ShardNumber, seq: Seq) -> Page {
    Page::json(200, &json!({ "shard": shard.0, "sequence": seq.0 }))
}

/// Records that were read.
#[derive(Debug, Default)]
pub struct Tail(Vec<Value>);

impl Tail {
    /// Adds one. What is no text is shown as nearly as text can, and what is long is cut off.
    pub fn add(&mut self, seq: Seq, arrival: Millis, key: &str, data: &[u8]) {
        let shown = String::from_utf8_lossy(&data[..data.len().min(SHOWN_BYTES_MAX)]);
        self.0.push(json!({
            "sequence": seq.0,
            "arrival_ms": arrival.0,
            "key": key,
            "data": shown,
            "bytes": data.len(),
        }));
    }

    /// As JSON; `next` is behind the last.
    #[must_use]
    pub fn page(self, next: Seq) -> Page {
        Page::json(200, &json!({ "records": self.0, "next": next.0 }))
    }
}
