//! What the life of a stream has shown: a row for each step, and the pauses of all reshards.

use comfy_table::{Cell, CellAlignment, Table};
use serde::Serialize;
use shardway::base::stream::Durability;

use super::director::Performed;
use super::options::LifeOptions;
use super::pauses::{Answered, Seen, percentiles, quiet, seen};
use crate::latency::Percentiles;
use crate::report::Target;
use crate::table::{new_table, number, time};

/// A reshard holds up the writers of its hash keys no longer, p99.
const PAUSE_MS: f64 = 10.0;
/// The same for writers of other hash keys, beyond what is usual without it: what the machine does
/// to any of them by chance.
const OTHERS_PAUSE_MS: f64 = 1.0;

/// What a step has held up is through so long behind it.
const SETTLED_NS: u64 = 50_000_000;

/// A step.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// In words.
    pub what: String,
    /// From the request to its answer, in ms.
    pub took_ms: f64,
    /// Open shards before.
    pub shards_before: u32,
    /// Open shards behind it.
    pub shards_after: u32,
    /// Whether its pauses count.
    pub is_reshard: bool,
    /// Writers of hash keys whose shards were closed.
    pub affected: Seen,
    /// All other writers.
    pub others: Seen,
    /// Pauses of all writers in windows of the same length, before the step.
    pub quiet: Option<Percentiles>,
    #[serde(skip)]
    quiet_pauses: Vec<u64>,
}

impl StepRow {
    /// A step as the puts of `writers` say that were answered since `quiet_from_ns`.
    #[must_use]
    pub fn of(
        step: &Performed,
        answered: &[Answered],
        quiet_from_ns: u64,
        writers: u32,
        affected: impl Fn(u32) -> bool,
    ) -> StepRow {
        let window = (step.start_ns, step.end_ns);
        let quiet_pauses = quiet(answered, quiet_from_ns, window, |_| true);
        StepRow {
            what: step.what.clone(),
            took_ms: (step.end_ns - step.start_ns) as f64 / 1e6,
            shards_before: step.before,
            shards_after: step.after,
            is_reshard: step.is_reshard,
            affected: seen(answered, window, writers, &affected),
            others: seen(answered, window, writers, |writer| !affected(writer)),
            quiet: percentiles(&quiet_pauses),
            quiet_pauses,
        }
    }
}

/// The steps so far.
#[derive(Debug)]
pub struct Steps {
    rows: Vec<StepRow>,
    quiet_from_ns: u64,
}

impl Steps {
    /// None; the load starts at `now_ns`.
    #[must_use]
    pub fn from(now_ns: u64) -> Steps {
        Steps { rows: Vec::new(), quiet_from_ns: now_ns }
    }

    /// Since when nothing was done to the stream.
    #[must_use]
    pub fn quiet_from_ns(&self) -> u64 {
        self.quiet_from_ns
    }

    /// Adds a step that ended at `end_ns`.
    pub fn add(&mut self, row: StepRow, end_ns: u64) {
        self.rows.push(row);
        self.quiet_from_ns = end_ns + SETTLED_NS;
    }
}

/// What a reader has read.
#[derive(Clone, Debug, Serialize)]
pub struct ReaderRow {
    /// Which.
    pub reader: &'static str,
    /// Records, each once and in the order of its key.
    pub records: u64,
    /// Their data.
    pub bytes: u64,
    /// Shards that it went through.
    pub shards: usize,
}

/// `loadgen life`.
#[derive(Clone, Debug, Serialize)]
pub struct LifeReport {
    /// The stream's durability.
    pub durability: Durability,
    /// Writers.
    pub writers: u32,
    /// Partition keys of each.
    pub keys_per_writer: usize,
    /// Data of a record.
    pub record_bytes: usize,
    /// Records of a batch.
    pub batch_records: usize,
    /// Batches that a writer may have under way.
    pub batches_in_flight: usize,
    /// Records a second that were offered; none is a closed loop.
    pub offered_records_per_s: Option<f64>,
    /// What was done.
    pub steps: Vec<StepRow>,
    /// Pauses over all reshards, of writers of their hash keys, once for each writer and reshard.
    pub pauses: Option<Percentiles>,
    /// The same of other writers.
    pub others_pauses: Option<Percentiles>,
    /// The same of all writers while nothing was done.
    pub quiet_pauses: Option<Percentiles>,
    /// Acknowledged.
    pub records: u64,
    /// Refused, and not sent again.
    pub refused_records: u64,
    /// Batches that the server routed by a newer map than their writer's.
    pub redirected_batches: u64,
    /// Who read, and what.
    pub readers: Vec<ReaderRow>,
    /// Targets and whether they are met.
    pub targets: Vec<Target>,
}

impl LifeReport {
    /// The report of a run whose verification has passed.
    #[must_use]
    pub fn of(
        options: &LifeOptions,
        written: super::load::Written,
        readers: Vec<ReaderRow>,
    ) -> LifeReport {
        let steps = written.steps.rows;
        let reshards = || steps.iter().filter(|step| step.is_reshard);
        let of = |pauses: fn(&StepRow) -> &Vec<u64>| -> Option<Percentiles> {
            percentiles(&reshards().flat_map(pauses).copied().collect::<Vec<_>>())
        };
        let pauses = of(|step| &step.affected.pauses);
        let others_pauses = of(|step| &step.others.pauses);
        let quiet_pauses = of(|step| &step.quiet_pauses);
        let targets = targets(pauses.as_ref(), others_pauses.as_ref(), quiet_pauses.as_ref());
        LifeReport {
            durability: options.durability,
            writers: options.writers,
            keys_per_writer: options.keys,
            record_bytes: options.record_bytes,
            batch_records: options.batch_records,
            batches_in_flight: options.in_flight,
            offered_records_per_s: options.rate,
            pauses,
            others_pauses,
            quiet_pauses,
            records: written.ledger.records(),
            refused_records: written.refused_records,
            redirected_batches: written.redirected_batches,
            readers,
            targets,
            steps,
        }
    }

    /// For people: the table of the steps.
    #[must_use]
    pub fn table(&self) -> Table {
        let mut table = new_table(&[
            "step",
            "shards",
            "took",
            "put p99",
            "put max",
            "no ack for",
            "others' p99",
            "others' max",
            "usual p99",
        ]);
        for step in &self.steps {
            let (ours, others) = (&step.affected, &step.others);
            let cell = |ns: Option<u64>| number(ns.map_or(String::new(), time));
            let gap = (ours.gap_ns > 0).then_some(ours.gap_ns);
            table.add_row(vec![
                Cell::new(&step.what),
                Cell::new(step.shards_after).set_alignment(CellAlignment::Right),
                number(time((step.took_ms * 1e6) as u64)),
                cell(ours.puts.as_ref().map(|puts| puts.p99_ns)),
                cell(ours.puts.as_ref().map(|puts| puts.max_ns)),
                cell(gap),
                cell(others.puts.as_ref().map(|puts| puts.p99_ns)),
                cell(others.puts.as_ref().map(|puts| puts.max_ns)),
                cell(step.quiet.as_ref().map(|quiet| quiet.p99_ns)),
            ]);
        }
        table
    }

    /// For people: what was proved.
    #[must_use]
    pub fn verdict(&self) -> String {
        let reshards = self.steps.iter().filter(|step| step.is_reshard).count();
        let mut text =
            format!("{} records acknowledged through {reshards} reshards; ", self.records);
        for reader in &self.readers {
            let ReaderRow { reader, shards, .. } = reader;
            text += &format!("{reader} got each once, in order per key, from {shards} shards; ");
        }
        text += &format!(
            "{} batches were sent by an old map and routed again, {} records refused.",
            self.redirected_batches, self.refused_records
        );
        text
    }
}

fn targets(
    pauses: Option<&Percentiles>,
    others: Option<&Percentiles>,
    quiet: Option<&Percentiles>,
) -> Vec<Target> {
    let ms = |p: &Percentiles| p.p99_ns as f64 / 1e6;
    let mut targets = Vec::new();
    if let Some(pauses) = pauses {
        targets.push(Target::at_most("pause p99 ms", ms(pauses), PAUSE_MS));
    }
    if let (Some(others), Some(quiet)) = (others, quiet) {
        let beyond = (ms(others) - ms(quiet)).max(0.0);
        let what = "pause p99 ms of other writers beyond the usual";
        targets.push(Target::at_most(what, beyond, OTHERS_PAUSE_MS));
    }
    targets
}
