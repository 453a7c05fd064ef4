//! A stream of its own for each run, made and deleted through the API.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use shardway::record::{HashKey, HashRange};

use super::control::Control;
use super::target::Target;
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::payload::partition_keys;

/// AWS takes up to a minute to make a stream.
const MAKE_TIMEOUT: Duration = Duration::from_secs(180);
/// What is being made is looked at so often.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// And no longer than this in between.
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(1);

/// A stream that exists as long as this does.
#[derive(Debug)]
pub struct HttpStream {
    control: Control,
    name: String,
    arn: String,
    /// Its shards.
    pub shards: Vec<HttpShard>,
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpShard {
    /// `ShardId`.
    pub id: String,
    /// A partition key that belongs to it.
    pub key: String,
}

impl HttpStream {
    /// Creates a stream and waits until it is in use. Where the target is a Shardway whose native
    /// address is known, its limits are switched off: they would be all that is measured.
    pub fn create(target: &Target, shards: u32) -> Result<HttpStream> {
        let mut control = target.control();
        let name = format!("loadgen-{}", uuid::Uuid::new_v4());
        control.call("CreateStream", &json!({"StreamName": name, "ShardCount": shards}))?;
        let mut stream = HttpStream { control, name, arn: String::new(), shards: Vec::new() };
        let named = json!({"StreamName": stream.name});
        let summary = until_active(|| {
            let summary = stream.control.call("DescribeStreamSummary", &named)?;
            let summary = &summary["StreamDescriptionSummary"];
            Ok((text(&summary["StreamStatus"])?, summary["StreamARN"].clone()))
        })?;
        stream.arn = text(&summary)?;
        target.lift_limits(&stream.name)?;
        stream.shards = stream.list_shards()?;
        if stream.shards.len() != shards as usize {
            let found = stream.shards.len();
            return Err(Failure::Protocol(format!("a stream of {shards} shards has {found}")));
        }
        Ok(stream)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client for its own requests.
    pub fn control(&mut self) -> &mut Control {
        &mut self.control
    }

    /// Registers a consumer, waits until it is in use and returns its ARN.
    pub fn register(&mut self, consumer: &str) -> Result<String> {
        let input = json!({"StreamARN": self.arn, "ConsumerName": consumer});
        let answer = self.control.call("RegisterStreamConsumer", &input)?;
        let arn = text(&answer["Consumer"]["ConsumerARN"])?;
        let input = json!({"ConsumerARN": arn});
        until_active(|| {
            let answer = self.control.call("DescribeStreamConsumer", &input)?;
            Ok((text(&answer["ConsumerDescription"]["ConsumerStatus"])?, Value::Null))
        })?;
        Ok(arn)
    }

    fn list_shards(&mut self) -> Result<Vec<HttpShard>> {
        let mut input = json!({"StreamName": self.name});
        let (mut ids, mut ranges) = (Vec::new(), Vec::new());
        loop {
            let page = self.control.call("ListShards", &input)?;
            for shard in page["Shards"].as_array().into_iter().flatten() {
                let range = &shard["HashKeyRange"];
                let (start, end) = (&range["StartingHashKey"], &range["EndingHashKey"]);
                ids.push(text(&shard["ShardId"])?);
                ranges.push(HashRange { start: hash_key(start)?, end: hash_key(end)? });
            }
            match page["NextToken"].as_str() {
                Some(token) => input = json!({"NextToken": token}),
                None => break,
            }
        }
        let keys = partition_keys(&ranges);
        Ok(ids.into_iter().zip(keys).map(|(id, key)| HttpShard { id, key }).collect())
    }
}

impl Drop for HttpStream {
    fn drop(&mut self) {
        // A failed run may leave the server unable to answer: its own failure is the one to show.
        let input = json!({"StreamName": self.name, "EnforceConsumerDeletion": true});
        let _ = self.control.call("DeleteStream", &input);
    }
}

/// Looks until the status, the first of what `look` finds, is ACTIVE; returns the other.
fn until_active(mut look: impl FnMut() -> Result<(String, Value)>) -> Result<Value> {
    let deadline = now_ns() + nanos(MAKE_TIMEOUT);
    let mut pause = LOOK_PAUSE;
    loop {
        let (status, found) = look()?;
        if status == "ACTIVE" {
            return Ok(found);
        }
        if now_ns() > deadline {
            return Err(Failure::Stalled(format!("what was made stays {status}")));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(LOOK_PAUSE_MAX);
    }
}

fn text(value: &Value) -> Result<String> {
    let text = value.as_str().ok_or_else(|| missing("a text"))?;
    Ok(text.to_owned())
}

fn hash_key(value: &Value) -> Result<HashKey> {
    let number = value.as_str().and_then(|text| text.parse().ok());
    number.map(HashKey).ok_or_else(|| missing("a hash key"))
}

fn missing(what: &str) -> Failure {
    Failure::Protocol(format!("an answer lacks {what} that the API has there"))
}
