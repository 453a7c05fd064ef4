//! What a server with many shards needs.

use std::time::Duration;

use comfy_table::{Cell, Table};
use serde::Serialize;

use super::ManyShardsOptions;
use crate::clock::now_ns;
use crate::failure::Result;
use crate::latency::{Latencies, Percentiles};
use crate::report::Target;
use crate::server_process::ServerProcess;
use crate::table::{new_table, number, target, time};

/// A start, in s.
const START_S: f64 = 5.0;
/// A page of 1,000 shards, p99, in ms.
const PAGE_MS: f64 = 10.0;
/// Resident memory, in MB (10^6 bytes).
const MEMORY_MB: f64 = 1_000.0;

/// The server from one start to its end.
#[derive(Clone, Debug, Serialize)]
pub struct Life {
    /// What was before it.
    pub start: &'static str,
    /// How long its start took.
    pub started_in_ms: f64,
    /// Resident memory when it was ready, in bytes.
    pub memory_at_start: u64,
    /// Resident memory behind everything that it did.
    pub memory: u64,
    /// The most until then.
    pub memory_max: u64,
    /// What it did, and how long that took.
    pub did: Vec<Did>,
}

/// Something that was asked of a server.
#[derive(Clone, Debug, Serialize)]
pub struct Did {
    /// What.
    pub what: &'static str,
    /// How long it took.
    pub took_ms: f64,
}

impl Life {
    /// A server that has just become ready.
    pub fn new(start: &'static str, server: &ServerProcess) -> Result<Life> {
        let (memory, memory_max) = server.memory()?;
        Ok(Life {
            start,
            started_in_ms: ms(server.started_in),
            memory_at_start: memory,
            memory,
            memory_max,
            did: Vec::new(),
        })
    }

    /// Does something and notes how long it took.
    pub fn timed<T>(&mut self, what: &'static str, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = now_ns();
        let result = act()?;
        self.did.push(Did { what, took_ms: (now_ns() - start) as f64 / 1e6 });
        Ok(result)
    }

    /// Notes how much memory it has.
    pub fn memory(&mut self, server: &ServerProcess) -> Result<()> {
        (self.memory, self.memory_max) = server.memory()?;
        Ok(())
    }

    /// Stops it and notes how long that took.
    pub fn stop(&mut self, server: ServerProcess) -> Result<()> {
        let took_ms = ms(server.stop()?);
        self.did.push(Did { what: "stop", took_ms });
        Ok(())
    }
}

/// `loadgen many-shards`.
#[derive(Clone, Debug, Serialize)]
pub struct ManyShards {
    /// Streams.
    pub streams: u32,
    /// Shards of all of them.
    pub shards: u32,
    /// The server's lives.
    pub lives: Vec<Life>,
    /// Pages of 1,000 shards, as a client sees them.
    pub page: Option<Percentiles>,
    /// Records that were read and found right.
    pub verified_records: u64,
    /// Targets and whether they are met.
    pub targets: Vec<Target>,
}

impl ManyShards {
    /// The report of a course whose verification has passed.
    #[must_use]
    pub fn of(
        options: &ManyShardsOptions,
        lives: [Life; 3],
        pages: &Latencies,
        verified_records: u64,
    ) -> ManyShards {
        let page = pages.percentiles();
        let start = |life: &Life| life.started_in_ms / 1e3;
        let memory = lives.iter().map(|life| life.memory_max).max().unwrap_or(0);
        let mut targets = vec![
            Target::at_most("start behind a clean stop s", start(&lives[1]), START_S),
            Target::at_most("start behind a kill s", start(&lives[2]), START_S),
            Target::at_most("memory MB", memory as f64 / 1e6, MEMORY_MB),
        ];
        if let Some(page) = &page {
            targets.push(Target::at_most("page p99 ms", page.p99_ns as f64 / 1e6, PAGE_MS));
        }
        let (streams, shards) = (options.streams, options.shards);
        ManyShards { streams, shards, lives: lives.into(), page, verified_records, targets }
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> Table {
        let header = ["server", "start", "then", "memory at start", "memory", "memory max"];
        let mut table = new_table(&header);
        let mb = |bytes: u64| number(format!("{:.0} MB", bytes as f64 / 1e6));
        let text = |ms: f64| time((ms * 1e6) as u64);
        for life in &self.lives {
            let did = life.did.iter().map(|did| format!("{} {}", did.what, text(did.took_ms)));
            table.add_row(vec![
                Cell::new(life.start),
                number(text(life.started_in_ms)),
                Cell::new(did.collect::<Vec<_>>().join("\n")),
                mb(life.memory_at_start),
                mb(life.memory),
                mb(life.memory_max),
            ]);
        }
        table
    }

    /// For people: pages and targets.
    #[must_use]
    pub fn verdict(&self) -> String {
        let mut lines: Vec<String> = self.targets.iter().map(target).collect();
        if let Some(page) = &self.page {
            lines.push(format!(
                "{} pages of ListShards: p50 {}, p99 {}, max {}; {} records verified.",
                page.records,
                time(page.p50_ns),
                time(page.p99_ns),
                time(page.max_ns),
                self.verified_records
            ));
        }
        lines.join("\n")
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
