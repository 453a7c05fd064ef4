//! The catalog's own small durable log, `<data>/catalog/catalog.log`.
//!
//! One synced append per event. A log that has grown is replaced by one that begins with a
//! snapshot: written beside it, synced, renamed over it, directory synced. A frame that was cut
//! short by a power failure was never acknowledged and is cut off; damage with intact frames
//! behind it is refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::frames::{Scan, file_header, frame_offset, read_file_header, scan, write_frame};
use super::state::State;
use super::store::{MetaStore, StoreError};
use crate::base::crc::crc32;
use crate::disk::blocking::{self, BlockingFile, DiskError};

/// A log is rewritten when its events pass this and its snapshot: then writing snapshots costs at
/// most as much as writing events, and reading the log stays quick.
const COMPACT_BYTES: u64 = 1024 * 1024;

/// A frame's payload.
#[derive(Serialize, Deserialize)]
enum Entry {
    /// Always and only the first.
    Snapshot(State),
    /// Every other.
    Event(Event),
}

/// A [`MetaStore`] in a directory.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    new_key: [u8; 32],
    log: Option<OpenLog>,
    poisoned: Option<String>,
    torn_bytes: u64,
    /// [`COMPACT_BYTES`]; less in tests.
    compact_bytes: u64,
}

#[derive(Debug)]
struct OpenLog {
    file: BlockingFile,
    salt: u32,
    /// What the file holds: source of snapshots.
    state: State,
    /// Where the next frame goes.
    end: u64,
    /// Rewrite the log when it passes this.
    compact_at: u64,
}

impl FileStore {
    /// The store below `data_dir`. `new_key` is 32 random bytes: the iterator key of a data dir
    /// that has no catalog yet, unused otherwise.
    #[must_use]
    pub fn new(data_dir: &Path, new_key: [u8; 32]) -> FileStore {
        let path = log_path(data_dir);
        let compact_bytes = COMPACT_BYTES;
        FileStore { path, new_key, log: None, poisoned: None, torn_bytes: 0, compact_bytes }
    }

    /// Bytes of a torn last frame that [`MetaStore::load`] cut off: worth a line in the server's
    /// own log, and nothing was lost.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Why nothing more is appended: after a failed sync it is unknown whether the last event is
    /// there. Only a restart can tell.
    #[must_use]
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }

    /// What the catalog of a stopped server holds; `None` if there is none yet. Changes nothing.
    pub fn examine(data_dir: &Path) -> Result<Option<State>, StoreError> {
        let path = log_path(data_dir);
        match blocking::read_file_if_exists(&path)? {
            Some(bytes) => Ok(Some(decode(&bytes, &path)?.state)),
            None => refuse_lost(&path, data_dir).map(|()| None),
        }
    }

    fn dir(&self) -> &Path {
        self.path.parent().expect("the log lies in a directory")
    }

    fn scratch(&self) -> PathBuf {
        self.path.with_extension("log.new")
    }

    fn create(&mut self) -> Result<State, StoreError> {
        let data_dir = self.dir().parent().expect("the catalog lies in the data dir");
        refuse_lost(&self.path, data_dir)?;
        blocking::create_dir_durable(self.dir())?;
        let state = State::new(self.new_key);
        let log = self.write_scratch(&state)?;
        self.publish_scratch()?;
        self.log = Some(log);
        Ok(state)
    }

    fn open(&mut self, bytes: &[u8]) -> Result<State, StoreError> {
        let Content { state, salt, snapshot_end, end } = decode(bytes, &self.path)?;
        let file = BlockingFile::open_or_create(&self.path)?;
        self.torn_bytes = bytes.len() as u64 - end;
        if self.torn_bytes > 0 {
            file.set_len(end)?;
            file.sync()?;
        }
        let compact_at = snapshot_end + self.compact_bytes.max(snapshot_end);
        self.log = Some(OpenLog { file, salt, state: state.clone(), end, compact_at });
        Ok(state)
    }

    /// Writes a log with nothing but a snapshot beside the present one.
    fn write_scratch(&self, state: &State) -> Result<OpenLog, StoreError> {
        // Unlike the last file's, and unknown to clients: it follows from the key.
        let salt = crc32(&[&state.iterator_key[..], &state.version.to_le_bytes()].concat());
        let mut bytes = file_header(salt).to_vec();
        write_frame(&mut bytes, salt, &encode(&Entry::Snapshot(state.clone())));
        // Only the server's own user may read the key.
        let file = BlockingFile::create_private(&self.scratch())?;
        file.write_at(0, &bytes)?;
        file.sync()?;
        let end = bytes.len() as u64;
        let compact_at = end + self.compact_bytes.max(end);
        Ok(OpenLog { file, salt, state: state.clone(), end, compact_at })
    }

    /// Gives the scratch file the log's name.
    fn publish_scratch(&self) -> Result<(), StoreError> {
        Ok(blocking::rename_durable(&self.scratch(), &self.path)?)
    }

    /// Replaces a log that has grown. Its events are safe in the old file, so nothing that fails
    /// here fails the append.
    fn compact(&mut self) {
        let Some(log) = self.log.as_ref().filter(|log| log.end > log.compact_at) else { return };
        match self.write_scratch(&log.state) {
            Ok(new) => match self.publish_scratch() {
                Ok(()) => self.log = Some(new),
                // Which of the two a power failure would leave is unknown: neither is written.
                Err(error) => self.poisoned = Some(error.to_string()),
            },
            Err(error) => {
                tracing::warn!("the catalog log could not be rewritten and grows on: {error}");
                let compact_bytes = self.compact_bytes;
                let log = self.log.as_mut().expect("it was just borrowed");
                log.compact_at = log.end + compact_bytes;
            }
        }
    }
}

impl MetaStore for FileStore {
    fn load(&mut self) -> Result<State, StoreError> {
        assert!(self.log.is_none(), "a store is loaded once");
        blocking::remove_file(&self.scratch())?;
        match blocking::read_file_if_exists(&self.path)? {
            Some(bytes) => self.open(&bytes),
            None => self.create(),
        }
    }

    fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        if let Some(reason) = &self.poisoned {
            return Err(StoreError::Poisoned { path: self.path.clone(), reason: reason.clone() });
        }
        let log = self.log.as_mut().expect("a store is loaded before it is appended to");
        log.state.check(event)?;
        if let Err((error, usable)) = log.append(event) {
            if !usable {
                self.poisoned = Some(error.to_string());
            }
            return Err(error.into());
        }
        self.compact();
        Ok(())
    }
}

impl OpenLog {
    /// Appends and syncs. A failure says whether the log can still be used.
    fn append(&mut self, event: &Event) -> Result<(), (DiskError, bool)> {
        let mut frame = Vec::new();
        write_frame(&mut frame, self.salt, &encode(&Entry::Event(event.clone())));
        if let Err(error) = self.file.write_at(self.end, &frame) {
            // A full disk: what came through is cut off again. If a crash comes first, the next
            // load does it.
            let usable = self.file.set_len(self.end).is_ok();
            return Err((error, usable));
        }
        // A failed sync is never repeated: the kernel may have dropped the bytes it could not
        // write, and would report success the second time.
        self.file.sync().map_err(|error| (error, false))?;
        self.state.apply(event);
        self.end += frame.len() as u64;
        Ok(())
    }
}

/// What a log's bytes say.
struct Content {
    state: State,
    salt: u32,
    snapshot_end: u64,
    /// Behind the last whole frame.
    end: u64,
}

fn decode(bytes: &[u8], path: &Path) -> Result<Content, StoreError> {
    let salt =
        read_file_header(bytes).ok_or_else(|| StoreError::Foreign { path: path.to_owned() })?;
    let Scan { payloads, end, intact_behind } = scan(bytes, salt);
    let corrupt = |offset| StoreError::Corrupt { path: path.to_owned(), offset };
    let Some((first, events)) = payloads.split_first().filter(|_| !intact_behind) else {
        return Err(corrupt(end as u64));
    };
    let offset = frame_offset(first);
    let Entry::Snapshot(mut state) = decode_entry(&bytes[first.clone()], offset, path)? else {
        return Err(corrupt(offset));
    };
    for payload in events {
        let offset = frame_offset(payload);
        let Entry::Event(event) = decode_entry(&bytes[payload.clone()], offset, path)? else {
            return Err(corrupt(offset));
        };
        state.check(&event).map_err(|misfit| StoreError::Contradiction {
            path: path.to_owned(),
            offset,
            misfit,
        })?;
        state.apply(&event);
    }
    Ok(Content { state, salt, snapshot_end: first.end as u64, end: end as u64 })
}

fn decode_entry(payload: &[u8], offset: u64, path: &Path) -> Result<Entry, StoreError> {
    ciborium::from_reader(payload).map_err(|error| StoreError::Unknown {
        path: path.to_owned(),
        offset,
        reason: error.to_string(),
    })
}

fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(entry, &mut bytes).expect("a vector takes every write");
    bytes
}

/// A missing log is a new one only where there are no streams.
fn refuse_lost(path: &Path, data_dir: &Path) -> Result<(), StoreError> {
    let streams = data_dir.join("streams");
    if blocking::list(&streams)?.is_empty() {
        return Ok(());
    }
    Err(StoreError::Lost { path: path.to_owned(), streams })
}

pub(super) fn log_path(data_dir: &Path) -> PathBuf {
    data_dir.join("catalog").join("catalog.log")
}

#[cfg(test)]
mod tests;
