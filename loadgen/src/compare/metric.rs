//! The numbers of a row that are compared, and the floor under each.

use serde::{Deserialize, Serialize};

use super::results::{Row, Run};

/// A disk write of this size is about bandwidth, a smaller one about its latency.
const BANDWIDTH_BYTES: usize = 64 << 10;

/// A number that can get better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU time of the server for each record, in us.
    ServerCpu,
    /// Acknowledged records a second.
    RecordsPerS,
    /// Intended send to acknowledgement, ns.
    AckP50,
    /// The same.
    AckP99,
    /// Intended send to arrival, ns.
    PushP50,
    /// The same.
    PushP99,
}

impl Metric {
    /// All, the steadiest first.
    pub const ALL: [Metric; 6] = [
        Metric::ServerCpu,
        Metric::RecordsPerS,
        Metric::AckP50,
        Metric::AckP99,
        Metric::PushP50,
        Metric::PushP99,
    ];

    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Metric::ServerCpu => "server CPU us/record",
            Metric::RecordsPerS => "records/s",
            Metric::AckP50 => "ack p50",
            Metric::AckP99 => "ack p99",
            Metric::PushP50 => "push p50",
            Metric::PushP99 => "push p99",
        }
    }

    /// Whether more is better.
    #[must_use]
    pub fn more_is_better(self) -> bool {
        self == Metric::RecordsPerS
    }

    /// The value in a row; none where it was not measured, or says nothing: an open loop that was
    /// kept up with has the rate that was asked for.
    #[must_use]
    pub fn of(self, row: &Row) -> Option<f64> {
        let value = match self {
            Metric::ServerCpu => row.server_cpu_us_per_record?,
            Metric::RecordsPerS if row.open_loop && row.sustained == Some(true) => return None,
            Metric::RecordsPerS => row.records_per_s,
            Metric::AckP50 => row.ack?.p50_ns as f64,
            Metric::AckP99 => row.ack?.p99_ns as f64,
            Metric::PushP50 => row.push?.p50_ns as f64,
            Metric::PushP99 => row.push?.p99_ns as f64,
        };
        (value.is_finite() && value > 0.0).then_some(value)
    }

    /// The machine's own limit for it in the same run, up to a constant: times are over a durable
    /// write and a round trip, rates over what the disk takes, CPU time over the round trip, which
    /// is all system calls and wake-ups.
    #[must_use]
    pub fn floor_of(self, row: &Row, run: &Run) -> Option<f64> {
        let floor = run.floor.as_ref()?;
        let batch_bytes = row.record_bytes * row.batch_records as usize;
        let limit = match self {
            Metric::ServerCpu => floor.loopback.round_trip.p50_ns as f64,
            Metric::RecordsPerS if batch_bytes >= BANDWIDTH_BYTES => floor.disk_mb_per_s(),
            Metric::RecordsPerS => 1e9 / floor.ack_ns(batch_bytes)?,
            _ => floor.ack_ns(batch_bytes)?,
        };
        (limit.is_finite() && limit > 0.0).then_some(limit)
    }

    /// The number by which a row is judged first: the steadiest that it has.
    #[must_use]
    pub fn main_of(measured: &[Metric]) -> Option<Metric> {
        measured.iter().copied().min()
    }
}

/// The machine's limits in a run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Floor {
    /// Durable writes by size.
    pub disk: Vec<DiskFloor>,
    /// Round trip of a small message.
    pub loopback: LoopbackFloor,
}

/// Durable writes of one size.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DiskFloor {
    /// Of each write.
    pub bytes: usize,
    /// Their times.
    pub write: Middle,
    /// Their rate.
    pub mb_per_s: f64,
}

/// Round trip of a small message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoopbackFloor {
    /// Its times.
    pub round_trip: Middle,
}

/// The middle of some times.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Middle {
    /// Half took at most this long.
    pub p50_ns: u64,
}

impl Floor {
    /// The smallest measured write that holds `bytes`, and a round trip. Between two runs only the
    /// ratio counts, so nothing is gained by a finer reading.
    fn ack_ns(&self, bytes: usize) -> Option<f64> {
        let holds = self.disk.iter().find(|disk| disk.bytes >= bytes);
        let write = holds.or(self.disk.last())?;
        Some((write.write.p50_ns + self.loopback.round_trip.p50_ns) as f64)
    }

    fn disk_mb_per_s(&self) -> f64 {
        self.disk.iter().map(|disk| disk.mb_per_s).fold(0.0, f64::max)
    }
}

/// What makes two rows the same load. A number that loadgen searches for itself (batches in
/// flight, the rate of an open loop) is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Load {
    words: (String, String, Option<String>),
    numbers: [u64; 6],
    /// Which of the rows that are alike otherwise.
    occurrence: usize,
}

impl Load {
    /// The loads of a run with their rows, in its order.
    pub fn all(run: &Run) -> Vec<(Load, &Row)> {
        let mut loads: Vec<(Load, &Row)> = Vec::new();
        for row in &run.rows {
            let mut load = Load::of(row);
            load.occurrence = loads
                .iter()
                .filter(|(l, _)| l.words == load.words && l.numbers == load.numbers)
                .count();
            loads.push((load, row));
        }
        loads
    }

    fn of(row: &Row) -> Load {
        let Row { shards, batch_records, writers, connections, consumers, .. } = *row;
        let [shards, batch, writers, connections, consumers] =
            [shards, batch_records, writers, connections, consumers].map(u64::from);
        let words = (row.scenario.clone(), row.protocol.clone(), row.durability.clone());
        let numbers = [shards, row.record_bytes as u64, batch, writers, connections, consumers];
        Load { words, numbers, occurrence: 0 }
    }

    /// For people.
    #[must_use]
    pub fn name(&self) -> String {
        let (scenario, protocol, durability) = &self.words;
        let [shards, record_bytes, batch, writers, _, consumers] = self.numbers;
        let mut text = format!(
            "{scenario} ({shards} shard(s), {writers} writer(s), \
             batches of {batch} x {record_bytes} B"
        );
        if consumers > 0 {
            text += &format!(", {consumers} consumer(s)");
        }
        if protocol == "http" {
            text += ", HTTP";
        }
        if let Some(durability) = durability.as_deref().filter(|&d| d != "durable") {
            text += &format!(", {durability}");
        }
        if self.occurrence > 0 {
            text += &format!(", no. {}", self.occurrence + 1);
        }
        text + ")"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let scenario = "many writers".to_owned();
        Row { scenario, shards: 1, writers: 64, records_per_s: 5e4, ..Row::default() }
    }

    #[test]
    fn rows_that_look_alike_are_told_apart_by_their_order() {
        let run = Run { rows: vec![row(), row(), Row { shards: 2, ..row() }], ..Run::default() };
        let loads: Vec<Load> = Load::all(&run).into_iter().map(|(load, _)| load).collect();
        assert_eq!((loads[0].occurrence, loads[1].occurrence, loads[2].occurrence), (0, 1, 0));
        assert!(loads[0] != loads[1] && loads[1].name().contains("no. 2"));
    }

    #[test]
    fn the_rate_of_an_open_loop_counts_only_when_it_was_not_reached() {
        let open = Row { open_loop: true, sustained: Some(true), ..row() };
        assert_eq!(Metric::RecordsPerS.of(&open), None);
        assert_eq!(Metric::RecordsPerS.of(&Row { sustained: Some(false), ..open }), Some(5e4));
        assert_eq!(Metric::RecordsPerS.of(&row()), Some(5e4));
        assert_eq!(Metric::ServerCpu.of(&row()), None);
    }

    #[test]
    fn the_server_cpu_is_the_main_number_where_it_was_measured() {
        assert_eq!(Metric::main_of(&[Metric::AckP50, Metric::ServerCpu]), Some(Metric::ServerCpu));
        assert_eq!(Metric::main_of(&[Metric::AckP99, Metric::AckP50]), Some(Metric::AckP50));
        assert_eq!(Metric::main_of(&[]), None);
    }

    #[test]
    fn the_floor_of_a_batch_is_the_write_that_holds_it() {
        let disk = |bytes, p50_ns| DiskFloor { bytes, write: Middle { p50_ns }, mb_per_s: 0.0 };
        let loopback = LoopbackFloor { round_trip: Middle { p50_ns: 20 } };
        let floor = Floor { disk: vec![disk(4096, 100), disk(65_536, 300)], loopback };
        assert_eq!(floor.ack_ns(1024), Some(120.0));
        assert_eq!(floor.ack_ns(4097), Some(320.0));
        assert_eq!(floor.ack_ns(1 << 20), Some(320.0));
        assert_eq!(Floor::default().ack_ns(1), None);
    }
}
