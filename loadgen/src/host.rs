//! The machine and build that a report is about, as far as it says.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The machine and build. What cannot be read is left out.
#[derive(Clone, Debug, Serialize)]
pub struct Host {
    /// Model name.
    pub cpu: Option<String>,
    /// CPUs that this process may use.
    pub cpus: usize,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Memory in KiB.
    pub memory_kib: Option<u64>,
    /// Share of time that the hypervisor took since boot, in %.
    pub steal_percent: Option<f64>,
    /// The same, from the start of this invocation to its end.
    pub steal_during_run_percent: Option<f64>,
    /// How the first CPU's clock is governed.
    pub governor: Option<String>,
    /// What the kernel reads the time from.
    pub clock_source: Option<String>,
    /// The disk under the measured directory.
    pub disk: Option<Disk>,
    /// Whether this build is optimised.
    pub optimised: bool,
    /// Revision of the source that this program was built from.
    pub git_revision: Option<&'static str>,
    /// Stolen and all ticks of all CPUs at the start.
    #[serde(skip)]
    ticks: Option<[u64; 2]>,
}

/// A block device's settings.
#[derive(Clone, Debug, Serialize)]
pub struct Disk {
    /// Device name.
    pub name: String,
    /// File system type.
    pub file_system: Option<String>,
    /// Mount options.
    pub mount_options: Option<String>,
    /// `write back` or `write through`.
    pub write_cache: Option<String>,
    /// Whether a single write can be forced through the cache.
    pub fua: Option<String>,
    /// The I/O scheduler, in brackets.
    pub scheduler: Option<String>,
}

/// Where temporary files go; where those are in memory, the place for those that are not.
#[must_use]
pub fn disk_dir() -> PathBuf {
    let dir = std::env::temp_dir();
    let persistent = PathBuf::from("/var/tmp");
    let in_memory = Disk::of(&dir).is_some_and(|disk| disk.is_memory());
    if in_memory && persistent.is_dir() { persistent } else { dir }
}

impl Host {
    /// Reads the facts; `dir` says which disk.
    #[must_use]
    pub fn read(dir: &Path) -> Host {
        let ticks = ticks();
        Host {
            cpu: field("/proc/cpuinfo", "model name"),
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get()),
            kernel: line("/proc/sys/kernel/osrelease"),
            memory_kib: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.split_whitespace().next()?.parse().ok()),
            steal_percent: ticks.and_then(|now| steal_percent([0, 0], now)),
            steal_during_run_percent: None,
            governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            disk: Disk::of(dir),
            optimised: !cfg!(debug_assertions),
            git_revision: option_env!("LOADGEN_GIT_REVISION"),
            ticks,
        }
    }

    /// Notes what was stolen since the facts were read.
    pub fn finish(&mut self) {
        let ticks = self.ticks.zip(ticks());
        self.steal_during_run_percent = ticks.and_then(|(from, to)| steal_percent(from, to));
    }
}

impl Disk {
    /// Whether its files vanish with the power, so that no write to them is durable.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        self.file_system.as_deref().is_some_and(|kind| matches!(kind, "tmpfs" | "ramfs"))
    }

    fn of(dir: &Path) -> Option<Disk> {
        let dir = dir.canonicalize().ok()?;
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let mount = mount_of(&mounts, dir.to_str()?)?;
        let name = mount.device.rsplit('/').next()?.to_owned();
        let queue = queue_dir(&name);
        let setting = |what: &str| line(&format!("{}/{what}", queue.as_deref()?));
        let (write_cache, fua) = (setting("write_cache"), setting("fua"));
        let scheduler = setting("scheduler");
        let (file_system, mount_options) = (Some(mount.kind), Some(mount.options));
        Some(Disk { name, file_system, mount_options, write_cache, fua, scheduler })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    kind: String,
    options: String,
}

/// The mount with the longest prefix of `dir`.
fn mount_of(mounts: &str, dir: &str) -> Option<Mount> {
    let holds = |point: &str| {
        point == "/" || dir == point || dir.strip_prefix(point).is_some_and(|r| r.starts_with('/'))
    };
    let fields = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?, words.next()?))
    });
    // Of equal points the last is on top.
    let best =
        fields.filter(|(_, point, ..)| holds(point)).max_by_key(|(_, point, ..)| point.len());
    let (device, _, kind, options) = best?;
    Some(Mount { device: device.to_owned(), kind: kind.to_owned(), options: options.to_owned() })
}

/// A partition has no queue of its own; its disk is the directory above.
fn queue_dir(device: &str) -> Option<String> {
    let own = fs::canonicalize(format!("/sys/class/block/{device}")).ok()?;
    let with_queue = own.ancestors().take(2).find(|dir| dir.join("queue").is_dir())?;
    Some(with_queue.join("queue").to_str()?.to_owned())
}

/// Stolen and all ticks of all CPUs since boot.
fn ticks() -> Option<[u64; 2]> {
    ticks_of(&fs::read_to_string("/proc/stat").ok()?)
}

fn ticks_of(stat: &str) -> Option<[u64; 2]> {
    let cpu = stat.lines().find(|line| line.starts_with("cpu "))?;
    let times: Vec<u64> = cpu.split_whitespace().skip(1).filter_map(|t| t.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest times are part of user.
    let total: u64 = times.get(..8)?.iter().sum();
    Some([times[7], total])
}

fn steal_percent(from: [u64; 2], to: [u64; 2]) -> Option<f64> {
    let [steal, total] = [to[0].saturating_sub(from[0]), to[1].saturating_sub(from[1])];
    (total > 0).then(|| steal as f64 * 100.0 / total as f64)
}

fn line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'))?.1;
    Some(value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_holds_a_directory() {
        let mounts = "/dev/a / ext4 rw 0 0\n/dev/b /data xfs rw,noatime 0 0\n\
                      /dev/c /database ext4 ro 0 0\n";
        assert_eq!(mount_of(mounts, "/data/x").expect("found").device, "/dev/b");
        assert_eq!(mount_of(mounts, "/data").expect("found").options, "rw,noatime");
        assert_eq!(mount_of(mounts, "/tmp").expect("found").device, "/dev/a");
    }

    #[test]
    fn steal_is_a_share_of_all_time() {
        let stat = "cpu  50 0 20 20 0 0 0 10 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(ticks_of(stat), Some([10, 100]));
        assert_eq!(steal_percent([0, 0], [10, 100]), Some(10.0));
        assert_eq!(steal_percent([10, 100], [10, 100]), None, "no time has passed");
        assert_eq!(ticks_of("intr 1"), None);
    }
}
