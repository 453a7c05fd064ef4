//! What the next start would find, for `check`: it reads and judges as a start does, reports all of
//! it and changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::ids::{Seq, ShardKey, StreamUuid};
use crate::disk::blocking::DiskError;
use crate::log::damage::Damage;
use crate::log::expected::Expected;
use crate::log::identity::Identity;
use crate::log::layout;
use crate::log::progress::Progress;
use crate::log::recovery::journals::read_journals;
use crate::log::recovery::judge_shards;
use crate::log::recovery::shards::{Directories, read_shards};
use crate::log::segment_header::NoSegment;

/// What the next start would find.
pub(crate) struct Survey {
    pub identity_file: PathBuf,
    pub commits: u64,
    pub torn_tails: Vec<(PathBuf, u64)>,
    pub journal_damage: Vec<Damage>,
    /// Of streams without a directory, when no catalog says whether they should have one.
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

/// Surveys a stopped data directory, or one stream of it. Journals are read even after a clean
/// stop: no record depends on them then, but their checkpoints say how far the shards reached.
pub(crate) fn survey(
    data_dir: &Path,
    identity: &Identity,
    only: Option<StreamUuid>,
    expected: &Expected,
    progress: &mut dyn Progress,
) -> Result<Survey, DiskError> {
    let journals = read_journals(data_dir, identity, progress)?;
    let wanted = |key: ShardKey| only.is_none_or(|only| only == key.stream);
    let mut known = journals.shards;
    known.retain(|&key, _| wanted(key) && expected.has(key));
    if identity.clean {
        // As in a start: the records themselves must be in segments.
        known.values_mut().for_each(|journal| journal.runs.clear());
    }
    let mut directories = Directories::find(data_dir, expected)?;
    directories.shards.retain(|&key| wanted(key));
    let (files, unsupported) = read_shards(data_dir, &directories.shards, progress)?;
    let mut shards = judge_shards(data_dir, files, &known, expected, identity.clean)?;
    shards.retain(|&key, _| wanted(key));
    let mut absent = Vec::new();
    shards.retain(|key, (_, reach)| {
        let may_be_deleted = !expected.is_known()
            && !directories.streams.contains(&key.stream)
            && !reach.damage.is_empty();
        if may_be_deleted {
            absent.append(&mut reach.damage);
        }
        !may_be_deleted
    });
    Ok(Survey {
        identity_file: layout::identity_file(data_dir),
        commits: journals.parts.iter().map(|p| p.commits.len() as u64).sum(),
        torn_tails: journals.torn_tails,
        journal_damage: journals.damage,
        absent,
        unsupported: unsupported.into_iter().map(|u| (u.file, u.why)).collect(),
        shards: shards
            .into_iter()
            .map(|(key, (_, reach))| {
                (key, ShardVerdict { first: reach.start, end: reach.end, damage: reach.damage })
            })
            .collect(),
    })
}
