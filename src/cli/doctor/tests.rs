//! Machines made of files in a temporary directory: a good one, and one thing wrong at a time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::facts::{chosen, cpu_list};
use super::*;

/// A machine with four CPUs, of which CPU 0 takes the interrupts, and an NVMe disk.
struct Machine(TempDir);

const DISK: &str = "/sys/devices/pci0/0000:01/nvme/nvme0/nvme0n1";

impl Machine {
    fn good() -> Machine {
        let machine = Machine(TempDir::new().unwrap());
        let limits = "Limit  Soft Limit  Hard Limit  Units\n\
                      Max open files            1048576              1048576              files\n\
                      Max locked memory         unlimited            unlimited            bytes\n";
        machine.file("/proc/sys/kernel/osrelease", "6.12.9-amd64\n");
        machine.file("/proc/sys/kernel/io_uring_disabled", "0\n");
        machine.file("/proc/self/limits", limits);
        machine.file("/proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n");
        machine.file("/proc/self/cgroup", "0::/system.slice/a.service\n");
        machine.mount("259:2 / /var/lib/shardway rw,noatime - ext4 /dev/nvme0n1p2 rw");
        machine.file("/proc/meminfo", "MemTotal:       33554432 kB\nMemFree: 1 kB\n");
        machine.file("/proc/swaps", "Filename Type Size Used Priority\n");
        machine.file("/proc/sys/vm/swappiness", "60\n");
        machine.file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
        machine.file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
        machine.file("/sys/devices/system/cpu/online", "0-3\n");
        for cpu in 0..4 {
            let dir = format!("/sys/devices/system/cpu/cpu{cpu}");
            machine.file(&format!("{dir}/cpufreq/scaling_governor"), "performance\n");
            machine.file(&format!("{dir}/topology/thread_siblings_list"), &format!("{cpu}\n"));
        }
        machine.file(&format!("{DISK}/queue/scheduler"), "[none] mq-deadline\n");
        machine.file(&format!("{DISK}/queue/write_cache"), "write through\n");
        machine.file(&format!("{DISK}/queue/fua"), "0\n");
        machine.file(&format!("{DISK}/nvme0n1p2/partition"), "2\n");
        machine.link(&format!("{DISK}/nvme0n1p2"), "/sys/dev/block/259:2");
        machine.file("/sys/devices/pci0/0000:01/msi_irqs/40", "msix\n");
        machine.file("/proc/irq/40/effective_affinity_list", "0\n");
        machine.file("/sys/devices/pci0/0000:02/msi_irqs/50", "msix\n");
        machine.file("/proc/irq/50/smp_affinity_list", "0\n");
        machine.link("/sys/devices/pci0/0000:02", "/sys/class/net/eth0/device");
        machine
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.0.path().join(path.trim_start_matches('/'))).unwrap();
    }

    fn link(&self, to: &str, from: &str) {
        let [to, from] = [to, from].map(|path| self.0.path().join(path.trim_start_matches('/')));
        fs::create_dir_all(from.parent().unwrap()).unwrap();
        symlink(to, from).unwrap();
    }

    /// The root's mount, and this one on it.
    fn mount(&self, line: &str) {
        let text = format!("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 {line}\n");
        self.file("/proc/self/mountinfo", &text);
    }

    fn examine(&self, cores: &str) -> Vec<Finding> {
        let sources = Sources { root: self.0.path().to_owned(), process: "self".into() };
        let mut facts = Facts::read(&sources, Path::new("/var/lib/shardway/data"));
        facts.direct_io = Some(Ok(()));
        facts.free_bytes = Some(500 << 30);
        examine(&plan(cores, &facts), &facts)
    }

    /// The finding of one check, of a server on CPUs 1 to 3.
    fn check(&self, name: &str) -> Finding {
        let findings = self.examine("1-3");
        findings.into_iter().find(|finding| finding.check == name).unwrap()
    }
}

fn plan(cores: &str, facts: &Facts) -> Plan {
    let layer = ServeLayer { cores: Some(cores.parse().unwrap()), ..ServeLayer::default() };
    Plan::new(ServeOptions::resolve(layer).unwrap(), facts)
}

#[track_caller]
fn assert_advice(finding: &Finding, command: &str) {
    assert_eq!(finding.verdict, Verdict::Advice, "{finding:?}");
    assert_eq!(finding.command.as_deref(), Some(command), "{finding:?}");
}

#[test]
fn a_good_machine_is_ok_throughout() {
    for finding in Machine::good().examine("1-3") {
        assert_eq!(finding.verdict, Verdict::Ok, "{finding:?}");
    }
}

#[test]
fn an_empty_machine_is_unknown_and_never_advised() {
    let machine = Machine(TempDir::new().unwrap());
    for finding in machine.examine("1") {
        let quiet = matches!(finding.verdict, Verdict::Unknown | Verdict::Ok);
        assert!(quiet, "{finding:?}");
    }
}

#[test]
fn each_check_has_a_page() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning/knobs");
    for finding in Machine::good().examine("1-3") {
        let page = pages.join(format!("{}.md", finding.check));
        assert!(page.is_file(), "{} is missing", page.display());
    }
}

#[test]
fn a_kernel_that_is_too_old_is_a_problem() {
    for (release, verdict) in [
        ("5.19.0", Verdict::Ok),
        ("6.1.0-rpi", Verdict::Ok),
        ("5.15.0-91-generic", Verdict::Problem),
        ("4.99", Verdict::Problem),
        ("plan9", Verdict::Unknown),
    ] {
        let machine = Machine::good();
        machine.file("/proc/sys/kernel/osrelease", release);
        assert_eq!(machine.check("kernel").verdict, verdict, "{release}");
    }
}

#[test]
fn rings_for_root_alone_are_advised_against() {
    let machine = Machine::good();
    machine.file("/proc/sys/kernel/io_uring_disabled", "1\n");
    assert_advice(&machine.check("io-uring"), "sysctl -w kernel.io_uring_disabled=0");
}

#[test]
fn limits_below_a_start_are_problems_and_below_comfort_advice() {
    let limits = |memlock: &str, nofile: u64| {
        let machine = Machine::good();
        let text = format!("Max open files {nofile} {nofile} files\nMax locked memory {memlock} x");
        machine.file("/proc/self/limits", &text);
        (machine.check("memlock").verdict, machine.check("nofile").verdict)
    };
    assert_eq!(limits("unlimited", 65_536), (Verdict::Ok, Verdict::Ok));
    assert_eq!(limits("8388608", 20_000), (Verdict::Advice, Verdict::Advice));
    assert_eq!(limits("1048576", 1_000), (Verdict::Problem, Verdict::Problem));
}

#[test]
fn cores_must_be_cpus_of_the_process() {
    let machine = Machine::good();
    machine.file("/proc/self/status", "Cpus_allowed_list:\t0-2\n");
    let finding = machine.check("cores");
    assert_eq!(finding.verdict, Verdict::Problem);
    assert_eq!(finding.command.as_deref(), Some("cores = \"cpu:0,1,2\""));
    let counted = machine.examine("4").into_iter().find(|finding| finding.check == "cores");
    assert_eq!(counted.unwrap().verdict, Verdict::Problem);
}

#[test]
fn the_tightest_cgroup_above_the_process_counts() {
    let machine = Machine::good();
    machine.file("/sys/fs/cgroup/system.slice/a.service/cpu.max", "max 100000\n");
    machine.file("/sys/fs/cgroup/system.slice/cpu.max", "250000 100000\n");
    assert_advice(&machine.check("cpu-limit"), "cores = 2");
    machine.file("/sys/fs/cgroup/system.slice/a.service/memory.max", "max\n");
    machine.file("/sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
    assert_eq!(machine.check("memory").verdict, Verdict::Advice);
    machine.file("/sys/fs/cgroup/system.slice/a.service/memory.max", "104857600\n");
    assert_eq!(machine.check("memory").verdict, Verdict::Problem);
}

#[test]
fn a_governor_of_a_core_matters_and_of_another_cpu_does_not() {
    let machine = Machine::good();
    machine.file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    assert_eq!(machine.check("governor").verdict, Verdict::Ok);
    machine.file("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
    assert_eq!(machine.check("governor").verdict, Verdict::Advice);
}

#[test]
fn of_two_threads_of_a_core_one_is_advised() {
    let machine = Machine::good();
    for cpu in [1, 3] {
        machine.file(
            &format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"),
            "1,3",
        );
    }
    assert_advice(&machine.check("smt"), "cores = \"cpu:1,2\"");
}

#[test]
fn interrupts_on_a_core_move_to_a_cpu_without_one() {
    let machine = Machine::good();
    machine.file("/proc/irq/40/effective_affinity_list", "2\n");
    machine.file("/proc/irq/50/smp_affinity_list", "0-3\n");
    assert_advice(
        &machine.check("irq-affinity"),
        "for i in 40 50; do echo 0 > /proc/irq/$i/smp_affinity_list; done",
    );
    let everywhere = machine.examine("0-3");
    let finding = everywhere.iter().find(|finding| finding.check == "irq-affinity").unwrap();
    assert_eq!(finding.verdict, Verdict::Ok, "there is nowhere to move them to: {finding:?}");
}

#[test]
fn swap_is_fine_where_the_kernel_avoids_it() {
    let machine = Machine::good();
    machine.file("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n");
    assert_eq!(machine.check("swap").verdict, Verdict::Advice);
    machine.file("/proc/sys/vm/swappiness", "1\n");
    assert_eq!(machine.check("swap").verdict, Verdict::Ok);
}

#[test]
fn file_systems_that_lose_data_are_problems_and_slow_ones_advice() {
    for (mount, verdict) in [
        ("xfs /dev/nvme0n1p2 rw", Verdict::Ok),
        ("ext4 /dev/nvme0n1p2 rw,barrier=0", Verdict::Problem),
        ("ext4 /dev/nvme0n1p2 ro", Verdict::Problem),
        ("tmpfs none rw", Verdict::Problem),
        ("ext4 /dev/nvme0n1p2 rw,data=journal", Verdict::Advice),
        ("ext4 /dev/nvme0n1p2 rw,discard", Verdict::Advice),
        ("btrfs /dev/nvme0n1p2 rw", Verdict::Advice),
    ] {
        let machine = Machine::good();
        machine.mount(&format!("259:2 / /var/lib/shardway rw shared:1 - {mount}"));
        assert_eq!(machine.check("file-system").verdict, verdict, "{mount}");
    }
}

#[test]
fn the_disk_under_a_partition_or_a_mapped_device_is_looked_at() {
    let machine = Machine::good();
    machine.file(&format!("{DISK}/queue/scheduler"), "none [mq-deadline]\n");
    let command = "echo none > /sys/block/nvme0n1/queue/scheduler";
    assert_advice(&machine.check("scheduler"), command);
    // The same disk below a volume of LVM.
    machine.file("/sys/devices/virtual/block/dm-0/queue/scheduler", "none\n");
    machine.link(&format!("{DISK}/nvme0n1p2"), "/sys/devices/virtual/block/dm-0/slaves/nvme0n1p2");
    machine.link("/sys/devices/virtual/block/dm-0", "/sys/dev/block/253:0");
    machine.mount("253:0 / /var/lib/shardway rw - ext4 /dev/mapper/a rw");
    assert_advice(&machine.check("scheduler"), command);
    // A file system with a number of its own, which /sys does not know.
    machine.link(&format!("{DISK}/nvme0n1p2"), "/sys/class/block/nvme0n1p2");
    machine.mount("0:55 / /var/lib/shardway rw - btrfs /dev/nvme0n1p2 rw");
    assert_advice(&machine.check("scheduler"), command);
}

#[test]
fn a_volatile_cache_is_no_matter_where_the_disk_knows_fua() {
    let machine = Machine::good();
    machine.file(&format!("{DISK}/queue/write_cache"), "write back\n");
    assert_eq!(machine.check("write-cache").verdict, Verdict::Advice);
    machine.file(&format!("{DISK}/queue/fua"), "1\n");
    assert_eq!(machine.check("write-cache").verdict, Verdict::Ok);
}

#[test]
fn journals_need_room_only_until_they_are_written() {
    let mut facts = Facts { allowed_cpus: vec![0, 1], ..Facts::default() };
    let mut verdict = |free: u64, has_journals| {
        facts.free_bytes = Some(free);
        facts.has_journals = has_journals;
        let findings = examine(&plan("2", &facts), &facts);
        findings.into_iter().find(|finding| finding.check == "space").unwrap().verdict
    };
    // Two cores, four files each, 64 MiB by default.
    assert_eq!(verdict((512 << 20) - 1, false), Verdict::Problem);
    assert_eq!(verdict(512 << 20, false), Verdict::Advice);
    assert_eq!(verdict(1, true), Verdict::Advice);
    assert_eq!(verdict(11 << 30, false), Verdict::Ok);
}

#[test]
fn without_a_clock_in_the_vdso_another_is_advised() {
    let machine = Machine::good();
    let file = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    machine.file(file, "hpet\n");
    assert_eq!(machine.check("clock-source").verdict, Verdict::Advice);
    machine.remove(file);
    assert_eq!(machine.check("clock-source").verdict, Verdict::Unknown);
}

#[test]
fn this_machine_is_examined_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let sources = Sources { root: "/".into(), process: "self".into() };
    let facts = Facts::collect(&sources, &dir.path().join("not/yet/made"));
    assert!(facts.kernel.is_some() && facts.mount.is_some() && facts.free_bytes.is_some());
    assert!(!facts.allowed_cpus.is_empty() && facts.memlock_bytes.is_some());
    assert!(fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is left behind");
}

#[test]
fn a_mount_is_found_by_the_longest_point_and_the_last_one_on_it() {
    let text = "1 0 8:1 / / rw - ext4 /dev/a rw\n\
                2 1 8:2 / /data rw - ext4 /dev/b rw\n\
                3 1 8:3 / /data\\040base rw opt:1 - xfs /dev/c rw,wsync\n\
                4 2 8:4 / /data rw - xfs /dev/d rw\n";
    let source = |dir: &str| block::Mount::of(text, Path::new(dir)).unwrap().source;
    assert_eq!(source("/database"), "/dev/a");
    assert_eq!(source("/data/shardway"), "/dev/d");
    assert_eq!(source("/data base/x"), "/dev/c");
    assert!(block::Mount::of(text, Path::new("/data base")).unwrap().has("wsync"));
}

#[test]
fn lists_and_choices_are_read_as_the_kernel_writes_them() {
    assert_eq!(cpu_list("0-2,5\n"), [0, 1, 2, 5]);
    assert_eq!(cpu_list(""), [0; 0]);
    assert_eq!(chosen("none [mq-deadline] kyber"), Some("mq-deadline".into()));
    assert_eq!(chosen("none"), None);
}

#[test]
fn text_names_what_to_do_only_where_there_is_something() {
    let machine = Machine::good();
    machine.file("/proc/sys/kernel/osrelease", "4.19.0\n");
    let text = text(&machine.examine("1-3"));
    assert!(text.contains("problem  kernel        4.19.0; 5.19 or newer is needed\n"), "{text}");
    assert_eq!(text.matches("why:").count(), 1, "{text}");
    assert!(text.contains("cannot run a server as it is: 1 problems"), "{text}");
}
