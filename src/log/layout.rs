//! Names of files and directories below the data dir.

use std::path::{Path, PathBuf};

use crate::base::ids::{CoreId, Seq, ShardKey, ShardNumber, StreamUuid};

/// Identity, format version and boot epoch of the data dir.
#[must_use]
pub fn identity_file(data_dir: &Path) -> PathBuf {
    data_dir.join("SHARDWAY")
}

/// Held with an exclusive lock while a server runs.
#[must_use]
pub fn lock_file(data_dir: &Path) -> PathBuf {
    data_dir.join("LOCK")
}

/// The certificate that the server has made for itself, for clients to trust, and its key.
#[must_use]
pub fn tls_files(data_dir: &Path) -> (PathBuf, PathBuf) {
    let dir = data_dir.join("tls");
    (dir.join("cert.pem"), dir.join("key.pem"))
}

/// The journals of all cores.
#[must_use]
pub fn journal_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("journal")
}

/// One file of a core's ring.
#[must_use]
pub fn journal_file(data_dir: &Path, core: CoreId, index: u64) -> PathBuf {
    journal_dir(data_dir).join(format!("core-{:03}-{index:02}.jnl", core.0))
}

/// The core and ring index in a journal file's name.
#[must_use]
pub fn parse_journal_file(name: &str) -> Option<(CoreId, u64)> {
    let (core, index) = name.strip_prefix("core-")?.strip_suffix(".jnl")?.split_once('-')?;
    Some((CoreId(core.parse().ok()?), index.parse().ok()?))
}

/// All streams.
#[must_use]
pub fn streams_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("streams")
}

/// One stream.
#[must_use]
pub fn stream_dir(data_dir: &Path, stream: StreamUuid) -> PathBuf {
    streams_dir(data_dir).join(stream.to_string())
}

/// One shard's segments.
#[must_use]
pub fn shard_dir(data_dir: &Path, shard: ShardKey) -> PathBuf {
    stream_dir(data_dir, shard.stream).join(format!("{:012}", shard.number.0))
}

/// The shard number in a shard directory's name.
#[must_use]
pub fn parse_shard_dir(name: &str) -> Option<ShardNumber> {
    (name.len() == 12).then(|| name.parse().ok().map(ShardNumber))?
}

/// A segment by its first sequence.
#[must_use]
pub fn segment_file(shard_dir: &Path, base: Seq) -> PathBuf {
    shard_dir.join(format!("{:020}.seg", base.0))
}

/// A sealed segment's saved index.
#[must_use]
pub fn index_file(shard_dir: &Path, base: Seq) -> PathBuf {
    shard_dir.join(format!("{:020}.idx", base.0))
}

/// The first sequence in a segment file's name.
#[must_use]
pub fn parse_segment_file(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20).then(|| digits.parse().ok().map(Seq))?
}
