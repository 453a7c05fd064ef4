//! What is known of a connection while hyper has it: what it waits for, since when, and what it
//! shall do about that.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::limits::Limits;
use crate::net::stream::Waiting;

/// The time of the last tick. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Clock(Rc<Cell<Instant>>);

impl Clock {
    pub(super) fn new(now: Instant) -> Clock {
        Clock(Rc::new(Cell::new(now)))
    }

    pub(super) fn now(&self) -> Instant {
        self.0.get()
    }

    pub(super) fn set(&self, now: Instant) {
        self.0.set(now);
    }
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a next request has come.
    Quiet,
    /// A head is arriving, or a TLS handshake.
    Head,
    /// Requests are open.
    Busy,
    /// Everything was said; what the client still sends is read away.
    Lingering,
}

/// What a connection shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Go on.
    Serve,
    /// End after the requests that are open.
    Drain,
    /// Say that a head took too long, and end.
    Expire,
    /// End.
    Kill,
}

/// A connection, as the core sees it.
#[derive(Debug)]
pub(super) struct Entry {
    clock: Clock,
    phase: Cell<Phase>,
    since: Cell<Instant>,
    open: Cell<u32>,
    order: Cell<Order>,
    /// When the client last took some of each answer that is there as a whole. Streams do not
    /// count: they are made as they are taken, and a slow consumer is no failure.
    answers: RefCell<Vec<Option<Instant>>>,
    /// A body was answered before it was read.
    unread: Cell<bool>,
    /// Bytes alone begin no request: they may be frames of any kind.
    multiplexed: Cell<bool>,
    task: Waiting,
    /// The other end.
    pub(super) peer: Option<SocketAddr>,
    /// Whether it speaks TLS.
    pub(super) secure: bool,
}

impl Entry {
    pub(super) fn new(clock: Clock, peer: Option<SocketAddr>, secure: bool) -> Entry {
        Entry {
            since: Cell::new(clock.now()),
            clock,
            phase: Cell::new(Phase::Quiet),
            open: Cell::new(0),
            order: Cell::new(Order::Serve),
            answers: RefCell::default(),
            unread: Cell::new(false),
            multiplexed: Cell::new(false),
            task: Waiting::default(),
            peer,
            secure,
        }
    }

    /// What the connection shall do; its task is woken when that changes.
    pub(super) fn order(&self, cx: &Context<'_>) -> Order {
        self.task.wait(cx);
        self.order.get()
    }

    /// Gives an order, unless a stronger one was given.
    pub(super) fn give(&self, order: Order) {
        if order > self.order.get() {
            self.order.set(order);
            self.task.wake();
        }
    }

    /// Enters a phase, now.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.clock.now());
    }

    /// The connection speaks HTTP/2.
    pub(super) fn multiplex(&self) {
        self.multiplexed.set(true);
        self.enter(Phase::Quiet);
    }

    /// Whether a connection of HTTP/2 that has nothing more to say waits for its client to close
    /// it. A client that has said farewell may still hold answers that its program has not read:
    /// Node.js throws them away when the connection closes under them. It gets the time that a
    /// head has; no such client is waited for when the server ends.
    pub(super) fn leaves_first(&self) -> bool {
        if !self.multiplexed.get() || self.order.get() != Order::Serve {
            return false;
        }
        if self.phase.get() != Phase::Lingering {
            self.enter(Phase::Lingering);
        }
        true
    }

    /// Bytes have arrived.
    pub(super) fn heard(&self) {
        if self.phase.get() == Phase::Quiet && !self.multiplexed.get() {
            self.enter(Phase::Head);
        }
    }

    /// A body is answered that was not read.
    pub(super) fn leave_unread(&self) {
        self.unread.set(true);
    }

    /// Whether the client may still be sending a body that nobody wants.
    pub(super) fn has_unread(&self) -> bool {
        self.unread.get()
    }

    /// A request has begun.
    pub(super) fn begin(self: &Rc<Self>) -> OpenRequest {
        self.open.set(self.open.get() + 1);
        self.phase.set(Phase::Busy);
        OpenRequest(self.clone())
    }

    /// Gives the orders that time has brought.
    pub(super) fn look(&self, limits: &Limits) {
        let now = self.clock.now();
        let past = |since: Instant, wait| now.saturating_duration_since(since) > wait;
        let (since, drains) = (self.since.get(), self.order.get() != Order::Serve);
        if self.answers.borrow().iter().flatten().any(|moved| past(*moved, limits.body_wait)) {
            return self.give(Order::Kill);
        }
        match self.phase.get() {
            Phase::Quiet if !drains && past(since, limits.idle) => {
                self.since.set(now);
                self.give(Order::Drain);
            }
            // A client of HTTP/2 that does not answer the farewell.
            Phase::Quiet if drains && past(since, limits.head_wait) => self.give(Order::Kill),
            Phase::Head if past(since, limits.head_wait) => self.give(Order::Expire),
            Phase::Lingering if past(since, limits.head_wait) => self.give(Order::Kill),
            _ => {}
        }
    }
}

/// Runs `step` until it is ready, or until the connection is told to end: then `None`. With `quiet`
/// it also ends when it shall drain and nothing has come.
pub(super) fn poll_guarded<T>(
    entry: &Entry,
    cx: &mut Context<'_>,
    step: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<Option<T>> {
    let quiet = entry.phase.get() == Phase::Quiet;
    match entry.order(cx) {
        Order::Expire | Order::Kill => Poll::Ready(None),
        Order::Drain if quiet => Poll::Ready(None),
        Order::Serve | Order::Drain => step(cx).map(Some),
    }
}

/// A request that has begun and is not yet answered in full.
#[derive(Debug)]
pub(super) struct OpenRequest(Rc<Entry>);

impl OpenRequest {
    /// The request has an answer, of which the client has taken nothing yet.
    pub(super) fn answer(self) -> OpenAnswer {
        let (mut answers, now) = (self.0.answers.borrow_mut(), self.0.clock.now());
        let free = answers.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            answers.push(None);
            answers.len() - 1
        });
        answers[place] = Some(now);
        drop(answers);
        OpenAnswer { place, request: self }
    }
}

/// An answer that was not yet given to the connection in full.
#[derive(Debug)]
pub(super) struct OpenAnswer {
    place: usize,
    request: OpenRequest,
}

impl OpenAnswer {
    /// The client has taken what it was sent of it before.
    pub(super) fn moved(&self) {
        let entry = &self.request.0;
        entry.answers.borrow_mut()[self.place] = Some(entry.clock.now());
    }
}

impl Drop for OpenAnswer {
    fn drop(&mut self) {
        self.request.0.answers.borrow_mut()[self.place] = None;
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let open = self.0.open.get() - 1;
        self.0.open.set(open);
        if open == 0 {
            self.0.enter(Phase::Quiet);
        }
    }
}
