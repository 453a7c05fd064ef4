//! Page-aligned memory for direct I/O. That of a core comes from a pool which its ring knows, so
//! that the kernel need not pin pages for each write.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::NonNull;
use std::rc::Rc;
use std::slice;

use buddy_alloc::buddy_alloc::{BuddyAlloc, BuddyAllocParam};

use super::executor;

/// The unit of the pool, and the alignment of all buffers.
const PAGE: usize = 4096;
/// A ring knows memory in pieces of at most this size (Linux).
const PIECE: usize = 1 << 30;

/// The memory of a core.
pub(super) struct Pool {
    base: NonNull<u8>,
    layout: Layout,
    free: RefCell<BuddyAlloc>,
    /// The ring knows it.
    registered: Cell<bool>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("bytes", &self.layout.size()).finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(bytes: usize) -> Rc<Pool> {
        // The allocator keeps its books in it.
        let bytes = bytes.max(64 * PAGE).next_multiple_of(PAGE);
        let layout = Layout::from_size_align(bytes, PAGE).expect("the size was checked");
        // SAFETY: the layout is not empty.
        let base = unsafe { alloc(layout) };
        let Some(base) = NonNull::new(base) else { handle_alloc_error(layout) };
        // SAFETY: the memory is ours for as long as the allocator is used, and begins on a page.
        let free = unsafe { BuddyAlloc::new(BuddyAllocParam::new(base.as_ptr(), bytes, PAGE)) };
        Rc::new(Pool { base, layout, free: RefCell::new(free), registered: Cell::new(false) })
    }

    /// What to tell the ring.
    pub(super) fn pieces(&self) -> Vec<libc::iovec> {
        let (base, bytes) = (self.base.as_ptr(), self.layout.size());
        let piece = |at: usize| libc::iovec {
            // SAFETY: `at` lies inside.
            iov_base: unsafe { base.add(at) }.cast(),
            iov_len: PIECE.min(bytes - at),
        };
        (0..bytes).step_by(PIECE).map(piece).collect()
    }

    pub(super) fn registered(&self) {
        self.registered.set(true);
    }

    /// The piece that holds these bytes wholly, for the ring.
    fn piece_of(&self, start: NonNull<u8>, bytes: usize) -> Option<u16> {
        let at = start.as_ptr() as usize - self.base.as_ptr() as usize;
        let piece = at / PIECE;
        let within = self.registered.get() && (at + bytes - 1) / PIECE == piece;
        within.then(|| u16::try_from(piece).expect("a pool is smaller than 64 TiB"))
    }

    fn take(&self, bytes: usize) -> Option<NonNull<u8>> {
        NonNull::new(self.free.borrow_mut().malloc(bytes))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and every buffer holds the pool.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}

#[derive(Debug)]
enum Home {
    Pool(Rc<Pool>),
    Heap(Layout),
}

/// Memory that begins on a page. Its content is unspecified until it is written.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<u8>,
    len: usize,
    home: Home,
}

impl Buffer {
    /// So many bytes; from the pool of this core, if it is one and has room.
    #[must_use]
    pub fn alloc(bytes: usize) -> Buffer {
        assert!(bytes > 0, "a buffer holds something");
        if let Some(pool) = executor::pool()
            && let Some(start) = pool.take(bytes)
        {
            return Buffer { start, len: bytes, home: Home::Pool(pool) };
        }
        let layout = Layout::from_size_align(bytes, PAGE).expect("sizes are far from the end");
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Buffer { start, len: bytes, home: Home::Heap(layout) }
    }

    /// All of its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes from `start` are ours; what was never written is some byte too, since
        // the memory comes from the system and nothing is assumed of it.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// All of its bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `bytes`, and nobody else has them.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Leaves the first `bytes`. The memory of the rest stays taken.
    pub fn truncate(&mut self, bytes: usize) {
        assert!(bytes <= self.len, "a buffer does not grow");
        self.len = bytes;
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// The piece of registered memory that it lies in.
    pub(super) fn piece(&self) -> Option<u16> {
        match &self.home {
            Home::Pool(pool) => pool.piece_of(self.start, self.len),
            Home::Heap(_) => None,
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match &self.home {
            Home::Pool(pool) => pool.free.borrow_mut().free(self.start.as_ptr()),
            // SAFETY: it was allocated with this layout.
            Home::Heap(layout) => unsafe { dealloc(self.start.as_ptr(), *layout) },
        }
    }
}
