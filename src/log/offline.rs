//! What the offline tools share: they open a stopped data directory for reading only.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::base::ids::ShardKey;
use crate::disk::blocking::{DirLock, DiskError, LockError};
use crate::log::identity::{Identity, IdentityError};
use crate::log::layout;

/// Why a directory cannot be examined.
#[derive(Debug, Error)]
pub enum OfflineError {
    /// A server runs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The identity file.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Nothing is there.
    #[error("{} holds no Shardway data: check the path (--data-dir)", .dir.display())]
    NoData {
        /// The directory.
        dir: PathBuf,
    },
    /// A file operation failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A stopped data directory; no server can start while it is held.
pub(crate) struct Stopped {
    pub identity: Identity,
    _lock: Option<DirLock>,
}

/// Opens a stopped data directory. Creates nothing.
pub(crate) fn open_stopped(data_dir: &Path) -> Result<Stopped, OfflineError> {
    let lock = DirLock::shared(&layout::lock_file(data_dir))?;
    match Identity::load(data_dir)? {
        Some(identity) => Ok(Stopped { identity, _lock: lock }),
        None => Err(OfflineError::NoData { dir: data_dir.to_owned() }),
    }
}

/// A shard's name in reports: the uuid and the AWS form of its number.
pub(crate) fn shard_name(shard: ShardKey) -> (String, String) {
    (shard.stream.to_string(), shard.number.to_string())
}
