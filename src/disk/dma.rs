//! Direct I/O of a running core: aligned buffers, and files opened with O_DIRECT.

use std::io;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

pub use crate::reactor::blocking;

use crate::base::aligned::{BLOCK, is_aligned, round_up};
use crate::reactor::{self, Buffer};

/// A buffer that one owner fills. That of a core lies in memory registered with its ring, while
/// there is some.
#[derive(Debug)]
pub struct WriteBuf(Buffer);

impl WriteBuf {
    /// A buffer of at least `bytes`, rounded up to whole blocks. Its content is unspecified.
    #[must_use]
    pub fn alloc(bytes: usize) -> WriteBuf {
        WriteBuf(Buffer::alloc(round_up(bytes.max(BLOCK))))
    }

    /// All of its bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    /// All of its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Cuts it to `bytes` (whole blocks) and shares it, never to be changed again.
    #[must_use]
    pub fn freeze(mut self, bytes: usize) -> SharedBuf {
        assert!(is_aligned(bytes as u64), "a write is whole blocks");
        self.0.truncate(bytes);
        SharedBuf(Rc::new(self.0))
    }
}

/// Bytes that were or will be written, shared by the write, the tail and every subscriber.
#[derive(Clone, Debug)]
pub struct SharedBuf(Rc<Buffer>);

impl Deref for SharedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Bytes that were read from disk; clones share them.
#[derive(Clone, Debug)]
pub struct ReadBuf(Rc<Buffer>);

impl Deref for ReadBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
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

/// Permissions of new files.
const MODE: u32 = 0o640;

/// A file of the core that opened it. Dropping it closes it.
#[derive(Debug)]
pub struct DirectFile(Rc<OwnedFd>);

impl DirectFile {
    /// Opens an existing file to read and write.
    pub async fn open(path: &Path, sync: WriteSync) -> io::Result<DirectFile> {
        Self::open_with(path, sync, 0).await
    }

    /// Opens a file to write, creates it when it is missing. The directory is not synced.
    pub async fn open_or_create(path: &Path, sync: WriteSync) -> io::Result<DirectFile> {
        Self::open_with(path, sync, libc::O_CREAT).await
    }

    async fn open_with(path: &Path, sync: WriteSync, more: i32) -> io::Result<DirectFile> {
        let synced = if sync == WriteSync::Each { libc::O_DSYNC } else { 0 };
        let flags = libc::O_RDWR | libc::O_DIRECT | synced | more;
        reactor::open(path, flags, MODE).await.map(|file| DirectFile(Rc::new(file)))
    }

    /// Writes the whole buffer. A short write is an error: a torn write is never taken for done.
    pub async fn write(&self, bytes: &SharedBuf, offset: u64) -> io::Result<()> {
        assert!(is_aligned(offset), "a direct write starts on a block");
        let expected = bytes.len();
        let written = reactor::write_at(&self.0, &bytes.0, offset).await?;
        if written != expected {
            let why = format!("only {written} of {expected} bytes were written");
            return Err(io::Error::new(io::ErrorKind::WriteZero, why));
        }
        Ok(())
    }

    /// Reads up to `bytes` (whole blocks); shorter at the end of the file.
    pub async fn read(&self, offset: u64, bytes: usize) -> io::Result<ReadBuf> {
        assert!(is_aligned(offset) && is_aligned(bytes as u64), "a direct read is whole blocks");
        let buffer = reactor::read_at(&self.0, Buffer::alloc(bytes), offset).await?;
        Ok(ReadBuf(Rc::new(buffer)))
    }

    /// Makes all completed writes durable.
    pub async fn sync(&self) -> io::Result<()> {
        reactor::sync_data(&self.0).await
    }

    /// Closes it and reports what the kernel says.
    pub async fn close(self) -> io::Result<()> {
        reactor::close(self.0).await
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
