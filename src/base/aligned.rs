//! The alignment rule of direct I/O, in one place.

/// Offset, length and address of every direct write and read are multiples of this.
///
/// 4096, the physical sector of common disks, whatever smaller logical size the device reports:
/// below it the device reads, modifies and writes.
pub const BLOCK: usize = 4096;

/// `n` rounded up to a whole number of blocks.
#[must_use]
pub const fn round_up(n: usize) -> usize {
    n.next_multiple_of(BLOCK)
}

/// `n` rounded down to a whole number of blocks.
#[must_use]
pub const fn round_down(n: usize) -> usize {
    n - n % BLOCK
}

/// Whether `n` is a whole number of blocks.
#[must_use]
pub const fn is_aligned(n: u64) -> bool {
    n.is_multiple_of(BLOCK as u64)
}
