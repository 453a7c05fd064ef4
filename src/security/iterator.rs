//! Shard iterators: a position that the server signed instead of remembering it.
//!
//! ```text
//!  0 version (1) | 1 reserved (0) | 4 shard number u32
//!  8 stream uuid
//! 24 position u64
//! 32 issued, ms since the epoch u64
//! 40 nonce u64
//! 48 HMAC-SHA256 of bytes 0 … 47, its first 16 bytes
//! ```
//! All numbers are little-endian. The stream's uuid makes an iterator worthless for a stream of
//! the same name that was created later.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::utc_text::utc_text;
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber, StreamUuid};
use crate::base::limits::ITERATOR_LIFE_MS;

/// Bytes of an iterator.
pub const ITERATOR_BYTES: usize = 64;
const SIGNED_BYTES: usize = 48;
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// Issues and opens iterators.
#[derive(Clone)]
pub struct IteratorKey {
    /// Keyed once: the key's two hash blocks are not paid for each iterator.
    mac: Hmac<Sha256>,
}

/// What an iterator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IteratorClaims {
    /// The shard.
    pub shard: ShardKey,
    /// The next record to read.
    pub position: Seq,
    /// When it was issued.
    pub issued: Millis,
}

impl IteratorKey {
    /// The key of a data dir: whoever knows it can make iterators.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> IteratorKey {
        IteratorKey { mac: Hmac::new_from_slice(secret).expect("HMAC takes keys of any length") }
    }

    /// Another key that follows from this one, for this purpose alone.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        // Iterators are signed with their length: no purpose is as long.
        debug_assert!(purpose.len() != SIGNED_BYTES);
        self.sign(purpose.as_bytes()).finalize().into_bytes().into()
    }

    /// An iterator. `nonce` differs for each, so that no two are equal.
    #[must_use]
    pub fn issue(&self, claims: &IteratorClaims, nonce: u64) -> [u8; ITERATOR_BYTES] {
        let mut bytes = [0; ITERATOR_BYTES];
        let IteratorClaims { shard, position, issued } = claims;
        bytes[..4].copy_from_slice(&VERSION);
        bytes[4..8].copy_from_slice(&shard.number.0.to_le_bytes());
        bytes[8..24].copy_from_slice(&shard.stream.0);
        bytes[24..32].copy_from_slice(&position.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&issued.0.to_le_bytes());
        bytes[40..48].copy_from_slice(&nonce.to_le_bytes());
        let tag = self.sign(&bytes[..SIGNED_BYTES]).finalize().into_bytes();
        bytes[SIGNED_BYTES..].copy_from_slice(&tag[..ITERATOR_BYTES - SIGNED_BYTES]);
        bytes
    }

    /// What an iterator says, if this server issued it and it has not expired.
    pub fn open(&self, bytes: &[u8], now: Millis) -> Result<IteratorClaims, ApiError> {
        if bytes.len() != ITERATOR_BYTES {
            return Err(invalid());
        }
        let (signed, tag) = bytes.split_at(SIGNED_BYTES);
        // Compares in constant time: the time taken says nothing about the right tag.
        let genuine = self.sign(signed).verify_truncated_left(tag).is_ok();
        if !genuine || signed[..4] != VERSION {
            return Err(invalid());
        }
        let u64_at =
            |at: usize| u64::from_le_bytes(signed[at..at + 8].try_into().expect("8 bytes"));
        let number = ShardNumber(u32::from_le_bytes(signed[4..8].try_into().expect("4 bytes")));
        let stream = StreamUuid(signed[8..24].try_into().expect("16 bytes"));
        let (position, issued) = (Seq(u64_at(24)), Millis(u64_at(32)));
        // A clock that was set back makes iterators young again, never invalid.
        if now.since(issued) > ITERATOR_LIFE_MS {
            return Err(expired(issued, now));
        }
        Ok(IteratorClaims { shard: ShardKey { stream, number }, position, issued })
    }

    fn sign(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(bytes);
        mac
    }
}

/// Says nothing of the key.
impl fmt::Debug for IteratorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IteratorKey").finish_non_exhaustive()
    }
}

fn invalid() -> ApiError {
    ApiError::invalid("Invalid ShardIterator.")
}

fn expired(issued: Millis, now: Millis) -> ApiError {
    let text = format!(
        "Iterator expired. The iterator was created at time {} while right now it is {} which is \
         further in the future than the tolerated delay of {ITERATOR_LIFE_MS} milliseconds.",
        utc_text(issued),
        utc_text(now)
    );
    ApiError::new(ErrorCode::ExpiredIterator, text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const ISSUED: Millis = Millis(1_421_889_722_000);

    fn key() -> IteratorKey {
        IteratorKey::new(&[3; 32])
    }

    fn claims() -> IteratorClaims {
        let stream = StreamUuid(std::array::from_fn(|i| i as u8));
        let shard = ShardKey { stream, number: ShardNumber(7) };
        IteratorClaims { shard, position: Seq(0x0102_0304_0506_0708), issued: ISSUED }
    }

    #[test]
    fn an_iterator_opens_as_it_was_issued() {
        let bytes = key().issue(&claims(), 9);
        assert_eq!(key().open(&bytes, ISSUED).unwrap(), claims());
    }

    #[test]
    fn its_bytes_are_pinned() {
        let hex: String =
            key().issue(&claims(), 9).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "0100000007000000000102030405060708090a0b0c0d0e0f0807060504030201\
             90563b0f4b0100000900000000000000197801bf1b4b2bc54c8f2f22727788c3"
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_refused() {
        let mut bytes = key().issue(&claims(), 9);
        for bit in 0..ITERATOR_BYTES * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key().open(&bytes, ISSUED), Err(invalid()), "bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        for end in 0..ITERATOR_BYTES {
            assert_eq!(key().open(&bytes[..end], ISSUED), Err(invalid()), "cut at {end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(key().open(&longer, ISSUED), Err(invalid()));
        assert!(key().open(&bytes, ISSUED).is_ok());
    }

    #[test]
    fn another_data_dirs_iterator_is_refused() {
        let bytes = IteratorKey::new(&[4; 32]).issue(&claims(), 9);
        let error = key().open(&bytes, ISSUED).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert_eq!(error.message, "Invalid ShardIterator.");
    }

    #[test]
    fn an_iterator_lives_for_300_seconds() {
        let bytes = key().issue(&claims(), 9);
        let open = |now| key().open(&bytes, Millis(now));
        assert!(open(ISSUED.0 + 300_000).is_ok());
        assert!(open(ISSUED.0 - 1_000_000).is_ok(), "the clock was set back");
        let error = open(ISSUED.0 + 300_001).unwrap_err();
        assert_eq!(error.code, ErrorCode::ExpiredIterator);
        assert_eq!(
            error.message,
            "Iterator expired. The iterator was created at time Thu Jan 22 01:22:02 UTC 2015 \
             while right now it is Thu Jan 22 01:27:02 UTC 2015 which is further in the future \
             than the tolerated delay of 300000 milliseconds."
        );
    }

    #[test]
    fn no_two_iterators_of_a_position_are_equal() {
        let issued: HashSet<_> = (0..1000).map(|nonce| key().issue(&claims(), nonce)).collect();
        assert_eq!(issued.len(), 1000);
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", key()), "IteratorKey { .. }");
    }
}
