//! Registered consumers: register, deregister, tag, describe, list.

use super::codec::{Decode, DecodeError, Reader, Writer};
use super::tags::{read_keys, read_tags, write_keys, write_tags};
use crate::base::ids::Millis;
use crate::base::limits::{CONTROL_PAYLOAD_MAX, NAME_BYTES_MAX};
use crate::base::stream::ConsumerStatus;

/// Consumers in one page of a listing (AWS: 100; by default a stream has at most 20 or 50).
pub const CONSUMERS_PER_PAGE_MAX: usize = 1000;

// Two names, and the longest of ARNs around them.
const _: () = assert!(
    CONSUMERS_PER_PAGE_MAX * (4 * NAME_BYTES_MAX + 200) < CONTROL_PAYLOAD_MAX,
    "the longest listing fits one frame"
);

/// Names a consumer of a stream: the payload of describe and deregister.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerName<'a> {
    /// The stream.
    pub stream: &'a str,
    /// 1 … 128 of `[a-zA-Z0-9_.-]`.
    pub consumer: &'a str,
}

impl ConsumerName<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.stream).text(self.consumer);
    }
}

impl<'a> Decode<'a> for ConsumerName<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ConsumerName { stream: r.text("stream")?, consumer: r.text("consumer")? })
    }
}

/// Registers a consumer. The answer is its [`ConsumerDescription`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterConsumer<'a> {
    /// Which.
    pub name: ConsumerName<'a>,
    /// Tags, by key.
    pub tags: Vec<(String, String)>,
}

impl RegisterConsumer<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        self.name.write(w);
        write_tags(w, &self.tags);
    }
}

impl<'a> Decode<'a> for RegisterConsumer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(RegisterConsumer { name: ConsumerName::read(r)?, tags: read_tags(r)? })
    }
}

/// Changes the tags of a consumer. The answer has no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagConsumer<'a> {
    /// Which.
    pub name: ConsumerName<'a>,
    /// Added or replaced.
    pub add: Vec<(String, String)>,
    /// Removed.
    pub remove: Vec<String>,
}

impl TagConsumer<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        self.name.write(w);
        write_tags(w, &self.add);
        write_keys(w, &self.remove);
    }
}

impl<'a> Decode<'a> for TagConsumer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let name = ConsumerName::read(r)?;
        Ok(TagConsumer { name, add: read_tags(r)?, remove: read_keys(r)? })
    }
}

/// A consumer as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerDescription {
    /// Its name.
    pub name: String,
    /// `{stream ARN}/consumer/{name}:{creation, epoch seconds}`.
    pub arn: String,
    /// State.
    pub status: ConsumerStatus,
    /// When it was registered.
    pub created: Millis,
}

impl ConsumerDescription {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(&self.name).text(&self.arn).u8(self.status as u8).u64(self.created.0);
    }
}

impl Decode<'_> for ConsumerDescription {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(ConsumerDescription {
            name: r.text("name")?.to_owned(),
            arn: r.text("arn")?.to_owned(),
            status: ConsumerStatus::from_wire(r.u8("status")?)
                .ok_or(DecodeError::Value("status"))?,
            created: Millis(r.u64("created")?),
        })
    }
}

/// Lists the consumers of a stream in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListConsumers<'a> {
    /// The stream.
    pub stream: &'a str,
    /// Start behind this name; empty starts at the first.
    pub after: &'a str,
    /// At most so many, 1 … 1,000.
    pub limit: u32,
}

impl ListConsumers<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.stream).text(self.after).u32(self.limit);
    }
}

impl<'a> Decode<'a> for ListConsumers<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ListConsumers {
            stream: r.text("stream")?,
            after: r.text("after")?,
            limit: r.u32("limit")?,
        })
    }
}

/// A page of consumers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerList {
    /// Whether there are more behind the last.
    pub more: bool,
    /// By name.
    pub consumers: Vec<ConsumerDescription>,
}

impl ConsumerList {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.u8(u8::from(self.more)).u32(self.consumers.len() as u32);
        for consumer in &self.consumers {
            consumer.write(w);
        }
    }
}

impl Decode<'_> for ConsumerList {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let more = r.flag("more")?;
        let n = r.u32("consumers")?;
        let mut consumers = Vec::new();
        for _ in 0..n {
            consumers.push(ConsumerDescription::read(r)?);
        }
        Ok(ConsumerList { more, consumers })
    }
}
