//! One epoll set per core, awaited through the core's ring.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use crate::reactor;

/// What the owner of a descriptor gets back when it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u64);

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// Whose.
    pub token: Token,
    /// Bytes, a connection, an end or an error can be read.
    pub readable: bool,
    /// Bytes can be written again.
    pub writable: bool,
    /// The connection is gone in both directions. Reported whatever is waited for.
    pub broken: bool,
    /// Its peer has sent the last byte, or it is broken.
    pub finished: bool,
}

/// Readiness of many descriptors, level-triggered.
#[derive(Debug)]
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// Events of one turn. More stay in the kernel for the next.
const EVENTS_MAX: usize = 256;

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Poller> {
        // SAFETY: epoll_create1 takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just made and nobody else owns it.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Poller { epoll, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Adds a descriptor, which must leave the set by being closed.
    pub fn add(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, true, false)
    }

    /// Changes what a descriptor waits for.
    pub fn set(&self, fd: impl AsFd, token: Token, read: bool, write: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, read, write)
    }

    /// Takes a descriptor out, to give it to another core.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, Token(0), false, false)
    }

    fn control(
        &self,
        operation: i32,
        fd: impl AsFd,
        token: Token,
        read: bool,
        write: bool,
    ) -> io::Result<()> {
        let mut events = 0;
        if read {
            events |= (libc::EPOLLIN | libc::EPOLLRDHUP) as u32;
        }
        if write {
            events |= libc::EPOLLOUT as u32;
        }
        let mut event = libc::epoll_event { events, u64: token.0 };
        let (epoll, fd) = (self.epoll.as_raw_fd(), fd.as_fd().as_raw_fd());
        // SAFETY: both descriptors are open and `event` outlives the call.
        check(unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) }).map(|_| ())
    }

    /// A second handle, for tasks that add descriptors while another waits for the set.
    pub fn edges(&self) -> io::Result<Edges> {
        self.epoll.try_clone().map(Edges)
    }

    /// Waits until a descriptor is ready. Other tasks of the core run meanwhile.
    pub async fn wait(&self) -> io::Result<()> {
        reactor::readable(self.epoll.as_fd()).await
    }

    /// Takes what is ready now into `ready`, without waiting.
    pub fn take(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.events.clear();
        let (fd, events) = (self.epoll.as_raw_fd(), self.events.as_mut_ptr());
        // SAFETY: `events` has room for EVENTS_MAX entries, and the kernel fills as many as it
        // returns.
        let n = unsafe { libc::epoll_wait(fd, events, EVENTS_MAX as i32, 0) };
        let n = match check(n) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            other => other?,
        };
        // SAFETY: the kernel has filled the first `n` entries.
        unsafe { self.events.set_len(n as usize) };
        ready.clear();
        ready.extend(self.events.iter().map(|event| {
            let events = event.events as i32;
            let broken = events & (libc::EPOLLERR | libc::EPOLLHUP) != 0;
            Ready {
                token: Token(event.u64),
                readable: events & (libc::EPOLLIN | libc::EPOLLRDHUP) != 0 || broken,
                writable: events & libc::EPOLLOUT != 0 || broken,
                broken,
                finished: events & libc::EPOLLRDHUP != 0 || broken,
            }
        }));
        Ok(())
    }
}

/// A handle of a [`Poller`]'s set for descriptors that are reported once each time they become
/// ready, for reading or for writing: nothing has to be said again after that.
#[derive(Debug)]
pub struct Edges(OwnedFd);

impl Edges {
    /// Adds a descriptor, which must leave the set by being closed.
    pub fn add(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token)
    }

    /// Reports a descriptor again, in the next turn, for what it is ready for then.
    pub fn again(&self, fd: impl AsFd, token: Token) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token)
    }

    fn control(&self, operation: i32, fd: impl AsFd, token: Token) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLOUT | libc::EPOLLET;
        let mut event = libc::epoll_event { events: events as u32, u64: token.0 };
        let (epoll, fd) = (self.0.as_raw_fd(), fd.as_fd().as_raw_fd());
        // SAFETY: both descriptors are open and `event` outlives the call.
        check(unsafe { libc::epoll_ctl(epoll, operation, fd, &mut event) }).map(|_| ())
    }
}

/// A negative result of a system call as its error.
pub(super) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
