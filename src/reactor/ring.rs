//! The ring of a core: operations in flight, and what must stay in memory until they are done.
//!
//! An operation whose future is dropped goes on: its buffer and its file stay until the kernel has
//! finished with them.

use std::ffi::CString;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use io_uring::types::{CancelBuilder, Fd, FsyncFlags, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};

use super::buffers::{Buffer, Pool};
use super::executor;

/// Operations that one visit submits. More of them make visits of their own.
const ENTRIES: u32 = 256;
/// Completions that wait to be taken. The kernel keeps more in memory of its own.
const COMPLETIONS: u32 = 4096;
/// Marks the completion of the bell's read,
const BELL: u64 = u64::MAX;
/// and of a cancellation.
const CANCELLATION: u64 = u64::MAX - 1;

/// What an operation must find until it is done: a path, a file, its buffer.
#[expect(dead_code, reason = "they are kept, not looked at")]
enum Keep {
    Nothing,
    Path(Rc<CString>),
    File(Rc<OwnedFd>),
    Buffer(Rc<OwnedFd>, Rc<Buffer>),
}

enum Operation {
    /// The next free one.
    Free(Option<usize>),
    InFlight {
        waiting: Option<Waker>,
        _keep: Keep,
    },
    /// Nobody waits for it any more.
    Abandoned {
        _keep: Keep,
    },
    Done(i32),
}

/// See the module.
pub(super) struct Ring {
    uring: IoUring,
    operations: Vec<Operation>,
    free: Option<usize>,
    in_flight: usize,
    /// Who waited for what has completed.
    woken: Vec<Waker>,
    /// What a read of the bell fills.
    rings: Box<u64>,
    bell: i32,
    bell_armed: bool,
}

impl Ring {
    /// Must be made on the thread that uses it.
    pub(super) fn new(bell: i32) -> io::Result<Ring> {
        let uring = make()?;
        let operations = Vec::with_capacity(ENTRIES as usize);
        let rings = Box::new(0);
        let (free, in_flight, woken, bell_armed) = (None, 0, Vec::new(), false);
        Ok(Ring { uring, operations, free, in_flight, woken, rings, bell, bell_armed })
    }

    /// Tells the kernel of memory that writes come from. Without that they work as well.
    pub(super) fn register(&self, pool: &Pool) -> io::Result<()> {
        // SAFETY: the pool lives longer than the ring: the executor drops the ring first.
        unsafe { self.uring.submitter().register_buffers(&pool.pieces()) }?;
        pool.registered();
        Ok(())
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Asks the kernel to end what is in flight. Writes that the disk has begun come to their end.
    pub(super) fn cancel_all(&mut self) {
        let cancel = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
        self.push(&cancel.user_data(CANCELLATION));
    }

    fn start(&mut self, entry: &squeue::Entry, keep: Keep) -> usize {
        let operation = Operation::InFlight { waiting: None, _keep: keep };
        let at = match self.free {
            Some(at) => {
                let Operation::Free(next) = self.operations[at] else {
                    unreachable!("the list of free operations has only such")
                };
                self.free = next;
                self.operations[at] = operation;
                at
            }
            None => {
                self.operations.push(operation);
                self.operations.len() - 1
            }
        };
        self.in_flight += 1;
        self.push(&entry.clone().user_data(at as u64));
        at
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: what the entry points to is kept until its completion comes.
        while unsafe { self.uring.submission().push(entry) }.is_err() {
            // Full: a visit of its own, but for the tasks that it wakes.
            match self.uring.submit() {
                Ok(_) => {}
                Err(error) if is_passing(&error) => self.take_completions(),
                Err(error) => panic!("a ring takes operations: {error}"),
            }
        }
    }

    fn release(&mut self, at: usize) {
        self.operations[at] = Operation::Free(self.free);
        self.free = Some(at);
    }

    /// Submits, takes what has completed, and waits for one completion if `wait` says how long at
    /// most. Then `woken`, which is empty, has who waited for them.
    pub(super) fn visit(&mut self, wait: Option<Duration>, woken: &mut Vec<Waker>) {
        if !self.bell_armed {
            self.bell_armed = true;
            let read = opcode::Read::new(Fd(self.bell), (&raw mut *self.rings).cast(), 8);
            self.push(&read.build().user_data(BELL));
        }
        let outcome = match wait {
            Some(time) => {
                let until = Timespec::from(time);
                let args = SubmitArgs::new().timespec(&until);
                self.uring.submitter().submit_with_args(1, &args).map(|_| ())
            }
            None => self.submit(),
        };
        match outcome {
            Ok(()) => {}
            Err(error) if is_passing(&error) => {}
            Err(error) => panic!("a ring takes operations: {error}"),
        }
        self.take_completions();
        std::mem::swap(&mut self.woken, woken);
    }

    /// Only if there is a reason: to look at what has completed is for nothing.
    fn submit(&mut self) -> io::Result<()> {
        let queue = self.uring.submission();
        let due = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
        drop(queue);
        if due { self.uring.submit().map(|_| ()) } else { Ok(()) }
    }

    fn take_completions(&mut self) {
        // More of them come when there is room again.
        loop {
            let Some(entry) = self.uring.completion().next() else { return };
            if entry.user_data() == BELL {
                self.bell_armed = false;
                continue;
            }
            if entry.user_data() == CANCELLATION {
                continue;
            }
            let at = entry.user_data() as usize;
            self.in_flight -= 1;
            let done = Operation::Done(entry.result());
            match std::mem::replace(&mut self.operations[at], done) {
                Operation::InFlight { waiting, .. } => self.woken.extend(waiting),
                Operation::Abandoned { .. } => self.release(at),
                Operation::Free(_) | Operation::Done(_) => {
                    unreachable!("an operation completes once")
                }
            }
        }
    }

    fn poll(&mut self, at: usize, cx: &Context<'_>) -> Poll<i32> {
        match &mut self.operations[at] {
            Operation::Done(result) => {
                let result = *result;
                self.release(at);
                Poll::Ready(result)
            }
            Operation::InFlight { waiting, .. } => {
                match waiting {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waiting = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            _ => unreachable!("who waits for an operation has not given it up"),
        }
    }

    fn abandon(&mut self, at: usize) {
        match std::mem::replace(&mut self.operations[at], Operation::Free(None)) {
            Operation::InFlight { _keep, .. } => {
                self.operations[at] = Operation::Abandoned { _keep };
            }
            Operation::Done(_) => self.release(at),
            _ => unreachable!("an operation is given up once"),
        }
    }
}

/// The best ring of this kernel: completions are worked off by the core itself when it looks (6.1),
/// else without interrupting it (5.19).
fn make() -> io::Result<IoUring> {
    let mut best = IoUring::builder();
    best.setup_cqsize(COMPLETIONS).setup_submit_all();
    best.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
    let mut good = IoUring::builder();
    good.setup_cqsize(COMPLETIONS).setup_coop_taskrun().setup_taskrun_flag();
    let mut any = IoUring::builder();
    any.setup_cqsize(COMPLETIONS);
    best.build(ENTRIES).or_else(|_| good.build(ENTRIES)).or_else(|_| any.build(ENTRIES))
}

/// Whether a visit may be tried again: time is up, a signal, too many completions to take.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
}

/// An operation that somebody waits for.
struct Started(Option<usize>);

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(at) = self.0 {
            // A thread that ends has no ring any more.
            executor::with_ring(|ring| ring.abandon(at));
        }
    }
}

/// What the kernel answers to an operation.
async fn perform(entry: squeue::Entry, keep: Keep) -> io::Result<u32> {
    let at = executor::with_ring(|ring| ring.start(&entry, keep));
    let mut started = Started(Some(at.expect("operations are started on a core")));
    let result = poll_fn(|cx| {
        let at = started.0.expect("it is polled until it is done");
        executor::with_ring(|ring| ring.poll(at, cx)).expect("a core polls its operations")
    })
    .await;
    started.0 = None;
    u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

/// Opens a file with these flags (and closed on exec), made with `mode` if the flags say so.
pub async fn open(path: &Path, flags: i32, mode: u32) -> io::Result<OwnedFd> {
    let path = Rc::new(CString::new(path.as_os_str().as_bytes())?);
    let entry = opcode::OpenAt::new(Fd(libc::AT_FDCWD), path.as_ptr());
    let entry = entry.flags(flags | libc::O_CLOEXEC).mode(mode).build();
    let fd = perform(entry, Keep::Path(path)).await?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Writes a buffer. The number of bytes that were written.
pub async fn write_at(file: &Rc<OwnedFd>, bytes: &Rc<Buffer>, at: u64) -> io::Result<usize> {
    let fd = Fd(file.as_raw_fd());
    let (start, len) = (bytes.start(), bytes.bytes().len() as u32);
    let entry = match bytes.piece() {
        Some(piece) => opcode::WriteFixed::new(fd, start, len, piece).offset(at).build(),
        None => opcode::Write::new(fd, start, len).offset(at).build(),
    };
    let written = perform(entry, Keep::Buffer(file.clone(), bytes.clone())).await?;
    Ok(written as usize)
}

/// Fills a buffer and cuts it to what was there.
pub async fn read_at(file: &Rc<OwnedFd>, buffer: Buffer, at: u64) -> io::Result<Buffer> {
    let fd = Fd(file.as_raw_fd());
    let (start, len) = (buffer.start(), buffer.bytes().len() as u32);
    let entry = match buffer.piece() {
        Some(piece) => opcode::ReadFixed::new(fd, start, len, piece).offset(at).build(),
        None => opcode::Read::new(fd, start, len).offset(at).build(),
    };
    let buffer = Rc::new(buffer);
    let read = perform(entry, Keep::Buffer(file.clone(), buffer.clone())).await?;
    let mut buffer = Rc::try_unwrap(buffer).expect("the operation is over");
    buffer.truncate(read as usize);
    Ok(buffer)
}

/// Makes the data of completed writes durable, and the length of the file.
pub async fn sync_data(file: &Rc<OwnedFd>) -> io::Result<()> {
    let entry = opcode::Fsync::new(Fd(file.as_raw_fd())).flags(FsyncFlags::DATASYNC).build();
    perform(entry, Keep::File(file.clone())).await.map(|_| ())
}

/// Closes a file and says what the kernel says. If somebody else still has it, that one closes it.
pub async fn close(file: Rc<OwnedFd>) -> io::Result<()> {
    let Ok(file) = Rc::try_unwrap(file) else { return Ok(()) };
    let entry = opcode::Close::new(Fd(file.into_raw_fd())).build();
    perform(entry, Keep::Nothing).await.map(|_| ())
}

/// Waits until something can be read. The descriptor must stay open as long.
pub async fn readable(fd: BorrowedFd<'_>) -> io::Result<()> {
    let entry = opcode::PollAdd::new(Fd(fd.as_raw_fd()), libc::POLLIN as u32).build();
    perform(entry, Keep::Nothing).await.map(|_| ())
}
