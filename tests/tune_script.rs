//! `tuning/tune.sh` on a machine made of files: what it sets, what it says, and that its undo
//! leaves everything as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const DISK: &str = "sys/devices/pci0/0000:01/nvme0n1";

/// Four CPUs, a disk with a partition, a network card, and a server on CPUs 1 to 3.
struct Machine(TempDir);

impl Machine {
    fn new() -> Machine {
        let machine = Machine(TempDir::new().unwrap());
        machine.file("sys/devices/system/cpu/online", "0-3\n");
        for cpu in 0..4 {
            let file = format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
            machine.file(&file, "powersave\n");
        }
        machine.file("proc/sys/vm/swappiness", "60\n");
        machine.file("proc/sys/kernel/io_uring_disabled", "2\n");
        let mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      23 22 259:2 / /var/lib/shardway rw - ext4 /dev/nvme0n1p2 rw,discard\n";
        machine.file("proc/self/mountinfo", mounts);
        machine.file(&format!("{DISK}/queue/scheduler"), "none\n");
        machine.file(&format!("{DISK}/nvme0n1p2/partition"), "2\n");
        machine.link(&format!("{DISK}/nvme0n1p2"), "sys/dev/block/259:2");
        machine.link(DISK, "sys/block/nvme0n1");
        machine.file("sys/devices/pci0/0000:01/msi_irqs/40", "msix\n");
        machine.file("sys/devices/pci0/0000:02/msi_irqs/50", "msix\n");
        machine.link("sys/devices/pci0/0000:02", "sys/class/net/eth0/device");
        machine.file("proc/irq/40/smp_affinity_list", "0-3\n");
        machine.file("proc/irq/50/smp_affinity_list", "0\n");
        let config = "data_dir = \"/var/lib/shardway/data\" # here\ncores = \"1-3\"\n";
        machine.file("etc/shardway/shardway.toml", config);
        machine
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, to: &str, from: &str) {
        let [to, from] = [to, from].map(|path| self.0.path().join(path));
        fs::create_dir_all(from.parent().unwrap()).unwrap();
        symlink(to, from).unwrap();
    }

    fn tune(&self, arguments: &[&str]) -> String {
        let output = tune(self.0.path(), arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}{errors}");
        text
    }

    /// Every file and what is in it.
    fn content(&self) -> BTreeMap<String, String> {
        fn walk(dir: &Path, files: &mut BTreeMap<String, String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let path = entry.path();
                if entry.file_type().unwrap().is_dir() {
                    walk(&path, files);
                } else if path.is_file() {
                    let text = fs::read_to_string(&path).unwrap();
                    files.insert(path.display().to_string(), text);
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.0.path(), &mut files);
        files
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.0.path().join(path)).unwrap().trim().to_owned()
    }
}

fn tune(root: &Path, arguments: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning/tune.sh");
    Command::new("bash").arg(script).arg("--root").arg(root).args(arguments).output().unwrap()
}

#[test]
fn a_dry_run_names_every_change_and_makes_none() {
    let machine = Machine::new();
    machine.file(&format!("{DISK}/queue/scheduler"), "none [mq-deadline]\n");
    let before = machine.content();
    let said = machine.tune(&["--dry-run"]);
    for line in [
        "scheduler: /sys/block/nvme0n1/queue/scheduler: mq-deadline -> none\n",
        "irq-affinity: /proc/irq/40/smp_affinity_list: 0-3 -> 0\n",
        "irq-affinity: /proc/irq/50/smp_affinity_list is 0 already\n",
        "swap: /proc/sys/vm/swappiness: 60 -> 1\n",
        "io-uring: /proc/sys/kernel/io_uring_disabled: 2 -> 0\n",
        "file-system: mount -o remount,nodiscard /var/lib/shardway\n",
        "memlock: /etc/security/limits.d/60-shardway.conf: + shardway - memlock unlimited\n",
        "nofile: /etc/security/limits.d/60-shardway.conf: + shardway - nofile 1048576\n",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
    let governed = said.lines().filter(|line| line.contains("powersave -> performance")).count();
    assert_eq!(governed, 3, "CPU 0 has no core\n{said}");
    assert_eq!(machine.content(), before);
}

#[test]
fn undo_leaves_everything_as_it_was_however_often_it_was_set() {
    let machine = Machine::new();
    let before = machine.content();
    machine.tune(&[]);
    assert_eq!(machine.read("proc/sys/vm/swappiness"), "1");
    assert_eq!(machine.read("proc/irq/40/smp_affinity_list"), "0");
    // Other cores, other interrupts; what was there at first is still what counts.
    machine.tune(&["--cores", "0-1"]);
    assert_eq!(machine.read("proc/irq/40/smp_affinity_list"), "2,3");
    machine.tune(&["--undo"]);
    assert_eq!(machine.content(), before);
    assert_eq!(machine.tune(&["--undo"]), "nothing to undo\n");
}

#[test]
fn undo_leaves_alone_what_somebody_else_has_set_since() {
    let machine = Machine::new();
    machine.tune(&["--only", "swap,memlock"]);
    machine.file("proc/sys/vm/swappiness", "10\n");
    let limits = "etc/security/limits.d/60-shardway.conf";
    machine.file(limits, "shardway - memlock unlimited\nother - nofile 5\n");
    machine.tune(&["--undo"]);
    assert_eq!(machine.read("proc/sys/vm/swappiness"), "10");
    assert_eq!(machine.read(limits), "other - nofile 5");
}

#[test]
fn only_names_the_knobs_that_are_turned() {
    let machine = Machine::new();
    machine.tune(&["--only", "governor", "--cores", "1"]);
    let governor = |cpu: usize| {
        machine.read(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor"))
    };
    assert_eq!([governor(0), governor(1)], ["performance", "powersave"], "a count is of the first");
    assert_eq!(machine.read("proc/sys/vm/swappiness"), "60");
    let wrong = tune(machine.0.path(), &["--only", "turbo"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn each_knob_has_a_page() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning");
    let script = fs::read_to_string(directory.join("tune.sh")).unwrap();
    let knobs = script.lines().find_map(|line| line.strip_prefix("all_knobs=")).unwrap();
    for knob in knobs.split(',') {
        assert!(directory.join(format!("knobs/{knob}.md")).is_file(), "{knob} has no page");
    }
}
