//! What the machine must offer, checked before anything is touched: one sentence for each lack.
//! `shardway doctor` asks the same questions.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::base::limits::{MEMLOCK_BYTES_MIN, NOFILE_MIN};
use crate::disk::blocking;
use crate::runtime::options::StartError;

/// A connection remembers the cores that know of it in 64 bits.
const CORES_MAX: usize = 64;

/// Checks limits and kernel features.
pub fn check(cores: usize, cpus: &[usize]) -> Result<(), StartError> {
    check_memlock(limit(libc::RLIMIT_MEMLOCK), cores)?;
    check_nofile(limit(libc::RLIMIT_NOFILE))?;
    let present: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|id| id.id).collect();
    check_cpus(cpus, &present)?;
    check_io_uring()
}

/// Whether so many bytes of locked memory are enough for the cores to start.
pub fn check_memlock(memlock: u64, cores: usize) -> Result<(), StartError> {
    let needed = MEMLOCK_BYTES_MIN * cores as u64;
    if memlock >= needed {
        return Ok(());
    }
    lacking(format!(
        "the limit of locked memory is {} KiB and {cores} cores need {} KiB; run `ulimit -l {}` \
         first, or set LimitMEMLOCK= in the service file",
        memlock / 1024,
        needed / 1024,
        needed / 1024
    ))
}

/// Whether so many open files are enough to start.
pub fn check_nofile(files: u64) -> Result<(), StartError> {
    if files >= NOFILE_MIN {
        return Ok(());
    }
    lacking(format!(
        "the limit of open files is {files} and at least {NOFILE_MIN} are needed; run `ulimit -n \
         65536` first, or set LimitNOFILE= in the service file"
    ))
}

/// Whether one core on each of `cpus` is possible where the process may use those `present`.
pub fn check_cpus(cpus: &[usize], present: &[usize]) -> Result<(), StartError> {
    if cpus.len() > CORES_MAX {
        return lacking(format!(
            "{} cores are asked for and {CORES_MAX} is the most; choose with --cores",
            cpus.len()
        ));
    }
    match cpus.iter().find(|cpu| !present.contains(cpu)) {
        Some(cpu) => lacking(format!(
            "CPU {cpu} is not one that this process may use ({present:?}); choose with --cores"
        )),
        None => Ok(()),
    }
}

/// Whether the kernel lets this process have a ring.
pub fn check_io_uring() -> Result<(), StartError> {
    let mut params = [0u8; 120];
    // SAFETY: io_uring_setup reads and fills its 120 bytes of parameters.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) };
    if fd >= 0 {
        // SAFETY: the descriptor was just made here.
        unsafe { libc::close(fd as i32) };
        return Ok(());
    }
    let why = io::Error::last_os_error();
    lacking(format!(
        "io_uring is not available ({why}); Linux 5.19 or newer is needed, `sysctl \
         kernel.io_uring_disabled` must be 0, and a container's seccomp profile must allow it"
    ))
}

/// Checks that files in `dir` can be written directly.
pub fn check_direct_io(dir: &Path) -> Result<(), StartError> {
    match blocking::takes_direct_io(dir) {
        Ok(true) => Ok(()),
        Ok(false) => lacking(format!(
            "the file system of {} has no direct I/O (O_DIRECT); use ext4 or XFS on a local disk, \
             not tmpfs or overlayfs",
            dir.display()
        )),
        Err(error) => lacking(format!(
            "{} cannot be written ({}); change its owner or choose another with --data-dir",
            dir.display(),
            error.source
        )),
    }
}

/// How many files and sockets this process may have open.
#[must_use]
pub fn open_files_max() -> usize {
    usize::try_from(limit(libc::RLIMIT_NOFILE)).unwrap_or(usize::MAX)
}

/// CPU time that this thread has used.
#[must_use]
pub fn thread_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime fills the struct that it is given.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "Linux has this clock");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The name of this machine, if it has one.
pub fn name() -> Option<String> {
    let mut bytes = [0u8; 256];
    // SAFETY: gethostname writes at most the length that it is given.
    let result = unsafe { libc::gethostname(bytes.as_mut_ptr().cast(), bytes.len()) };
    let name = std::ffi::CStr::from_bytes_until_nul(&bytes).ok()?.to_str().ok()?;
    (result == 0 && !name.is_empty()).then(|| name.to_owned())
}

fn limit(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: getrlimit fills the struct that it is given.
    let result = unsafe { libc::getrlimit(resource, &mut limit) };
    assert_eq!(result, 0, "getrlimit knows the resource");
    limit.rlim_cur
}

fn lacking<T>(what: String) -> Result<T, StartError> {
    Err(StartError::Host(what))
}
