//! The data dir: its file system, its disks, and the room that is left.

use indicatif::BinaryBytes;

use super::block::{Disk, Mount};
use super::facts::Facts;
use super::finding::{Check, Finding};
use super::plan::Plan;

const FILE_SYSTEM: Check = Check {
    name: "file-system",
    why: "journals are written over in place, and a write must reach the disk to be acknowledged",
};
const DIRECT_IO: Check = Check {
    name: "direct-io",
    why: "the server reads and writes past the page cache; without O_DIRECT there is no start",
};
const SPACE: Check = Check {
    name: "space",
    why: "a server without room for its journals does not start, and a full disk refuses puts",
};
const SCHEDULER: Check = Check {
    name: "scheduler",
    why: "a core has one journal write in flight: there is nothing to sort, only time to lose",
};
const WRITE_CACHE: Check = Check {
    name: "write-cache",
    why: "a volatile cache is flushed at each commit, or passed by where the disk knows FUA",
};

/// Data beyond the journals, below which the space is short.
const FREE_BYTES_ADVISED: u64 = 10 << 30;

pub(super) fn findings(plan: &Plan, facts: &Facts) -> Vec<Finding> {
    let mut found = vec![file_system(facts), direct_io(facts), space(plan, facts)];
    found.push(scheduler(&facts.disks));
    found.push(write_cache(&facts.disks));
    found
}

fn file_system(facts: &Facts) -> Finding {
    let Some(mount) = &facts.mount else { return FILE_SYSTEM.unknown("no mount in /proc") };
    let Mount { kind, point, .. } = mount;
    let point = point.display();
    let found = format!("{kind} on {point} ({})", mount.options.join(","));
    let remount = |option: &str| format!("mount -o remount,{option} {point}  # and in /etc/fstab");
    if kind == "tmpfs" || kind == "ramfs" {
        return FILE_SYSTEM.problem(found, "data_dir = a directory on ext4 or XFS");
    }
    if mount.has("nobarrier") || mount.has("barrier=0") {
        return FILE_SYSTEM.problem(found, remount("barrier"));
    }
    if mount.has("ro") {
        return FILE_SYSTEM.problem(found, remount("rw"));
    }
    if !matches!(kind.as_str(), "ext4" | "xfs") {
        return FILE_SYSTEM.advice(found, "data_dir = a directory on ext4 or XFS");
    }
    if mount.has("data=journal") {
        return FILE_SYSTEM
            .advice(found, "tune2fs -o journal_data_ordered DEVICE, and mount again");
    }
    if mount.has("discard") {
        return FILE_SYSTEM.advice(found, format!("{}; enable fstrim.timer", remount("nodiscard")));
    }
    FILE_SYSTEM.ok(found)
}

fn direct_io(facts: &Facts) -> Finding {
    match &facts.direct_io {
        Some(Ok(())) => DIRECT_IO.ok("files can be opened with O_DIRECT"),
        Some(Err(error)) => DIRECT_IO.problem(error, "data_dir = a directory on ext4 or XFS"),
        None => DIRECT_IO.unknown("not tried: this user may not write there; run it as root"),
    }
}

fn space(plan: &Plan, facts: &Facts) -> Finding {
    let Some(free) = facts.free_bytes else { return SPACE.unknown("the file system does not say") };
    let journals = if facts.has_journals { 0 } else { plan.journal_bytes() };
    let mut found = format!("{} free", BinaryBytes(free));
    if journals > 0 {
        found.push_str(&format!(", {} for the journals", BinaryBytes(journals)));
    }
    if free < journals {
        SPACE.problem(found, "free some space, or choose a smaller journal_file_bytes")
    } else if free - journals < FREE_BYTES_ADVISED {
        SPACE.advice(found, "add space, or shorten `shardway stream retention`")
    } else {
        SPACE.ok(found)
    }
}

fn named(disks: &[Disk], what: impl Fn(&Disk) -> Option<String>) -> String {
    let each = disks.iter().filter_map(|disk| Some(format!("{}: {}", disk.name, what(disk)?)));
    each.collect::<Vec<_>>().join(", ")
}

fn scheduler(disks: &[Disk]) -> Finding {
    let found = named(disks, |disk| disk.scheduler.clone());
    if found.is_empty() {
        return SCHEDULER.unknown("no disk under the data dir");
    }
    let offers_none = |disk: &&Disk| disk.schedulers.split_whitespace().any(|one| one == "none");
    let others = disks
        .iter()
        .filter(|disk| disk.scheduler.as_deref().is_some_and(|scheduler| scheduler != "none"));
    let commands: Vec<_> = others
        .filter(offers_none)
        .map(|disk| format!("echo none > /sys/block/{}/queue/scheduler", disk.name))
        .collect();
    if commands.is_empty() {
        return SCHEDULER.ok(found);
    }
    SCHEDULER.advice(found, commands.join("; "))
}

fn write_cache(disks: &[Disk]) -> Finding {
    let found = named(disks, |disk| {
        let fua = if disk.fua == Some(true) { "FUA" } else { "no FUA" };
        Some(format!("{}, {fua}", disk.write_cache.as_deref()?))
    });
    if found.is_empty() {
        return WRITE_CACHE.unknown("no disk under the data dir");
    }
    let flushes =
        |disk: &Disk| disk.write_cache.as_deref() == Some("write back") && disk.fua != Some(true);
    if disks.iter().any(flushes) {
        // Telling the kernel that there is no cache would lose what is acknowledged.
        return WRITE_CACHE.advice(
            format!("{found}: every commit waits for a flush"),
            "put the data on a disk with FUA or with power-loss protection; leave this setting",
        );
    }
    WRITE_CACHE.ok(found)
}
