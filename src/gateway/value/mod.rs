//! A request's body as a tree that borrows from its bytes, whichever of the two formats it has.
//!
//! A body is hostile until it is read: depth and number of values are bounded, a declared length
//! reserves nothing, and whatever says two things (a key twice, bytes behind the end) is refused.

mod cbor;
mod json;

use std::borrow::Cow;
use std::collections::HashSet;

use thiserror::Error;

use crate::base::ids::Millis;

/// Lists and maps inside each other. The API's deepest input has four.
pub const DEPTH_MAX: u32 = 32;
/// Values of a body. The API's largest input, a full PutRecords, has about 2,000; with this many
/// a tree takes about 10 MiB beside its body.
pub const VALUES_MAX: u32 = 100_000;

/// The two formats of bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON 1.1.
    Json,
    /// CBOR 1.1.
    Cbor,
}

impl Format {
    /// Both.
    pub const ALL: [Format; 2] = [Format::Json, Format::Cbor];

    /// The content type of requests and answers.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/x-amz-json-1.1",
            Format::Cbor => "application/x-amz-cbor-1.1",
        }
    }

    /// The format that a header `Content-Type` names. Parameters behind `;` say nothing (AWS).
    #[must_use]
    pub fn of_content_type(header: &str) -> Option<Format> {
        let name = header.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|format| format.content_type() == name)
    }
}

/// A value of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`, and CBOR's `undefined`. AWS takes both as "absent".
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; one outside of 64 bits is clamped.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text. JSON has its blobs here, in base64.
    Text(Cow<'a, str>),
    /// Bytes. CBOR only.
    Blob(Cow<'a, [u8]>),
    /// A point in time. CBOR only: tag 1, whose number is milliseconds on AWS.
    Time(Millis),
    /// A list.
    List(Vec<Value<'a>>),
    /// A map, in the order of the body, no key twice.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Why a body is no tree. AWS says none of it to the client; it is for the server's own log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadBody {
    /// It ends in the middle of a value.
    #[error("the body ends too early")]
    Truncated,
    /// It does not follow its format.
    #[error("the body is malformed")]
    Malformed,
    /// More than [`DEPTH_MAX`].
    #[error("lists and maps are nested too deeply")]
    TooDeep,
    /// More than [`VALUES_MAX`].
    #[error("the body has too many values")]
    TooMany,
    /// A key of a map appears twice.
    #[error("a key appears twice")]
    DuplicateKey,
    /// Something follows the value.
    #[error("something follows the body")]
    Trailing,
    /// The value is none with members.
    #[error("the body is not an object")]
    NotAMap,
}

/// Reads a body, which is one map.
pub fn parse(format: Format, body: &[u8]) -> Result<Value<'_>, BadBody> {
    let value = match format {
        Format::Json => json::parse(body)?,
        Format::Cbor => cbor::parse(body)?,
    };
    match value {
        Value::Map(_) => Ok(value),
        _ => Err(BadBody::NotAMap),
    }
}

/// What is left of the bounds.
#[derive(Debug)]
struct Budget {
    depth: u32,
    values: u32,
}

impl Budget {
    fn new() -> Budget {
        Budget { depth: DEPTH_MAX, values: VALUES_MAX }
    }

    /// One more value.
    fn count(&mut self) -> Result<(), BadBody> {
        self.values = self.values.checked_sub(1).ok_or(BadBody::TooMany)?;
        Ok(())
    }

    /// Into a list or map. [`Budget::leave`] goes out of it again.
    fn enter(&mut self) -> Result<(), BadBody> {
        self.depth = self.depth.checked_sub(1).ok_or(BadBody::TooDeep)?;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth += 1;
    }
}

/// Refuses a map that has a key twice.
fn check_keys(entries: &[(Cow<'_, str>, Value<'_>)]) -> Result<(), BadBody> {
    /// Up to here, comparing each with each is cheaper than a set.
    const FEW: usize = 12;
    let twice = if entries.len() <= FEW {
        entries.iter().enumerate().any(|(i, (key, _))| entries[..i].iter().any(|(k, _)| k == key))
    } else {
        let mut seen = HashSet::with_capacity(entries.len());
        !entries.iter().all(|(key, _)| seen.insert(key.as_ref()))
    };
    if twice { Err(BadBody::DuplicateKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
