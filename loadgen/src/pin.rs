//! Which CPU the load generator runs on, and which it leaves to the server.

use crate::failure::{Failure, Result};

/// The CPUs of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// The load generator's.
    pub loadgen: usize,
    /// The embedded server's and the echo thread's; the same as ours where there is only one.
    pub other: usize,
}

impl Cpus {
    /// `wanted`, or the last CPU that this process may use; the other is the first that is not it.
    pub fn choose(wanted: Option<usize>) -> Result<Cpus> {
        let allowed: Vec<usize> =
            core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
        let loadgen = match wanted {
            Some(cpu) if allowed.contains(&cpu) => cpu,
            Some(cpu) => {
                return Err(Failure::Usage(format!(
                    "CPU {cpu} is not among those this process may use: {allowed:?}"
                )));
            }
            None => *allowed
                .last()
                .ok_or(Failure::Usage("the list of usable CPUs cannot be read".to_owned()))?,
        };
        let other = allowed.into_iter().find(|&cpu| cpu != loadgen).unwrap_or(loadgen);
        Ok(Cpus { loadgen, other })
    }

    /// Whether server and load generator have a CPU each.
    #[must_use]
    pub fn apart(&self) -> bool {
        self.loadgen != self.other
    }
}

/// Pins the calling thread.
pub fn pin(cpu: usize) -> Result<()> {
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        return Ok(());
    }
    Err(Failure::Usage(format!("this thread cannot be pinned to CPU {cpu}")))
}

/// Lets the calling thread run on both CPUs of a run: what it starts inherits that.
pub fn release(cpus: Cpus) -> Result<()> {
    allow([cpus.loadgen, cpus.other].into_iter())
}

/// Lets the calling thread run on every CPU that the system gives this process.
pub fn release_all() -> Result<()> {
    allow(0..libc::CPU_SETSIZE as usize)
}

fn allow(cpus: impl Iterator<Item = usize>) -> Result<()> {
    // SAFETY: an all-zero set is the empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for cpu in cpus {
        // SAFETY: changes a set of ours; numbers beyond it are ignored.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: 0 is the calling thread, and the kernel only reads the set during the call.
    if unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } == 0 {
        return Ok(());
    }
    Err(Failure::io("choosing the CPUs of a thread")(std::io::Error::last_os_error()))
}

/// From now on the calling thread leaves its CPU to others that want it.
pub fn make_way() {
    // SAFETY: takes numbers only. 0 is the calling thread: on Linux niceness belongs to threads.
    // Without the right to it nothing changes, and only the measurement gets coarser.
    let _ = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, READER_NICENESS) };
}

/// Low enough that a writer who wakes up runs at once, high enough to keep up.
const READER_NICENESS: libc::c_int = 10;
