//! Ctrl-C or SIGTERM: the first ends the current run early and prints what there is, the second
//! ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether the user wants to stop.
#[must_use]
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// From now on, both are noted here.
pub fn watch() {
    let handler = on_interrupt as extern "C" fn(libc::c_int);
    // SAFETY: the handler does only what a signal handler may: an atomic store, and restoring the
    // default disposition.
    unsafe {
        libc::signal(libc::SIGINT, handler as libc::sighandler_t);
        libc::signal(libc::SIGTERM, handler as libc::sighandler_t);
    }
}

extern "C" fn on_interrupt(signal: libc::c_int) {
    REQUESTED.store(true, Ordering::Relaxed);
    // SAFETY: signal(2) is async-signal-safe.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}
