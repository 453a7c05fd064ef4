//! Pass 1 over the journals of all cores: validates every commit and learns what each shard has
//! in them. Writes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::ids::{CoreId, Seq, ShardKey, Term};
use crate::disk::blocking::{self, DiskError};
use crate::log::commit::CommitHeader;
use crate::log::damage::{Damage, DamageKind, Proof, ProofKind};
use crate::log::identity::{Identity, JournalShape};
use crate::log::journal_chain::{BrokenAt, Chain, Place, chain};
use crate::log::journal_scan::{FileScan, JournalTerm, Misplaced, Payload, scan_file};
use crate::log::layout;
use crate::log::progress::Progress;

/// Records of a shard that stand in a journal one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub base: Seq,
    pub end: Seq,
    pub term: Term,
    /// Where the first of them stands.
    pub file: PathBuf,
    pub offset: u64,
}

/// What the journals say about one shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShardJournal {
    pub runs: Vec<Run>,
    /// The greatest `segment_seq` of all checkpoints, and where it stands.
    pub checkpoint: Option<(Seq, PathBuf, u64)>,
}

/// A commit to replay.
#[derive(Clone, Debug)]
pub(crate) struct JournalCommit {
    pub header: CommitHeader,
    pub payload: Payload,
}

/// One file's commits, in order; the files of a core are in order too.
#[derive(Clone, Debug)]
pub(crate) struct JournalPart {
    pub file: PathBuf,
    pub commits: Vec<JournalCommit>,
}

/// All journals of the term.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journals {
    pub parts: Vec<JournalPart>,
    pub shards: BTreeMap<ShardKey, ShardJournal>,
    pub damage: Vec<Damage>,
    pub torn_tails: Vec<(PathBuf, u64)>,
    pub bytes: u64,
}

/// Which commits of the identity's term matter.
pub(crate) fn journal_term(identity: &Identity) -> JournalTerm {
    JournalTerm { term: identity.term, salt: identity.salt, files: identity.journal.files }
}

/// Journal files that exist, with their lengths.
pub(crate) fn journal_files(data_dir: &Path) -> Result<Vec<(CoreId, u64, u64)>, DiskError> {
    let entries = blocking::list(&layout::journal_dir(data_dir))?;
    let parsed = entries.iter().filter_map(|e| {
        layout::parse_journal_file(&e.name).map(|(core, index)| (core, index, e.bytes))
    });
    Ok(parsed.collect())
}

/// Reads and judges all journals, one file in memory at a time.
pub(crate) fn read_journals(
    data_dir: &Path,
    identity: &Identity,
    progress: &mut dyn Progress,
) -> Result<Journals, DiskError> {
    let of = journal_term(identity);
    let files = journal_files(data_dir)?;
    progress.total_bytes(files.iter().map(|f| f.2).sum());
    progress.message("reading journals");
    let mut rings: BTreeMap<CoreId, BTreeMap<u64, FileScan>> = BTreeMap::new();
    for (core, index, bytes) in files {
        let content = blocking::read_file(&layout::journal_file(data_dir, core, index))?;
        rings.entry(core).or_default().insert(index, scan_file(&content, core, index, &of));
        progress.advance(bytes);
    }
    Ok(judge(data_dir, &of, identity.journal, rings))
}

/// Turns scans into chains, and chains into what recovery needs.
fn judge(
    data_dir: &Path,
    of: &JournalTerm,
    shape: JournalShape,
    rings: BTreeMap<CoreId, BTreeMap<u64, FileScan>>,
) -> Journals {
    let mut journals = Journals::default();
    let chains: BTreeMap<CoreId, Chain<'_>> =
        rings.iter().map(|(&core, files)| (core, chain(files, of))).collect();
    for (&core, chain) in &chains {
        let file = |place: Place| layout::journal_file(data_dir, core, place.index);
        journals.damage.extend(chain.broken.iter().map(|b| missing_commit(b, &file)));
        journals.torn_tails.extend(chain.torn_tail.iter().map(|&p| (file(p), p.offset)));
        for commit in &chain.commits {
            let path =
                layout::journal_file(data_dir, core, of.ring_index(commit.header.generation));
            let payload = commit.payload.as_ref().expect("a chain has whole commits").clone();
            journals.add(path, JournalCommit { header: commit.header, payload });
        }
    }
    for (&core, files) in &rings {
        for (&index, scan) in files {
            let here = layout::journal_file(data_dir, core, index);
            let astray = scan
                .misplaced
                .iter()
                .filter(|m| chains.get(&m.header.core).is_none_or(|chain| chain.lacks(&m.header)));
            let found = astray.map(|m| misplaced(data_dir, of, &here, m));
            journals.damage.extend(found);
        }
    }
    if journals.wrote_anything() {
        journals.damage.extend(bad_files(data_dir, shape, &rings));
    }
    journals
}

fn missing_commit(broken: &BrokenAt, file: &dyn Fn(Place) -> PathBuf) -> Damage {
    Damage {
        file: file(broken.place),
        offset: broken.place.offset,
        kind: DamageKind::MissingCommit {
            commit: broken.commit,
            why: broken.why,
            proof: Proof {
                file: file(broken.proof),
                offset: broken.proof.offset,
                what: ProofKind::Commit(broken.proof_commit),
            },
        },
    }
}

fn misplaced(data_dir: &Path, of: &JournalTerm, here: &Path, found: &Misplaced) -> Damage {
    let header = &found.header;
    let home = layout::journal_file(data_dir, header.core, of.ring_index(header.generation));
    Damage {
        file: here.to_owned(),
        offset: found.offset,
        kind: DamageKind::MisplacedCommit {
            core: header.core,
            commit: header.commit,
            home,
            home_offset: header.offset,
        },
    }
}

/// All files are complete before the first commit, so afterwards each must be there.
fn bad_files(
    data_dir: &Path,
    shape: JournalShape,
    rings: &BTreeMap<CoreId, BTreeMap<u64, FileScan>>,
) -> Vec<Damage> {
    let places = (0..shape.cores).flat_map(|core| (0..shape.files).map(move |i| (CoreId(core), i)));
    let bad = places.filter_map(|(core, index)| {
        let found = rings.get(&core).and_then(|ring| ring.get(&index)).map(|scan| scan.bytes);
        (found != Some(shape.file_bytes)).then(|| Damage {
            file: layout::journal_file(data_dir, core, index),
            offset: found.unwrap_or(0),
            kind: DamageKind::JournalFile { expected: shape.file_bytes, found },
        })
    });
    bad.collect()
}

impl Journals {
    fn wrote_anything(&self) -> bool {
        !self.parts.is_empty() || !self.damage.is_empty() || !self.torn_tails.is_empty()
    }

    fn add(&mut self, file: PathBuf, commit: JournalCommit) {
        let offset = commit.header.offset;
        self.bytes += commit.header.write_bytes() as u64;
        for extent in &commit.payload.extents {
            let runs = &mut self.shards.entry(extent.shard).or_default().runs;
            match runs.last_mut() {
                Some(run) if run.end == extent.base && run.term == extent.term => {
                    run.end = extent.end;
                }
                _ => runs.push(Run {
                    base: extent.base,
                    end: extent.end,
                    term: extent.term,
                    file: file.clone(),
                    offset,
                }),
            }
        }
        for entry in &commit.payload.checkpoint {
            let known = &mut self.shards.entry(entry.shard).or_default().checkpoint;
            if known.as_ref().is_none_or(|(seq, ..)| *seq < entry.segment_seq) {
                *known = Some((entry.segment_seq, file.clone(), offset));
            }
        }
        match self.parts.last_mut() {
            Some(part) if part.file == file => part.commits.push(commit),
            _ => self.parts.push(JournalPart { file, commits: vec![commit] }),
        }
    }
}
