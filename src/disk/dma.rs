//! Direct I/O of a running core: aligned buffers, and files opened with O_DIRECT.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;

use glommio::GlommioError;
use glommio::io::{DmaBuffer, DmaFile, OpenOptions, ReadResult};

use crate::base::aligned::{BLOCK, is_aligned, round_up};

thread_local! {
    /// Set on a core's thread: there, buffers come from memory registered with its ring.
    static ON_CORE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as a core. Called once, inside its executor.
pub fn enter_core() {
    ON_CORE.set(true);
}

/// A zeroed, aligned buffer that one owner fills.
#[derive(Debug)]
pub struct WriteBuf(DmaBuffer);

impl WriteBuf {
    /// A buffer of at least `bytes`, rounded up to whole blocks. Its content is unspecified.
    #[must_use]
    pub fn alloc(bytes: usize) -> WriteBuf {
        let bytes = round_up(bytes.max(BLOCK));
        WriteBuf(if ON_CORE.get() {
            glommio::allocate_dma_buffer(bytes)
        } else {
            glommio::allocate_dma_buffer_global(bytes)
        })
    }

    /// All of its bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_bytes_mut()
    }

    /// All of its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Cuts it to `bytes` (whole blocks) and shares it, never to be changed again.
    #[must_use]
    pub fn freeze(mut self, bytes: usize) -> SharedBuf {
        assert!(is_aligned(bytes as u64), "a write is whole blocks");
        self.0.trim_to_size(bytes);
        SharedBuf(Rc::new(self.0))
    }
}

/// Bytes that were or will be written, shared by the write, the tail and every subscriber.
#[derive(Clone, Debug)]
pub struct SharedBuf(Rc<DmaBuffer>);

impl Deref for SharedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Bytes that were read from disk; clones share them.
#[derive(Clone, Debug)]
pub struct ReadBuf(ReadResult);

impl Deref for ReadBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Whether a write is on stable storage when it completes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteSync {
    /// O_DSYNC: it is.
    Each,
    /// It is not, until [`DirectFile::sync`] has completed.
    None,
}

/// A file of the core that opened it. Dropping it without [`DirectFile::close`] closes it later.
#[derive(Debug)]
pub struct DirectFile(DmaFile);

impl DirectFile {
    /// Opens an existing file to read and write.
    pub async fn open(path: &Path, sync: WriteSync) -> io::Result<DirectFile> {
        Self::open_with(path, sync, false).await
    }

    /// Opens a file to write, creates it when it is missing. The directory is not synced.
    pub async fn open_or_create(path: &Path, sync: WriteSync) -> io::Result<DirectFile> {
        Self::open_with(path, sync, true).await
    }

    /// glommio looks the path up a second time and panics if the file has gone meanwhile, which
    /// deletions and retention may do. So it gets a path that only this handle can take away.
    async fn open_with(path: &Path, sync: WriteSync, create: bool) -> io::Result<DirectFile> {
        let file = if create {
            let path = path.to_owned();
            blocking(move || create_or_open(&path)).await?
        } else {
            // It only looks the name up: nothing is read or written.
            File::options().read(true).custom_flags(libc::O_PATH).open(path)?
        };
        let flags = if sync == WriteSync::Each { libc::O_DSYNC } else { 0 };
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(flags);
        let same = format!("/proc/self/fd/{}", file.as_raw_fd());
        options.dma_open(&same).await.map(DirectFile).map_err(io_error)
    }

    /// Writes the whole buffer. A short write is an error: a torn write is never taken for done.
    pub async fn write(&self, bytes: &SharedBuf, offset: u64) -> io::Result<()> {
        assert!(is_aligned(offset), "a direct write starts on a block");
        let expected = bytes.len();
        let written = self.0.write_rc_at(bytes.0.clone(), offset).await.map_err(io_error)?;
        if written != expected {
            let why = format!("only {written} of {expected} bytes were written");
            return Err(io::Error::new(io::ErrorKind::WriteZero, why));
        }
        Ok(())
    }

    /// Reads up to `bytes` (whole blocks); shorter at the end of the file.
    pub async fn read(&self, offset: u64, bytes: usize) -> io::Result<ReadBuf> {
        assert!(is_aligned(offset) && is_aligned(bytes as u64), "a direct read is whole blocks");
        self.0.read_at_aligned(offset, bytes).await.map(ReadBuf).map_err(io_error)
    }

    /// Makes all completed writes durable.
    pub async fn sync(&self) -> io::Result<()> {
        self.0.fdatasync().await.map_err(io_error)
    }

    /// Closes it and reports what the kernel says.
    pub async fn close(self) -> io::Result<()> {
        self.0.close().await.map_err(io_error)
    }
}

/// Runs `work` (directory operations, catalog writes) on the core's helper thread.
pub async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> R {
    glommio::executor().spawn_blocking(work).await
}

fn create_or_open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).mode(0o640).open(path)
}

fn io_error(error: GlommioError<()>) -> io::Error {
    match error {
        // glommio's own conversion keeps the text and drops the error number.
        GlommioError::EnhancedIoError { source, .. } => source,
        other => other.into(),
    }
}

/// A part of bytes that somebody else keeps too: in memory since they were written, or read.
#[derive(Clone, Debug)]
pub struct Chunk {
    bytes: ChunkBytes,
    start: usize,
    len: usize,
}

#[derive(Clone, Debug)]
enum ChunkBytes {
    Written(SharedBuf),
    Read(ReadBuf),
}

impl Chunk {
    /// `len` bytes from `start` of a written buffer.
    #[must_use]
    pub fn written(bytes: SharedBuf, start: usize, len: usize) -> Chunk {
        assert!(start + len <= bytes.len(), "a chunk lies inside its buffer");
        Chunk { bytes: ChunkBytes::Written(bytes), start, len }
    }

    /// `len` bytes from `start` of a read buffer.
    #[must_use]
    pub fn read(bytes: ReadBuf, start: usize, len: usize) -> Chunk {
        assert!(start + len <= bytes.len(), "a chunk lies inside its buffer");
        Chunk { bytes: ChunkBytes::Read(bytes), start, len }
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let bytes: &[u8] = match &self.bytes {
            ChunkBytes::Written(bytes) => bytes,
            ChunkBytes::Read(bytes) => bytes,
        };
        &bytes[self.start..self.start + self.len]
    }
}
