//! Rank 2: the only file I/O. `dma` serves running cores through their io_uring.

pub mod dma;
