//! Damage: something durable that is not there, or is not what was written. One type for boot,
//! which refuses, and for `check`, which reports.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::base::ids::{CoreId, Seq, ShardKey};
use crate::log::journal_scan::BadPayload;
use crate::log::segment_scan::ScanEnd;

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} at offset {offset}: {kind}", .file.display())]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    pub kind: DamageKind,
}

/// What proves that something must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The file in which the proof stands.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What it is.
    pub what: ProofKind,
}

/// Kinds of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofKind {
    /// A commit with this number.
    Commit(u64),
    /// A checkpoint that says how far the segments were synced.
    Checkpoint(Seq),
    /// Records from this sequence on.
    Records(Seq),
    /// The end of a closed shard, in the catalog.
    ClosedEnd(Seq),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            ProofKind::Commit(number) => write!(f, "commit {number}")?,
            ProofKind::Checkpoint(seq) => write!(f, "a checkpoint of sequence {seq}")?,
            ProofKind::Records(seq) => write!(f, "records from sequence {seq} on")?,
            ProofKind::ClosedEnd(seq) => {
                return write!(f, "it was closed at sequence {seq}, by {}", self.file.display());
            }
        }
        write!(f, " in {} at offset {}", self.file.display(), self.offset)
    }
}

/// What is wrong with a place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DamageKind {
    /// A durable commit cannot be read.
    #[error("commit {}{} is missing, although {proof} was written after it", Number(*.commit),
        Why(*.why))]
    MissingCommit {
        /// Its number, if it is known.
        commit: Option<u64>,
        /// What is wrong with its payload, if the header is there.
        why: Option<BadPayload>,
        /// What was written later.
        proof: Proof,
    },
    /// A commit stands in a wrong place, and its right one has not got it.
    #[error("commit {commit} of core {core} stands here; it belongs to {} at offset {}",
        .home.display(), .home_offset)]
    MisplacedCommit {
        /// The core that wrote it.
        core: CoreId,
        /// Its number.
        commit: u64,
        /// The file that it belongs to.
        home: PathBuf,
        /// The offset there.
        home_offset: u64,
    },
    /// A journal file is missing or has another length than all files of the ring.
    #[error("the journal file has {} of {expected} bytes", Found(*.found))]
    JournalFile {
        /// Its length should be.
        expected: u64,
        /// It is; `None` if the file is missing.
        found: Option<u64>,
    },
    /// Records of a shard are nowhere.
    #[error("shard {shard}: sequences {from} to {until} (exclusive) are missing; proof: {proof}")]
    MissingRecords {
        /// The shard.
        shard: ShardKey,
        /// First missing sequence.
        from: Seq,
        /// First sequence that exists again.
        until: Seq,
        /// What proves it.
        proof: Proof,
    },
    /// A segment that cannot be used.
    #[error("shard {shard}: the segment is unusable: {why}")]
    Segment {
        /// The shard.
        shard: ShardKey,
        /// Why.
        why: ScanEnd,
    },
    /// Bytes behind the last batch, where a server that stopped in order leaves only zeros.
    #[error(
        "shard {shard}: behind sequence {end} stands no batch ({why}), although the server \
        had stopped in order"
    )]
    BadEnd {
        /// The shard.
        shard: ShardKey,
        /// Behind the last whole batch.
        end: Seq,
        /// What is there.
        why: ScanEnd,
    },
    /// A sealed segment is shorter than its index says.
    #[error("shard {shard}: the sealed segment has {found} of {expected} bytes")]
    SealedShort {
        /// The shard.
        shard: ShardKey,
        /// Bytes that the index names.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// A closed shard has more records than it had when it was closed.
    #[error("shard {shard}: records reach up to sequence {found}, but it was closed at {end}")]
    BehindClosedEnd {
        /// The shard.
        shard: ShardKey,
        /// Its end, by the catalog.
        end: Seq,
        /// Behind its last record.
        found: Seq,
    },
    /// Batches overlap without being the same.
    #[error("shard {shard}: the batch at sequence {seq} overlaps the segment's end {end}")]
    Overlap {
        /// The shard.
        shard: ShardKey,
        /// First sequence of the batch.
        seq: Seq,
        /// Where the segment ends, or the next one starts.
        end: Seq,
    },
}

impl DamageKind {
    /// What a person can do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            DamageKind::MisplacedCommit { .. } => {
                "a write went astray or files were swapped: put the files back under their own \
                 names, or restore the directory from a backup"
            }
            DamageKind::JournalFile { .. } => {
                "restore the file from a backup; without it acknowledged records may be lost"
            }
            DamageKind::BehindClosedEnd { .. } => {
                "catalog and records are not of the same moment: restore the whole directory from \
                 one backup, or start with --accept-loss, which ends the shard behind its records"
            }
            _ => {
                "restore the directory from a backup, or start with --accept-loss, which drops \
                 what is behind the damage in the shards concerned"
            }
        }
    }
}

struct Number(Option<u64>);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => number.fmt(f),
            None => f.write_str("of unknown number"),
        }
    }
}

struct Why(Option<BadPayload>);

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |why| write!(f, " ({why})"))
    }
}

struct Found(Option<u64>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => bytes.fmt(f),
            None => f.write_str("none"),
        }
    }
}
