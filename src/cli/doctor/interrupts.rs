//! The interrupts of the data disks and of the network cards, and where they are served.

use std::fs;
use std::path::{Path, PathBuf};

use super::block::Disk;
use super::facts::{Sources, cpu_list};

/// A line of interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Interrupt {
    pub(super) number: u32,
    /// Of the disk or network card.
    pub(super) device: String,
    /// Where it is served.
    pub(super) cpus: Vec<usize>,
}

/// Those of the disks and of all network cards.
pub(super) fn interrupts(sources: &Sources, disks: &[Disk]) -> Vec<Interrupt> {
    let cards = sources.list("/sys/class/net").into_iter().filter_map(|name| {
        let path = sources.path(&format!("/sys/class/net/{name}/device"));
        Some((name, fs::canonicalize(path).ok()?))
    });
    let disks = disks.iter().map(|disk| (disk.name.clone(), disk.path.clone()));
    let mut found = Vec::new();
    for (name, path) in disks.chain(cards) {
        found.extend(numbers(sources, &path).into_iter().filter_map(|number| {
            let read = |file: &str| sources.read(&format!("/proc/irq/{number}/{file}"));
            let cpus = read("effective_affinity_list").filter(|text| !text.is_empty());
            let cpus = cpu_list(&cpus.or_else(|| read("smp_affinity_list"))?);
            Some(Interrupt { number, device: name.clone(), cpus })
        }));
    }
    found
}

/// The message-signalled interrupts of the device that `path` belongs to: the nearest above it
/// that has some.
fn numbers(sources: &Sources, path: &Path) -> Vec<u32> {
    let top: PathBuf = fs::canonicalize(sources.path("/sys/devices")).unwrap_or_default();
    let above = path.ancestors().take_while(|path| path.starts_with(&top) && **path != top);
    let lists = above.map(|device| device.join("msi_irqs"));
    let Some(entries) = lists.into_iter().find_map(|list| fs::read_dir(list).ok()) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}
