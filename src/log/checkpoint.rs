//! Checkpoint payload: how far each shard's segments had been written and synced.
//!
//! 32 bytes a shard: stream uuid (16), shard number u32, reserved u32, `segment_seq` u64.

use crate::base::ids::{Seq, ShardKey, ShardNumber, StreamUuid};

/// Bytes of an entry.
pub const CHECKPOINT_ENTRY_BYTES: usize = 32;

/// One shard's entry: everything below `segment_seq` is synced in its segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointEntry {
    /// The shard.
    pub shard: ShardKey,
    /// Exclusive end of what its segments hold for certain.
    pub segment_seq: Seq,
}

impl CheckpointEntry {
    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; CHECKPOINT_ENTRY_BYTES] {
        let mut b = [0; CHECKPOINT_ENTRY_BYTES];
        b[..16].copy_from_slice(&self.shard.stream.0);
        b[16..20].copy_from_slice(&self.shard.number.0.to_le_bytes());
        b[24..].copy_from_slice(&self.segment_seq.0.to_le_bytes());
        b
    }

    /// All entries of a payload; `None` if it is not whole.
    #[must_use]
    pub fn decode_all(payload: &[u8]) -> Option<Vec<CheckpointEntry>> {
        let (entries, rest) = payload.as_chunks::<CHECKPOINT_ENTRY_BYTES>();
        rest.is_empty().then(|| entries.iter().map(Self::decode).collect())
    }

    fn decode(b: &[u8; CHECKPOINT_ENTRY_BYTES]) -> CheckpointEntry {
        CheckpointEntry {
            shard: ShardKey {
                stream: StreamUuid(b[..16].try_into().expect("16 bytes")),
                number: ShardNumber(u32::from_le_bytes(b[16..20].try_into().expect("4 bytes"))),
            },
            segment_seq: Seq(u64::from_le_bytes(b[24..].try_into().expect("8 bytes"))),
        }
    }
}
