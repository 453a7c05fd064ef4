//! A report for people.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use shardway::base::stream::Durability;

use crate::ceiling::CeilingRow;
use crate::floor::Floor;
use crate::latency::Percentiles;
use crate::report::{
    ACK_RATIO, COMMIT_RATIO, PUSH_RATIO, Protocol, RATE_RATIO, Report, Row, Target,
};

/// Prints the whole report.
pub fn print(report: &Report) {
    println!("{}", headline(report));
    if let Some(floor) = &report.floor {
        println!("\nFloor: this machine without a server, one operation in flight");
        println!("{}", floor_table(floor));
    }
    if !report.rows.is_empty() {
        println!("\nResults (every record read back and verified)");
        println!("{}", row_table(&report.rows));
        if report.rows.iter().any(|row| row.open_loop) {
            println!("\nLatencies, from the intended send");
            println!("{}", latency_table(&report.rows));
        }
    }
    if !report.ceilings.is_empty() {
        println!("\nCeilings: the highest rate that lasts without a growing backlog");
        println!("{}", ceiling_table(&report.ceilings));
    }
    if let Some(life) = &report.life {
        println!("\nThe life of a stream: each step under load, as its writers saw it");
        println!("{}", life.table());
        life.targets.iter().for_each(|t| println!("{}", target(t)));
        println!("{}", life.verdict());
    }
    if !report.quota.is_empty() {
        println!(
            "\nQuotas: clients that offer more, measured behind the burst, a second and shard"
        );
        println!("{}", crate::quota::table(&report.quota));
    }
    if let Some(many) = &report.many_shards {
        println!("\n{} shards in {} stream(s) on one server", many.shards, many.streams);
        println!("{}\n{}", many.table(), many.verdict());
    }
    if let Some(open) = &report.subscriptions {
        println!("\nOpen subscriptions, and what the server's process needs for them");
        println!("{}", crate::http::table(open));
    }
    if !report.cost.is_empty() {
        println!("\nWhat quotas cost (every record read back and verified)");
        println!("{}", crate::cost::table(&report.cost));
    }
    if let Some(verdict) = &report.verdict {
        println!("\n{}", verdict.text);
    }
}

fn headline(report: &Report) -> String {
    let host = &report.host;
    let unknown = "unknown";
    let disk = host.disk.as_ref().map_or(unknown.to_owned(), |disk| {
        let cache = disk.write_cache.as_deref().unwrap_or(unknown);
        format!("{} ({}, {cache})", disk.name, disk.file_system.as_deref().unwrap_or(unknown))
    });
    let mut text = format!(
        "{}; {} x {}, Linux {}, disk {disk}; load generator on CPU {}",
        report.tool,
        host.cpus,
        host.cpu.as_deref().unwrap_or(unknown),
        host.kernel.as_deref().unwrap_or(unknown),
        report.loadgen_cpu,
    );
    if let Some(server) = &report.server {
        text += &format!("; server {} with {} core(s)", server.release, server.cores);
    }
    if let Some(endpoint) = &report.endpoint {
        text += &format!("; AWS API at {endpoint}");
    }
    if host.disk.as_ref().is_some_and(|disk| disk.is_memory()) {
        text += "\nWARNING: this directory is in memory; nothing here is durable (try --dir)";
    }
    if !host.optimised {
        text += "\nWARNING: this is a debug build; its numbers mean nothing";
    }
    text
}

/// A table with this header.
#[must_use]
pub fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.iter().map(Cell::new));
    table
}

/// A cell with a number.
#[must_use]
pub fn number(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn floor_table(floor: &Floor) -> Table {
    let mut table = new_table(&["what", "p50", "p99", "max", "MB/s"]);
    let mut row = |what: String, p: &Percentiles, rate: String| {
        let times = [p.p50_ns, p.p99_ns, p.max_ns].map(|ns| number(time(ns)));
        table.add_row([Cell::new(what)].into_iter().chain(times).chain([number(rate)]));
    };
    for disk in &floor.disk {
        let what = format!("durable write, {} KiB", disk.bytes >> 10);
        row(what, &disk.write, format!("{:.0}", disk.mb_per_s));
    }
    let what = format!("loopback round trip, {} bytes", floor.loopback.message_bytes);
    row(what, &floor.loopback.round_trip, String::new());
    table
}

fn row_table(rows: &[Row]) -> Table {
    let mut table = new_table(&[
        "scenario",
        "load",
        "ack after",
        "tool busy",
        "records/s",
        "MB/s",
        "ack p50",
        "ack p99",
        "push p50",
        "push p99",
        "/ floor",
        "target",
    ]);
    for row in rows {
        let times = [
            row.ack.as_ref().map(|p| p.p50_ns),
            row.ack.as_ref().map(|p| p.p99_ns),
            row.push.as_ref().map(|p| p.p50_ns),
            row.push.as_ref().map(|p| p.p99_ns),
        ];
        let mut cells = vec![
            Cell::new(&row.scenario),
            Cell::new(load(row)),
            Cell::new(row.durability.map_or("?", Durability::word)),
            number(format!("{:.0} %", row.loadgen_busy_percent)),
            number(format!("{:.0}", row.records_per_s)),
            number(format!("{:.1}", row.mb_per_s)),
        ];
        cells.extend(times.map(|ns| number(ns.map_or(String::new(), time))));
        cells.push(number(ratio(row)));
        cells.push(Cell::new(targets(row)));
        table.add_row(cells);
    }
    table
}

fn latency_table(rows: &[Row]) -> Table {
    let mut table =
        new_table(&["scenario", "of", "p50", "p90", "p99", "p99.9", "p99.99", "max", "records"]);
    for row in rows {
        for (kind, of) in [("ack", &row.ack), ("push", &row.push)] {
            let Some(p) = of else { continue };
            let times = [p.p50_ns, p.p90_ns, p.p99_ns, p.p999_ns, p.p9999_ns, p.max_ns];
            let mut cells = vec![Cell::new(&row.scenario), Cell::new(kind)];
            cells.extend(times.map(|ns| number(time(ns))));
            cells.push(number(p.records.to_string()));
            table.add_row(cells);
        }
    }
    table
}

fn ceiling_table(ceilings: &[CeilingRow]) -> Table {
    let header = ["scenario", "records/s", "MB/s", "a shard", "a core", "closed loop", ""];
    let mut table = new_table(&header);
    for ceiling in ceilings {
        let rate = |rate: f64| number(format!("{rate:.0}"));
        let core = ceiling.records_per_s_and_core;
        table.add_row(vec![
            Cell::new(&ceiling.scenario),
            rate(ceiling.records_per_s),
            number(format!("{:.1}", ceiling.mb_per_s)),
            rate(ceiling.records_per_s_and_shard),
            core.map_or(number("?".to_owned()), rate),
            rate(ceiling.closed_loop_records_per_s),
            Cell::new(if ceiling.confirmed { "confirmed" } else { "NOT CONFIRMED" }),
        ]);
    }
    table
}

fn load(row: &Row) -> String {
    let mut text = String::new();
    if row.protocol == Protocol::Http {
        text += "HTTP, ";
    }
    text += &format!("{} shard(s), {} writer(s) x ", row.shards, row.writers);
    if row.open_loop {
        text += &format!("batches of {}, open loop", row.batch_records);
    } else {
        text += &format!("{} batch(es) of {}", row.batches_in_flight, row.batch_records);
    }
    if row.consumers > 0 {
        text += &format!(", {} consumer(s)", row.consumers);
    }
    if row.sustained == Some(false) {
        text += ", NOT SUSTAINED";
    }
    if row.refused_batches > 0 {
        text += &format!(", {} batches refused", row.refused_batches);
    }
    text
}

/// The ratio that the row is about.
fn ratio(row: &Row) -> String {
    let about = if row.push.is_some() {
        PUSH_RATIO
    } else if row.bytes_in_flight_max == row.batch_bytes as u64 {
        ACK_RATIO
    } else if row.batch_records == 1 {
        COMMIT_RATIO
    } else {
        RATE_RATIO
    };
    row.floor_ratio(about).map_or(String::new(), |ratio| format!("{ratio:.2}"))
}

fn targets(row: &Row) -> String {
    let lines: Vec<String> = row.targets.iter().map(target).collect();
    lines.join("\n")
}

/// A target and whether it is met, in words.
#[must_use]
pub fn target(target: &Target) -> String {
    let Target { what, value, limit, .. } = target;
    let sign = if target.at_most { "<=" } else { ">=" };
    let word = if target.met { "ok" } else { "MISSED" };
    format!("{what} {} {sign} {}: {word}", short(*value), short(*limit))
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// A time with a unit that leaves three to four digits.
#[must_use]
pub fn time(ns: u64) -> String {
    match ns {
        0..1_000_000 => format!("{:.1} us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", ns as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    #[test]
    fn times_have_readable_units() {
        assert_eq!(time(95_400), "95.4 us");
        assert_eq!(time(19_540_000), "19.54 ms");
        assert_eq!(time(2_500_000_000), "2.50 s");
    }

    #[test]
    fn a_ceiling_that_no_run_confirmed_is_marked() {
        let ceiling = CeilingRow {
            scenario: "x".to_owned(),
            records_per_s: 900.0,
            records_per_s_and_shard: 450.0,
            records_per_s_and_core: None,
            mb_per_s: 0.9,
            confirmed: false,
            closed_loop_records_per_s: 1_000.0,
            tried: Vec::new(),
        };
        let text = ceiling_table(&[ceiling]).to_string();
        assert!(text.contains("NOT CONFIRMED") && text.contains("450"), "{text}");
    }

    #[test]
    fn a_missed_target_is_loud_in_its_row() {
        let outcome = crate::report::tests::outcome(5_000_000);
        let mut row = Row::of("push", &Workload::default(), &outcome, None);
        row.targets.push(Target::at_most("push p99 ms", 5.0, 2.0));
        let text = row_table(&[row]).to_string();
        assert!(text.contains("MISSED") && text.contains("durable"), "{text}");
    }
}
