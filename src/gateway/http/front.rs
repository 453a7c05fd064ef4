//! The connections of a core.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::body::BodyReader;
use super::connection::connection;
use super::entry::{Clock, Entry, Order};
use super::handler::Handler;
use super::io::Transport;
use super::limits::Limits;
use super::memory::Memory;
use super::timers::Timers;

/// How often connections are looked at. Their deadlines are seconds.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The executor of a core.
pub trait Host: Clone + 'static {
    /// Starts a task on it.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
}

/// Serves the HTTP connections of a core. See the module.
pub struct Front<H>(Rc<Shared<H>>);

/// What all connections of a core share.
pub(super) struct Shared<H> {
    pub(super) handler: H,
    pub(super) limits: Limits,
    pub(super) bodies: BodyReader,
    pub(super) timers: Timers,
    clock: Clock,
    entries: RefCell<Vec<Option<Rc<Entry>>>>,
    free: RefCell<Vec<usize>>,
    look_due: Cell<Instant>,
    draining: Cell<bool>,
}

impl<H: Handler> Front<H> {
    /// No connections yet.
    #[must_use]
    pub fn new(handler: H, limits: Limits, now: Instant) -> Front<H> {
        let timers = Timers::new(now);
        let memory = Memory::new(limits.bodies_bytes);
        let bodies = BodyReader { memory, timers: timers.clone(), wait: limits.body_wait };
        Front(Rc::new(Shared {
            handler,
            limits,
            bodies,
            timers,
            clock: Clock::new(now),
            entries: RefCell::default(),
            free: RefCell::default(),
            look_due: Cell::new(now),
            draining: Cell::new(false),
        }))
    }

    /// Whether there are as many connections as there may be, or no more may come.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= self.0.limits.connections || self.0.draining.get()
    }

    /// Serves a new connection in a task of its own, unless it is one too many.
    pub fn open(&self, host: &impl Host, transport: Transport, peer: Option<SocketAddr>) {
        if self.is_full() {
            return;
        }
        let secure = transport.is_secure();
        let entry = Rc::new(Entry::new(self.0.clock.clone(), peer, secure));
        let place = self.0.enter(entry.clone());
        host.spawn(connection(
            Place { shared: self.0.clone(), place },
            entry,
            transport,
            host.clone(),
        ));
    }

    /// Number of connections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.borrow().len() - self.0.free.borrow().len()
    }

    /// Memory of requests' bodies in use, in bytes.
    #[must_use]
    pub fn bodies_bytes(&self) -> usize {
        self.0.bodies.memory.held()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets deadlines come. Called with every tick.
    pub fn sweep(&self, now: Instant) {
        self.0.clock.set(now);
        self.0.timers.sweep(now);
        if now >= self.0.look_due.get() {
            self.0.look_due.set(now + LOOK_EVERY);
            self.0.for_each(|entry| entry.look(&self.0.limits));
        }
    }

    /// Lets every connection end after the requests that it has open.
    pub fn drain(&self) {
        self.0.draining.set(true);
        self.0.for_each(|entry| entry.give(Order::Drain));
    }

    /// Ends every connection.
    pub fn abort(&self) {
        self.0.draining.set(true);
        self.0.for_each(|entry| entry.give(Order::Kill));
    }
}

impl<H> Shared<H> {
    fn enter(&self, entry: Rc<Entry>) -> usize {
        let mut entries = self.entries.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or_else(|| {
            entries.push(None);
            entries.len() - 1
        });
        entries[place] = Some(entry);
        place
    }

    /// Wakes tasks and runs none of them.
    fn for_each(&self, look: impl Fn(&Entry)) {
        self.entries.borrow().iter().flatten().for_each(|entry| look(entry));
    }
}

/// The place of a connection among those of its core, until its task ends.
pub(super) struct Place<H> {
    pub(super) shared: Rc<Shared<H>>,
    place: usize,
}

impl<H> Drop for Place<H> {
    fn drop(&mut self) {
        self.shared.entries.borrow_mut()[self.place] = None;
        self.shared.free.borrow_mut().push(self.place);
    }
}

impl<H> fmt::Debug for Front<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Front({} connections)", self.0.entries.borrow().iter().flatten().count())
    }
}
