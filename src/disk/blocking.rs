//! Plain blocking file access for boot and for the offline tools. Never used while serving: a
//! call here may wait for the disk as long as it likes.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file operation that the operating system refused.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {source}{}", .path.display(), hint(.source))]
pub struct DiskError {
    /// What was tried.
    pub action: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl DiskError {
    /// An error of `action` on `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> DiskError {
        DiskError { action, path: path.to_owned(), source }
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " (run as the owner of the data directory)",
        io::ErrorKind::StorageFull => " (free some space and start again)",
        io::ErrorKind::ReadOnlyFilesystem => " (mount it writable)",
        io::ErrorKind::NotADirectory => " (a file stands where a directory should be)",
        _ => "",
    }
}

type Result<T> = std::result::Result<T, DiskError>;

trait Context<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| DiskError::new(action, path, source))
    }
}

/// An open file that knows its path, so that every error can name it.
#[derive(Debug)]
pub struct BlockingFile {
    file: File,
    path: PathBuf,
}

impl BlockingFile {
    /// Opens an existing file for reading.
    pub fn open(path: &Path) -> Result<BlockingFile> {
        let file = File::open(path).on("open", path)?;
        Ok(BlockingFile { file, path: path.to_owned() })
    }

    /// Opens a file for reading and writing, creating it if it is missing; keeps its content.
    pub fn open_or_create(path: &Path) -> Result<BlockingFile> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).on("open for writing", path)?;
        Ok(BlockingFile { file, path: path.to_owned() })
    }

    /// Creates an empty file, or empties the one that is there, that only its owner may read.
    pub fn create_private(path: &Path) -> Result<BlockingFile> {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(path).on("create", path)?;
        Ok(BlockingFile { file, path: path.to_owned() })
    }

    /// Length in bytes.
    pub fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().on("stat", &self.path)?.len())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends the file; what is added reads as zero.
    pub fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).on("set the length of", &self.path)
    }

    /// Reads up to `buf.len()` bytes; fewer only at the end of the file.
    pub fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e).on("read", &self.path),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `offset`. Not durable before [`BlockingFile::sync`].
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_all_at(bytes, offset).on("write", &self.path)
    }

    /// Makes content and length durable. After an error nothing is known about the file: the
    /// caller gives up, it never tries again.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().on("sync", &self.path)
    }
}

/// The whole file.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).on("read", path)
}

/// The whole file, or `None` if there is none.
pub fn read_file_if_exists(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).on("read", path),
    }
}

/// Replaces a small file so that a crash leaves either the old or the new content, whole.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_tmp(path, bytes)?;
    publish_tmp(path)?;
    sync_dir(parent_of(path))
}

/// The first half of a replacement: the new content beside the old one. Not durable.
pub fn write_tmp(path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = tmp_file(path);
    let mut file = File::create(&tmp).on("create", &tmp)?;
    file.write_all(bytes).on("write", &tmp)
}

/// The second half: the new content, synced, in place of the old one. A crash leaves either of
/// them until the directory is synced.
pub fn publish_tmp(path: &Path) -> Result<()> {
    let tmp = tmp_file(path);
    let file = File::open(&tmp).on("open", &tmp)?;
    file.sync_all().on("sync", &tmp)?;
    fs::rename(&tmp, path).on("rename", &tmp)
}

/// Writes out what the file system of `dir` has in caches, in one go: the syncs of thousands of
/// files behind it then find nothing to do. It replaces none of them: only they prove something.
pub fn write_out_all(dir: &Path) -> Result<()> {
    let dir_file = File::open(dir).on("open the directory", dir)?;
    // SAFETY: the descriptor is open during the call.
    match unsafe { libc::syncfs(dir_file.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).on("sync the file system of", dir),
    }
}

/// The name under which [`replace_file`] prepares the new content.
#[must_use]
pub fn tmp_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// Renames inside one directory and syncs that.
pub fn rename_durable(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).on("rename", from)?;
    sync_dir(parent_of(to))
}

/// Creates a directory with all its parents, durable: also when a crash left it half made.
pub fn create_dir_durable(path: &Path) -> Result<()> {
    let parent = parent_of(path);
    if !parent.is_dir() {
        create_dir_durable(parent)?;
    }
    create_dir(path)?;
    sync_dir(parent)
}

/// Creates a directory, unless it is there; its parent must exist. The caller syncs that.
pub fn create_dir(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result.on("create the directory", path),
    }
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<()> {
    let dir = File::open(path).on("open the directory", path)?;
    dir.sync_all().on("sync the directory", path)
}

/// Removes a file; it may be gone already. The caller syncs the directory.
pub fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e).on("remove", path),
        _ => Ok(()),
    }
}

/// Removes a directory and everything in it; it may be gone already. Syncs its parent.
pub fn remove_dir_all(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result.on("remove the directory", path)?,
    }
    sync_dir(parent_of(path))
}

/// What [`list`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name without directory.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Length of a file.
    pub bytes: u64,
}

/// What is in a directory, in any order; nothing if it does not exist.
fn entries(dir: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries.on("list", dir)?.map(|entry| entry.on("list", dir)).collect(),
    }
}

/// What is in a directory, by name; nothing if it does not exist.
pub fn list(dir: &Path) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    for entry in entries(dir)? {
        let meta = entry.metadata().on("stat", &entry.path())?;
        found.push(Entry {
            name: entry.file_name().to_string_lossy().into_owned(),
            is_dir: meta.is_dir(),
            bytes: meta.len(),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The directories in a directory, by name; none if it does not exist. Looks at nothing else:
/// that there are ten thousand of them costs no ten thousand looks.
pub fn list_dirs(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in entries(dir)? {
        if entry.file_type().on("stat", &entry.path())?.is_dir() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether files in `dir` can be read and written past the page cache.
pub fn takes_direct_io(dir: &Path) -> Result<bool> {
    let path = dir.join(".direct-io-probe");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).custom_flags(libc::O_DIRECT);
    let opened = options.open(&path);
    // Where O_DIRECT is refused, the file may have been made all the same.
    let removed = remove_file(&path);
    match opened {
        Ok(_) => removed.map(|()| true),
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(e) => Err(e).on("create", &path),
    }
}

/// Bytes that may still be written to the file system of `dir`.
pub fn free_bytes(dir: &Path) -> Result<u64> {
    let path = CString::new(dir.as_os_str().as_bytes())
        .map_err(io::Error::from)
        .on("read the free space of", dir)?;
    // SAFETY: all-zero bytes are a valid `statvfs`, a plain struct of integers.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with a NUL and `stat` is valid for writes; both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error()).on("read the free space of", dir);
    }
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Why the data directory was not locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error(
        "{} is in use by another shardway process{holder}; stop it first, or use another directory",
        .path.display()
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// ` (pid …)` if it is known.
        holder: String,
    },
    /// The file could not be opened or locked.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A held lock; the operating system frees it with the process, however that ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// The server's lock: alone, and its process id is left in the file for error messages.
    pub fn exclusive(path: &Path) -> std::result::Result<DirLock, LockError> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).on("open", path)?;
        file.try_lock().map_err(|e| not_locked(e, path))?;
        file.set_len(0).on("write", path)?;
        (&file).write_all(std::process::id().to_string().as_bytes()).on("write", path)?;
        Ok(DirLock { _file: file })
    }

    /// A reader's lock: beside other readers, never beside a server. `None` if no server has
    /// ever locked this path; nothing is created.
    pub fn shared(path: &Path) -> std::result::Result<Option<DirLock>, LockError> {
        let file = match File::open(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.on("open", path)?,
        };
        file.try_lock_shared().map_err(|e| not_locked(e, path))?;
        Ok(Some(DirLock { _file: file }))
    }
}

fn not_locked(error: TryLockError, path: &Path) -> LockError {
    match error {
        TryLockError::Error(e) => DiskError::new("lock", path, e).into(),
        TryLockError::WouldBlock => {
            let holder = match fs::read_to_string(path) {
                Ok(pid) if !pid.trim().is_empty() => format!(" (pid {})", pid.trim()),
                _ => String::new(),
            };
            LockError::Held { path: path.to_owned(), holder }
        }
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_no_temporary_one_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(read_file(&path).unwrap(), b"two");
        assert_eq!(list(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn only_one_server_holds_the_lock_and_no_reader_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        assert!(DirLock::shared(&path).unwrap().is_none(), "a reader creates no lock file");
        let server = DirLock::exclusive(&path).unwrap();
        let refused = DirLock::exclusive(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
        assert!(matches!(DirLock::shared(&path), Err(LockError::Held { .. })));
        drop(server);
        let one = DirLock::shared(&path).unwrap();
        assert!(one.is_some() && DirLock::shared(&path).unwrap().is_some());
        assert!(matches!(DirLock::exclusive(&path), Err(LockError::Held { .. })));
    }

    #[test]
    fn nested_directories_are_created_and_a_missing_one_lists_as_empty() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        assert_eq!(list(&deep).unwrap(), []);
        create_dir_durable(&deep).unwrap();
        create_dir_durable(&deep).unwrap();
        assert!(deep.is_dir());
        std::fs::write(dir.path().join("a/file"), "x").unwrap();
        create_dir(&dir.path().join("a/z")).unwrap();
        create_dir(&dir.path().join("a/z")).unwrap();
        assert_eq!(list_dirs(&dir.path().join("a")).unwrap(), ["b", "z"]);
        assert_eq!(list_dirs(&deep.join("d")).unwrap(), [""; 0]);
        assert!(free_bytes(&deep).unwrap() > 0);
    }

    #[test]
    fn reads_stop_at_the_end_of_the_file_and_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = BlockingFile::open_or_create(&path).unwrap();
        file.write_at(10, b"abc").unwrap();
        let mut buf = [0xFF; 8];
        assert_eq!(file.read_at(9, &mut buf).unwrap(), 4);
        assert_eq!(&buf[..4], b"\0abc");
        let missing = BlockingFile::open(&dir.path().join("nothing")).unwrap_err().to_string();
        assert!(missing.contains("nothing"), "{missing}");
    }
}
