//! Sequence numbers of the AWS API: 186 bits, always 56 decimal digits, so that the order of texts
//! is the order of numbers, and so is the order of a shard and of children behind their parents.
//!
//! ```text
//! bits 184 … 187  2
//!      148 … 183  creation of the shard, seconds since the epoch
//!      144 … 147  low bits of the shard's number
//!       80 … 143  index, of which the highest bit is 0
//!       72 …  79  0
//!       36 …  71  arrival of the record, seconds since the epoch
//!        4 …  35  number of the shard, 31 bits
//!        0 …   3  2, the version
//! ```
//! The index is the record's position plus one. Index 0 is the start of the shard, which no record
//! has: "after the start" is the first record, and a reader that has read nothing yet can be told
//! so by a sequence number.

use std::fmt;

use crate::base::ids::{Millis, Seq, ShardNumber};
use crate::gateway::error::Refusal;

/// Digits of every number of this version.
pub const DIGITS: usize = 56;
/// The index of the end of a closed shard.
const INDEX_END: u64 = i64::MAX as u64;
/// AWS refuses numbers whose shard would have been created later than this, in seconds.
const CREATED_S_END: u64 = 16_025_175_000;
/// The greatest number of a shard.
const SHARD_MAX: u32 = i32::MAX as u32;
/// Decimal digits that a limb of arithmetic takes.
const CHUNK_DIGITS: usize = 19;
const CHUNK: u64 = 10u64.pow(CHUNK_DIGITS as u32);

/// The shard that numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its number in the stream.
    pub shard: ShardNumber,
    /// When it was created.
    pub created: Millis,
}

/// A sequence number of a shard of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceNumber {
    created_s: u64,
    shard: u32,
    index: u64,
    arrival_s: u64,
}

impl SequenceNumber {
    /// Of a record.
    #[must_use]
    pub fn of_record(origin: Origin, seq: Seq, arrival: Millis) -> SequenceNumber {
        Self::with_index(origin, seq.0 + 1, arrival)
    }

    /// Of the start of a shard, before its first record (`StartingSequenceNumber`).
    #[must_use]
    pub fn start(origin: Origin) -> SequenceNumber {
        Self::with_index(origin, 0, origin.created)
    }

    /// Of the end of a closed shard, behind all of its records (`EndingSequenceNumber`).
    #[must_use]
    pub fn end(origin: Origin, closed: Millis) -> SequenceNumber {
        Self::with_index(origin, INDEX_END, closed)
    }

    /// Of a reader that goes on at `next` (`ContinuationSequenceNumber`): whoever reads after it
    /// gets exactly what follows. `at` is the time of the last record that it has, or now.
    #[must_use]
    pub fn continuation(origin: Origin, next: Seq, at: Millis) -> SequenceNumber {
        Self::with_index(origin, next.0, at)
    }

    fn with_index(origin: Origin, index: u64, time: Millis) -> SequenceNumber {
        assert!(index <= INDEX_END, "positions stay below 2^63 - 1");
        /// 36 bits.
        const SECONDS_MAX: u64 = (1 << 36) - 1;
        SequenceNumber {
            created_s: (origin.created.0 / 1000).min(SECONDS_MAX),
            shard: origin.shard.0,
            index,
            arrival_s: (time.0 / 1000).min(SECONDS_MAX),
        }
    }

    /// Whether it is the end of a closed shard, which has no position.
    #[must_use]
    pub fn is_end(self) -> bool {
        self.index == INDEX_END
    }

    /// The position of whoever reads `AT_SEQUENCE_NUMBER`.
    #[must_use]
    pub fn at(self) -> Seq {
        Seq(self.index.saturating_sub(1))
    }

    /// The position of whoever reads `AFTER_SEQUENCE_NUMBER`.
    #[must_use]
    pub fn after(self) -> Seq {
        Seq(self.index)
    }

    /// The number of the shard that it comes from.
    #[must_use]
    pub fn shard(self) -> ShardNumber {
        ShardNumber(self.shard)
    }

    /// The second in which the record arrived.
    #[must_use]
    pub fn arrival_s(self) -> u64 {
        self.arrival_s
    }

    /// Its decimal digits.
    #[must_use]
    pub fn digits(self) -> [u8; DIGITS] {
        let SequenceNumber { created_s, shard, index, arrival_s } = self;
        let nibble = u64::from(shard & 0xf);
        let mut limbs = [
            2 << 56 | created_s << 20 | nibble << 16 | index >> 48,
            index << 16 | arrival_s >> 28,
            arrival_s << 36 | u64::from(shard) << 4 | 2,
        ];
        let mut digits = [b'0'; DIGITS];
        let mut end = DIGITS;
        while end > 0 {
            let mut buffer = itoa::Buffer::new();
            let chunk = buffer.format(divide(&mut limbs)).as_bytes();
            digits[end - chunk.len()..end].copy_from_slice(chunk);
            end = end.saturating_sub(CHUNK_DIGITS);
        }
        digits
    }
}

/// Prints its decimal form.
impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).expect("digits are ASCII"))
    }
}

/// Divides a number of 192 bits, highest limb first, by [`CHUNK`]. Returns the remainder.
fn divide(limbs: &mut [u64; 3]) -> u64 {
    let mut remainder = 0u64;
    for limb in limbs {
        let dividend = u128::from(remainder) << 64 | u128::from(*limb);
        *limb = (dividend / u128::from(CHUNK)) as u64;
        remainder = (dividend % u128::from(CHUNK)) as u64;
    }
    remainder
}

/// Any number that AWS has ever given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The layout above.
    Current(SequenceNumber),
    /// Of the first years. None of this server's shards can have it.
    Old {
        shard: u32,
        /// What errors show in place of the number, if it is another one.
        shown: Option<u128>,
    },
}

/// Reads a decimal number, which the model's pattern has let through.
fn parse(text: &str) -> Option<Known> {
    let limbs = limbs_of(text)?;
    let [high, middle, low] = limbs;
    if high == 0 {
        return parse_first_version(u128::from(middle) << 64 | u128::from(low));
    }
    let version = low & 0xf;
    if high >> 56 != 2 || !matches!(version, 1 | 2) {
        return None;
    }
    let shard = (low >> 4) as u32;
    let created_s = high >> 20 & 0xf_ffff_ffff;
    if shard > SHARD_MAX || created_s >= CREATED_S_END {
        return None;
    }
    if version == 1 {
        return Some(Known::Old { shard, shown: None });
    }
    let index = high << 48 | middle >> 16;
    let arrival_s = (middle & 0xff) << 28 | low >> 36;
    let number = SequenceNumber { created_s, shard, index, arrival_s };
    (index <= INDEX_END).then_some(Known::Current(number))
}

/// Numbers of at most 128 bits: 1, the shard's creation in 36 bits, a random part, and the shard
/// in the lowest 16. AWS reads any small number as one, and shows it with that 1.
fn parse_first_version(n: u128) -> Option<Known> {
    let shown = n & ((1 << 124) - 1) | 1 << 124;
    let created_s = (shown >> 88) as u64 & 0xf_ffff_ffff;
    let old = Known::Old { shard: n as u32 & 0xffff, shown: Some(shown) };
    (created_s < CREATED_S_END).then_some(old)
}

/// The number of 192 bits, highest limb first.
fn limbs_of(text: &str) -> Option<[u64; 3]> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut limbs = [0u64; 3];
    for chunk in text.as_bytes().chunks(CHUNK_DIGITS) {
        let value = chunk.iter().fold(0u64, |n, digit| n * 10 + u64::from(digit - b'0'));
        let mut carry = u128::from(value);
        for limb in limbs.iter_mut().rev() {
            carry += u128::from(*limb) * u128::from(10u64.pow(chunk.len() as u32));
            *limb = carry as u64;
            carry >>= 64;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(limbs)
}

/// Where a request with a sequence number stands, for its errors.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GetShardIterator` or `SubscribeToShard`.
    pub operation: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// The account.
    pub account: &'a str,
}

/// Reads a `StartingSequenceNumber`, which comes from the shard that the request names.
///
/// A time of arrival in the future is no reason to refuse it, as it is on AWS: after a clock was
/// set back, readers would have no way to go on.
pub fn starting(
    text: &str,
    origin: Origin,
    request: Request<'_>,
) -> Result<SequenceNumber, Refusal> {
    let Request { operation, stream, account } = request;
    let shard = origin.shard;
    let invalid = || {
        Refusal::invalid_argument(format!(
            "StartingSequenceNumber {text} used in {operation} on shard {shard} in stream \
             {stream} under account {account} is invalid."
        ))
    };
    let known = parse(text).ok_or_else(invalid)?;
    let (encoded, own) = match known {
        Known::Current(number) => {
            let own = number.created_s == SequenceNumber::start(origin).created_s;
            (number.shard, own.then_some(number))
        }
        Known::Old { shard, .. } => (shard, None),
    };
    if encoded != shard.0 {
        return Err(Refusal::invalid_argument(format!(
            "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a \
             shard with {shard}",
            ShardNumber(encoded)
        )));
    }
    own.ok_or_else(|| match known {
        Known::Old { shown: Some(shown), .. } => foreign(&shown.to_string(), shard, request),
        _ => foreign(text, shard, request),
    })
}

/// The error for a number that none of the stream's records has, also not yet.
#[must_use]
pub fn foreign(shown: &str, shard: ShardNumber, request: Request<'_>) -> Refusal {
    let Request { operation, stream, account } = request;
    Refusal::invalid_argument(format!(
        "StartingSequenceNumber {shown} used in {operation} on shard {shard} in stream {stream} \
         under account {account} is invalid because it did not come from this stream."
    ))
}

/// Holds a `SequenceNumberForOrdering` against its form. Any that was given out before changes
/// nothing: a shard's numbers only grow.
pub fn check_ordering(text: &str, stream: &str, account: &str, now: Millis) -> Result<(), Refusal> {
    let past = |known: &Known| match known {
        Known::Current(number) => number.arrival_s <= now.0 / 1000,
        Known::Old { .. } => true,
    };
    if parse(text).is_some_and(|known| past(&known)) {
        return Ok(());
    }
    Err(Refusal::invalid_argument(format!(
        "ExclusiveMinimumSequenceNumber {text} used in PutRecord on stream {stream} under account \
         {account} is invalid."
    )))
}

#[cfg(test)]
mod tests;
