//! The kernel and its clock.

use super::facts::Facts;
use super::finding::{Check, Finding};

const KERNEL: Check = Check {
    name: "kernel",
    why: "the runtime uses operations of io_uring that older kernels do not have",
};
const IO_URING: Check = Check {
    name: "io-uring",
    why: "all files and sockets of the server go through io_uring; without it there is no start",
};
const CLOCK: Check = Check {
    name: "clock-source",
    why: "every turn of a core reads the clock: a system call each, where the vDSO cannot do it",
};

/// The oldest kernel, major and minor.
const KERNEL_MIN: (u32, u32) = (5, 19);
/// Clocks that are read without a system call.
const FAST_CLOCKS: [&str; 5] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "riscv_clocksource"];

pub(super) fn findings(facts: &Facts) -> Vec<Finding> {
    vec![kernel(facts), io_uring(facts), clock(facts)]
}

fn kernel(facts: &Facts) -> Finding {
    let Some(release) = &facts.kernel else { return KERNEL.unknown("no /proc/sys/kernel") };
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= KERNEL_MIN => KERNEL.ok(release),
        (Some(Ok(_)), Some(Ok(_))) => {
            let (major, minor) = KERNEL_MIN;
            KERNEL.problem(
                format!("{release}; {major}.{minor} or newer is needed"),
                "apt-get install linux-image-generic  # or your distribution's newest, and reboot",
            )
        }
        _ => KERNEL.unknown(format!("`{release}` is no version")),
    }
}

fn io_uring(facts: &Facts) -> Finding {
    let command = "sysctl -w kernel.io_uring_disabled=0";
    match (&facts.io_uring, facts.io_uring_disabled) {
        (Some(error), _) => IO_URING.problem(error, command),
        (None, Some(1)) => {
            IO_URING.advice("only root may have rings, and a server is not", command)
        }
        (None, _) => IO_URING.ok("the kernel gives rings to this user"),
    }
}

fn clock(facts: &Facts) -> Finding {
    match facts.clock_source.as_deref() {
        None => CLOCK.unknown("no clock source in /sys"),
        Some(source) if FAST_CLOCKS.contains(&source) => CLOCK.ok(source),
        Some(source) => CLOCK.advice(
            source,
            "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
        ),
    }
}
