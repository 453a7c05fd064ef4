//! Frames of `application/vnd.amazon.eventstream`, the body of an answer to SubscribeToShard.
//!
//! ```text
//!  0 bytes of the frame u32 | 4 bytes of the headers u32 | 8 CRC-32 of bytes 0 … 7
//! 12 headers: name length u8, name, type u8 (7: text), value length u16, value
//!    payload
//!    CRC-32 of everything before it
//! ```
//! All numbers are big-endian.

use thiserror::Error;

use crate::base::crc::crc32;

/// Content type of the answer.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Lengths and their CRC.
const PRELUDE_BYTES: usize = 12;
/// The frame's own CRC.
const CRC_BYTES: usize = 4;
/// A header whose value is a text.
const TYPE_TEXT: u8 = 7;
/// Headers of a frame at most: what the SDKs accept.
const HEADERS_BYTES_MAX: usize = 128 * 1024;
/// A frame at most: the SDKs accept 24 MiB of payload, and a record of 10 MiB has 14 in JSON.
pub const FRAME_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The first frame of every answer, sent at once: boto3 and the Rust SDK return from their call
/// when it arrives.
pub fn initial_response(out: &mut Vec<u8>) {
    event("initial-response", out, |out| out.extend_from_slice(b"{}"));
}

/// An event, such as `SubscribeToShardEvent`, whose JSON `payload` writes into the frame.
pub fn event(name: &str, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let headers =
        [(":message-type", "event"), (":event-type", name), (":content-type", "application/json")];
    frame(&headers, out, payload);
}

/// An error of the API's model, such as `ResourceInUseException`: the last frame of an answer.
pub fn exception(name: &str, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let headers = [
        (":message-type", "exception"),
        (":exception-type", name),
        (":content-type", "application/json"),
    ];
    frame(&headers, out, payload);
}

/// An error that the model does not have. The Rust SDK does not understand this frame; prefer
/// [`exception`].
pub fn error(code: &str, message: &str, out: &mut Vec<u8>) {
    let headers = [(":message-type", "error"), (":error-code", code), (":error-message", message)];
    frame(&headers, out, |_| ());
}

/// A frame with these headers. A name has at most 255 bytes and a value 32,767; longer values are
/// cut.
pub fn frame(headers: &[(&str, &str)], out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE_BYTES]);
    for (name, value) in headers {
        let value = &value[..value.floor_char_boundary(i16::MAX as usize)];
        out.push(u8::try_from(name.len()).expect("names of headers are short"));
        out.extend_from_slice(name.as_bytes());
        out.push(TYPE_TEXT);
        out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    let headers_bytes = out.len() - start - PRELUDE_BYTES;
    payload(out);
    let bytes = u32::try_from(out.len() - start + CRC_BYTES).expect("frames are below 4 GiB");
    out[start..start + 4].copy_from_slice(&bytes.to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&(headers_bytes as u32).to_be_bytes());
    let prelude = crc32(&out[start..start + 8]);
    out[start + 8..start + PRELUDE_BYTES].copy_from_slice(&prelude.to_be_bytes());
    let whole = crc32(&out[start..]);
    out.extend_from_slice(&whole.to_be_bytes());
}

/// A frame that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The headers whose values are texts.
    pub headers: Vec<(&'a str, &'a str)>,
    /// What the frame carries.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadFrame {
    /// The lengths do not fit each other or the bounds.
    #[error("the lengths of the frame are impossible")]
    Lengths,
    /// A CRC does not fit.
    #[error("the CRC of the frame does not fit")]
    Crc,
    /// A header does not follow the format.
    #[error("a header of the frame is malformed")]
    Header,
}

/// The first frame of `bytes` and its length, or `None` while it has not arrived wholly. For tests
/// and the load generator.
pub fn decode(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, BadFrame> {
    let u32_at = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    if bytes.len() < PRELUDE_BYTES {
        return Ok(None);
    }
    if crc32(&bytes[..8]) != u32_at(8) {
        return Err(BadFrame::Crc);
    }
    let (total, headers) = (u32_at(0) as usize, u32_at(4) as usize);
    if headers > HEADERS_BYTES_MAX
        || total > FRAME_BYTES_MAX + HEADERS_BYTES_MAX
        || total < PRELUDE_BYTES + headers + CRC_BYTES
    {
        return Err(BadFrame::Lengths);
    }
    if bytes.len() < total {
        return Ok(None);
    }
    let end = total - CRC_BYTES;
    if crc32(&bytes[..end]) != u32_at(end) {
        return Err(BadFrame::Crc);
    }
    let (headers, payload) = bytes[PRELUDE_BYTES..end].split_at(headers);
    Ok(Some((Frame { headers: decode_headers(headers)?, payload }, total)))
}

fn decode_headers(mut bytes: &[u8]) -> Result<Vec<(&str, &str)>, BadFrame> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let length = take(&mut bytes, 1)?[0];
        let name = text(take(&mut bytes, usize::from(length))?)?;
        let kind = take(&mut bytes, 1)?[0];
        let length = match kind {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            9 => 16,
            6 | TYPE_TEXT => {
                let length = take(&mut bytes, 2)?;
                usize::from(u16::from_be_bytes(length.try_into().expect("2 bytes")))
            }
            _ => return Err(BadFrame::Header),
        };
        let value = take(&mut bytes, length)?;
        if kind == TYPE_TEXT {
            headers.push((name, text(value)?));
        }
    }
    Ok(headers)
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Result<&'a [u8], BadFrame> {
    let (taken, rest) = bytes.split_at_checked(n).ok_or(BadFrame::Header)?;
    *bytes = rest;
    Ok(taken)
}

fn text(bytes: &[u8]) -> Result<&str, BadFrame> {
    std::str::from_utf8(bytes).map_err(|_not_utf8| BadFrame::Header)
}

#[cfg(test)]
mod tests;
