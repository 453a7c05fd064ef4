//! Whether a file is still the one that was read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What tells one state of a file from another, whether it was written in place or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// The same of the last change of any kind, which nobody can set back.
    changed: (i64, i64),
}

impl FileStamp {
    pub(super) fn of(metadata: &Metadata) -> FileStamp {
        FileStamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// `None` if it cannot be found.
    pub(super) fn of_path(path: &Path) -> Option<FileStamp> {
        std::fs::metadata(path).ok().map(|metadata| FileStamp::of(&metadata))
    }
}

/// Files that belong together, such as a certificate and its key.
#[derive(Clone, Debug)]
pub struct WatchedFiles {
    paths: Vec<PathBuf>,
    seen: Vec<Option<FileStamp>>,
}

impl WatchedFiles {
    /// As they are now. Take it before they are read: whoever writes meanwhile changes them.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> WatchedFiles {
        let seen = stamps(&paths);
        WatchedFiles { paths, seen }
    }

    /// Whether one of them differs from what it was when this was asked last. One `stat` each.
    #[must_use]
    pub fn changed(&mut self) -> bool {
        let now = stamps(&self.paths);
        let before = std::mem::replace(&mut self.seen, now);
        before != self.seen
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<FileStamp>> {
    paths.iter().map(|path| FileStamp::of_path(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_any_file_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["cert", "key"].map(|name| dir.path().join(name));
        std::fs::write(&paths[0], "one").unwrap();
        let mut files = WatchedFiles::new(paths.to_vec());
        assert!(!files.changed());
        std::fs::write(&paths[1], "new").unwrap();
        assert!(files.changed() && !files.changed());
        std::fs::write(dir.path().join("next"), "two").unwrap();
        std::fs::rename(dir.path().join("next"), &paths[0]).unwrap();
        assert!(files.changed() && !files.changed());
        std::fs::remove_file(&paths[1]).unwrap();
        assert!(files.changed() && !files.changed());
    }
}
