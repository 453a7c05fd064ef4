//! Reads one journal file: which commits of the term stand in it, and where.
//!
//! Pure: bytes in, findings out. What they mean together is [`crate::log::journal_chain`]'s part.

use thiserror::Error;

use crate::base::aligned::BLOCK;
use crate::base::crc::crc32;
use crate::base::ids::{CoreId, Seq, ShardKey, Term};
use crate::base::limits::BATCH_HEADER_BYTES;
use crate::log::checkpoint::CheckpointEntry;
use crate::log::commit::{COMMIT_HEADER_BYTES, CommitHeader, CommitKind, payload_crc_of_batch};
use crate::record::{BatchHeader, BatchView, InvalidBatch};

/// Which commits count: those of one term, and where in the rings they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalTerm {
    /// The boot epoch.
    pub term: Term,
    /// Its random salt.
    pub salt: u64,
    /// Files in a ring.
    pub files: u64,
}

impl JournalTerm {
    /// The ring index of the file of a generation.
    #[must_use]
    pub fn ring_index(&self, generation: u64) -> u64 {
        (generation - 1) % self.files.max(1)
    }

    fn wrote(&self, header: &CommitHeader) -> bool {
        header.term == self.term && header.salt == self.salt
    }
}

/// Records of one shard, one behind the other in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The shard.
    pub shard: ShardKey,
    /// First sequence.
    pub base: Seq,
    /// Behind the last.
    pub end: Seq,
    /// The term of the batches.
    pub term: Term,
}

/// Why a commit whose header is right is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadPayload {
    /// The file ends before the commit does.
    #[error("the file ends inside the commit")]
    Short,
    /// A batch in it.
    #[error("the batch {at} bytes into the commit is damaged: {why}")]
    Batch {
        /// Where in the commit.
        at: usize,
        /// What is wrong.
        why: InvalidBatch,
    },
    /// A batch of a later term than the commit.
    #[error("a batch is of a later term than its commit")]
    Term,
    /// Not the number of batches or entries that the header says.
    #[error("the commit holds {found} entries, its header says {said}")]
    Count {
        /// In the payload.
        found: u32,
        /// In the header.
        said: u32,
    },
    /// The folded CRC.
    #[error("the payload CRC does not match")]
    Crc,
    /// Bytes behind the payload.
    #[error("the padding is not zero")]
    Padding,
}

/// A commit of the term, at the place where its header says that it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The header; its `offset` is the place.
    pub header: CommitHeader,
    /// The payload, or why the commit is not whole.
    pub payload: Result<Payload, BadPayload>,
}

/// What recovery keeps of a payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The batches, neighbours merged.
    pub extents: Vec<Extent>,
    /// A checkpoint's entries.
    pub checkpoint: Vec<CheckpointEntry>,
    /// Records in the batches.
    pub records: u64,
}

/// A commit of the term in a place that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// Where it was found.
    pub offset: u64,
    /// What it is.
    pub header: CommitHeader,
}

/// What one file holds of the term.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileScan {
    /// By offset. Also generations that the ring has meanwhile left behind.
    pub commits: Vec<Commit>,
    /// Commits that belong elsewhere.
    pub misplaced: Vec<Misplaced>,
    /// Length of the file.
    pub bytes: u64,
}

/// Scans the file with this index in the ring of `core`.
#[must_use]
pub fn scan_file(bytes: &[u8], core: CoreId, index: u64, of: &JournalTerm) -> FileScan {
    let mut scan = FileScan { bytes: bytes.len() as u64, ..FileScan::default() };
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + COMMIT_HEADER_BYTES) {
        let header: &[u8; COMMIT_HEADER_BYTES] = header.try_into().expect("the slice is a header");
        let mut step = BLOCK;
        if let Ok(header) = CommitHeader::decode(header)
            && of.wrote(&header)
        {
            let home = header.core == core
                && header.offset == at as u64
                && of.ring_index(header.generation) == index;
            if home {
                let payload = check_payload(&header, &bytes[at..]);
                if payload.is_ok() {
                    step = header.write_bytes();
                }
                scan.commits.push(Commit { header, payload });
            } else {
                scan.misplaced.push(Misplaced { offset: at as u64, header });
            }
        }
        at += step;
    }
    scan
}

/// Checks everything behind the header. `bytes` begins with the header.
pub fn check_payload(header: &CommitHeader, bytes: &[u8]) -> Result<Payload, BadPayload> {
    let whole = bytes.get(..header.write_bytes()).ok_or(BadPayload::Short)?;
    let (payload, padding) = whole[COMMIT_HEADER_BYTES..].split_at(header.payload_bytes as usize);
    let (found, crc, content) = match header.kind {
        CommitKind::Batches => check_batches(header, payload)?,
        CommitKind::Checkpoint => {
            let checkpoint = CheckpointEntry::decode_all(payload).ok_or(BadPayload::Crc)?;
            let found = checkpoint.len() as u32;
            (found, crc32(payload), Payload { checkpoint, ..Payload::default() })
        }
    };
    if found != header.count {
        return Err(BadPayload::Count { found, said: header.count });
    }
    if crc != header.payload_crc {
        return Err(BadPayload::Crc);
    }
    if padding.iter().any(|&b| b != 0) {
        return Err(BadPayload::Padding);
    }
    Ok(content)
}

fn check_batches(header: &CommitHeader, payload: &[u8]) -> Result<(u32, u32, Payload), BadPayload> {
    let (mut count, mut crc, mut content) = (0, 0, Payload::default());
    for batch in batches(payload) {
        let (at, batch) =
            batch.map_err(|(at, why)| BadPayload::Batch { at: COMMIT_HEADER_BYTES + at, why })?;
        let view = BatchView::check_stamped(batch)
            .map_err(|why| BadPayload::Batch { at: COMMIT_HEADER_BYTES + at, why })?;
        let stamp = view.header().stamp;
        if stamp.term > header.term {
            return Err(BadPayload::Term);
        }
        count += 1;
        crc = payload_crc_of_batch(crc, stored_header_crc(batch));
        content.records += u64::from(view.header().count);
        let end = view.header().end();
        match content.extents.last_mut() {
            Some(e) if e.shard == stamp.shard && e.end == stamp.base && e.term == stamp.term => {
                e.end = end;
            }
            _ => content.extents.push(Extent {
                shard: stamp.shard,
                base: stamp.base,
                end,
                term: stamp.term,
            }),
        }
    }
    Ok((count, crc, content))
}

/// The batches of a payload with their offsets; bodies are not checked here.
pub(crate) fn batches(
    payload: &[u8],
) -> impl Iterator<Item = Result<(usize, &[u8]), (usize, InvalidBatch)>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &payload[at..];
        if rest.is_empty() {
            return None;
        }
        let start = at;
        let batch = BatchHeader::decode_stamped(rest).map_err(InvalidBatch::Header).and_then(|h| {
            let (expected, found) = (h.batch_bytes(), rest.len());
            rest.get(..expected).ok_or(InvalidBatch::Length { expected, found })
        });
        // After an error there is no next place.
        at = batch.as_ref().map_or(payload.len(), |b| start + b.len());
        Some(batch.map(|b| (start, b)).map_err(|why| (start, why)))
    })
}

/// The CRC that closes a batch's header.
fn stored_header_crc(batch: &[u8]) -> u32 {
    let crc = &batch[BATCH_HEADER_BYTES - 4..BATCH_HEADER_BYTES];
    u32::from_le_bytes(crc.try_into().expect("4 bytes"))
}
