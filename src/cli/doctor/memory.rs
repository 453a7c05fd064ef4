//! Memory: how much there is, and what the kernel does with it.

use indicatif::BinaryBytes;

use super::facts::Facts;
use super::finding::{Check, Finding};
use super::plan::Plan;

const MEMORY: Check = Check {
    name: "memory",
    why: "registered buffers are resident from the start, and the pools grow to their bounds",
};
const SWAP: Check = Check {
    name: "swap",
    why: "a core that touches a page on disk stands still, and so do all its shards",
};
const HUGE_PAGES: Check = Check {
    name: "huge-pages",
    why: "the server turns them off for itself: they cost memory and gained nothing",
};

pub(super) fn findings(plan: &Plan, facts: &Facts) -> Vec<Finding> {
    vec![memory(plan, facts), swap(facts), huge_pages(facts)]
}

fn memory(plan: &Plan, facts: &Facts) -> Finding {
    let limits = [facts.memory_bytes, facts.memory_limit_bytes];
    let Some(there) = limits.into_iter().flatten().min() else {
        return MEMORY.unknown("no /proc/meminfo");
    };
    let (least, most) = (plan.registered_bytes(), plan.bounded_bytes());
    let found = format!(
        "{} for {} cores, which register {} and may take {}",
        BinaryBytes(there),
        plan.cores(),
        BinaryBytes(least),
        BinaryBytes(most)
    );
    if there < least {
        MEMORY.problem(found, "choose fewer cores or a smaller tail_bytes, or add memory")
    } else if there < most {
        MEMORY.advice(found, "choose fewer cores or a smaller http_bodies_bytes, or add memory")
    } else {
        MEMORY.ok(found)
    }
}

fn swap(facts: &Facts) -> Finding {
    match (facts.swaps.as_slice(), facts.swappiness) {
        ([], _) => SWAP.ok("none"),
        (swaps, Some(0..=1)) => {
            SWAP.ok(format!("{}, in need only (vm.swappiness is 0 or 1)", swaps.join(", ")))
        }
        (swaps, swappiness) => SWAP.advice(
            match swappiness {
                Some(number) => format!("{}, vm.swappiness {number}", swaps.join(", ")),
                None => swaps.join(", "),
            },
            "sysctl -w vm.swappiness=1  # or swapoff -a",
        ),
    }
}

fn huge_pages(facts: &Facts) -> Finding {
    match &facts.huge_pages {
        None => HUGE_PAGES.ok("the kernel has none"),
        Some(mode) => HUGE_PAGES.ok(format!("{mode} for others")),
    }
}
