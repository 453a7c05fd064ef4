//! The first 4096 bytes of a segment file. Stamped batches follow, one directly behind the other.
//!
//! ```text
//!  0 magic "SWS1" | 4 version u16 | 6 required flags u16
//!  8 stream uuid (16) | 24 shard u32 | 28 reserved u32
//! 32 base sequence u64 | 40 term u64 | 48 created, ms u64 | 56 … 123 reserved (0)
//! 124 CRC of bytes 0 … 123 | 128 … 4095 zero
//! ```

use thiserror::Error;

use crate::base::aligned::BLOCK;
use crate::base::crc::crc32;
use crate::base::ids::{Millis, Seq, ShardKey, ShardNumber, StreamUuid, Term};

/// The header takes a whole block, so that batches start aligned.
pub const SEGMENT_HEADER_BYTES: usize = BLOCK;

const MAGIC: [u8; 4] = *b"SWS1";
const VERSION: u16 = 1;
const CRC_AT: usize = 124;

/// Who a segment belongs to and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The shard.
    pub shard: ShardKey,
    /// Sequence of its first record.
    pub base: Seq,
    /// Boot epoch that created it.
    pub term: Term,
    /// When.
    pub created: Millis,
}

/// Why a file is no segment that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoSegment {
    /// Shorter than a header.
    #[error("the file is shorter than a segment header")]
    Short,
    /// Bad magic.
    #[error("not a segment (bad magic)")]
    Magic,
    /// Another version.
    #[error("segment version {0} is not supported; this release reads version 1")]
    Version(u16),
    /// Unknown required flags.
    #[error("segment needs features that this release does not have (flags {0:#06x})")]
    Flags(u16),
    /// CRC.
    #[error("segment header CRC does not match")]
    Crc,
}

impl SegmentHeader {
    /// Writes the header into the first block of `out`.
    pub fn encode_into(&self, out: &mut [u8]) {
        let b = &mut out[..SEGMENT_HEADER_BYTES];
        b.fill(0);
        let mut put = |at: usize, value: &[u8]| b[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(4, &VERSION.to_le_bytes());
        put(8, &self.shard.stream.0);
        put(24, &self.shard.number.0.to_le_bytes());
        put(32, &self.base.0.to_le_bytes());
        put(40, &self.term.0.to_le_bytes());
        put(48, &self.created.0.to_le_bytes());
        let crc = crc32(&b[..CRC_AT]);
        b[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    }

    /// Decodes and checks a header.
    pub fn decode(b: &[u8]) -> Result<SegmentHeader, NoSegment> {
        if b.len() < SEGMENT_HEADER_BYTES {
            return Err(NoSegment::Short);
        }
        let u16_at = |at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes(b[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(b[at..at + 8].try_into().expect("8 bytes"));
        if b[..4] != MAGIC {
            return Err(NoSegment::Magic);
        }
        if u32_at(CRC_AT) != crc32(&b[..CRC_AT]) {
            return Err(NoSegment::Crc);
        }
        if u16_at(4) != VERSION {
            return Err(NoSegment::Version(u16_at(4)));
        }
        if u16_at(6) != 0 {
            return Err(NoSegment::Flags(u16_at(6)));
        }
        Ok(SegmentHeader {
            shard: ShardKey {
                stream: StreamUuid(b[8..24].try_into().expect("16 bytes")),
                number: ShardNumber(u32_at(24)),
            },
            base: Seq(u64_at(32)),
            term: Term(u64_at(40)),
            created: Millis(u64_at(48)),
        })
    }
}
