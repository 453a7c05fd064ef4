//! Tags of streams and consumers.

use super::codec::{Decode, DecodeError, Reader, Writer};

/// Tags in one message at most; above it the message is not one of ours.
const TAGS_MAX: u16 = 256;

/// Asks for the tags of a stream or of one of its consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListTags<'a> {
    /// The stream.
    pub stream: &'a str,
    /// Its consumer; empty for the stream's own tags.
    pub consumer: &'a str,
}

impl ListTags<'_> {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.text(self.stream).text(self.consumer);
    }
}

impl<'a> Decode<'a> for ListTags<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(ListTags { stream: r.text("stream")?, consumer: r.text("consumer")? })
    }
}

/// The answer: keys and values in the order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagList(pub Vec<(String, String)>);

impl TagList {
    /// Writes the payload.
    pub fn write(&self, w: &mut Writer<'_>) {
        write_tags(w, &self.0);
    }
}

impl Decode<'_> for TagList {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        read_tags(r).map(TagList)
    }
}

pub(super) fn write_tags(w: &mut Writer<'_>, tags: &[(String, String)]) {
    w.u16(tags.len() as u16);
    for (key, value) in tags {
        w.text(key).text(value);
    }
}

pub(super) fn read_tags(r: &mut Reader<'_>) -> Result<Vec<(String, String)>, DecodeError> {
    let n = count(r)?;
    (0..n).map(|_| Ok((r.text("tag key")?.to_owned(), r.text("tag value")?.to_owned()))).collect()
}

pub(super) fn write_keys(w: &mut Writer<'_>, keys: &[String]) {
    w.u16(keys.len() as u16);
    for key in keys {
        w.text(key);
    }
}

pub(super) fn read_keys(r: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let n = count(r)?;
    (0..n).map(|_| Ok(r.text("tag key")?.to_owned())).collect()
}

fn count(r: &mut Reader<'_>) -> Result<u16, DecodeError> {
    match r.u16("tags")? {
        n if n <= TAGS_MAX => Ok(n),
        _ => Err(DecodeError::Value("tags")),
    }
}
