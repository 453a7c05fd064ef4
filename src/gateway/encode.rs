//! Writes answers as JSON or CBOR, value by value, without a tree in between.
//!
//! CBOR as AWS writes it: lists and maps without a declared length, times as tag 1 and whole
//! milliseconds. JSON times are seconds with three decimals, never with an exponent: the Java SDK
//! refuses that form.

use crate::base::ids::Millis;
use crate::gateway::base64_data::encode_to;
use crate::gateway::value::Format;

/// Writes one value, usually a map, behind what a buffer already has.
///
/// ```
/// # use shardway::gateway::{encode::Encoder, value::Format};
/// let mut out = Vec::new();
/// Encoder::new(Format::Json, &mut out).map(|e| {
///     e.key("StreamNames").list(|e| {
///         e.text("orders");
///     });
///     e.key("HasMoreStreams").bool(false);
/// });
/// assert_eq!(out, br#"{"StreamNames":["orders"],"HasMoreStreams":false}"#);
/// ```
#[derive(Debug)]
pub struct Encoder<'o> {
    format: Format,
    out: &'o mut Vec<u8>,
    /// Whether the next item of a JSON list or map stands behind another one.
    comma: bool,
}

impl<'o> Encoder<'o> {
    /// An encoder that appends to `out`.
    pub fn new(format: Format, out: &'o mut Vec<u8>) -> Encoder<'o> {
        Encoder { format, out, comma: false }
    }

    /// The format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes in the buffer so far: what a caller with a bound on the answer asks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the buffer is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// A map. `entries` writes keys and values in turn.
    pub fn map(&mut self, entries: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(b'{', 0xbf);
        entries(self);
        self.close(b'}')
    }

    /// A list of what `items` writes.
    pub fn list(&mut self, items: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(b'[', 0x9f);
        items(self);
        self.close(b']')
    }

    /// The key of the next value. Keys are names of the API, which need no escape.
    pub fn key(&mut self, name: &str) -> &mut Self {
        debug_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name:?}");
        match self.format {
            Format::Json => {
                self.separate();
                self.out.push(b'"');
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
                self.comma = false;
            }
            Format::Cbor => self.cbor_bytes(3, name.as_bytes()),
        }
        self
    }

    /// A key that a client has chosen, such as a tag's.
    pub fn free_key(&mut self, name: &str) -> &mut Self {
        self.text(name);
        if self.format == Format::Json {
            self.out.push(b':');
            self.comma = false;
        }
        self
    }

    /// A text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        match self.format {
            Format::Json => {
                self.separate();
                self.out.push(b'"');
                self.json_text(text);
                self.out.push(b'"');
            }
            Format::Cbor => self.cbor_bytes(3, text.as_bytes()),
        }
        self
    }

    /// A text of decimal digits, such as a sequence number's.
    pub fn digits(&mut self, digits: &[u8]) -> &mut Self {
        debug_assert!(digits.iter().all(u8::is_ascii_digit), "digits need no escape");
        match self.format {
            Format::Json => {
                self.separate();
                self.out.push(b'"');
                self.out.extend_from_slice(digits);
                self.out.push(b'"');
            }
            Format::Cbor => self.cbor_bytes(3, digits),
        }
        self
    }

    /// A whole number, of 32 or 64 bits.
    pub fn int(&mut self, n: i64) -> &mut Self {
        match self.format {
            Format::Json => {
                self.separate();
                self.decimal(n);
            }
            Format::Cbor if n >= 0 => self.head(0, n as u64),
            // -1 - n, which is `!n`.
            Format::Cbor => self.head(1, !n as u64),
        }
        self
    }

    /// A number with a fraction. JSON has no infinity and no NaN; they become `null`.
    pub fn float(&mut self, n: f64) -> &mut Self {
        match self.format {
            Format::Json => {
                self.separate();
                let text = if n.is_finite() { n.to_string() } else { "null".to_owned() };
                self.out.extend_from_slice(text.as_bytes());
            }
            Format::Cbor => {
                self.out.push(0xfb);
                self.out.extend_from_slice(&n.to_be_bytes());
            }
        }
        self
    }

    /// `true` or `false`.
    pub fn bool(&mut self, flag: bool) -> &mut Self {
        match self.format {
            Format::Json => {
                self.separate();
                self.out.extend_from_slice(if flag { b"true" } else { b"false" });
            }
            Format::Cbor => self.out.push(0xf4 + u8::from(flag)),
        }
        self
    }

    /// A point in time.
    pub fn time(&mut self, time: Millis) -> &mut Self {
        match self.format {
            Format::Json => {
                self.separate();
                self.decimal(time.0 / 1000);
                let ms = time.0 % 1000;
                let digit = |n: u64| b'0' + (n % 10) as u8;
                self.out.extend([b'.', digit(ms / 100), digit(ms / 10), digit(ms)]);
            }
            Format::Cbor => {
                self.out.push(0xc1);
                self.head(0, time.0);
            }
        }
        self
    }

    /// Bytes: base64 in JSON.
    pub fn blob(&mut self, bytes: &[u8]) -> &mut Self {
        match self.format {
            Format::Json => {
                self.separate();
                self.out.push(b'"');
                encode_to(bytes, self.out);
                self.out.push(b'"');
            }
            Format::Cbor => self.cbor_bytes(2, bytes),
        }
        self
    }

    fn open(&mut self, json: u8, cbor: u8) {
        match self.format {
            Format::Json => {
                self.separate();
                self.out.push(json);
                self.comma = false;
            }
            Format::Cbor => self.out.push(cbor),
        }
    }

    fn close(&mut self, json: u8) -> &mut Self {
        match self.format {
            Format::Json => {
                self.out.push(json);
                self.comma = true;
            }
            Format::Cbor => self.out.push(0xff),
        }
        self
    }

    /// The comma in front of an item that is not the first; the next item is not the first.
    fn separate(&mut self) {
        if std::mem::replace(&mut self.comma, true) {
            self.out.push(b',');
        }
    }

    fn decimal(&mut self, n: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    }

    /// Text with JSON's escapes, copied in the largest pieces that need none.
    fn json_text(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        while let Some(at) = rest.iter().position(special) {
            self.out.extend_from_slice(&rest[..at]);
            match rest[at] {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                control => {
                    self.out.extend_from_slice(format!("\\u{control:04x}").as_bytes());
                }
            }
            rest = &rest[at + 1..];
        }
        self.out.extend_from_slice(rest);
    }

    fn cbor_bytes(&mut self, major: u8, bytes: &[u8]) {
        self.head(major, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// The first byte of a CBOR item and its number, in the shortest form.
    fn head(&mut self, major: u8, n: u64) {
        let major = major << 5;
        let bytes = n.to_be_bytes();
        match n {
            0..=23 => self.out.push(major | n as u8),
            24..=0xff => self.out.extend([major | 24, n as u8]),
            0x100..=0xffff => {
                self.out.push(major | 25);
                self.out.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                self.out.push(major | 26);
                self.out.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend_from_slice(&bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests;
