//! What a result means, in sentences for somebody who sees this tool for the first time.

use super::html::{escape, grouped};
use super::result::{ResultFile, Row};
use crate::table::time;

/// What AWS documents for a shared consumer: an average, without method.
const AWS_PROPAGATION_NS: f64 = 200e6;
/// Above this the load generator, not the server, may be what is measured, in %.
const TOOL_BUSY_PERCENT: f64 = 90.0;
/// Above this the hypervisor's other guests are in the numbers, in %.
const STEAL_PERCENT: f64 = 2.0;

/// The verdict: paragraphs, as markup.
#[must_use]
pub fn verdict(file: &ResultFile) -> String {
    let mut html = "<div class=\"verdict\">\n".to_owned();
    let lead = push(file).or_else(|| throughput(file)).or_else(|| life(file));
    let lead = lead.or_else(|| floor(file));
    html += &format!("<p class=\"lead\">{}</p>\n", lead.unwrap_or_else(nothing));
    if push(file).is_some() {
        html += &throughput(file).map_or(String::new(), |text| format!("<p>{text}</p>\n"));
    }
    for text in [ceiling(file), single(file), many(file), targets(file)].into_iter().flatten() {
        html += &format!("<p>{text}</p>\n");
    }
    html += "</div>\n";
    let warnings = warnings(file);
    if !warnings.is_empty() {
        html += "<div class=\"verdict warn\">\n";
        warnings.iter().for_each(|text| html += &format!("<p>{}</p>\n", escape(text)));
        html += "</div>\n";
    }
    html
}

fn nothing() -> String {
    "Nothing was measured.".to_owned()
}

/// How fast records reach consumers: the slowest p99 of the run.
fn push(file: &ResultFile) -> Option<String> {
    let rows = file.rows.iter().filter_map(|row| row.push.as_ref().map(|push| (row, push)));
    let (row, push) = rows.max_by_key(|(_, push)| push.p99_ns)?;
    let times = AWS_PROPAGATION_NS / push.p99_ns as f64;
    let comparison = if times >= 1.0 {
        format!("<b>{times:.0} times faster</b> than")
    } else {
        "<b>not faster</b> than".to_owned()
    };
    Some(format!(
        "A record reached its consumers within <b>{}</b> in 99 of 100 cases, half of them within \
         {}. That is {comparison} the about 200 ms that AWS documents for Kinesis (theirs is an \
         average across a region, this is the slowest 99th percentile of this page: {}).",
        time(push.p99_ns),
        time(push.p50_ns),
        escape(&row.scenario)
    ))
}

/// What became of records while their shards were split and merged.
fn life(file: &ResultFile) -> Option<String> {
    let life = file.life.as_ref()?;
    let pauses = life.pauses.as_ref().map_or(String::new(), |pauses| {
        format!(
            " Writers whose shards were closed waited <b>{}</b> at most in 99 of 100 cases.",
            time(pauses.p99_ns)
        )
    });
    Some(format!(
        "While shards were split and merged, {} records were acknowledged, and both readers got \
         each of them once and in order.{pauses}",
        grouped(life.records as f64)
    ))
}

fn throughput(file: &ResultFile) -> Option<String> {
    let row = file.rows.iter().max_by(|a, b| a.mb_per_s.total_cmp(&b.mb_per_s))?;
    let shards =
        if row.shards == 1 { "One shard".to_owned() } else { format!("{} shards", row.shards) };
    let promise = match row.durability.as_deref() {
        Some("durable") => "each on stable storage before it was acknowledged",
        Some("written") => "acknowledged when written, not yet on stable storage",
        Some("memory") => "acknowledged in memory: a crash would lose some",
        _ => "with a durability that is not known",
    };
    Some(format!(
        "{shards} took up to <b>{} MB/s</b>: {} records of {} bytes a second, {promise}.",
        grouped(row.mb_per_s),
        grouped(row.records_per_s),
        grouped(row.record_bytes as f64)
    ))
}

fn ceiling(file: &ResultFile) -> Option<String> {
    let ceiling = file.ceilings.last()?;
    let core = ceiling
        .records_per_s_and_core
        .map_or(String::new(), |rate| format!(", {} for each core of the server", grouped(rate)));
    let confirmed = if ceiling.confirmed { "confirmed by a whole run" } else { "not confirmed" };
    Some(format!(
        "The highest rate that lasts without a growing backlog is {} records/s ({} MB/s): {} for \
         each shard{core}; {confirmed}.",
        grouped(ceiling.records_per_s),
        grouped(ceiling.mb_per_s),
        grouped(ceiling.records_per_s_and_shard)
    ))
}

/// One record alone: closest to what the machine itself needs.
fn single(file: &ResultFile) -> Option<String> {
    let alone = |row: &&Row| {
        !row.open_loop && row.writers * row.batches_in_flight == 1 && row.batch_records == 1
    };
    let row = file.rows.iter().find(alone)?;
    let ack = row.ack.as_ref()?;
    let of = row.floor_ratios.iter().find(|ratio| ratio.what.starts_with("ack p50"));
    let over = of.map_or(String::new(), |of| {
        format!(
            ", {:.1} times what one synced write and one round trip take on this machine",
            of.ratio
        )
    });
    Some(format!(
        "One record on its own was acknowledged in {} (half of them faster){over}.",
        time(ack.p50_ns)
    ))
}

fn many(file: &ResultFile) -> Option<String> {
    let best = file.rows.iter().filter(|row| row.batch_records == 1 && row.writers > 1);
    let row = best.max_by(|a, b| a.records_per_s.total_cmp(&b.records_per_s))?;
    Some(format!(
        "{} independent writers with one record at a time reached {} records/s together.",
        row.writers,
        grouped(row.records_per_s)
    ))
}

fn targets(file: &ResultFile) -> Option<String> {
    let all = file.targets();
    if all.is_empty() {
        return None;
    }
    let missed = all.iter().filter(|(_, target)| !target.met).count();
    Some(if missed == 0 {
        format!("<span class=\"good\">All {} targets are met.</span>", all.len())
    } else {
        format!(
            "<span class=\"bad\">{missed} of {} targets are missed</span>; they are marked below.",
            all.len()
        )
    })
}

fn floor(file: &ResultFile) -> Option<String> {
    let floor = file.floor.as_ref()?;
    let smallest = floor.disk.first()?;
    Some(format!(
        "Without any server, this machine needs {} for a synced write of {} KiB and {} for a \
         round trip over loopback: no server here acknowledges a durable record faster.",
        time(smallest.write.p50_ns),
        smallest.bytes >> 10,
        time(floor.loopback.round_trip.p50_ns)
    ))
}

/// What a reader must know before believing a number.
fn warnings(file: &ResultFile) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(failure) = &file.failure {
        warnings.push(format!("The run failed, and shows only what came before: {failure}"));
    } else if !file.complete {
        warnings.push("The run was ended early: it shows what was measured until then.".into());
    }
    if !file.host.optimised {
        warnings.push("This was a debug build; its numbers mean nothing.".to_owned());
    }
    let memory = |kind: &String| matches!(kind.as_str(), "tmpfs" | "ramfs");
    let disk = file.host.disk.as_ref();
    if disk.is_some_and(|disk| disk.file_system.as_ref().is_some_and(memory)) {
        warnings.push("The data was in memory; nothing here is durable (see --dir).".to_owned());
    }
    let steal = file.host.steal_during_run_percent.filter(|steal| *steal > STEAL_PERCENT);
    if let Some(steal) = steal {
        warnings.push(format!(
            "The hypervisor took {steal:.1} % of the CPUs' time for other guests: high percentiles \
             say as much about them. Measure again, or elsewhere."
        ));
    }
    let busy = file.rows.iter().filter(|row| row.loadgen_busy_percent > TOOL_BUSY_PERCENT);
    let busy: Vec<&str> = busy.map(|row| row.scenario.as_str()).collect();
    if !busy.is_empty() {
        warnings.push(format!(
            "The load generator itself was at its limit in: {}. The server may do more.",
            busy.join("; ")
        ));
    }
    for row in file.rows.iter().filter(|row| row.sustained == Some(false)) {
        warnings.push(format!(
            "The offered rate was not kept up with in: {}. Its latencies are those of a queue.",
            row.scenario
        ));
    }
    warnings
}

/// What the words of the page mean.
pub const GLOSSARY: &str = "\
<dl><dt>ack</dt><dd>The time from when a record was <em>meant</em> to leave to its \
acknowledgement. A stall of the server is in it: the wait counts, also of records that could not \
be sent.</dd>\
<dt>push</dt><dd>The time from when a record was meant to leave to its arrival at a \
consumer.</dd>\
<dt>p50, p99, p99.9</dt><dd>Half, 99 of 100, 999 of 1,000 records took at most this long.</dd>\
<dt>durable</dt><dd>Acknowledged only when it is on stable storage: a power cut loses \
nothing.</dd>\
<dt>closed loop, open loop</dt><dd>Closed: the next batch follows an answer, which shows the \
highest rate. Open: batches leave when it is their time, which shows honest latencies.</dd>\
<dt>floor</dt><dd>What this machine needs without any server: one synced write and one round \
trip.</dd>\
<dt>verified</dt><dd>Every record was read again and compared: order, gaps, payloads. A mismatch \
ends a run without a result.</dd></dl>\n";

#[cfg(test)]
mod tests {
    use super::super::result::{Host, Latencies, Life, Target};
    use super::*;

    fn file(push_ns: u64) -> ResultFile {
        let push = Latencies { p50_ns: push_ns / 2, p99_ns: push_ns, ..Latencies::default() };
        let row = Row {
            scenario: "push".to_owned(),
            durability: Some("durable".to_owned()),
            shards: 1,
            records_per_s: 402_113.0,
            mb_per_s: 411.8,
            record_bytes: 1024,
            push: Some(push),
            ..Row::default()
        };
        let host = Host { optimised: true, ..Host::default() };
        ResultFile { rows: vec![row], host, complete: true, ..ResultFile::default() }
    }

    #[test]
    fn a_newcomer_reads_latency_rate_and_promise_first() {
        let text = verdict(&file(2_000_000));
        for wanted in ["2.00 ms", "100 times faster", "412 MB/s", "402,113", "stable storage"] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
        assert!(!text.contains("warn"), "{text}");
        assert!(verdict(&file(300_000_000)).contains("not faster"));
    }

    #[test]
    fn what_spoils_a_result_is_said() {
        let mut bad = file(1);
        (bad.complete, bad.host.optimised) = (false, false);
        bad.host.steal_during_run_percent = Some(7.0);
        bad.rows[0].loadgen_busy_percent = 99.0;
        bad.rows[0].sustained = Some(false);
        let text = verdict(&bad);
        for wanted in ["ended early", "debug build", "7.0 %", "at its limit", "not kept up"] {
            assert!(text.contains(wanted), "{wanted} in {text}");
        }
    }

    #[test]
    fn missed_targets_are_counted() {
        let mut file = file(1);
        let target = |met| Target { met, ..Target::default() };
        file.rows[0].targets = vec![target(true), target(false)];
        assert!(verdict(&file).contains("1 of 2 targets are missed"));
        file.rows[0].targets = vec![target(true)];
        assert!(verdict(&file).contains("All 1 targets are met"));
    }

    #[test]
    fn a_life_is_told_by_its_records_and_pauses() {
        let pauses = Latencies { p99_ns: 7_000_000, ..Latencies::default() };
        let life = Life { records: 12_345, pauses: Some(pauses), ..Life::default() };
        let text = verdict(&ResultFile { life: Some(life), ..ResultFile::default() });
        assert!(text.contains("12,345 records") && text.contains("7.00 ms"), "{text}");
    }

    #[test]
    fn an_empty_result_is_no_page_full_of_nothing() {
        assert!(verdict(&ResultFile::default()).contains("Nothing was measured"));
    }
}
