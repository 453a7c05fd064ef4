//! The file system of a data dir, and the disks under it.

use std::fs;
use std::path::{Path, PathBuf};

use super::facts::{Sources, chosen};

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// `major:minor` of its device; 0 is the major of those without one.
    pub(super) device: String,
    pub(super) point: PathBuf,
    pub(super) kind: String,
    /// Of the mount and of the file system.
    pub(super) options: Vec<String>,
    /// What was mounted, such as `/dev/vda1`.
    pub(super) source: String,
}

impl Mount {
    /// The mount that `dir` is on, by a text like `/proc/self/mountinfo` (proc(5)).
    pub(super) fn of(mountinfo: &str, dir: &Path) -> Option<Mount> {
        let mounts = mountinfo.lines().filter_map(Mount::parse);
        let above = mounts.filter(|mount| dir.starts_with(&mount.point));
        // Of two on the same point the later one is on top.
        above.max_by_key(|mount| mount.point.components().count())
    }

    fn parse(line: &str) -> Option<Mount> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let device = mount.next()?.to_owned();
        let point = PathBuf::from(unescaped(mount.nth(1)?));
        let mut file_system_fields = file_system.split(' ');
        let options = mount.next()?.split(',');
        let kind = file_system_fields.next()?.to_owned();
        let source = unescaped(file_system_fields.next()?);
        let own = file_system_fields.next().unwrap_or_default().split(',');
        let mut all: Vec<_> = options.chain(own).map(str::to_owned).collect();
        all.sort();
        all.dedup();
        Some(Mount { device, point, kind, options: all, source })
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.options.iter().any(|found| found == option)
    }
}

/// Blanks and backslashes stand as octal numbers there.
fn unescaped(text: &str) -> String {
    let octal = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    octal.iter().fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

/// A whole disk, or what the kernel takes for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) name: String,
    /// In the tree of devices, links followed.
    pub(super) path: PathBuf,
    pub(super) scheduler: Option<String>,
    /// All that the kernel offers.
    pub(super) schedulers: String,
    pub(super) write_cache: Option<String>,
    pub(super) fua: Option<bool>,
}

impl Disk {
    /// The disks that a file system is on: the partition's, or those below a mapped device.
    pub(super) fn under(sources: &Sources, mount: &Mount) -> Vec<Disk> {
        let by_number = sources.path(&format!("/sys/dev/block/{}", mount.device));
        let path = fs::canonicalize(&by_number).or_else(|_| {
            // btrfs has a device number of its own; its source says where it is.
            let name = mount.source.strip_prefix("/dev/").unwrap_or_default();
            fs::canonicalize(sources.path(&format!("/sys/class/block/{name}")))
        });
        let mut disks = Vec::new();
        if let Ok(path) = path {
            Disk::collect(&path, &mut disks);
        }
        disks.dedup_by(|a, b| a.path == b.path);
        disks
    }

    fn collect(device: &Path, disks: &mut Vec<Disk>) {
        let whole = match device.parent() {
            Some(disk) if device.join("partition").exists() => disk,
            _ => device,
        };
        let below: Vec<_> =
            fs::read_dir(whole.join("slaves")).into_iter().flatten().flatten().collect();
        let below: Vec<_> = below.iter().flat_map(|entry| fs::canonicalize(entry.path())).collect();
        if below.is_empty() {
            disks.extend(Disk::read(whole));
        }
        for device in below {
            Disk::collect(&device, disks);
        }
    }

    fn read(path: &Path) -> Option<Disk> {
        let read = |file: &str| {
            let text = fs::read_to_string(path.join("queue").join(file)).ok()?;
            Some(text.trim().to_owned())
        };
        let schedulers = read("scheduler").unwrap_or_default();
        Some(Disk {
            name: path.file_name()?.to_str()?.to_owned(),
            path: path.to_owned(),
            scheduler: chosen(&schedulers).or_else(|| {
                // A device without a choice says only `none`.
                (schedulers == "none").then(|| schedulers.clone())
            }),
            schedulers,
            write_cache: read("write_cache"),
            fua: read("fua").map(|fua| fua == "1"),
        })
    }
}
