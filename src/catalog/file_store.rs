//! The catalog's own small durable log, `<data>/catalog/catalog.log`.
//!
//! One synced append per event. A log that has grown is replaced by one that begins with a
//! snapshot: written beside it, synced, renamed over it, directory synced. A frame that was cut
//! short by a power failure was never acknowledged and is cut off; damage with intact frames
//! behind it is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::frames::{Scan, file_header, frame_offset, read_file_header, scan, write_frame};
use super::state::State;
use super::store::{MetaStore, StoreError};
use crate::base::crc::crc32;

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
    file: File,
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
        let path = data_dir.join("catalog").join("catalog.log");
        let compact_bytes = COMPACT_BYTES;
        FileStore { path, new_key, log: None, poisoned: None, torn_bytes: 0, compact_bytes }
    }

    /// Bytes of a torn last frame that [`MetaStore::load`] cut off: worth a line in the server's
    /// own log, and nothing was lost.
    #[must_use]
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    fn dir(&self) -> &Path {
        self.path.parent().expect("the log lies in a directory")
    }

    fn scratch(&self) -> PathBuf {
        self.path.with_extension("log.new")
    }

    fn create(&mut self) -> Result<State, StoreError> {
        let data_dir = self.dir().parent().expect("the catalog lies in the data dir");
        let streams = data_dir.join("streams");
        if fs::read_dir(&streams).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(StoreError::Lost { path: self.path.clone(), streams });
        }
        fs::create_dir_all(self.dir()).map_err(io_error("creating the directory", self.dir()))?;
        sync_dir(data_dir).map_err(io_error("syncing the directory", data_dir))?;
        let state = State::new(self.new_key);
        let log = self.write_scratch(&state)?;
        self.publish_scratch()?;
        self.log = Some(log);
        Ok(state)
    }

    fn open(&mut self, bytes: &[u8]) -> Result<State, StoreError> {
        let path = || self.path.clone();
        let salt = read_file_header(bytes).ok_or_else(|| StoreError::Foreign { path: path() })?;
        let Scan { payloads, end, intact_behind } = scan(bytes, salt);
        let Some((first, events)) = payloads.split_first().filter(|_| !intact_behind) else {
            return Err(StoreError::Corrupt { path: path(), offset: end as u64 });
        };
        let offset = frame_offset(first);
        let mut state = match self.decode(&bytes[first.clone()], offset)? {
            Entry::Snapshot(state) => state,
            Entry::Event(_) => return Err(StoreError::Corrupt { path: path(), offset }),
        };
        for payload in events {
            let offset = frame_offset(payload);
            let Entry::Event(event) = self.decode(&bytes[payload.clone()], offset)? else {
                return Err(StoreError::Corrupt { path: path(), offset });
            };
            state.check(&event).map_err(|misfit| StoreError::Contradiction {
                path: path(),
                offset,
                misfit,
            })?;
            state.apply(&event);
        }
        let file = OpenOptions::new().write(true).open(&self.path);
        let file = file.map_err(io_error("opening", &self.path))?;
        self.torn_bytes = (bytes.len() - end) as u64;
        let end = end as u64;
        if self.torn_bytes > 0 {
            file.set_len(end)
                .and_then(|()| file.sync_all())
                .map_err(io_error("cutting off the torn last entry", &self.path))?;
        }
        let snapshot_end = first.end as u64;
        let compact_at = snapshot_end + self.compact_bytes.max(snapshot_end);
        self.log = Some(OpenLog { file, salt, state: state.clone(), end, compact_at });
        Ok(state)
    }

    fn decode(&self, payload: &[u8], offset: u64) -> Result<Entry, StoreError> {
        ciborium::from_reader(payload).map_err(|error| StoreError::Unknown {
            path: self.path.clone(),
            offset,
            reason: error.to_string(),
        })
    }

    /// Writes a log with nothing but a snapshot beside the present one.
    fn write_scratch(&self, state: &State) -> Result<OpenLog, StoreError> {
        // Unlike the last file's, and unknown to clients: it follows from the key.
        let salt = crc32(&[&state.iterator_key[..], &state.version.to_le_bytes()].concat());
        let mut bytes = file_header(salt).to_vec();
        write_frame(&mut bytes, salt, &encode(&Entry::Snapshot(state.clone())));
        let scratch = self.scratch();
        let write = || -> io::Result<File> {
            let mut options = OpenOptions::new();
            // Only the server's own user may read the key.
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&scratch)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = write().map_err(io_error("writing a snapshot", &scratch))?;
        let end = bytes.len() as u64;
        let compact_at = end + self.compact_bytes.max(end);
        Ok(OpenLog { file, salt, state: state.clone(), end, compact_at })
    }

    /// Gives the scratch file the log's name.
    fn publish_scratch(&self) -> Result<(), StoreError> {
        fs::rename(self.scratch(), &self.path).map_err(io_error("renaming", &self.scratch()))?;
        sync_dir(self.dir()).map_err(io_error("syncing the directory", self.dir()))
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
        match fs::remove_file(self.scratch()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("removing", &self.scratch())(error));
            }
            _ => {}
        }
        match fs::read(&self.path) {
            Ok(bytes) => self.open(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(),
            Err(error) => Err(io_error("reading", &self.path)(error)),
        }
    }

    fn append(&mut self, event: &Event) -> Result<(), StoreError> {
        if let Some(reason) = &self.poisoned {
            return Err(StoreError::Poisoned { path: self.path.clone(), reason: reason.clone() });
        }
        let log = self.log.as_mut().expect("a store is loaded before it is appended to");
        log.state.check(event)?;
        if let Err((source, usable)) = log.append(event) {
            if !usable {
                self.poisoned = Some(source.to_string());
            }
            return Err(io_error("appending", &self.path)(source));
        }
        self.compact();
        Ok(())
    }
}

impl OpenLog {
    /// Appends and syncs. A failure says whether the log can still be used.
    fn append(&mut self, event: &Event) -> Result<(), (io::Error, bool)> {
        let mut frame = Vec::new();
        write_frame(&mut frame, self.salt, &encode(&Entry::Event(event.clone())));
        if let Err(error) = self.file.write_all_at(&frame, self.end) {
            // A full disk: what came through is cut off again. If a crash comes first, the next
            // load does it.
            let usable = self.file.set_len(self.end).is_ok();
            return Err((error, usable));
        }
        // A failed sync is never repeated: the kernel may have dropped the bytes it could not
        // write, and would report success the second time.
        self.file.sync_data().map_err(|error| (error, false))?;
        self.state.apply(event);
        self.end += frame.len() as u64;
        Ok(())
    }
}

fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(entry, &mut bytes).expect("a vector takes every write");
    bytes
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}

#[cfg(test)]
mod tests;
