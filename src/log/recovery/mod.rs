//! Boot: brings the segments up to what the journals made durable, and starts the next term.
//!
//! Three steps, each safe to repeat after a crash: [`plan`] reads and judges everything and writes
//! nothing; [`Plan::replay`] completes the segments and syncs them; [`Replayed::commit`] stores
//! the new term, from which moment the old journals mean nothing. [`recover`] does all three.

mod journals;
mod reach;
mod replay;
mod shards;
mod survey;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::base::clock::Now;
use crate::base::ids::{CoreId, Millis, Seq, ShardKey, Term};
use crate::disk::blocking::{self, DirLock, DiskError};
use crate::disk::parallel;
use crate::log::commit::{COMMIT_HEADER_BYTES, CommitKind};
use crate::log::damage::Damage;
use crate::log::expected::Expected;
use crate::log::identity::{Identity, IdentityError, JournalShape};
use crate::log::index::SegmentIndex;
use crate::log::journal_scan::batches;
use crate::log::layout;
use crate::log::progress::Progress;
use crate::log::segment_header::NoSegment;
use crate::record::BatchHeader;

use journals::{JournalPart, Journals, ShardJournal, read_journals};
use reach::Reach;
use replay::{Creation, Placed, ReplayError, ShardReplay};
use shards::{ShardFiles, read_shards, read_unsealed};

pub(crate) use journals::{journal_files, journal_term};
pub(crate) use shards::{Directories, shard_dirs, stream_dirs};
pub(crate) use survey::{Survey, survey};

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
    /// Closed shards that end elsewhere than the catalog says, and where: the catalog must hear of
    /// it before anybody reads them. Shards without stable storage have lost their last records,
    /// or a loss was accepted.
    pub moved_ends: Vec<(ShardKey, Seq)>,
    /// What was done.
    pub stats: RecoveryStats,
    /// What was given up; empty unless `accept_loss` was set and needed.
    pub losses: Losses,
}

/// Recovers the data directory and starts the next term. `_lock` is the server's own lock.
/// What is left of streams and shards that are not `expected` is removed.
pub fn recover(
    data_dir: &Path,
    _lock: &DirLock,
    identity: Identity,
    options: &RecoverOptions,
    expected: &Expected,
    progress: &mut dyn Progress,
) -> Result<Recovered, RecoverError> {
    let plan = plan(data_dir, identity, options, expected, progress)?;
    plan.replay(progress)?.commit()
}

/// What will be done. Nothing has been written.
#[derive(Debug)]
pub struct Plan {
    data_dir: PathBuf,
    identity: Identity,
    options: RecoverOptions,
    started: Now,
    dead: Vec<PathBuf>,
    shards: BTreeMap<ShardKey, (ShardFiles, Reach)>,
    moved_ends: Vec<(ShardKey, Seq)>,
    parts: Vec<JournalPart>,
    stats: RecoveryStats,
    losses: Losses,
}

/// Puts segments and journals of every shard together.
fn judge_shards(
    data_dir: &Path,
    mut files: BTreeMap<ShardKey, ShardFiles>,
    journals: &BTreeMap<ShardKey, ShardJournal>,
    expected: &Expected,
    stopped_clean: bool,
) -> Result<BTreeMap<ShardKey, (ShardFiles, Reach)>, DiskError> {
    let closed = expected.closed_with_records().map(|(key, _)| key);
    for key in journals.keys().copied().chain(closed) {
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
        let reach = reach::reach(&shard, journal, expected.closed(key), stopped_clean);
        judged.insert(key, (shard, reach));
    }
    Ok(judged)
}

/// Reads and judges journals and segments.
pub fn plan(
    data_dir: &Path,
    identity: Identity,
    options: &RecoverOptions,
    expected: &Expected,
    progress: &mut dyn Progress,
) -> Result<Plan, RecoverError> {
    let started = (options.clock)();
    let directories = Directories::find(data_dir, expected)?;
    let mut journals = match identity.clean {
        true => Journals::default(),
        false => read_journals(data_dir, &identity, progress)?,
    };
    journals.shards.retain(|&key, _| expected.has(key));
    let (files, unsupported) = read_shards(data_dir, &directories.shards, progress)?;
    if let Some(shards::Unsupported { file, why }) = unsupported.into_iter().next() {
        return Err(RecoverError::Unsupported { file, why });
    }
    let shards = judge_shards(data_dir, files, &journals.shards, expected, identity.clean)?;
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
    let ends = shards.iter().map(|(&key, (_, reach))| (key, reach.end));
    let moved = |&(key, end): &(ShardKey, Seq)| {
        expected.closed(key).is_some_and(|closed| closed.at.end != end)
    };
    Ok(Plan {
        data_dir: data_dir.to_owned(),
        identity,
        options: *options,
        started,
        dead: directories.dead,
        moved_ends: ends.filter(moved).collect(),
        shards,
        parts: journals.parts,
        stats,
        losses: Losses { damage, ..Losses::default() },
    })
}

impl Plan {
    /// Completes the segments from the journals and makes them durable.
    pub fn replay(mut self, progress: &mut dyn Progress) -> Result<Replayed, RecoverError> {
        parallel::try_each(&self.dead, |dir| blocking::remove_dir_all(dir))?;
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
        // Headers also where no journal has anything.
        shards.values_mut().try_for_each(ShardReplay::flush)?;
        progress.message("syncing segments");
        let shards: Vec<ShardReplay> = shards.into_values().collect();
        // After a clean stop all of it was synced.
        let (crashed, all) = (!self.identity.clean, shards.iter());
        let unfinished: Vec<_> = all.filter(|shard| shard.must_finish(crashed)).collect();
        write_out_many(&self.data_dir, unfinished.len())?;
        parallel::try_each(&unfinished, |shard| shard.finish())?;
        sync_stream_dirs(&self.data_dir, unfinished.iter().map(|shard| shard.files.key))?;
        let shards = shards.into_iter().map(ShardReplay::into_files).collect();
        Ok(Replayed { plan: self, shards })
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
                let before = shard.pending_bytes();
                match shard.place(&header, batch) {
                    Ok(placed) => self.count(placed, &header),
                    Err(ReplayError::Disk(e)) => return Err(e.into()),
                    Err(ReplayError::Damage(d)) => {
                        return Err(RecoverError::Corrupt(Corruption(vec![*d])));
                    }
                }
                pending += shard.pending_bytes().saturating_sub(before);
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
fn sync_stream_dirs(
    data_dir: &Path,
    shards: impl Iterator<Item = ShardKey>,
) -> Result<(), DiskError> {
    let streams: BTreeSet<_> = shards.map(|key| layout::stream_dir(data_dir, key.stream)).collect();
    if streams.is_empty() {
        return Ok(());
    }
    let streams: Vec<PathBuf> = streams.into_iter().collect();
    parallel::try_each(&streams, |dir| blocking::sync_dir(dir))?;
    blocking::sync_dir(&layout::streams_dir(data_dir))
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
        let Plan { data_dir, identity, options, started, moved_ends, mut stats, losses, .. } =
            self.plan;
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
            moved_ends,
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

impl Recovered {
    /// Saves the indexes of all segments that lack one, so that no later start scans them. For a
    /// server that starts new segments and adds nothing to these.
    pub fn save_indexes(&self, data_dir: &Path) -> Result<(), DiskError> {
        let mut unsaved = Vec::new();
        for shard in &self.shards {
            let lacking = shard.segments.iter().filter(|s| !s.sealed && !s.index.is_empty());
            unsaved.extend(lacking.map(|segment| (shard.shard, &segment.index)));
        }
        let file = |key: ShardKey, index: &SegmentIndex| {
            layout::index_file(&layout::shard_dir(data_dir, key), index.base())
        };
        parallel::try_each(&unsaved, |&(key, index)| {
            blocking::write_tmp(&file(key, index), &index.encode())
        })?;
        write_out_many(data_dir, unsaved.len())?;
        // Their names need no sync of their own: the next segment's name brings one, and until
        // then a segment without an index is only scanned again.
        parallel::try_each(&unsaved, |&(key, index)| blocking::publish_tmp(&file(key, index)))
    }
}

/// Before the syncs of many files. A few are quicker without: who knows what else is in caches.
fn write_out_many(data_dir: &Path, files: usize) -> Result<(), DiskError> {
    const MANY: usize = 64;
    if files < MANY { Ok(()) } else { blocking::write_out_all(data_dir) }
}
