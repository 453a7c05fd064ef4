//! CBOR (RFC 8949) as AWS uses it: byte strings are blobs, tag 1 is a time in milliseconds, lists,
//! maps and strings may have no declared length.

use std::borrow::Cow;

use super::{BadBody, Budget, Value, check_keys};
use crate::base::ids::Millis;

/// `break`, the end of whatever has no declared length.
const BREAK: u8 = 0xff;
/// Epoch time (RFC 8949 §3.4.2): seconds there, milliseconds on AWS.
const TAG_TIME: u64 = 1;
/// Tags in front of each other; nothing that an SDK sends has more than one.
const TAGS_MAX: u32 = 4;

pub(super) fn parse(body: &[u8]) -> Result<Value<'_>, BadBody> {
    let mut reader = Reader { bytes: body, budget: Budget::new() };
    let value = reader.value()?;
    if reader.bytes.is_empty() { Ok(value) } else { Err(BadBody::Trailing) }
}

struct Reader<'a> {
    /// What has not been read yet.
    bytes: &'a [u8],
    budget: Budget,
}

/// The first byte of an item, and the number behind it.
struct Head {
    major: u8,
    /// The low five bits.
    info: u8,
    /// `None` for no declared length.
    argument: Option<u64>,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value<'a>, BadBody> {
        self.budget.count()?;
        let mut tags = 0;
        let mut time = false;
        loop {
            let head = self.head()?;
            let argument = head.argument;
            match head.major {
                6 => {
                    tags += 1;
                    if tags > TAGS_MAX {
                        return Err(BadBody::TooDeep);
                    }
                    // Other tags only say how the value may be understood; the model knows that.
                    time |= argument.ok_or(BadBody::Malformed)? == TAG_TIME;
                }
                _ if time => return self.time(&head),
                0 => return Ok(Value::Int(clamped(argument.ok_or(BadBody::Malformed)?))),
                // The value is -1 - n, which is `!n` in two's complement.
                1 => return Ok(Value::Int(!clamped(argument.ok_or(BadBody::Malformed)?))),
                2 => return self.string(2, argument).map(Value::Blob),
                3 => return self.text(argument).map(Value::Text),
                4 => return self.list(argument),
                5 => return self.map(argument),
                _ => return self.simple(&head),
            }
        }
    }

    fn head(&mut self) -> Result<Head, BadBody> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24 => Some(self.number::<1>()?),
            25 => Some(self.number::<2>()?),
            26 => Some(self.number::<4>()?),
            27 => Some(self.number::<8>()?),
            31 if matches!(major, 2..=5) => None,
            _ => return Err(BadBody::Malformed),
        };
        Ok(Head { major, info, argument })
    }

    /// A big-endian number.
    fn number<const BYTES: usize>(&mut self) -> Result<u64, BadBody> {
        let bytes = self.take(BYTES as u64)?;
        Ok(bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], BadBody> {
        let n = usize::try_from(n).map_err(|_too_long| BadBody::Truncated)?;
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or(BadBody::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// Whether the end of something without a declared length is next; if so, it is read.
    fn at_break(&mut self) -> Result<bool, BadBody> {
        let next = *self.bytes.first().ok_or(BadBody::Truncated)?;
        if next == BREAK {
            self.bytes = &self.bytes[1..];
        }
        Ok(next == BREAK)
    }

    /// A byte or text string; one without a declared length comes in pieces that have one.
    fn string(&mut self, major: u8, length: Option<u64>) -> Result<Cow<'a, [u8]>, BadBody> {
        if let Some(length) = length {
            return self.take(length).map(Cow::Borrowed);
        }
        let mut whole = Vec::new();
        while !self.at_break()? {
            let head = self.head()?;
            match head.argument {
                Some(length) if head.major == major => {
                    let piece = self.take(length)?;
                    if major == 3 && std::str::from_utf8(piece).is_err() {
                        return Err(BadBody::Malformed);
                    }
                    whole.extend_from_slice(piece);
                }
                _ => return Err(BadBody::Malformed),
            }
        }
        Ok(Cow::Owned(whole))
    }

    fn text(&mut self, length: Option<u64>) -> Result<Cow<'a, str>, BadBody> {
        match self.string(3, length)? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        }
        .ok_or(BadBody::Malformed)
    }

    fn list(&mut self, length: Option<u64>) -> Result<Value<'a>, BadBody> {
        self.budget.enter()?;
        let mut list = Vec::new();
        // Nothing is reserved for a declared length: it may lie.
        let mut left = length;
        while self.more(&mut left)? {
            list.push(self.value()?);
        }
        self.budget.leave();
        Ok(Value::List(list))
    }

    fn map(&mut self, length: Option<u64>) -> Result<Value<'a>, BadBody> {
        self.budget.enter()?;
        let mut map = Vec::new();
        let mut left = length;
        while self.more(&mut left)? {
            let key = self.head()?;
            if key.major != 3 {
                return Err(BadBody::Malformed);
            }
            map.push((self.text(key.argument)?, self.value()?));
        }
        self.budget.leave();
        check_keys(&map)?;
        Ok(Value::Map(map))
    }

    /// Whether a list or map goes on. `left` counts down what it has declared.
    fn more(&mut self, left: &mut Option<u64>) -> Result<bool, BadBody> {
        match left {
            None => Ok(!self.at_break()?),
            Some(0) => Ok(false),
            Some(n) => {
                *n -= 1;
                Ok(true)
            }
        }
    }

    /// The number behind tag 1.
    fn time(&mut self, head: &Head) -> Result<Value<'a>, BadBody> {
        let ms = match (head.major, head.argument) {
            (0, Some(ms)) => ms,
            // Before 1970: nothing here is older.
            (1, Some(_)) => 0,
            (7, _) => match self.simple(head)? {
                // The cast saturates, and makes 0 of NaN.
                Value::Float(ms) => ms as u64,
                _ => return Err(BadBody::Malformed),
            },
            _ => return Err(BadBody::Malformed),
        };
        Ok(Value::Time(Millis(ms)))
    }

    fn simple(&mut self, head: &Head) -> Result<Value<'a>, BadBody> {
        let bits = head.argument.ok_or(BadBody::Malformed)?;
        Ok(match head.info {
            20 => Value::Bool(false),
            21 => Value::Bool(true),
            22 | 23 => Value::Null,
            25 => Value::Float(half(bits as u16)),
            26 => Value::Float(f64::from(f32::from_bits(bits as u32))),
            27 => Value::Float(f64::from_bits(bits)),
            _ => return Err(BadBody::Malformed),
        })
    }
}

fn clamped(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A float of 16 bits (RFC 8949, appendix D).
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}
