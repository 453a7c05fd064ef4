//! The header of a journal commit: what one aligned, synced write begins with.
//!
//! ```text
//!   0 magic "SWC1" | 4 version u16 | 6 kind u8 | 7 required flags u8
//!   8 salt u64        | 16 term u64
//!  24 generation u64  | 32 commit number u64
//!  40 offset in the file u64
//!  48 payload bytes u32 | 52 batch count u32 | 56 core u16 | 58 unsynced u16 | 60 previous CRC u32
//!  64 payload CRC u32   | 68 … 123 reserved (0) | 124 CRC of bytes 0 … 123
//! 128 payload, then zeros up to a multiple of 4096
//! ```

use thiserror::Error;

use crate::base::aligned::round_up;
use crate::base::crc::{crc32, crc32_append};
use crate::base::ids::{CoreId, Term};
use crate::base::limits::{BATCH_BYTES_MAX, COMMIT_BYTES_MAX};

/// Bytes of the header.
pub const COMMIT_HEADER_BYTES: usize = 128;
/// The largest payload: a full commit, or one batch that alone is larger.
pub const COMMIT_PAYLOAD_MAX: usize =
    if BATCH_BYTES_MAX > COMMIT_BYTES_MAX { BATCH_BYTES_MAX } else { COMMIT_BYTES_MAX };

const MAGIC: [u8; 4] = *b"SWC1";
const VERSION: u16 = 1;

/// What a commit's payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitKind {
    /// Stamped batches, one behind the other.
    Batches,
    /// How far each shard's segments reached ([`crate::log::checkpoint`]). The first commit of
    /// every journal file, and the last one of a clean stop.
    Checkpoint,
}

/// A commit header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitHeader {
    /// What the payload is.
    pub kind: CommitKind,
    /// Random for each boot, so that a record's data can never pass for a commit.
    pub salt: u64,
    /// Boot epoch.
    pub term: Term,
    /// How many files this core has started in this term, this one included; from 1. The ring
    /// index of the file is `(generation - 1) % files`.
    pub generation: u64,
    /// Counts the core's commits of this term, from 1.
    pub commit: u64,
    /// Where in the file the commit begins: a write that went astray is noticed.
    pub offset: u64,
    /// Bytes behind the header, without padding.
    pub payload_bytes: u32,
    /// Batches (or checkpoint entries) in the payload.
    pub count: u32,
    /// The core.
    pub core: CoreId,
    /// Whether the write was not synced (streams that chose `written` or `memory`): that it is
    /// there proves nothing about the commits before it.
    pub unsynced: bool,
    /// `header CRC` of the previous commit of this core and term; 0 for the first.
    pub previous_crc: u32,
    /// [`payload_crc_of_batch`] folded over all batches; for a checkpoint the CRC of its bytes.
    pub payload_crc: u32,
}

/// Why bytes are no commit of this journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoCommit {
    /// No commit starts here: bad magic.
    #[error("no commit header")]
    Magic,
    /// Written by another version.
    #[error("commit version {0} is not supported")]
    Version(u16),
    /// The header's CRC does not match.
    #[error("commit header CRC does not match")]
    Crc,
    /// Right CRC and impossible fields.
    #[error("commit header field out of range")]
    Range,
}

/// Folds the next batch of a commit into its payload CRC. Bodies have CRCs of their own, so only
/// the batch's header CRC (which covers the body's CRC) goes in: a commit costs no second pass.
#[must_use]
pub fn payload_crc_of_batch(crc: u32, batch_header_crc: u32) -> u32 {
    crc32_append(crc, &batch_header_crc.to_le_bytes())
}

impl CommitHeader {
    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; COMMIT_HEADER_BYTES] {
        let mut b = [0; COMMIT_HEADER_BYTES];
        let mut put = |at: usize, value: &[u8]| b[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(4, &VERSION.to_le_bytes());
        put(6, &[self.kind as u8]);
        put(8, &self.salt.to_le_bytes());
        put(16, &self.term.0.to_le_bytes());
        put(24, &self.generation.to_le_bytes());
        put(32, &self.commit.to_le_bytes());
        put(40, &self.offset.to_le_bytes());
        put(48, &self.payload_bytes.to_le_bytes());
        put(52, &self.count.to_le_bytes());
        put(56, &self.core.0.to_le_bytes());
        put(58, &u16::from(self.unsynced).to_le_bytes());
        put(60, &self.previous_crc.to_le_bytes());
        put(64, &self.payload_crc.to_le_bytes());
        let crc = crc32(&b[..124]);
        b[124..].copy_from_slice(&crc.to_le_bytes());
        b
    }

    /// Decodes a header and checks its CRC; whether it belongs where it stands is the caller's
    /// question.
    pub fn decode(b: &[u8; COMMIT_HEADER_BYTES]) -> Result<CommitHeader, NoCommit> {
        let u16_at = |at: usize| u16::from_le_bytes([b[at], b[at + 1]]);
        let u32_at = |at: usize| u32::from_le_bytes(b[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(b[at..at + 8].try_into().expect("8 bytes"));
        if b[..4] != MAGIC {
            return Err(NoCommit::Magic);
        }
        if u32_at(124) != crc32(&b[..124]) {
            return Err(NoCommit::Crc);
        }
        if u16_at(4) != VERSION {
            return Err(NoCommit::Version(u16_at(4)));
        }
        let kind = match (b[6], b[7]) {
            (0, 0) => CommitKind::Batches,
            (1, 0) => CommitKind::Checkpoint,
            _ => return Err(NoCommit::Range),
        };
        let header = CommitHeader {
            kind,
            salt: u64_at(8),
            term: Term(u64_at(16)),
            generation: u64_at(24),
            commit: u64_at(32),
            offset: u64_at(40),
            payload_bytes: u32_at(48),
            count: u32_at(52),
            core: CoreId(u16_at(56)),
            unsynced: match u16_at(58) {
                0 => false,
                1 => true,
                _ => return Err(NoCommit::Range),
            },
            previous_crc: u32_at(60),
            payload_crc: u32_at(64),
        };
        if header.payload_bytes as usize > COMMIT_PAYLOAD_MAX || header.generation == 0 {
            return Err(NoCommit::Range);
        }
        Ok(header)
    }

    /// The CRC that the next commit names as `previous_crc`.
    #[must_use]
    pub fn crc(&self) -> u32 {
        u32::from_le_bytes(self.encode()[124..].try_into().expect("4 bytes"))
    }

    /// Bytes of the write: header, payload, padding.
    #[must_use]
    pub fn write_bytes(&self) -> usize {
        commit_write_bytes(self.payload_bytes as usize)
    }
}

/// Bytes of the write that carries a payload of `payload_bytes`.
#[must_use]
pub const fn commit_write_bytes(payload_bytes: usize) -> usize {
    round_up(COMMIT_HEADER_BYTES + payload_bytes)
}
