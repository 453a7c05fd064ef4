//! The CPUs that the cores are pinned to, and who else is on them.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::finding::{Check, Finding};
use super::plan::Plan;
use crate::runtime::host;

const CORES: Check = Check { name: "cores", why: "each core is a thread pinned to one CPU" };
const QUOTA: Check = Check {
    name: "cpu-limit",
    why: "a cgroup that has used up its time stops all cores until the next period",
};
const GOVERNOR: Check = Check {
    name: "governor",
    why: "a CPU that clocks down while a core sleeps answers the next record late",
};
const SMT: Check = Check {
    name: "smt",
    why: "two cores on the threads of one physical core slow each other down",
};
const IRQ: Check = Check {
    name: "irq-affinity",
    why: "the kernel finishes writes on the CPU that takes the disk's interrupt, beside the core",
};

pub(super) fn findings(plan: &Plan, facts: &Facts) -> Vec<Finding> {
    vec![
        cores(plan, facts),
        quota(plan, facts),
        governor(plan, facts),
        smt(plan, facts),
        irq(plan, facts),
    ]
}

/// CPUs as options and kernel write them.
pub(super) fn list(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

fn cores(plan: &Plan, facts: &Facts) -> Finding {
    if facts.allowed_cpus.is_empty() {
        return CORES.unknown("no CPUs in /proc and /sys");
    }
    let allowed = &facts.allowed_cpus;
    match host::check_cpus(&plan.cpus, allowed) {
        Err(error) => {
            CORES.problem(error.to_string(), format!("cores = \"cpu:{}\"", list(allowed)))
        }
        Ok(()) => CORES.ok(format!("CPU {} of {}", list(&plan.cpus), list(allowed))),
    }
}

fn quota(plan: &Plan, facts: &Facts) -> Finding {
    match facts.cpu_quota {
        None => QUOTA.ok("the cgroup has no limit of CPU time"),
        Some(quota) if quota >= plan.cpus.len() as f64 => QUOTA.ok(format!("{quota:.1} CPUs")),
        Some(quota) => QUOTA.advice(
            format!("{quota:.1} CPUs for {} cores", plan.cpus.len()),
            format!("cores = {}", (quota.floor() as usize).max(1)),
        ),
    }
}

fn governor(plan: &Plan, facts: &Facts) -> Finding {
    let of_cores: BTreeSet<&str> =
        plan.cpus.iter().filter_map(|cpu| Some(facts.governors.get(cpu)?.as_str())).collect();
    let found = of_cores.iter().copied().collect::<Vec<_>>().join(", ");
    if of_cores.is_empty() {
        return GOVERNOR.ok("no frequency to govern, as in most virtual machines");
    }
    if found == "performance" {
        return GOVERNOR.ok(found);
    }
    GOVERNOR.advice(
        found,
        "echo performance | tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
    )
}

fn smt(plan: &Plan, facts: &Facts) -> Finding {
    let mut first = Vec::new();
    for cpu in &plan.cpus {
        let siblings = facts.siblings.get(cpu).map(Vec::as_slice).unwrap_or_default();
        if !first.iter().any(|other| siblings.contains(other)) {
            first.push(*cpu);
        }
    }
    if first.len() == plan.cpus.len() {
        return SMT.ok("no two cores share a physical core");
    }
    let shared = plan.cpus.len() - first.len();
    SMT.advice(
        format!("{shared} of {} cores share a physical core with another", plan.cpus.len()),
        format!("cores = \"cpu:{}\"", list(&first)),
    )
}

fn irq(plan: &Plan, facts: &Facts) -> Finding {
    if facts.interrupts.is_empty() {
        return IRQ.unknown("no interrupts of disk or network in /sys and /proc");
    }
    let free: Vec<usize> =
        facts.online_cpus.iter().copied().filter(|cpu| !plan.cpus.contains(cpu)).collect();
    if free.is_empty() {
        return IRQ.ok("every CPU has a core, so none is better than another");
    }
    let on_cores: Vec<_> = facts
        .interrupts
        .iter()
        .filter(|line| line.cpus.iter().any(|cpu| plan.cpus.contains(cpu)))
        .collect();
    if on_cores.is_empty() {
        return IRQ.ok("disk and network interrupt only CPUs without a core");
    }
    let mut devices: Vec<&str> = on_cores.iter().map(|line| line.device.as_str()).collect();
    devices.dedup();
    let numbers: Vec<String> = on_cores.iter().map(|line| line.number.to_string()).collect();
    IRQ.advice(
        format!("{} interrupt lines of {} on CPUs of cores", on_cores.len(), devices.join(", ")),
        format!(
            "for i in {}; do echo {} > /proc/irq/$i/smp_affinity_list; done",
            numbers.join(" "),
            list(&free)
        ),
    )
}
