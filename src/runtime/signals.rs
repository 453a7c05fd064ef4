//! SIGTERM and SIGINT, taken by the thread that waits for them and by no other.

use std::time::Duration;

/// The signals that stop a server, blocked for this thread and those that it starts from now on.
#[derive(Debug)]
pub struct StopSignals(libc::sigset_t);

impl StopSignals {
    /// Blocks them. Call it before any other thread exists.
    #[must_use]
    pub fn block() -> StopSignals {
        // SAFETY: an all-zero sigset_t is only a place for sigemptyset to fill.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` lives through the calls, and both signals exist.
        unsafe {
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, libc::SIGTERM);
            libc::sigaddset(&mut set, libc::SIGINT);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        }
        StopSignals(set)
    }

    /// Waits for one of them, at most so long. Its name, if it came.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> Option<&'static str> {
        let timeout = libc::timespec {
            tv_sec: at_most.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(at_most.subsec_nanos() as i32),
        };
        // SAFETY: set and timeout live through the call; no siginfo is asked for.
        match unsafe { libc::sigtimedwait(&self.0, std::ptr::null_mut(), &timeout) } {
            libc::SIGTERM => Some("SIGTERM"),
            libc::SIGINT => Some("SIGINT"),
            _ => None,
        }
    }

    /// Lets the next one end the process at once.
    pub fn release(&self) {
        // SAFETY: the set lives through the call.
        unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &self.0, std::ptr::null_mut()) };
    }
}
