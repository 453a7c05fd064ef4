//! `shardway doctor`: holds the machine against what a server needs and against `tuning/`.
//!
//! `facts` reads, once; the checks are pure functions of what was read and of the options.

mod block;
mod cpu;
mod facts;
mod finding;
mod interrupts;
mod kernel;
mod limits;
mod memory;
mod plan;
mod storage;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::output::{Format, print, print_json};
use crate::config::{Cores, ServeLayer, ServeOptions};
use facts::{Facts, Sources};
use finding::{Finding, Verdict};
use plan::Plan;

/// Check this machine and say what to change
///
/// Looks at kernel, limits, CPUs, memory and the disk of the data dir, and changes nothing. Each
/// finding is ok, advice, or a problem, with the command that changes it. With a problem the server
/// does not start or cannot keep what it acknowledges; the exit code is 4 then, and 0 otherwise.
///
/// Limits are those of this shell. A running server's own: --pid $(systemctl show -P MainPID
/// shardway).
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway doctor --config /etc/shardway/shardway.toml")]
pub(super) struct Doctor {
    /// TOML file with the server's options
    #[arg(long, env = "SHARDWAY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of all data [default: ./shardway-data]
    #[arg(long, env = "SHARDWAY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// CPUs that the server uses: a count, or numbers such as 0,2-3 [default: all]
    #[arg(long, env = "SHARDWAY_CORES", value_name = "N|LIST")]
    cores: Option<Cores>,
    /// Look at the limits and CPUs of this process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    #[command(flatten)]
    format: Format,
}

/// All findings as JSON shows them.
#[derive(Serialize)]
struct DoctorShape<'a> {
    fit: bool,
    data_dir: &'a str,
    findings: &'a [Finding],
}

impl Doctor {
    pub(super) fn run(self) -> Result<(), Failure> {
        let layer = ServeLayer {
            config: self.config,
            data_dir: self.data_dir,
            cores: self.cores,
            ..ServeLayer::default()
        };
        let options = ServeOptions::load(layer)?;
        let process = self.pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let sources = Sources { root: PathBuf::from("/"), process };
        let facts = Facts::collect(&sources, &options.data_dir);
        let plan = Plan::new(options, &facts);
        let findings = examine(&plan, &facts);
        let fit = findings.iter().all(|finding| finding.verdict != Verdict::Problem);
        if self.format.json {
            let data_dir = &plan.data_dir.display().to_string();
            print_json(&DoctorShape { fit, data_dir, findings: &findings })?;
        } else {
            print(&text(&findings))?;
        }
        match fit {
            true => Ok(()),
            false => Err(Failure::new(Exit::Unfit, "")),
        }
    }
}

/// All checks, in the order in which a start would meet what they look at.
fn examine(plan: &Plan, facts: &Facts) -> Vec<Finding> {
    let mut findings = kernel::findings(facts);
    findings.extend(limits::findings(plan, facts));
    findings.extend(cpu::findings(plan, facts));
    findings.extend(memory::findings(plan, facts));
    findings.extend(storage::findings(plan, facts));
    findings
}

fn text(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for finding in findings {
        let Finding { check, verdict, found, why, command } = finding;
        lines.push(format!("{:<8} {check:<13} {found}", verdict.name()));
        if *verdict == Verdict::Ok {
            continue;
        }
        lines.push(format!("{:23}why: {why}", ""));
        if let Some(command) = command {
            lines.push(format!("{:23}do:  {command}", ""));
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (problems, advice) = (count(Verdict::Problem), count(Verdict::Advice));
    let verdict = match problems {
        0 => "This machine can run a server",
        _ => "This machine cannot run a server as it is",
    };
    let unknown = count(Verdict::Unknown);
    lines.push(String::new());
    lines.push(format!(
        "{verdict}: {problems} problems, {advice} pieces of advice, {unknown} not looked at."
    ));
    if advice > 0 {
        lines.push(
            "Pages of tuning/knobs explain each; tune.sh sets what it can, and undoes it.".into(),
        );
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
