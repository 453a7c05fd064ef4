//! Memory for bodies: a request whose body finds no room waits for its turn.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::quota::{Permit, Permits};

/// The budget of a core. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Memory(Rc<Budget>);

#[derive(Debug)]
struct Budget {
    permits: Permits,
    /// First come, first served: else a large body would wait while small ones pass it.
    waiting: RefCell<VecDeque<(u64, Waker)>>,
    next: Cell<u64>,
}

/// Memory that is held; dropping it lets the next body in.
#[derive(Debug)]
pub struct Held {
    first: Option<Permit>,
    more: Vec<Permit>,
    memory: Memory,
}

impl Memory {
    /// A budget of `total` bytes.
    pub(super) fn new(total: usize) -> Memory {
        let permits = Permits::new(total);
        Memory(Rc::new(Budget { permits, waiting: RefCell::default(), next: Cell::new(0) }))
    }

    /// The whole budget.
    pub(super) fn total(&self) -> usize {
        self.0.permits.total()
    }

    /// Bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.0.permits.held()
    }

    /// Memory of `bytes` at once, if there is some and nobody waits for it.
    pub(super) fn try_take(&self, bytes: usize) -> Option<Held> {
        if !self.0.waiting.borrow().is_empty() {
            return None;
        }
        let first = Some(self.0.permits.try_take(bytes)?);
        Some(Held { first, more: Vec::new(), memory: self.clone() })
    }

    /// Waits for memory of `bytes`, which is no more than the whole budget.
    pub(super) fn take(&self, bytes: usize) -> Take {
        assert!(bytes <= self.0.permits.total(), "nobody waits for what there is not");
        Take { memory: self.clone(), bytes, place: None }
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.0.waiting.borrow().front() {
            waker.wake_by_ref();
        }
    }
}

impl Held {
    /// Takes more, if there is some. It never waits: who holds and waits may wait for himself.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        match self.memory.0.permits.try_take(bytes) {
            Some(permit) => self.more.push(permit),
            None => return false,
        }
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.first.take());
        self.more.clear();
        self.memory.wake_first();
    }
}

/// The wait of [`Memory::take`].
#[derive(Debug)]
pub(super) struct Take {
    memory: Memory,
    bytes: usize,
    place: Option<u64>,
}

impl Future for Take {
    type Output = Held;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Held> {
        let budget = self.memory.0.clone();
        let mut waiting = budget.waiting.borrow_mut();
        let first = waiting.front().is_none_or(|(place, _)| Some(*place) == self.place);
        if first && let Some(permit) = budget.permits.try_take(self.bytes) {
            drop(waiting);
            self.leave();
            let memory = self.memory.clone();
            return Poll::Ready(Held { first: Some(permit), more: Vec::new(), memory });
        }
        let waker = cx.waker().clone();
        match waiting.iter_mut().find(|(place, _)| Some(*place) == self.place) {
            Some(waits) => waits.1 = waker,
            None => {
                let place = budget.next.get();
                budget.next.set(place + 1);
                waiting.push_back((place, waker));
                drop(waiting);
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}

impl Take {
    /// Leaves the queue; whoever is first now may find room.
    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.memory.0.waiting.borrow_mut().retain(|(other, _)| *other != place);
            self.memory.wake_first();
        }
    }
}

impl Drop for Take {
    fn drop(&mut self) {
        self.leave();
    }
}
