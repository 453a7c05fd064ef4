//! Boot: brings the segments up to what the journals made durable, and starts the next term.
//!
//! Three steps, each safe to repeat after a crash: [`plan`] reads and judges everything and writes
//! nothing; [`Plan::replay`] completes the segments and syncs them; [`Replayed::commit`] stores
//! the new term, from which moment the old journals mean nothing. [`recover`] does all three.

mod journals;
mod reach;
mod replay;
mod shards;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::base::clock::Now;
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, StreamUuid, Term};
use crate::disk::blocking::{self, DirLock, DiskError};
use crate::log::commit::{COMMIT_HEADER_BYTES, CommitKind};
use crate::log::damage::Damage;
use crate::log::identity::{Identity, IdentityError, JournalShape};
use crate::log::index::SegmentIndex;
use crate::log::journal_scan::batches;
use crate::log::layout;
use crate::log::progress::Progress;
use crate::log::segment_header::NoSegment;
use crate::record::BatchHeader;

use journals::{JournalPart, Journals, ShardJournal, read_journals};
use replay::{Creation, Placed, ReplayError, ShardReplay};
use shards::{ShardFiles, read_shards, read_unsealed};

pub(crate) use journals::{journal_files, journal_term};
pub(crate) use shards::{shard_dirs, stream_dirs};

/// Batches that wait to be written, over all shards.
const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What the caller decides and draws.
#[derive(Clone, Copy, Debug)]
pub struct RecoverOptions {
    /// Cores and journals of the term that starts.
    pub journal: JournalShape,
    /// A fresh random number.
    pub salt: u64,
    /// Go on behind corruption without what is missing; [`Recovered::losses`] says what that was.
    pub accept_loss: bool,
    /// Reads the clocks.
    pub clock: fn() -> Now,
}

/// Why the server does not start. Nothing was changed.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The identity file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Durable data is missing or changed.
    #[error("{0}")]
    Corrupt(Corruption),
    /// A segment of another release.
    #[error("{} at offset 0: {why}. Start the release that wrote it, or upgrade", .file.display())]
    Unsupported {
        /// The segment.
        file: PathBuf,
        /// What is not supported.
        why: NoSegment,
    },
}

/// All damage that was found; at least one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption(pub Vec<Damage>);

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.0.first() else {
            return f.write_str("the data directory is damaged");
        };
        write!(f, "the data directory is damaged: {first}")?;
        if self.0.len() > 1 {
            write!(f, " (and {} more places)", self.0.len() - 1)?;
        }
        write!(f, ". Run `shardway check` for a full report; then {}", first.kind.advice())
    }
}

/// A segment that exists after recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentExtent {
    /// First sequence, and the file's name.
    pub base: Seq,
    /// Extent and index.
    pub index: SegmentIndex,
    /// Whether its index is saved; nothing may be added then.
    pub sealed: bool,
}

/// A shard after recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredShard {
    /// Which.
    pub shard: ShardKey,
    /// Its segments in order; all but the last are sealed.
    pub segments: Vec<SegmentExtent>,
    /// First sequence that still exists.
    pub trim_seq: Seq,
    /// Behind the last: the next record gets it.
    pub end: Seq,
    /// When the newest record arrived; later ones must not be earlier.
    pub last_arrival: Millis,
}

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryStats {
    /// Commits in the journals.
    pub commits: u64,
    /// Batches that segments lacked.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// A last commit that a crash cut off: file and offset. It was never acknowledged.
    pub torn_tail: Option<(PathBuf, u64)>,
    /// The last stop was in order: journals were not read.
    pub was_clean: bool,
    /// How long it took.
    pub duration: Duration,
}

/// What is given up with `accept_loss`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// All damage.
    pub damage: Vec<Damage>,
    /// Journal batches that lie behind a gap.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
}

/// The state in which the server starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The identity as stored: new term, new salt.
    pub identity: Identity,
    /// The term that starts.
    pub term: Term,
    /// Its salt.
    pub salt: u64,
    /// Every shard that has segments, by key.
    pub shards: Vec<RecoveredShard>,
    /// What was done.
    pub stats: RecoveryStats,
    /// What was given up; empty unless `accept_loss` was set and needed.
    pub losses: Losses,
}

/// Recovers the data directory and starts the next term. `_lock` is the server's own lock.
/// Streams for which `is_live` says no are removed.
pub fn recover(
    data_dir: &Path,
    _lock: &DirLock,
    identity: Identity,
    options: &RecoverOptions,
    is_live: &dyn Fn(StreamUuid) -> bool,
    progress: &mut dyn Progress,
) -> Result<Recovered, RecoverError> {
    let plan = plan(data_dir, identity, options, is_live, progress)?;
    plan.replay(progress)?.commit()
}

/// What will be done. Nothing has been written.
#[derive(Debug)]
pub struct Plan {
    data_dir: PathBuf,
    identity: Identity,
    options: RecoverOptions,
    started: Now,
    dead: Vec<StreamUuid>,
    shards: BTreeMap<ShardKey, (ShardFiles, reach::Reach)>,
    parts: Vec<JournalPart>,
    stats: RecoveryStats,
    losses: Losses,
}

/// What the next start would find; for `check`.
pub(crate) struct Survey {
    pub identity_file: PathBuf,
    pub commits: u64,
    pub torn_tails: Vec<(PathBuf, u64)>,
    pub journal_damage: Vec<Damage>,
    /// Of streams without a directory.
    pub absent: Vec<Damage>,
    pub unsupported: Vec<(PathBuf, NoSegment)>,
    pub shards: BTreeMap<ShardKey, ShardVerdict>,
}

/// What the next start would find of one shard.
pub(crate) struct ShardVerdict {
    pub first: Seq,
    pub end: Seq,
    pub damage: Vec<Damage>,
}

/// Reads and judges as [`plan`] does, and reports all of it. Journals are read even after a clean
/// stop: no record depends on them then, but their checkpoints say how far the shards reached.
pub(crate) fn survey(
    data_dir: &Path,
    identity: &Identity,
    only: Option<StreamUuid>,
    progress: &mut dyn Progress,
) -> Result<Survey, DiskError> {
    let journals = read_journals(data_dir, identity, progress)?;
    let wanted = |stream: StreamUuid| only.is_none_or(|only| only == stream);
    let mut known = journals.shards;
    known.retain(|key, _| wanted(key.stream));
    if identity.clean {
        // As in a start: the records themselves must be in segments.
        known.values_mut().for_each(|journal| journal.runs.clear());
    }
    let mut streams = stream_dirs(data_dir)?;
    streams.retain(|&stream| wanted(stream));
    let (files, unsupported) = read_shards(data_dir, &streams, progress)?;
    let mut shards = judge_shards(data_dir, files, &known, identity.clean)?;
    // Without a directory the stream may have been deleted: the catalog knows, this does not.
    let mut absent = Vec::new();
    shards.retain(|key, (_, reach)| {
        let deleted = !streams.contains(&key.stream) && !reach.damage.is_empty();
        if deleted {
            absent.append(&mut reach.damage);
        }
        !deleted
    });
    let verdict = |reach: reach::Reach| ShardVerdict {
        first: reach.start,
        end: reach.end,
        damage: reach.damage,
    };
    Ok(Survey {
        identity_file: layout::identity_file(data_dir),
        commits: journals.parts.iter().map(|p| p.commits.len() as u64).sum(),
        torn_tails: journals.torn_tails,
        journal_damage: journals.damage,
        absent,
        unsupported: unsupported.into_iter().map(|u| (u.file, u.why)).collect(),
        shards: shards.into_iter().map(|(key, (_, reach))| (key, verdict(reach))).collect(),
    })
}

/// Puts segments and journals of every shard together.
fn judge_shards(
    data_dir: &Path,
    mut files: BTreeMap<ShardKey, ShardFiles>,
    journals: &BTreeMap<ShardKey, ShardJournal>,
    stopped_clean: bool,
) -> Result<BTreeMap<ShardKey, (ShardFiles, reach::Reach)>, DiskError> {
    for &key in journals.keys() {
        files.entry(key).or_insert_with(|| ShardFiles::new(data_dir, key));
    }
    let none = ShardJournal::default();
    let mut judged = BTreeMap::new();
    for (key, mut shard) in files {
        let journal = journals.get(&key).unwrap_or(&none);
        if let Some((at, limit)) = reach::overruled(&shard, journal) {
            let base = shard.segments[at].base;
            shard.segments[at] = read_unsealed(&shard, base, limit)?;
            // What is behind belongs to the lower term and gives way.
            shard.segments[at].stray = None;
        }
        let reach = reach::reach(&shard, journal, stopped_clean);
        judged.insert(key, (shard, reach));
    }
    Ok(judged)
}

/// Reads and judges journals and segments.
pub fn plan(
    data_dir: &Path,
    identity: Identity,
    options: &RecoverOptions,
    is_live: &dyn Fn(StreamUuid) -> bool,
    progress: &mut dyn Progress,
) -> Result<Plan, RecoverError> {
    let started = (options.clock)();
    let (live, dead): (Vec<_>, Vec<_>) =
        stream_dirs(data_dir)?.into_iter().partition(|&uuid| is_live(uuid));
    let mut journals = match identity.clean {
        true => Journals::default(),
        false => read_journals(data_dir, &identity, progress)?,
    };
    journals.shards.retain(|key, _| is_live(key.stream));
    let (files, unsupported) = read_shards(data_dir, &live, progress)?;
    if let Some(shards::Unsupported { file, why }) = unsupported.into_iter().next() {
        return Err(RecoverError::Unsupported { file, why });
    }
    let shards = judge_shards(data_dir, files, &journals.shards, identity.clean)?;
    let mut damage = journals.damage;
    damage.extend(shards.values().flat_map(|(_, reach)| reach.damage.iter().cloned()));
    if !damage.is_empty() && !options.accept_loss {
        return Err(RecoverError::Corrupt(Corruption(damage)));
    }
    let stats = RecoveryStats {
        commits: journals.parts.iter().map(|p| p.commits.len() as u64).sum(),
        torn_tail: journals.torn_tails.into_iter().next(),
        was_clean: identity.clean,
        ..RecoveryStats::default()
    };
    Ok(Plan {
        data_dir: data_dir.to_owned(),
        identity,
        options: *options,
        started,
        dead,
        shards,
        parts: journals.parts,
        stats,
        losses: Losses { damage, ..Losses::default() },
    })
}

impl Plan {
    /// Completes the segments from the journals and makes them durable.
    pub fn replay(mut self, progress: &mut dyn Progress) -> Result<Replayed, RecoverError> {
        for &stream in &self.dead {
            blocking::remove_dir_all(&layout::stream_dir(&self.data_dir, stream))?;
        }
        let creation = Creation { term: Term(self.identity.term.0 + 1), now: self.started.wall };
        let mut shards = BTreeMap::new();
        for (key, (files, reach)) in std::mem::take(&mut self.shards) {
            let replay = ShardReplay::begin(files, reach.start, reach.end, creation)?;
            shards.insert(key, replay);
        }
        progress.message("replaying journals");
        for part in std::mem::take(&mut self.parts) {
            self.replay_part(&part, &mut shards, progress)?;
        }
        progress.message("syncing segments");
        for shard in shards.values_mut() {
            // After a clean stop all of it was synced.
            if !self.identity.clean || shard.must_finish() {
                shard.finish()?;
            }
        }
        sync_stream_dirs(&self.data_dir, shards.keys())?;
        Ok(Replayed { plan: self, shards: shards.into_values().map(|s| s.files).collect() })
    }

    fn replay_part(
        &mut self,
        part: &JournalPart,
        shards: &mut BTreeMap<ShardKey, ShardReplay>,
        progress: &mut dyn Progress,
    ) -> Result<(), RecoverError> {
        let bytes = blocking::read_file(&part.file)?;
        progress.total_bytes(bytes.len() as u64);
        let mut pending = 0;
        for commit in &part.commits {
            if commit.header.kind != CommitKind::Batches {
                continue;
            }
            let start = commit.header.offset as usize + COMMIT_HEADER_BYTES;
            let payload = &bytes[start..start + commit.header.payload_bytes as usize];
            for batch in batches(payload) {
                let (_, batch) = batch.expect("pass 1 checked the commit, under the lock");
                let header = BatchHeader::decode_stamped(batch).expect("pass 1 checked the batch");
                let Some(shard) = shards.get_mut(&header.stamp.shard) else {
                    continue;
                };
                match shard.place(&header, batch) {
                    Ok(placed) => self.count(placed, &header),
                    Err(ReplayError::Disk(e)) => return Err(e.into()),
                    Err(ReplayError::Damage(d)) => {
                        return Err(RecoverError::Corrupt(Corruption(vec![*d])));
                    }
                }
                pending += batch.len();
            }
            if pending >= PENDING_BYTES_MAX {
                pending = 0;
                shards.values_mut().try_for_each(ShardReplay::flush)?;
            }
        }
        progress.advance(bytes.len() as u64);
        Ok(shards.values_mut().try_for_each(ShardReplay::flush)?)
    }

    fn count(&mut self, placed: Placed, header: &BatchHeader) {
        let records = u64::from(header.count);
        match placed {
            Placed::There => {}
            Placed::Added => {
                self.stats.batches += 1;
                self.stats.records += records;
                self.stats.bytes += header.batch_bytes() as u64;
            }
            Placed::Dropped => {
                self.losses.batches += 1;
                self.losses.records += records;
            }
        }
    }
}

/// The names of new shard directories are durable only with their parents.
fn sync_stream_dirs<'a>(
    data_dir: &Path,
    shards: impl Iterator<Item = &'a ShardKey>,
) -> Result<(), DiskError> {
    let streams: BTreeSet<StreamUuid> = shards.map(|key| key.stream).collect();
    for &stream in &streams {
        let dir = layout::stream_dir(data_dir, stream);
        if dir.is_dir() {
            blocking::sync_dir(&dir)?;
        }
    }
    let dir = layout::streams_dir(data_dir);
    if dir.is_dir() { blocking::sync_dir(&dir) } else { Ok(()) }
}

/// Segments are complete and durable; the old term is still the current one.
#[derive(Debug)]
pub struct Replayed {
    plan: Plan,
    shards: Vec<ShardFiles>,
}

impl Replayed {
    /// Stores the new term and removes journals that it does not use.
    pub fn commit(self) -> Result<Recovered, RecoverError> {
        let Plan { data_dir, identity, options, started, mut stats, losses, .. } = self.plan;
        let identity = Identity {
            uuid: identity.uuid,
            term: Term(identity.term.0 + 1),
            replayed_through: identity.term,
            salt: options.salt,
            journal: options.journal,
            clean: false,
        };
        identity.store(&data_dir)?;
        remove_unused_journals(&data_dir, &options.journal)?;
        stats.duration = (options.clock)().mono - started.mono;
        Ok(Recovered {
            identity,
            term: identity.term,
            salt: identity.salt,
            shards: self.shards.into_iter().filter_map(recovered_shard).collect(),
            stats,
            losses,
        })
    }
}

fn remove_unused_journals(data_dir: &Path, shape: &JournalShape) -> Result<(), DiskError> {
    let files = journal_files(data_dir)?;
    let used = |core: CoreId, index| core.0 < shape.cores && index < shape.files;
    for &(core, index, _) in files.iter().filter(|f| !used(f.0, f.1)) {
        blocking::remove_file(&layout::journal_file(data_dir, core, index))?;
    }
    if files.is_empty() { Ok(()) } else { blocking::sync_dir(&layout::journal_dir(data_dir)) }
}

fn recovered_shard(files: ShardFiles) -> Option<RecoveredShard> {
    let last = files.segments.last()?;
    let arrivals = files.segments.iter().map(|s| s.index.last_arrival());
    Some(RecoveredShard {
        shard: files.key,
        trim_seq: files.segments[0].base,
        end: last.index.end(),
        last_arrival: arrivals.max().unwrap_or_default(),
        segments: files
            .segments
            .into_iter()
            .map(|s| SegmentExtent { base: s.base, index: s.index, sealed: s.sealed })
            .collect(),
    })
}
