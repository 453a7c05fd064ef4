//! The limits of the process.

use super::facts::Facts;
use super::finding::{Check, Finding};
use super::plan::Plan;
use crate::config::ByteSize;
use crate::runtime::host;

const MEMLOCK: Check = Check {
    name: "memlock",
    why: "buffers that are not registered with the ring are pinned anew for every write",
};
const NOFILE: Check = Check {
    name: "nofile",
    why: "every connection and every segment that is read or written is an open file",
};

/// As many connections as a core takes over HTTP, and as many files again, for a few cores.
const NOFILE_ADVISED: u64 = 65_536;

pub(super) fn findings(plan: &Plan, facts: &Facts) -> Vec<Finding> {
    vec![memlock(plan, facts), nofile(facts)]
}

fn memlock(plan: &Plan, facts: &Facts) -> Finding {
    let Some(found) = facts.memlock_bytes else { return MEMLOCK.unknown("no limits in /proc") };
    let wanted = plan.registered_bytes();
    let command = "ulimit -l unlimited  # or LimitMEMLOCK=infinity in the service file";
    if let Err(error) = host::check_memlock(found, plan.cpus.len()) {
        return MEMLOCK.problem(error.to_string(), command);
    }
    match found {
        u64::MAX => MEMLOCK.ok("unlimited"),
        found if found >= wanted => MEMLOCK.ok(ByteSize(found).to_string()),
        found => MEMLOCK.advice(
            format!("{}; the cores register {}", ByteSize(found), ByteSize(wanted)),
            command,
        ),
    }
}

fn nofile(facts: &Facts) -> Finding {
    let Some(found) = facts.nofile else { return NOFILE.unknown("no limits in /proc") };
    let command = format!(
        "ulimit -n {NOFILE_ADVISED}  # or LimitNOFILE= in the service file, as the unit has"
    );
    match host::check_nofile(found) {
        Err(error) => NOFILE.problem(error.to_string(), command),
        Ok(()) if found < NOFILE_ADVISED => {
            NOFILE.advice(format!("{found}; {NOFILE_ADVISED} leave room"), command)
        }
        Ok(()) if found == u64::MAX => NOFILE.ok("unlimited"),
        Ok(()) => NOFILE.ok(found.to_string()),
    }
}
