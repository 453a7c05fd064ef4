//! A task: what wakes it, and what its owner holds.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::executor;
use super::queue::QueueId;

/// What a waker points to: enough to make the task ready, from any thread.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) id: TaskId,
    queue: QueueId,
    /// It is ready already.
    queued: AtomicBool,
    remote: Arc<Remote>,
}

/// Where a task lies among those of its core. Not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TaskId {
    pub(super) slot: usize,
    pub(super) generation: u64,
}

impl Header {
    /// Of a task that is ready.
    pub(super) fn ready(id: TaskId, queue: QueueId, remote: Arc<Remote>) -> Arc<Header> {
        Arc::new(Header { id, queue, queued: AtomicBool::new(true), remote })
    }

    pub(super) fn queue(&self) -> QueueId {
        self.queue
    }

    /// From now on it can become ready again.
    pub(super) fn begin(&self) {
        self.queued.store(false, Ordering::Release);
    }
}

impl Wake for Header {
    fn wake(self: Arc<Header>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Header>) {
        if !self.queued.swap(true, Ordering::AcqRel) && !executor::make_ready(self, &self.remote) {
            self.remote.push(self.clone());
        }
    }
}

/// Tasks that other threads have made ready, and the bell that tells the core.
#[derive(Debug)]
pub(super) struct Remote {
    ready: Mutex<Vec<Arc<Header>>>,
    /// There is something in `ready`, and the bell was rung.
    rung: AtomicBool,
    bell: std::os::fd::OwnedFd,
}

impl Remote {
    pub(super) fn new(bell: std::os::fd::OwnedFd) -> Remote {
        Remote { ready: Mutex::default(), rung: AtomicBool::new(false), bell }
    }

    pub(super) fn bell(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.bell)
    }

    fn push(&self, task: Arc<Header>) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        if !self.rung.swap(true, Ordering::AcqRel) {
            let one = 1u64;
            // SAFETY: an eventfd takes 8 bytes. It cannot be full: it counts single rings.
            unsafe { libc::write(self.bell(), (&raw const one).cast(), 8) };
        }
    }

    /// Takes what has become ready. Cheap if that is nothing.
    pub(super) fn take(&self) -> Vec<Arc<Header>> {
        if !self.rung.load(Ordering::Acquire) {
            return Vec::new();
        }
        // Before the look: what comes between is taken now or rings again.
        self.rung.store(false, Ordering::SeqCst);
        std::mem::take(&mut self.ready.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a task has come to.
pub(super) struct Outcome<T> {
    result: RefCell<Option<T>>,
    waiting: RefCell<Option<Waker>>,
    over: Cell<bool>,
}

impl<T> Outcome<T> {
    pub(super) fn pending() -> Rc<Outcome<T>> {
        let (result, waiting) = (RefCell::new(None), RefCell::new(None));
        Rc::new(Outcome { result, waiting, over: Cell::new(false) })
    }

    pub(super) fn set(&self, result: T) {
        *self.result.borrow_mut() = Some(result);
        self.over.set(true);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }
}

/// The handle of a task, a future of its result. Dropping it lets the task go on.
pub struct Task<T> {
    pub(super) id: TaskId,
    pub(super) outcome: Rc<Outcome<T>>,
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T> Task<T> {
    /// Lets it go on without a handle.
    pub fn detach(self) {}

    /// Ends it where it stands, unless it has come to its end. Not from within itself.
    pub fn cancel(self) {
        executor::cancel(self.id);
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(result) = self.outcome.result.take() {
            return Poll::Ready(result);
        }
        *self.outcome.waiting.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}
