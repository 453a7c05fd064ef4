//! Result files as one HTML page: nothing to install or load, readable offline and printed.
//!
//! [`words`] says what the numbers mean, [`plots`] draws them ([`chart`]); tables have the rest.

mod chart;
mod html;
mod plots;
mod result;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::failure::{Failure, Result};
use crate::table::time;
use html::{escape, grouped, table};
use result::{Host, Latencies, ResultFile, Row, Target};

/// Where a page goes unless another place is named.
const DEFAULT_PAGE: &str = "loadgen-report.html";

/// Writes the page of these files, and returns where.
pub fn write(files: &[PathBuf], page: Option<&Path>) -> Result<PathBuf> {
    let read = |path: &PathBuf| Ok((path.display().to_string(), ResultFile::read(path)?));
    let results = files.iter().map(read).collect::<Result<Vec<_>>>()?;
    let page = page.map_or_else(
        || match files {
            [file] => file.with_extension("html"),
            _ => PathBuf::from(DEFAULT_PAGE),
        },
        Path::to_owned,
    );
    if files.contains(&page) {
        let what = format!("{} is a result file; name the page with -o", page.display());
        return Err(Failure::Usage(what));
    }
    fs::write(&page, render(&results))
        .map_err(Failure::io(format!("writing {}", page.display())))?;
    Ok(page)
}

/// The page of results with these names.
fn render(results: &[(String, ResultFile)]) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Shardway: load generator report</title>\n<style>\n{}</style></head><body>\n\
         <h1>What the load generator found</h1>\n",
        include_str!("style.css")
    );
    if results.len() > 1 {
        html += "<ul>\n";
        for (at, (name, _)) in results.iter().enumerate() {
            html += &format!("<li><a href=\"#r{at}\">{}</a></li>\n", escape(name));
        }
        html += "</ul>\n";
    }
    for (at, (name, file)) in results.iter().enumerate() {
        html += &format!("<section id=\"r{at}\">\n<h2>{}</h2>\n", escape(name));
        html += &words::verdict(file);
        html += &section(file);
        html += "</section>\n";
    }
    html + "<h2>Words</h2>\n" + words::GLOSSARY + "</body></html>\n"
}

fn section(file: &ResultFile) -> String {
    let mut html = String::new();
    if !file.rows.is_empty() {
        html += "<h3>Results</h3>\n";
        html += &rows(&file.rows);
    }
    html += &targets(file);
    if !file.rows.is_empty() {
        html += "<h3>Plots</h3>\n";
        html += &plots::figures(file);
    }
    html += &floor(file);
    html += &facts(file);
    html
}

fn rows(rows: &[Row]) -> String {
    let header = [
        "",
        "run",
        "load",
        "durability",
        "records/s",
        "MB/s",
        "",
        "p50",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "in flight",
        "tool busy",
    ];
    let mut lines = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let kinds = [("ack", &row.ack), ("push", &row.push)];
        let mut kinds = kinds.into_iter().filter_map(|(kind, of)| Some((kind, of.as_ref()?)));
        let first = kinds.next();
        let mut cells = vec![
            format!("{}", at + 1),
            escape(&row.scenario),
            escape(&load(row)),
            escape(row.durability.as_deref().unwrap_or("?")),
            grouped(row.records_per_s),
            grouped(row.mb_per_s),
        ];
        cells.extend(latency_cells(first));
        cells.push(format!("{} KiB", grouped(row.bytes_in_flight_max as f64 / 1024.0)));
        cells.push(format!("{:.0} %", row.loadgen_busy_percent));
        lines.push(cells);
        for kind in kinds {
            let mut cells = vec![String::new(); 6];
            cells.extend(latency_cells(Some(kind)));
            cells.extend([String::new(), String::new()]);
            lines.push(cells);
        }
    }
    table(&header, &lines)
}

fn latency_cells(of: Option<(&str, &Latencies)>) -> Vec<String> {
    let Some((kind, p)) = of else { return vec![String::new(); 6] };
    let times = [p.p50_ns, p.p99_ns, p.p999_ns, p.p9999_ns, p.max_ns].map(time);
    let times = times.into_iter().map(|time| format!("<span class=\"n\">{time}</span>"));
    [kind.to_owned()].into_iter().chain(times).collect()
}

fn load(row: &Row) -> String {
    let mut text = format!(
        "{}, {} shard(s), {} writer(s), batches of {} x {} bytes",
        row.protocol, row.shards, row.writers, row.batch_records, row.record_bytes
    );
    match (row.offered_records_per_s, &row.arrival) {
        (Some(rate), Some(arrival)) => {
            text += &format!(", {} records/s offered ({arrival})", grouped(rate));
        }
        (Some(rate), None) => text += &format!(", {} records/s offered", grouped(rate)),
        _ => text += &format!(", {} in flight each", row.batches_in_flight),
    }
    if row.consumers > 0 {
        text += &format!(", {} consumer(s)", row.consumers);
    }
    if let Some(rate) = row.read_back_mb_per_s {
        text += &format!("; read back at {} MB/s", grouped(rate));
    }
    if row.refused_batches > 0 {
        text += &format!("; {} batches refused", grouped(row.refused_batches as f64));
    }
    text
}

fn targets(file: &ResultFile) -> String {
    let lines: Vec<Vec<String>> = file
        .targets()
        .into_iter()
        .map(|(run, target)| {
            let Target { what, value, limit, at_most, met } = target;
            let sign = if *at_most { "&le;" } else { "&ge;" };
            let word = if *met {
                "<span class=\"good\">met</span>"
            } else {
                "<span class=\"bad\">MISSED</span>"
            };
            let value = format!("{} {sign} {}", grouped(*value), grouped(*limit));
            vec![escape(run), escape(what), value, word.to_owned()]
        })
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    "<h3>Targets</h3>\n".to_owned() + &table(&["run", "what", "found and wanted", ""], &lines)
}

fn floor(file: &ResultFile) -> String {
    let Some(floor) = &file.floor else { return String::new() };
    let line = |what: String, p: &Latencies, rate: String| {
        vec![what, time(p.p50_ns), time(p.p99_ns), time(p.max_ns), rate]
    };
    let mut lines: Vec<_> = floor
        .disk
        .iter()
        .map(|disk| {
            let what = format!("durable write of {} KiB", disk.bytes >> 10);
            line(what, &disk.write, grouped(disk.mb_per_s))
        })
        .collect();
    let trip = &floor.loopback.round_trip;
    lines.push(line("loopback round trip".to_owned(), trip, String::new()));
    "<h3>Floor: this machine without a server, in the same run</h3>\n".to_owned()
        + &table(&["what", "p50", "p99", "max", "MB/s"], &lines)
}

fn facts(file: &ResultFile) -> String {
    let mut lines = vec![
        vec!["command".to_owned(), format!("<code>{}</code>", escape(&file.command.join(" ")))],
        vec!["started".to_owned(), started(file.started_unix_ms)],
    ];
    let mut line = |what: &str, value: Option<String>| {
        lines.extend(value.map(|value| vec![what.to_owned(), escape(&value)]));
    };
    let Host { cpu, cpus, kernel, disk, governor, clock_source, .. } = &file.host;
    line("loadgen", Some(with_revision(&file.tool, file.host.git_revision.as_deref())));
    line(
        "server",
        file.server.as_ref().map(|server| {
            let text = format!("{} with {} core(s)", server.release, server.cores);
            with_revision(&text, file.server_git_revision.as_deref())
        }),
    );
    line("AWS API at", file.endpoint.clone());
    line("CPU", cpu.as_ref().map(|cpu| format!("{cpus} x {cpu}")));
    line("kernel", kernel.clone());
    line("memory", file.host.memory_kib.map(|kib| format!("{} MiB", grouped((kib >> 10) as f64))));
    line("clock governor", governor.clone());
    line("clock source", clock_source.clone());
    let steal = file.host.steal_during_run_percent;
    line("stolen by the hypervisor", steal.map(|steal| format!("{steal:.2} %")));
    line(
        "disk",
        disk.as_ref().map(|disk| {
            let known = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "?".to_owned());
            format!(
                "{}, {} ({}), write cache {}, FUA {}, scheduler {}",
                disk.name,
                known(&disk.file_system),
                known(&disk.mount_options),
                known(&disk.write_cache),
                known(&disk.fua),
                known(&disk.scheduler)
            )
        }),
    );
    "<h3>Where and how</h3>\n".to_owned() + &table(&["", ""], &lines)
}

fn with_revision(text: &str, revision: Option<&str>) -> String {
    revision.map_or(text.to_owned(), |revision| format!("{text}, revision {revision}"))
}

/// As the day and time in UTC.
fn started(unix_ms: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(unix_ms);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests;
