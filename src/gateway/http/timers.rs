//! Deadlines of a core, as exact as its tick: enough for clients that are slow.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// All deadlines. Clones share them. Only one core uses them, but hyper asks for values that could
/// be sent to another.
#[derive(Clone, Debug)]
pub(super) struct Timers(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    now: Instant,
    next: u64,
    wakers: BTreeMap<(Instant, u64), Waker>,
}

impl Timers {
    /// None yet.
    pub(super) fn new(now: Instant) -> Timers {
        Timers(Arc::new(Mutex::new(Waiting { now, next: 0, wakers: BTreeMap::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets those come that are due.
    pub(super) fn sweep(&self, now: Instant) {
        let mut waiting = self.lock();
        waiting.now = now;
        let later = waiting.wakers.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut waiting.wakers, later);
        drop(waiting);
        due.into_values().for_each(Waker::wake);
    }

    /// A deadline that comes with the first sweep at least `after` from the last one.
    pub(super) fn deadline(&self, after: Duration) -> Deadline {
        let at = self.lock().now + after;
        Deadline { timers: self.clone(), at, waits: None }
    }
}

impl Timer for Timers {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.deadline(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { timers: self.clone(), at: deadline, waits: None })
    }

    fn now(&self) -> Instant {
        self.lock().now
    }
}

/// A point in time that can be waited for.
#[derive(Debug)]
pub(super) struct Deadline {
    timers: Timers,
    at: Instant,
    waits: Option<u64>,
}

impl Sleep for Deadline {}

impl Future for Deadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let timers = self.timers.clone();
        let mut waiting = timers.lock();
        if waiting.now >= self.at {
            return Poll::Ready(());
        }
        let id = self.waits.unwrap_or(waiting.next);
        if self.waits.replace(id).is_none() {
            waiting.next += 1;
        }
        waiting.wakers.insert((self.at, id), cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if let Some(id) = self.waits {
            self.timers.lock().wakers.remove(&(self.at, id));
        }
    }
}
