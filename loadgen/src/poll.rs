//! epoll: which connections can be read or written.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// Events of one wait; the rest comes with the next.
const EVENTS: usize = 256;

/// A set of watched sockets.
pub struct Poller {
    epoll: OwnedFd,
    events: RefCell<Vec<libc::epoll_event>>,
}

/// A socket that can go on.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// Which, as given to `add`.
    pub token: usize,
    /// There is room to write.
    pub writable: bool,
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Poller({:?})", self.epoll)
    }
}

impl Poller {
    /// Watches nothing yet.
    pub fn new() -> io::Result<Poller> {
        // SAFETY: takes a flag, touches no memory of ours.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just created and belongs to nobody else.
        let epoll = unsafe { OwnedFd::from_raw_fd(fd) };
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        Ok(Poller { epoll, events: RefCell::new(events) })
    }

    /// Watches `socket` for reading.
    pub fn add(&self, socket: &impl AsRawFd, token: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, socket, token, false)
    }

    /// Watches `socket` for writing too, or no longer.
    pub fn want_write(&self, socket: &impl AsRawFd, token: usize, on: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, socket, token, on)
    }

    fn control(
        &self,
        operation: libc::c_int,
        socket: &impl AsRawFd,
        token: usize,
        write: bool,
    ) -> io::Result<()> {
        let events = libc::EPOLLIN | if write { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: events as u32, u64: token as u64 };
        // SAFETY: both descriptors are open, and the kernel only reads `event` during the call.
        let result = unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), operation, socket.as_raw_fd(), &mut event)
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Appends to `ready` what can go on, waiting for it at most `timeout`.
    pub fn wait(&self, timeout: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(timeout.subsec_nanos()),
        };
        let mut events = self.events.borrow_mut();
        // SAFETY: `events` has room for EVENTS entries, and the kernel writes at most so many;
        // the timeout lives across the call; no signal mask is given.
        let count = unsafe {
            libc::epoll_pwait2(
                self.epoll.as_raw_fd(),
                events.as_mut_ptr(),
                EVENTS as libc::c_int,
                &timeout,
                std::ptr::null(),
            )
        };
        let count = match usize::try_from(count) {
            Ok(count) => count,
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => 0,
                e => return Err(e),
            },
        };
        ready.extend(events[..count].iter().map(|event| Ready {
            token: event.u64 as usize,
            writable: event.events & libc::EPOLLOUT as u32 != 0,
        }));
        Ok(())
    }
}
