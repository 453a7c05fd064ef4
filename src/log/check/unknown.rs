//! Files that do not belong where they are.

use std::path::{Path, PathBuf};

use crate::disk::blocking::{self, DiskError, Entry};
use crate::log::check::{Finding, Severity};
use crate::log::expected::Expected;
use crate::log::identity::Identity;
use crate::log::layout;
use crate::log::recovery::Directories;

/// Names at the top of a data directory.
const TOP: [&str; 7] = ["SHARDWAY", "LOCK", "journal", "streams", "catalog", "tls", "lost+found"];

/// Everything that does not belong there.
pub(super) fn findings(
    data_dir: &Path,
    identity: &Identity,
    expected: &Expected,
) -> Result<Vec<Finding>, DiskError> {
    let directories = Directories::find(data_dir, expected)?;
    let mut strangers = Vec::new();
    let mut look = |dir: &Path, belongs: &dyn Fn(&Entry) -> bool| -> Result<(), DiskError> {
        let entries = blocking::list(dir)?;
        strangers.extend(entries.into_iter().filter(|e| !belongs(e)).map(|e| dir.join(e.name)));
        Ok(())
    };
    look(data_dir, &|e| TOP.contains(&e.name.as_str()))?;
    look(&layout::journal_dir(data_dir), &|e| {
        layout::parse_journal_file(&e.name).is_some_and(|(core, index)| {
            core.0 < identity.journal.cores && index < identity.journal.files
        })
    })?;
    look(&layout::streams_dir(data_dir), &|e| e.is_dir && uuid::Uuid::parse_str(&e.name).is_ok())?;
    for &stream in &directories.streams {
        look(&layout::stream_dir(data_dir, stream), &|e| {
            e.is_dir && layout::parse_shard_dir(&e.name).is_some()
        })?;
    }
    for &shard in &directories.shards {
        let dir = layout::shard_dir(data_dir, shard);
        look(&dir, &|e| belongs_to_shard(&dir, &e.name))?;
    }
    Ok(strangers.into_iter().map(finding).chain(directories.dead.iter().map(|d| left(d))).collect())
}

/// What a removal has left when it was cut off.
fn left(dir: &Path) -> Finding {
    let what = "left over from a deleted stream or an expired shard".to_owned();
    Finding::new(Severity::Note, dir, 0, what, "nothing: the next start removes it")
}

/// A segment, or the index of a segment that is there.
fn belongs_to_shard(dir: &Path, name: &str) -> bool {
    match name.strip_suffix(".idx") {
        Some(stem) => dir.join(format!("{stem}.seg")).is_file(),
        None => layout::parse_segment_file(name).is_some(),
    }
}

fn finding(path: PathBuf) -> Finding {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let (severity, what, advice) = match extension {
        "tmp" => (
            Severity::Note,
            "left over from a write that a crash cut off",
            "nothing: it is written anew when it is needed, and may be removed",
        ),
        "lost" => (
            Severity::Note,
            "set aside by a start with --accept-loss",
            "remove it when nothing in it is wanted any more",
        ),
        "jnl" => (
            Severity::Note,
            "the journal of a core or ring place that is not used",
            "nothing: the next start removes it",
        ),
        "idx" => (Severity::Warning, "an index without its segment", "remove it"),
        _ => (
            Severity::Warning,
            "this file is not Shardway's",
            "move it away: the server never looks at it",
        ),
    };
    Finding::new(severity, &path, 0, what.to_owned(), advice)
}
