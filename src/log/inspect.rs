//! What a stopped data directory holds, without judging it. [`crate::log::check`] judges.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::ids::{CoreId, Millis, Seq, ShardKey};
use crate::disk::blocking::{self, DiskError};
use crate::log::identity::{FORMAT_VERSION, Identity};
use crate::log::index::SegmentIndex;
use crate::log::journal_scan::{JournalTerm, scan_file};
use crate::log::layout;
use crate::log::offline::{OfflineError, open_stopped, shard_name};
use crate::log::progress::Progress;
use crate::log::recovery::{journal_files, journal_term, shard_dirs, stream_dirs};
use crate::log::segment_scan::{SegmentExpect, scan_segment};

/// What is in a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InspectReport {
    /// The directory.
    pub data_dir: PathBuf,
    /// The identity file.
    pub identity: IdentityReport,
    /// Journal files by core and ring index.
    pub journals: Vec<JournalReport>,
    /// Shards by stream and number.
    pub shards: Vec<ShardReport>,
}

/// The identity file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IdentityReport {
    /// Data format.
    pub format: u32,
    /// Name of the data directory.
    pub uuid: String,
    /// Boot epoch.
    pub term: u64,
    /// Terms up to this one are in segments.
    pub replayed_through: u64,
    /// Cores of the term.
    pub cores: u16,
    /// Files in each core's ring.
    pub journal_files: u64,
    /// Bytes of each.
    pub journal_file_bytes: u64,
    /// Whether the server stopped in order.
    pub clean: bool,
}

/// One journal file: what it holds of the current term.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalReport {
    /// The file.
    pub file: PathBuf,
    /// The core.
    pub core: u16,
    /// Its place in the ring.
    pub index: u64,
    /// Length.
    pub file_bytes: u64,
    /// The generation in it; `None` if it holds nothing of this term.
    pub generation: Option<u64>,
    /// Whole commits of the generation.
    pub commits: u64,
    /// Number of the first.
    pub first_commit: Option<u64>,
    /// Number of the last.
    pub last_commit: Option<u64>,
    /// Batches in them.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of the commits with headers and padding.
    pub bytes: u64,
    /// Commits that older generations left behind.
    pub stale_commits: u64,
    /// Commits that are not whole: a torn write, or damage.
    pub bad_commits: u64,
}

/// A shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShardReport {
    /// The stream's uuid.
    pub stream: String,
    /// The shard, as AWS writes it.
    pub shard: String,
    /// First sequence that exists.
    pub first: Seq,
    /// Behind the last sequence in segments.
    pub end: Seq,
    /// Records in segments.
    pub records: u64,
    /// Bytes of batches in segments.
    pub bytes: u64,
    /// When the oldest record arrived; `None` without records.
    pub first_arrival: Option<Millis>,
    /// When the newest one did.
    pub last_arrival: Option<Millis>,
    /// In order.
    pub segments: Vec<SegmentReport>,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SegmentReport {
    /// The file.
    pub file: PathBuf,
    /// Length.
    pub file_bytes: u64,
    /// Whether it has a readable saved index.
    pub sealed: bool,
    /// First sequence.
    pub base: Seq,
    /// Behind the last.
    pub end: Seq,
    /// Records.
    pub records: u64,
    /// Bytes of batches.
    pub bytes: u64,
    /// When the first record arrived.
    pub first_arrival: Option<Millis>,
    /// When the last one did.
    pub last_arrival: Option<Millis>,
}

/// Lists what a stopped data directory holds.
pub fn inspect(
    data_dir: &Path,
    progress: &mut dyn Progress,
) -> Result<InspectReport, OfflineError> {
    let stopped = open_stopped(data_dir)?;
    Ok(InspectReport {
        data_dir: data_dir.to_owned(),
        identity: IdentityReport::of(&stopped.identity),
        journals: inspect_journals(data_dir, &stopped.identity, progress)?,
        shards: inspect_shards(data_dir, progress)?,
    })
}

impl IdentityReport {
    pub(crate) fn of(identity: &Identity) -> IdentityReport {
        IdentityReport {
            format: FORMAT_VERSION,
            uuid: identity.uuid.to_string(),
            term: identity.term.0,
            replayed_through: identity.replayed_through.0,
            cores: identity.journal.cores,
            journal_files: identity.journal.files,
            journal_file_bytes: identity.journal.file_bytes,
            clean: identity.clean,
        }
    }
}

fn inspect_journals(
    data_dir: &Path,
    identity: &Identity,
    progress: &mut dyn Progress,
) -> Result<Vec<JournalReport>, DiskError> {
    let of = journal_term(identity);
    let files = journal_files(data_dir)?;
    progress.message("reading journals");
    progress.total_bytes(files.iter().map(|f| f.2).sum());
    let mut reports = Vec::new();
    for (core, index, file_bytes) in files {
        reports.push(inspect_journal(data_dir, core, index, &of)?);
        progress.advance(file_bytes);
    }
    Ok(reports)
}

fn inspect_journal(
    data_dir: &Path,
    core: CoreId,
    index: u64,
    of: &JournalTerm,
) -> Result<JournalReport, DiskError> {
    let file = layout::journal_file(data_dir, core, index);
    let scan = scan_file(&blocking::read_file(&file)?, core, index, of);
    let generation = scan.commits.iter().map(|c| c.header.generation).max();
    let (live, stale): (Vec<_>, Vec<_>) =
        scan.commits.iter().partition(|c| Some(c.header.generation) == generation);
    let whole: Vec<_> =
        live.iter().filter_map(|c| c.payload.as_ref().ok().map(|p| (c.header, p))).collect();
    Ok(JournalReport {
        file,
        core: core.0,
        index,
        file_bytes: scan.bytes,
        generation,
        commits: whole.len() as u64,
        first_commit: whole.first().map(|(h, _)| h.commit),
        last_commit: whole.last().map(|(h, _)| h.commit),
        batches: whole
            .iter()
            .filter(|(_, p)| p.checkpoint.is_empty())
            .map(|(h, _)| u64::from(h.count))
            .sum(),
        records: whole.iter().map(|(_, p)| p.records).sum(),
        bytes: whole.iter().map(|(h, _)| h.write_bytes() as u64).sum(),
        stale_commits: stale.len() as u64,
        bad_commits: (live.len() - whole.len()) as u64,
    })
}

fn inspect_shards(
    data_dir: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<ShardReport>, DiskError> {
    progress.message("reading segments");
    let mut shards = Vec::new();
    for stream in stream_dirs(data_dir)? {
        for key in shard_dirs(data_dir, stream)? {
            shards.push(inspect_shard(data_dir, key, progress)?);
        }
    }
    Ok(shards)
}

fn inspect_shard(
    data_dir: &Path,
    key: ShardKey,
    progress: &mut dyn Progress,
) -> Result<ShardReport, DiskError> {
    let dir = layout::shard_dir(data_dir, key);
    let mut segments = Vec::new();
    for entry in blocking::list(&dir)? {
        let Some(base) = layout::parse_segment_file(&entry.name) else {
            continue;
        };
        let file = dir.join(&entry.name);
        let saved = blocking::read_file_if_exists(&layout::index_file(&dir, base))?;
        let saved = saved.and_then(|b| SegmentIndex::decode(&b).ok());
        let sealed = saved.is_some();
        let index = match saved {
            Some(index) => index,
            None => {
                progress.total_bytes(entry.bytes);
                let expect = SegmentExpect { shard: key, base, limit: Seq(u64::MAX) };
                let scan = scan_segment(&blocking::read_file(&file)?, &expect);
                progress.advance(entry.bytes);
                scan.index
            }
        };
        segments.push(SegmentReport::of(file, entry.bytes, sealed, &index));
    }
    let (stream, shard) = shard_name(key);
    Ok(ShardReport {
        stream,
        shard,
        first: segments.first().map_or(Seq::ZERO, |s| s.base),
        end: segments.last().map_or(Seq::ZERO, |s| s.end),
        records: segments.iter().map(|s| s.records).sum(),
        bytes: segments.iter().map(|s| s.bytes).sum(),
        first_arrival: segments.iter().find_map(|s| s.first_arrival),
        last_arrival: segments.iter().rev().find_map(|s| s.last_arrival),
        segments,
    })
}

impl SegmentReport {
    fn of(file: PathBuf, file_bytes: u64, sealed: bool, index: &SegmentIndex) -> SegmentReport {
        SegmentReport {
            file,
            file_bytes,
            sealed,
            base: index.base(),
            end: index.end(),
            records: index.end().0.saturating_sub(index.base().0),
            bytes: index.bytes(),
            first_arrival: index.before_time(Millis(0)).map(|first| first.arrival),
            last_arrival: (!index.is_empty()).then(|| index.last_arrival()),
        }
    }
}
