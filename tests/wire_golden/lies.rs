//! Payloads that lie about lengths and counts: a decoder asks for memory by what has arrived, and
//! not by what is announced.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use super::{FRAME_HEADER_BYTES, all};

/// The system's allocator, which adds up what each thread asks for.
struct Adding;

#[global_allocator]
static ALLOCATOR: Adding = Adding;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is the system's.
unsafe impl GlobalAlloc for Adding {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ASKED.set(ASKED.get() + bytes);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(block, layout, bytes) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) };
    }
}

/// A decoded element of a list takes more memory than its bytes: an empty tag, two lengths of 16
/// bits, becomes two texts of 24 bytes, and a list that grows asks for twice of what it holds.
const ASKED_PER_BYTE_MAX: usize = 64;

#[test]
fn no_lie_about_a_length_makes_a_decoder_ask_for_memory() {
    for (opcode, mut bytes, message) in all() {
        let payload = bytes.split_off(FRAME_HEADER_BYTES);
        let lies = [&[0xFF; 2][..], &[0xFF; 4], &[0, 1]];
        for (at, told) in (0..payload.len()).flat_map(|at| lies.map(|told| (at, told))) {
            let mut lie = payload.clone();
            let end = payload.len().min(at + told.len());
            lie[at..end].copy_from_slice(&told[..end - at]);
            let lie: &'static [u8] = lie.leak();
            let before = ASKED.get();
            let _ = (message.is_read_from)(lie);
            let asked = ASKED.get() - before;
            let allowed = ASKED_PER_BYTE_MAX * payload.len();
            assert!(asked <= allowed, "{opcode:?}, {told:?} at {at}: {asked} > {allowed}");
        }
    }
}
