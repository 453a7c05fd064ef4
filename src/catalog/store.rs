//! Where the catalog's events are kept.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::check::Misfit;
use super::event::Event;
use super::state::State;
use crate::disk::blocking::DiskError;

/// Keeps events so that they survive. Calls block: they run beside the executors.
pub trait MetaStore {
    /// The state after every event that was ever appended.
    fn load(&mut self) -> Result<State, StoreError>;

    /// Makes `event` durable. Only behind `Ok` may it be applied and answered.
    fn append(&mut self, event: &Event) -> Result<(), StoreError>;
}

/// Why the store cannot do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Bytes in the middle of the log have changed. Nothing was loaded and nothing was cut off.
    #[error(
        "{path}: the catalog log is damaged at byte {offset}, and what follows is intact. \
         Restore the file from a backup; cutting it there would forget acknowledged changes"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where its first bad frame starts.
        offset: u64,
    },
    /// The file does not begin as a catalog log does.
    #[error("{path}: not a catalog log of this version (its first bytes are unknown)")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// An intact entry that this version cannot read.
    #[error("{path}: the entry at byte {offset} was written by a newer version: {reason}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Where the entry starts.
        offset: u64,
        /// What the decoder says.
        reason: String,
    },
    /// An intact entry that cannot have happened.
    #[error("{path}: the entry at byte {offset} contradicts those before it: {misfit}")]
    Contradiction {
        /// The file.
        path: PathBuf,
        /// Where the entry starts.
        offset: u64,
        /// How.
        misfit: Misfit,
    },
    /// Records are there, but the catalog that names them is not.
    #[error(
        "{path} does not exist, but {streams} holds streams. Restore the catalog log, or move the \
         streams away to start empty"
    )]
    Lost {
        /// The missing log.
        path: PathBuf,
        /// The directory that is not empty.
        streams: PathBuf,
    },
    /// The event does not fit the stored state; nothing was written.
    #[error("the event was not stored: {0}")]
    Misfit(#[from] Misfit),
    /// An earlier write failed in a way that leaves the file's end unknown.
    #[error("{path}: an earlier write failed ({reason}); restart the server to read the log again")]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The first failure.
        reason: String,
    },
}

impl StoreError {
    /// Where the log is damaged: file and offset. `None` for every other trouble.
    #[must_use]
    pub fn damage(&self) -> Option<(&Path, u64)> {
        match self {
            StoreError::Corrupt { path, offset }
            | StoreError::Contradiction { path, offset, .. } => Some((path, *offset)),
            StoreError::Foreign { path } | StoreError::Lost { path, .. } => Some((path, 0)),
            _ => None,
        }
    }
}

/// Keeps everything in memory: for tests and the simulator.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    state: State,
}

impl MemoryStore {
    /// A store that begins with `state`.
    #[must_use]
    pub fn new(state: State) -> MemoryStore {
        MemoryStore { state }
    }
}

impl MetaStore for MemoryStore {
    fn load(&mut self) -> Result<State, StoreError> {
        Ok(self.state.clone())
    }

    fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        self.state.check(event)?;
        self.state.apply(event);
        Ok(())
    }
}
