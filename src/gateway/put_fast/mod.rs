//! An ordinary PutRecords, read without a tree and without copies: keys and data are borrowed from
//! the body until the caller takes them over.
//!
//! Whatever is not ordinary (an unknown member, a value out of its constraints, …) gives
//! `None`, and the caller reads the body again with [`crate::gateway::check::input`], which finds
//! the exact error or understands it after all. What is `Some` here, `check::input` accepts too,
//! and means the same by it; only base64 is left to [`Data::append_to`].

mod json;

use std::borrow::Cow;

use crate::base::limits::{KEY_BYTES_MAX, KEY_CHARS_MAX, PUT_RECORDS_MAX, RECORD_BYTES_MAX};
use crate::gateway::base64_data::decode_to;
use crate::gateway::model::Pattern;
use crate::gateway::value::{self, Format, Value};

/// Characters of an ARN (AWS).
const ARN_CHARS_MAX: usize = 2048;

/// The input of PutRecords.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PutRecordsInput<'a> {
    /// `StreamName`.
    pub stream_name: Option<Cow<'a, str>>,
    /// `StreamARN`.
    pub stream_arn: Option<Cow<'a, str>>,
    /// 1 … 500 records.
    pub records: Vec<PutRecord<'a>>,
}

/// One of its records.
#[derive(Clone, Debug, PartialEq)]
pub struct PutRecord<'a> {
    /// What it carries.
    pub data: Data<'a>,
    /// 1 … 256 characters. Only streams that distribute by themselves do without.
    pub partition_key: Option<Cow<'a, str>>,
    /// A decimal number of at most 39 digits, perhaps beyond 2^128 - 1.
    pub explicit_hash_key: Option<Cow<'a, str>>,
}

/// The data of a record as the body has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Data<'a> {
    /// Base64 that nobody has looked at yet.
    Base64(Cow<'a, str>),
    /// The bytes themselves.
    Bytes(Cow<'a, [u8]>),
}

impl Data<'_> {
    /// Bytes that it decodes to, if it decodes.
    #[must_use]
    pub fn decoded_len(&self) -> usize {
        match self {
            Data::Bytes(bytes) => bytes.len(),
            Data::Base64(text) => {
                let padding = text.bytes().rev().take(2).filter(|byte| *byte == b'=').count();
                (text.len() / 4 * 3).saturating_sub(padding)
            }
        }
    }

    /// Decodes it to the end of `out`. `None` if it is no base64; `out` is as before then.
    pub fn append_to(&self, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Data::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                Some(())
            }
            Data::Base64(text) => decode_to(text.as_bytes(), out),
        }
    }
}

/// Reads a body; `None` if it is not ordinary.
#[must_use]
pub fn parse(format: Format, body: &[u8]) -> Option<PutRecordsInput<'_>> {
    let input = match format {
        Format::Json => json::parse(body)?,
        Format::Cbor => of_tree(value::parse(format, body).ok()?)?,
    };
    input.keeps_constraints().then_some(input)
}

impl PutRecordsInput<'_> {
    /// The model's constraints.
    fn keeps_constraints(&self) -> bool {
        let name = |name: &str| name.len() <= 128 && Pattern::Name.matches(name);
        let arn = |arn: &str| arn.len() <= ARN_CHARS_MAX && Pattern::StreamArn.matches(arn);
        let hash_key = |key: &str| Pattern::HashKey.matches(key);
        self.stream_name.as_deref().is_none_or(name)
            && self.stream_arn.as_deref().is_none_or(arn)
            && (1..=PUT_RECORDS_MAX).contains(&self.records.len())
            && self.records.iter().all(|record| {
                record.data.decoded_len() <= RECORD_BYTES_MAX
                    && record.partition_key.as_deref().is_none_or(is_key)
                    && record.explicit_hash_key.as_deref().is_none_or(hash_key)
            })
    }
}

fn is_key(key: &str) -> bool {
    let short = key.len() <= KEY_CHARS_MAX
        || key.len() <= KEY_BYTES_MAX && key.chars().count() <= KEY_CHARS_MAX;
    !key.is_empty() && short
}

/// A body that was read as a tree, which costs CBOR little: its values need no unpacking.
fn of_tree(body: Value<'_>) -> Option<PutRecordsInput<'_>> {
    let Value::Map(members) = body else { return None };
    let mut input = PutRecordsInput::default();
    for (key, value) in members {
        match (key.as_ref(), value) {
            ("StreamName", Value::Text(name)) => input.stream_name = Some(name),
            ("StreamARN", Value::Text(arn)) => input.stream_arn = Some(arn),
            ("Records", Value::List(records)) => {
                input.records = records.into_iter().map(record_of_tree).collect::<Option<_>>()?;
            }
            _ => return None,
        }
    }
    Some(input)
}

fn record_of_tree(value: Value<'_>) -> Option<PutRecord<'_>> {
    let Value::Map(members) = value else { return None };
    let (mut data, mut partition_key, mut explicit_hash_key) = (None, None, None);
    for (key, value) in members {
        match (key.as_ref(), value) {
            ("Data", Value::Blob(bytes)) => data = Some(Data::Bytes(bytes)),
            ("PartitionKey", Value::Text(key)) => partition_key = Some(key),
            ("ExplicitHashKey", Value::Text(key)) => explicit_hash_key = Some(key),
            _ => return None,
        }
    }
    Some(PutRecord { data: data?, partition_key, explicit_hash_key })
}

#[cfg(test)]
mod tests;
