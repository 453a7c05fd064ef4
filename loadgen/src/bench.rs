//! Runs workloads one after the other and gathers their rows.

use std::time::Duration;

use crate::context::Context;
use crate::failure::Result;
use crate::outcome::Outcome;
use crate::report::{Report, Row, Target};
use crate::run::run;
use crate::slo::Slo;
use crate::stop;
use crate::workload::Workload;

/// Rows under way.
pub struct Bench<'a> {
    /// The server.
    pub context: &'a Context,
    /// The rows so far.
    pub report: &'a mut Report,
    /// Not measured.
    pub warmup: Duration,
    /// Measured.
    pub duration: Duration,
    /// Bounds that rows must keep.
    pub slo: Option<Slo>,
}

impl Bench<'_> {
    /// Runs `workload` for the usual time and adds its row.
    pub fn measure(
        &mut self,
        scenario: &str,
        workload: &Workload,
        targets: impl FnOnce(&Row) -> Vec<Target>,
    ) -> Result<Row> {
        let load = Workload { warmup: self.warmup, duration: self.duration, ..workload.clone() };
        let outcome = run(self.context, scenario, &load)?;
        self.report.server = self.context.server();
        let mut row = Row::of(scenario, &load, &outcome, self.report.floor.as_ref());
        row.targets = targets(&row);
        Ok(self.add(row))
    }

    /// Adds a row, and how it keeps the user's bounds.
    pub fn add(&mut self, mut row: Row) -> Row {
        let bounds = self.slo.iter().flat_map(|slo| slo.targets(&row)).collect::<Vec<_>>();
        row.targets.extend(bounds);
        self.report.rows.push(row.clone());
        row
    }

    /// Runs `workload` briefly, to find something out; it is verified but leaves no row.
    pub fn probe(&self, what: &str, workload: &Workload) -> Result<Outcome> {
        let (warmup, duration) = (self.warmup / 3, self.duration / 5);
        run(self.context, what, &Workload { warmup, duration, ..workload.clone() })
    }

    /// Runs `workload` for the usual time, to find something out; it leaves no row.
    pub fn whole(&self, what: &str, workload: &Workload) -> Result<Outcome> {
        let (warmup, duration) = (self.warmup, self.duration);
        run(self.context, what, &Workload { warmup, duration, ..workload.clone() })
    }

    /// Whether Ctrl-C asks for what there is.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        stop::requested()
    }
}
