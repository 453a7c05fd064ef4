//! The file `SHARDWAY`: whose data directory this is, its format, and its boot epoch.
//!
//! Text (TOML), so that a person can read it; its last line is the CRC-32 of all lines above.
//! Always replaced whole.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::base::crc::crc32;
use crate::base::ids::Term;
use crate::disk::blocking::{self, DiskError};
use crate::log::layout;

/// The format that this release reads and writes.
pub const FORMAT_VERSION: u32 = 1;

const HEAD: &str = "# Shardway data directory. Written by the server: do not edit.\n";
const CRC_KEY: &str = "crc32 = ";

/// Number and size of the journals of one term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalShape {
    /// Cores that have a journal.
    pub cores: u16,
    /// Files in each core's ring.
    pub files: u64,
    /// Bytes of each file.
    pub file_bytes: u64,
}

/// Content of the identity file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The data directory's own name, for life.
    pub uuid: Uuid,
    /// The current boot epoch. 0: never booted.
    pub term: Term,
    /// All commits of terms up to this one are in segments, synced.
    pub replayed_through: Term,
    /// Random for each term: stands in every commit of it.
    pub salt: u64,
    /// The journals of `term`.
    pub journal: JournalShape,
    /// The server stopped in order: every record is in segments, synced.
    pub clean: bool,
}

/// Why a directory is not opened.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// There are files, and none of them is the identity.
    #[error(
        "{} is not empty (it holds {entry:?}) and has no SHARDWAY file: it is not a Shardway data \
         directory. Choose an empty directory, or restore its SHARDWAY file from a backup",
        .dir.display()
    )]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// One of its entries.
        entry: String,
    },
    /// Written by an older or newer release.
    #[error(
        "{} has data format {found}; this release reads format {FORMAT_VERSION}. Start the release \
         that wrote it, or upgrade",
        .file.display()
    )]
    Version {
        /// The identity file.
        file: PathBuf,
        /// Its version.
        found: u32,
    },
    /// CRC or content.
    #[error(
        "{} at offset 0: {why}. It was edited or the disk damaged it: restore it from a backup",
        .file.display()
    )]
    Damaged {
        /// The identity file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The file's fields in their order.
#[derive(Serialize, Deserialize)]
struct Fields {
    format: u32,
    uuid: Uuid,
    term: u64,
    replayed_through: u64,
    salt: String,
    cores: u16,
    journal_files: u64,
    journal_file_bytes: u64,
    clean: bool,
}

/// The one field that every version has.
#[derive(Deserialize)]
struct AnyVersion {
    format: u32,
}

impl Identity {
    /// Reads the identity; `None` if the directory is new (missing, or without content).
    pub fn load(data_dir: &Path) -> Result<Option<Identity>, IdentityError> {
        let file = layout::identity_file(data_dir);
        match blocking::read_file_if_exists(&file)? {
            Some(bytes) => Identity::decode(&bytes, &file).map(Some),
            None => Self::refuse_foreign(data_dir, &file).map(|()| None),
        }
    }

    /// Reads the identity, or makes the directory a data directory with the name `uuid`.
    pub fn load_or_create(data_dir: &Path, uuid: Uuid) -> Result<Identity, IdentityError> {
        match Self::load(data_dir)? {
            Some(identity) => Ok(identity),
            None => Self::create(data_dir, uuid),
        }
    }

    /// Makes an empty directory a data directory. It counts as cleanly stopped at term 0.
    pub fn create(data_dir: &Path, uuid: Uuid) -> Result<Identity, IdentityError> {
        Self::refuse_foreign(data_dir, &layout::identity_file(data_dir))?;
        blocking::create_dir_durable(data_dir)?;
        let identity = Identity {
            uuid,
            term: Term(0),
            replayed_through: Term(0),
            salt: 0,
            journal: JournalShape { cores: 0, files: 0, file_bytes: 0 },
            clean: true,
        };
        identity.store(data_dir)?;
        Ok(identity)
    }

    /// Replaces the identity file, durable when it returns.
    pub fn store(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let file = layout::identity_file(data_dir);
        Ok(blocking::replace_file(&file, self.encode().as_bytes())?)
    }

    fn refuse_foreign(data_dir: &Path, file: &Path) -> Result<(), IdentityError> {
        let lock = layout::lock_file(data_dir);
        let tmp = blocking::tmp_file(file);
        // What a crash during creation leaves, and what mkfs leaves, is no content.
        let ours = [lock.as_path(), tmp.as_path(), &data_dir.join("lost+found")];
        let entries = blocking::list(data_dir)?;
        match entries.into_iter().find(|e| !ours.contains(&data_dir.join(&e.name).as_path())) {
            None => Ok(()),
            Some(e) => Err(IdentityError::Foreign { dir: data_dir.to_owned(), entry: e.name }),
        }
    }

    fn encode(&self) -> String {
        let fields = Fields {
            format: FORMAT_VERSION,
            uuid: self.uuid,
            term: self.term.0,
            replayed_through: self.replayed_through.0,
            salt: format!("{:016x}", self.salt),
            cores: self.journal.cores,
            journal_files: self.journal.files,
            journal_file_bytes: self.journal.file_bytes,
            clean: self.clean,
        };
        let fields = toml::to_string(&fields).expect("plain fields have a TOML form");
        let text = format!("{HEAD}{fields}");
        let crc = crc32(text.as_bytes());
        format!("{text}{CRC_KEY}\"{crc:08x}\"\n")
    }

    fn decode(bytes: &[u8], file: &Path) -> Result<Identity, IdentityError> {
        let damaged = |why: String| IdentityError::Damaged { file: file.to_owned(), why };
        let text = std::str::from_utf8(bytes).map_err(|e| damaged(e.to_string()))?;
        // The version first: another one may have another rule for the rest.
        if let Ok(AnyVersion { format }) = toml::from_str(text)
            && format != FORMAT_VERSION
        {
            return Err(IdentityError::Version { file: file.to_owned(), found: format });
        }
        let at = text.rfind(CRC_KEY).ok_or_else(|| damaged("it has no CRC line".into()))?;
        let (content, line) = text.split_at(at);
        if line != format!("{CRC_KEY}\"{:08x}\"\n", crc32(content.as_bytes())) {
            return Err(damaged("its CRC does not match".into()));
        }
        let fields: Fields =
            toml::from_str(content).map_err(|e| damaged(e.message().to_owned()))?;
        Ok(Identity {
            uuid: fields.uuid,
            term: Term(fields.term),
            replayed_through: Term(fields.replayed_through),
            salt: u64::from_str_radix(&fields.salt, 16).map_err(|e| damaged(e.to_string()))?,
            journal: JournalShape {
                cores: fields.cores,
                files: fields.journal_files,
                file_bytes: fields.journal_file_bytes,
            },
            clean: fields.clean,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            uuid: Uuid::from_bytes([7; 16]),
            term: Term(5),
            replayed_through: Term(4),
            salt: u64::MAX - 3,
            journal: JournalShape { cores: 2, files: 4, file_bytes: 64 << 20 },
            clean: false,
        }
    }

    #[test]
    fn an_identity_comes_back_as_it_was_stored() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Identity::load(dir.path()).unwrap(), None);
        identity().store(dir.path()).unwrap();
        assert_eq!(Identity::load(dir.path()).unwrap(), Some(identity()));
    }

    #[test]
    fn a_new_directory_gets_an_identity_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("deep/data");
        let first = Identity::load_or_create(&data, Uuid::from_bytes([1; 16])).unwrap();
        assert!(first.clean && first.term == Term(0));
        let second = Identity::load_or_create(&data, Uuid::from_bytes([2; 16])).unwrap();
        assert_eq!(second, first);
    }

    #[test]
    fn a_directory_with_other_files_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("LOCK"), "1").unwrap();
        assert_eq!(Identity::load(dir.path()).unwrap(), None, "a lock alone is no content");
        std::fs::write(dir.path().join("holiday.jpg"), "x").unwrap();
        let refused = Identity::load_or_create(dir.path(), Uuid::nil()).unwrap_err();
        assert!(matches!(&refused, IdentityError::Foreign { entry, .. } if entry == "holiday.jpg"));
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let good = identity().encode().into_bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x01;
            assert!(Identity::decode(&bad, Path::new("SHARDWAY")).is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_format_version_is_named() {
        for (found, text) in [(0, "format = 0\n"), (2, "format = 2\nnew = true\n")] {
            let refused = Identity::decode(text.as_bytes(), Path::new("SHARDWAY")).unwrap_err();
            assert!(matches!(refused, IdentityError::Version { found: f, .. } if f == found));
        }
    }
}
