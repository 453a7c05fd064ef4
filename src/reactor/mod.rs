//! Rank 1: the executor of a core. One thread, one `io_uring`, tasks in queues that share the CPU.
//!
//! A core visits its ring when nothing is left to run, with one `io_uring_enter` that submits what
//! the tasks have asked for, takes what has completed, and sleeps if nothing has; while tasks are
//! ready, it does so each 100 us. Nothing arms a timer in the kernel: the time at which to wake up
//! goes with the wait.
//!
//! ```text
//! executor   the loop of a core: ready tasks, timers, ring
//! queue      ready tasks by purpose, and which of them is next
//! task       a task's waker and its handle
//! ring       operations in flight, and what must stay in memory until they are done
//! timers     sleeping tasks
//! blocking   the thread for what the ring cannot do
//! buffers    page-aligned memory, registered with the ring
//! ```

mod blocking;
mod buffers;
mod executor;
mod queue;
mod ring;
mod task;
mod timers;

pub use blocking::blocking;
pub use buffers::Buffer;
pub use executor::{Settings, queue, spawn, spawn_into, start};
pub use queue::QueueId;
pub use ring::{close, open, read_at, readable, sync_data, write_at};
pub use task::Task;
pub use timers::{Sleep, sleep};

#[cfg(test)]
mod tests;
