//! The 128 bytes in front of every batch.
//!
//! ```text
//!       0       1       2       3       4       5       6       7
//!   0 | magic "SWB1"                  | version| opt   | required flags|  client part
//!   8 | record count                  | body bytes                     |
//!  16 | body CRC-32                   | codec, reserved (0)            |
//!  24 | producer id (0 = none)                                         |
//!  32 | producer sequence                                              |
//!  40 | stream uuid                                                    |  stamped part
//!  56 | shard number                  | key id (encryption, 0 = none)  |
//!  64 | term                                                           |
//!  72 | base sequence                                                  |
//!  80 | arrival, ms since the epoch                                    |
//!  88 | nonce (12 bytes, encryption), reserved (0) …                   |
//! 124 | CRC-32 of bytes 0 … 123       |
//! ```
//! All numbers are little-endian.

use thiserror::Error;

use crate::base::crc::crc32;
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};
use crate::base::limits::{BATCH_BODY_BYTES_MAX, BATCH_HEADER_BYTES, PUT_RECORDS_MAX};

const MAGIC: [u8; 4] = *b"SWB1";
const VERSION: u8 = 1;
/// Required flags that this version understands. An unknown one refuses the batch.
const REQUIRED_KNOWN: u16 = 0;

const OFF_COUNT: usize = 8;
const OFF_BODY_BYTES: usize = 12;
const OFF_BODY_CRC: usize = 16;
const OFF_PRODUCER: usize = 24;
const OFF_STREAM: usize = 40;
const OFF_SHARD: usize = 56;
const OFF_TERM: usize = 64;
const OFF_BASE: usize = 72;
const OFF_ARRIVAL: usize = 80;
const OFF_CRC: usize = 124;

/// What the home core writes into a batch when it accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The shard.
    pub shard: ShardKey,
    /// The boot epoch.
    pub term: Term,
    /// Sequence of the first record; the others follow densely.
    pub base: Seq,
    /// When the batch arrived. One time for all of its records.
    pub arrival: Millis,
}

/// A decoded header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Number of records, 1 … 500.
    pub count: u32,
    /// Bytes of the body.
    pub body_bytes: u32,
    /// CRC-32 of the body.
    pub body_crc: u32,
    /// The stamped part; all zero in a batch that no shard has accepted.
    pub stamp: Stamp,
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// Fewer bytes than a header.
    #[error("a batch header needs 128 bytes")]
    Short,
    /// Not a batch.
    #[error("no batch starts here (bad magic)")]
    Magic,
    /// A batch of another version.
    #[error("batch version {0} is not supported; this server reads version 1")]
    Version(u8),
    /// A flag that this version does not know.
    #[error("batch needs features this server does not have (required flags {0:#06x})")]
    Flags(u16),
    /// Count or size out of range.
    #[error("batch of {count} records and {body_bytes} bytes is out of range")]
    Range {
        /// Records claimed.
        count: u32,
        /// Body bytes claimed.
        body_bytes: u32,
    },
    /// The stamped header's CRC does not match.
    #[error("batch header CRC does not match")]
    Crc,
}

impl BatchHeader {
    /// Decodes a client's header: everything but the stamped part.
    pub fn decode_client(bytes: &[u8]) -> Result<BatchHeader, HeaderError> {
        let bytes: &[u8; BATCH_HEADER_BYTES] = bytes
            .get(..BATCH_HEADER_BYTES)
            .and_then(|b| b.try_into().ok())
            .ok_or(HeaderError::Short)?;
        if bytes[..4] != MAGIC {
            return Err(HeaderError::Magic);
        }
        if bytes[4] != VERSION {
            return Err(HeaderError::Version(bytes[4]));
        }
        let required = u16::from_le_bytes([bytes[6], bytes[7]]);
        if required & !REQUIRED_KNOWN != 0 {
            return Err(HeaderError::Flags(required));
        }
        let header = BatchHeader {
            count: u32_at(bytes, OFF_COUNT),
            body_bytes: u32_at(bytes, OFF_BODY_BYTES),
            body_crc: u32_at(bytes, OFF_BODY_CRC),
            stamp: Stamp {
                shard: ShardKey {
                    stream: StreamUuid(
                        bytes[OFF_STREAM..OFF_STREAM + 16].try_into().expect("16 bytes"),
                    ),
                    number: ShardNumber(u32_at(bytes, OFF_SHARD)),
                },
                term: Term(u64_at(bytes, OFF_TERM)),
                base: Seq(u64_at(bytes, OFF_BASE)),
                arrival: Millis(u64_at(bytes, OFF_ARRIVAL)),
            },
        };
        if header.count == 0
            || header.count as usize > PUT_RECORDS_MAX
            || header.body_bytes as usize > BATCH_BODY_BYTES_MAX
        {
            let BatchHeader { count, body_bytes, .. } = header;
            return Err(HeaderError::Range { count, body_bytes });
        }
        Ok(header)
    }

    /// Decodes a stamped header, as it stands in memory and on disk, and checks its CRC.
    pub fn decode_stamped(bytes: &[u8]) -> Result<BatchHeader, HeaderError> {
        let header = Self::decode_client(bytes)?;
        if header_crc(bytes) != crc32(&bytes[..OFF_CRC]) {
            return Err(HeaderError::Crc);
        }
        Ok(header)
    }

    /// Bytes of header and body together.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        BATCH_HEADER_BYTES + self.body_bytes as usize
    }

    /// The first sequence behind this batch.
    #[must_use]
    pub fn end(&self) -> Seq {
        self.stamp.base.plus(u64::from(self.count))
    }
}

/// The CRC field of a stamped header (not verified).
#[must_use]
pub(crate) fn header_crc(bytes: &[u8]) -> u32 {
    u32_at(bytes, OFF_CRC)
}

/// Writes the client part of a header for `count` records in a body with this CRC; stamped part
/// zero.
pub(super) fn write_client(header: &mut [u8], count: u32, body_bytes: u32, body_crc: u32) {
    assert_eq!(header.len(), BATCH_HEADER_BYTES);
    header.fill(0);
    header[..4].copy_from_slice(&MAGIC);
    header[4] = VERSION;
    put(header, OFF_COUNT, &count.to_le_bytes());
    put(header, OFF_BODY_BYTES, &body_bytes.to_le_bytes());
    put(header, OFF_BODY_CRC, &body_crc.to_le_bytes());
}

/// Fills the stamped part of the batch that starts at `batch[0]` and seals its header.
pub fn stamp_in_place(batch: &mut [u8], stamp: &Stamp) {
    let header = &mut batch[..BATCH_HEADER_BYTES];
    // A client cannot leave anything in the fields that the server owns.
    header[OFF_STREAM..].fill(0);
    put(header, OFF_STREAM, &stamp.shard.stream.0);
    put(header, OFF_SHARD, &stamp.shard.number.0.to_le_bytes());
    put(header, OFF_TERM, &stamp.term.0.to_le_bytes());
    put(header, OFF_BASE, &stamp.base.0.to_le_bytes());
    put(header, OFF_ARRIVAL, &stamp.arrival.0.to_le_bytes());
    let crc = crc32(&header[..OFF_CRC]);
    put(header, OFF_CRC, &crc.to_le_bytes());
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

const _: () =
    assert!(OFF_PRODUCER + 16 == OFF_STREAM, "the client part ends where the stamp starts");
const _: () = assert!(OFF_CRC + 4 == BATCH_HEADER_BYTES, "the CRC closes the header");
