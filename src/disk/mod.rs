//! Rank 2: the only file I/O. `dma` serves running cores through their io_uring, `blocking` serves
//! the boot and the offline tools, `parallel` does that for many files at once.

pub mod blocking;
pub mod dma;
pub mod parallel;
