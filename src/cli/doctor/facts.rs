//! What this machine says about itself, read once. Everything is optional: a container, another
//! architecture or an old kernel has less of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::block::{Disk, Mount};
use super::interrupts::{Interrupt, interrupts};
use crate::disk::blocking::{free_bytes, takes_direct_io};
use crate::log::layout;
use crate::runtime::host;

/// Where to look: `/proc` and `/sys` below a root, and whose limits.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) root: PathBuf,
    /// `self`, or the number of a process.
    pub(super) process: String,
}

impl Sources {
    /// The text of a file without the white space at its end; nothing if it cannot be read.
    pub(super) fn read(&self, path: &str) -> Option<String> {
        Some(fs::read_to_string(self.path(path)).ok()?.trim_end().to_owned())
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The names in a directory, in order.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn of_process(&self, file: &str) -> Option<String> {
        self.read(&format!("/proc/{}/{file}", self.process))
    }
}

/// The machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) kernel: Option<String>,
    /// What the server would say at its start.
    pub(super) io_uring: Option<String>,
    /// `kernel.io_uring_disabled`: 0 gives rings to all, 1 to root and a group, 2 to nobody.
    pub(super) io_uring_disabled: Option<u64>,
    pub(super) clock_source: Option<String>,
    /// Soft limits of the process; `u64::MAX` is none.
    pub(super) memlock_bytes: Option<u64>,
    pub(super) nofile: Option<u64>,
    pub(super) online_cpus: Vec<usize>,
    pub(super) allowed_cpus: Vec<usize>,
    /// CPUs' worth of time that the cgroup may use.
    pub(super) cpu_quota: Option<f64>,
    pub(super) governors: BTreeMap<usize, String>,
    /// The CPUs that share a physical core with each, itself among them.
    pub(super) siblings: BTreeMap<usize, Vec<usize>>,
    pub(super) interrupts: Vec<Interrupt>,
    pub(super) memory_bytes: Option<u64>,
    /// What the cgroup may use.
    pub(super) memory_limit_bytes: Option<u64>,
    /// Devices and files that are swapped to.
    pub(super) swaps: Vec<String>,
    pub(super) swappiness: Option<u64>,
    pub(super) huge_pages: Option<String>,
    pub(super) mount: Option<Mount>,
    pub(super) disks: Vec<Disk>,
    /// `Err` is what the server would say; nothing if it could not be tried.
    pub(super) direct_io: Option<Result<(), String>>,
    pub(super) free_bytes: Option<u64>,
    /// The journals of this data dir are written already.
    pub(super) has_journals: bool,
}

impl Facts {
    /// Looks at everything for a server with this data dir.
    pub(super) fn collect(sources: &Sources, data_dir: &Path) -> Facts {
        let dir = existing(data_dir);
        let mut facts = Facts::read(sources, &dir);
        facts.io_uring = host::check_io_uring().err().map(|error| error.to_string());
        // Root may write everywhere, so the answer is that of the file system. Others may not be
        // the user that the server runs as.
        facts.direct_io = match takes_direct_io(&dir) {
            Err(error) if error.source.kind() == io::ErrorKind::PermissionDenied => None,
            _ => Some(host::check_direct_io(&dir).map_err(|error| error.to_string())),
        };
        facts.free_bytes = free_bytes(&dir).ok();
        facts.has_journals = fs::read_dir(layout::journal_dir(data_dir))
            .is_ok_and(|mut files| files.next().is_some());
        facts
    }

    /// What files of `/proc` and `/sys` say. `dir` exists.
    pub(super) fn read(sources: &Sources, dir: &Path) -> Facts {
        let limits = sources.of_process("limits").unwrap_or_default();
        let mount = sources.of_process("mountinfo").and_then(|text| Mount::of(&text, dir));
        let disks = mount.as_ref().map(|mount| Disk::under(sources, mount)).unwrap_or_default();
        let online = sources.read("/sys/devices/system/cpu/online");
        let online = online.as_deref().map(cpu_list).unwrap_or_default();
        let allowed =
            sources.of_process("status").and_then(|text| field(&text, "Cpus_allowed_list:"));
        let allowed: Vec<_> = match allowed.as_deref().map(cpu_list) {
            Some(allowed) => allowed
                .into_iter()
                .filter(|cpu| online.is_empty() || online.contains(cpu))
                .collect(),
            None => online.clone(),
        };
        let cpu = |cpu: &usize, file: &str| {
            sources.read(&format!("/sys/devices/system/cpu/cpu{cpu}/{file}"))
        };
        let by_cpu = |file: &str| -> BTreeMap<usize, String> {
            online.iter().filter_map(|n| Some((*n, cpu(n, file)?))).collect()
        };
        let siblings = by_cpu("topology/thread_siblings_list");
        let memory = sources.read("/proc/meminfo").and_then(|text| field(&text, "MemTotal:"));
        Facts {
            kernel: sources.read("/proc/sys/kernel/osrelease"),
            io_uring_disabled: number(sources, "/proc/sys/kernel/io_uring_disabled"),
            clock_source: sources
                .read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            memlock_bytes: limit(&limits, "Max locked memory"),
            nofile: limit(&limits, "Max open files"),
            governors: by_cpu("cpufreq/scaling_governor"),
            siblings: siblings.into_iter().map(|(n, text)| (n, cpu_list(&text))).collect(),
            interrupts: interrupts(sources, &disks),
            cpu_quota: cgroup(sources, "cpu.max")
                .iter()
                .filter_map(|text| quota(text))
                .min_by(f64::total_cmp),
            memory_bytes: memory.and_then(|text| kib(&text)),
            memory_limit_bytes: cgroup(sources, "memory.max")
                .iter()
                .filter_map(|text| text.parse().ok())
                .min(),
            swaps: swaps(&sources.read("/proc/swaps").unwrap_or_default()),
            swappiness: number(sources, "/proc/sys/vm/swappiness"),
            huge_pages: sources
                .read("/sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|text| chosen(&text)),
            online_cpus: online,
            allowed_cpus: allowed,
            mount,
            disks,
            ..Facts::default()
        }
    }
}

/// The directory, or the nearest one above it that exists.
fn existing(dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let found = absolute.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    fs::canonicalize(found).unwrap_or_else(|_| found.to_owned())
}

/// A file of the process's cgroup (version 2) and of those above it: the tightest counts.
fn cgroup(sources: &Sources, file: &str) -> Vec<String> {
    let groups = sources.of_process("cgroup").unwrap_or_default();
    let path = groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let groups = Path::new(path).ancestors().filter_map(Path::to_str);
    let file = |group: &str| format!("/sys/fs/cgroup{}/{file}", group.trim_end_matches('/'));
    groups.filter_map(|group| sources.read(&file(group))).collect()
}

/// `200000 100000` is time of two CPUs.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.split_once(' ')?;
    Some(quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?)
}

/// The soft limit in a line of `/proc/<pid>/limits`.
fn limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The rest of the line that starts with `name`.
fn field(text: &str, name: &str) -> Option<String> {
    Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
}

fn kib(text: &str) -> Option<u64> {
    Some(text.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn number(sources: &Sources, path: &str) -> Option<u64> {
    sources.read(path)?.parse().ok()
}

fn swaps(text: &str) -> Vec<String> {
    let names = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// `0-2,5` as numbers; what is none is left out.
pub(super) fn cpu_list(text: &str) -> Vec<usize> {
    let ranges = text.trim().split(',').filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    });
    ranges.flatten().collect()
}

/// The word in brackets: `none [mq-deadline] kyber`.
pub(super) fn chosen(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}
