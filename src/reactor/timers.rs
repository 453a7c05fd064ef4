//! Tasks that sleep until a point in time.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::executor;

/// The sleepers of a core, in the order in which they are due.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

impl Timers {
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next one that is due, to be woken.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Waker> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn add(&mut self, at: Instant, waker: Waker) -> (Instant, u64) {
        let key = (at, self.next);
        self.next += 1;
        self.due.insert(key, waker);
        key
    }
}

/// Ends at a point in time, never before it.
#[derive(Debug)]
#[must_use = "it sleeps when it is awaited"]
pub struct Sleep {
    at: Instant,
    key: Option<(Instant, u64)>,
}

/// Sleeps so long, from now on.
pub fn sleep(time: Duration) -> Sleep {
    Sleep { at: Instant::now() + time, key: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let key = executor::with_timers(|timers| {
            if let Some(waker) = self.key.and_then(|key| timers.due.get_mut(&key)) {
                waker.clone_from(cx.waker());
                return self.key;
            }
            // It has never slept, or it was woken because it was due.
            (Instant::now() < at).then(|| timers.add(at, cx.waker().clone()))
        });
        self.key = key.flatten();
        if self.key.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // A thread that ends has no timers any more.
            executor::with_timers(|timers| drop(timers.due.remove(&key)));
        }
    }
}
