//! A batch whose bytes have been checked once, so that reading its records cannot fail.

use thiserror::Error;

use super::hash_key::HashKey;
use super::header::{BatchHeader, HeaderError};
use crate::base::crc::crc32;
use crate::base::ids::Seq;
use crate::base::limits::{
    BATCH_HEADER_BYTES, EXPLICIT_HASH_KEY_BYTES, KEY_BYTES_MAX, KEY_CHARS_MAX, PUT_BYTES_MAX,
    RECORD_BYTES_MAX, RECORD_HEADER_BYTES,
};

/// Record flag: 16 bytes of explicit hash key stand before the partition key.
pub(super) const FLAG_EXPLICIT_HASH_KEY: u8 = 1;

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidBatch {
    /// The header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Length of the bytes and of the header disagree.
    #[error("batch says {expected} bytes but {found} are there")]
    Length {
        /// From the header.
        expected: usize,
        /// Given.
        found: usize,
    },
    /// The body's CRC does not match.
    #[error("batch body CRC does not match: the bytes changed on their way")]
    Crc,
    /// A record reaches past the body, or bytes are left over.
    #[error("record {0} of the batch does not fit its body")]
    Bounds(u32),
    /// An unknown record flag, or a reserved byte that is not zero.
    #[error("record {0} has unknown flags")]
    Flags(u32),
    /// A key longer than 256 characters, or not UTF-8.
    #[error("partition key of record {0} is not at most 256 Unicode characters")]
    Key(u32),
    /// A record above 10 MiB, or a batch whose data and keys are above 10 MiB together.
    #[error("data of the batch is larger than 10 MiB (at record {0})")]
    Size(u32),
}

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Position in the shard (0-based in the batch while unstamped).
    pub seq: Seq,
    /// 1 … 256 Unicode characters; empty for none, in streams that distribute by themselves.
    pub partition_key: &'a str,
    /// Overrides the hash of the partition key.
    pub explicit_hash_key: Option<HashKey>,
    /// The data blob.
    pub data: &'a [u8],
}

impl RecordRef<'_> {
    /// The key that chooses the shard.
    #[must_use]
    pub fn hash_key(&self) -> HashKey {
        self.explicit_hash_key
            .unwrap_or_else(|| HashKey::of_partition_key(self.partition_key.as_bytes()))
    }

    /// Bytes that count against quotas: data and partition key (AWS).
    #[must_use]
    pub fn quota_bytes(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// A checked batch: header, bounds, keys and body CRC are right.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
    /// Data and keys, without framing.
    quota_bytes: u32,
    /// The largest record: data and key.
    record_bytes_max: u32,
    /// A record without a partition key.
    keyless: Option<u32>,
}

impl<'a> BatchView<'a> {
    /// Checks a client's batch. `bytes` is the batch, nothing more.
    pub fn check_client(bytes: &'a [u8]) -> Result<BatchView<'a>, InvalidBatch> {
        Self::check(BatchHeader::decode_client(bytes)?, bytes)
    }

    /// Checks a stamped batch, as read from memory or disk.
    pub fn check_stamped(bytes: &'a [u8]) -> Result<BatchView<'a>, InvalidBatch> {
        Self::check(BatchHeader::decode_stamped(bytes)?, bytes)
    }

    fn check(header: BatchHeader, bytes: &'a [u8]) -> Result<BatchView<'a>, InvalidBatch> {
        if bytes.len() != header.batch_bytes() {
            return Err(InvalidBatch::Length {
                expected: header.batch_bytes(),
                found: bytes.len(),
            });
        }
        let body = &bytes[BATCH_HEADER_BYTES..];
        if crc32(body) != header.body_crc {
            return Err(InvalidBatch::Crc);
        }
        let (mut rest, mut total, mut largest) = (body, 0usize, 0usize);
        let mut keyless = None;
        for i in 0..header.count {
            let layout = Layout::check(rest, i)?;
            if layout.key_len == 0 {
                keyless = keyless.or(Some(i));
            }
            total += layout.key_len + layout.data_len;
            largest = largest.max(layout.key_len + layout.data_len);
            if total > PUT_BYTES_MAX || largest > RECORD_BYTES_MAX {
                return Err(InvalidBatch::Size(i));
            }
            rest = &rest[layout.bytes()..];
        }
        if !rest.is_empty() {
            return Err(InvalidBatch::Bounds(header.count));
        }
        let (quota_bytes, record_bytes_max) = (total as u32, largest as u32);
        Ok(BatchView { header, bytes, quota_bytes, record_bytes_max, keyless })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Header and body as they came.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Data and keys of all records, as quotas count them.
    #[must_use]
    pub fn quota_bytes(&self) -> u32 {
        self.quota_bytes
    }

    /// Data and key of the largest record.
    #[must_use]
    pub fn record_bytes_max(&self) -> u32 {
        self.record_bytes_max
    }

    /// The first record without a partition key, counted from 0.
    #[must_use]
    pub fn keyless(&self) -> Option<u32> {
        self.keyless
    }

    /// The records in order.
    #[must_use]
    pub fn records(&self) -> Records<'a> {
        Records {
            body: &self.bytes[BATCH_HEADER_BYTES..],
            seq: self.header.stamp.base,
            left: self.header.count,
        }
    }
}

/// Iterator over the records of a checked batch.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    body: &'a [u8],
    seq: Seq,
    left: u32,
}

impl<'a> Iterator for Records<'a> {
    type Item = RecordRef<'a>;

    fn next(&mut self) -> Option<RecordRef<'a>> {
        self.left = self.left.checked_sub(1)?;
        let layout = Layout::read(self.body).expect("a checked batch holds its records");
        let (record, rest) = self.body.split_at(layout.bytes());
        self.body = rest;
        let seq = self.seq;
        self.seq = seq.plus(1);
        let (key, data) = record[layout.key_at()..].split_at(layout.key_len);
        let explicit_hash_key = layout.explicit_hash_key.then(|| {
            let at = RECORD_HEADER_BYTES;
            let bytes = record[at..at + EXPLICIT_HASH_KEY_BYTES].try_into().expect("16 bytes");
            HashKey(u128::from_le_bytes(bytes))
        });
        Some(RecordRef {
            seq,
            partition_key: std::str::from_utf8(key).expect("a checked key is UTF-8"),
            explicit_hash_key,
            data,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

/// Where the parts of a record lie.
struct Layout {
    data_len: usize,
    key_len: usize,
    explicit_hash_key: bool,
}

impl Layout {
    fn read(bytes: &[u8]) -> Option<Layout> {
        let head = bytes.get(..RECORD_HEADER_BYTES)?;
        Some(Layout {
            data_len: u32::from_le_bytes(head[..4].try_into().ok()?) as usize,
            key_len: usize::from(u16::from_le_bytes([head[4], head[5]])),
            explicit_hash_key: head[6] & FLAG_EXPLICIT_HASH_KEY != 0,
        })
    }

    fn check(bytes: &[u8], record: u32) -> Result<Layout, InvalidBatch> {
        let layout = Layout::read(bytes).ok_or(InvalidBatch::Bounds(record))?;
        if bytes[6] & !FLAG_EXPLICIT_HASH_KEY != 0 || bytes[7] != 0 {
            return Err(InvalidBatch::Flags(record));
        }
        if layout.bytes() > bytes.len() {
            return Err(InvalidBatch::Bounds(record));
        }
        let key = &bytes[layout.key_at()..layout.key_at() + layout.key_len];
        if !key.is_empty() && !is_partition_key(key) {
            return Err(InvalidBatch::Key(record));
        }
        Ok(layout)
    }

    fn key_at(&self) -> usize {
        RECORD_HEADER_BYTES + if self.explicit_hash_key { EXPLICIT_HASH_KEY_BYTES } else { 0 }
    }

    fn bytes(&self) -> usize {
        self.key_at() + self.key_len + self.data_len
    }
}

/// Whether `key` is 1 … 256 Unicode characters in UTF-8 (AWS: `PartitionKey`).
pub(super) fn is_partition_key(key: &[u8]) -> bool {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return false;
    }
    match std::str::from_utf8(key) {
        // A key of at most 256 bytes has at most 256 characters: the common case counts nothing.
        Ok(text) => key.len() <= KEY_CHARS_MAX || text.chars().count() <= KEY_CHARS_MAX,
        Err(_) => false,
    }
}
