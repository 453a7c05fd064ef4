//! Parts of one vectored send, without allocation.

use std::marker::PhantomData;

/// Parts of one send: more do not make it cheaper.
pub const PARTS_MAX: usize = 64;

/// Borrowed byte slices in the kernel's form.
pub struct IoVecs<'a> {
    parts: [libc::iovec; PARTS_MAX],
    len: usize,
    bytes: usize,
    borrowed: PhantomData<&'a [u8]>,
}

impl std::fmt::Debug for IoVecs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IoVecs({} parts, {} bytes)", self.len, self.bytes)
    }
}

impl Default for IoVecs<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> IoVecs<'a> {
    /// No parts.
    #[must_use]
    pub fn new() -> IoVecs<'a> {
        let empty = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        IoVecs { parts: [empty; PARTS_MAX], len: 0, bytes: 0, borrowed: PhantomData }
    }

    /// Adds a part; false when there is no room for it.
    pub fn push(&mut self, part: &'a [u8]) -> bool {
        if self.len == PARTS_MAX {
            return false;
        }
        if !part.is_empty() {
            let base = part.as_ptr().cast_mut().cast();
            self.parts[self.len] = libc::iovec { iov_base: base, iov_len: part.len() };
            self.len += 1;
            self.bytes += part.len();
        }
        true
    }

    /// Bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::iovec {
        self.parts.as_mut_ptr()
    }
}
