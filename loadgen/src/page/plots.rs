//! The charts of a result: what is drawn over what.

use super::chart::{Axis, Chart, Line, Scale};
use super::html::{escape, grouped};
use super::result::{Latencies, ResultFile, Row, Track};
use crate::table::time;

/// Lines of a chart at most: more cannot be told apart.
const LINES_MAX: usize = 8;
/// Percentiles of a curve: from the median on, so many for each power of ten.
const CURVE_STEPS: u32 = 20;
/// The last one: 1 of so many records is slower.
const CURVE_END: f64 = 1e5;

const LATENCY: Axis = Axis { title: "latency", scale: Scale::Log, label: tick, at_least: None };

/// A round time, without digits that say nothing.
fn tick(ns: f64) -> String {
    let text = time(ns as u64);
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

/// All charts of a file, as figures.
#[must_use]
pub fn figures(file: &ResultFile) -> String {
    let charts = [
        (throughput(file), "Throughput against latency. Right is more, down is faster."),
        (
            curve(file, "push", |row| row.push.as_ref()),
            "Push: how long all but the slowest records took. To the right: ever rarer ones.",
        ),
        (
            curve(file, "ack", |row| row.ack.as_ref()),
            "Acknowledgement: the same. A flat curve is a steady server.",
        ),
        (busy(file), "How busy the CPUs were, over the runs of this page one after the other."),
    ];
    let mut html = "<div class=\"charts\">\n".to_owned();
    for (chart, caption) in charts {
        html += &figure(&chart, caption);
    }
    html += "</div>\n";
    html += &over_time(file);
    html
}

fn figure(chart: &Chart, caption: &str) -> String {
    let Some(svg) = chart.svg() else { return String::new() };
    format!("<figure>\n{svg}<figcaption>{}</figcaption></figure>\n", escape(caption))
}

/// A row's number in the table, and its name.
fn name(at: usize, row: &Row) -> String {
    format!("{}. {}", at + 1, row.scenario)
}

/// p50 and p99 of each row over its rate. Rows of one ceiling are joined.
fn throughput(file: &ResultFile) -> Chart {
    let mut lines: Vec<(String, Line)> = Vec::new();
    for (at, row) in file.rows.iter().enumerate() {
        let Some(latencies) = row.latencies() else { continue };
        let kind = if row.push.is_some() { "push" } else { "ack" };
        let family = row.scenario.split(" at ").next().unwrap_or_default();
        let point = Some((row.records_per_s, latencies.p99_ns as f64));
        match lines.iter_mut().find(|(of, _)| row.scenario.contains(" at ") && of == family) {
            Some((_, line)) => line.points.push(point),
            None => {
                let name = format!("{} ({kind} p99)", name(at, row));
                let line = Line { name, points: vec![point], marks: true };
                lines.push((family.to_owned(), line));
            }
        }
    }
    lines.truncate(LINES_MAX);
    let label = grouped;
    let rate = Axis { title: "records a second", scale: Scale::Log, label, at_least: None };
    let lines = lines.into_iter().map(|(_, line)| line).collect();
    Chart { title: "throughput against latency".to_owned(), x: rate, y: LATENCY, lines }
}

/// Latency over percentile, on an axis on which each further nine is as wide as the last.
fn curve(file: &ResultFile, kind: &str, of: fn(&Row) -> Option<&Latencies>) -> Chart {
    let mut lines = Vec::new();
    for (at, row) in file.rows.iter().enumerate() {
        let Some(histogram) = of(row).and_then(Latencies::histogram) else { continue };
        let steps = (0..).map(|n| 2.0 * 10f64.powf(f64::from(n) / f64::from(CURVE_STEPS)));
        // A percentile that less than one record is beyond says nothing.
        let end = CURVE_END.min(histogram.len() as f64);
        let points = steps
            .take_while(|one_of| *one_of <= end)
            .map(|one_of| Some((one_of, histogram.value_at_quantile(1.0 - 1.0 / one_of) as f64)));
        lines.push(Line { name: name(at, row), points: points.collect(), marks: false });
    }
    lines.truncate(LINES_MAX);
    let percentile = Axis {
        title: "percentile",
        scale: Scale::Log,
        label: |one_of| format!("{} %", short(100.0 - 100.0 / one_of)),
        at_least: Some(100.0),
    };
    let title = format!("latency by percentile ({kind})");
    Chart { title, x: percentile, y: LATENCY, lines }
}

/// Without zeros at the end.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Each CPU over the runs, which follow each other with a gap.
fn busy(file: &ResultFile) -> Chart {
    let mut lines: Vec<(u32, Line)> = Vec::new();
    let mut start = 0.0;
    for row in &file.rows {
        let end = row.cpu.from_s.iter().copied().fold(row.seconds, f64::max);
        for track in &row.cpu.cpus {
            let role = track.role.as_deref().map_or(String::new(), |role| format!(", {role}"));
            let at = lines.iter().position(|(cpu, _)| *cpu == track.cpu).unwrap_or_else(|| {
                let name = format!("CPU {}{role}", track.cpu);
                lines.push((track.cpu, Line { name, points: Vec::new(), marks: false }));
                lines.len() - 1
            });
            let values = row.cpu.from_s.iter().zip(&track.busy_percent);
            let points = &mut lines[at].1.points;
            points.push(None);
            points.extend(values.map(|(from, busy)| Some((start + from.max(0.0), *busy))));
        }
        start += end + 1.0;
    }
    lines.truncate(LINES_MAX);
    let label = |percent: f64| format!("{percent:.0} %");
    let busy = Axis { title: "busy", scale: Scale::Linear, label, at_least: Some(100.0) };
    let lines = lines.into_iter().map(|(_, line)| line).collect();
    Chart { title: "CPU use over time".to_owned(), x: SECONDS, y: busy, lines }
}

const SECONDS: Axis =
    Axis { title: "seconds", scale: Scale::Linear, label: |s| short(s), at_least: None };

/// A chart for each row: its seconds.
fn over_time(file: &ResultFile) -> String {
    let mut html = "<h3>Latency over time</h3>\n".to_owned();
    html += "<p class=\"dim\">Each point is one second. A gap is a second in which nothing \
             came.</p>\n<div class=\"charts\">\n";
    let mut any = false;
    for (at, row) in file.rows.iter().enumerate() {
        if row.series.seconds.len() < 2 {
            continue;
        }
        let track = |name: &str, of: &Track, values: &[Option<u64>]| Line {
            name: name.to_owned(),
            points: seconds(&row.series.seconds, of, values),
            marks: row.series.seconds.len() < 10,
        };
        let (ack, push) = (&row.series.ack, &row.series.push);
        let mut lines = vec![track("ack p99", ack, &ack.p99_ns)];
        if push.seconds() > 0 {
            lines.push(track("push p50", push, &push.p50_ns));
            lines.push(track("push p99", push, &push.p99_ns));
            lines.push(track("push max", push, &push.max_ns));
        } else {
            lines.push(track("ack p50", ack, &ack.p50_ns));
            lines.push(track("ack max", ack, &ack.max_ns));
        }
        let title = format!("latency over time: {}", row.scenario);
        let chart = Chart { title, x: SECONDS, y: LATENCY, lines };
        html += &figure(&chart, &name(at, row));
        any = true;
    }
    if any { html + "</div>\n" } else { String::new() }
}

impl Track {
    fn seconds(&self) -> usize {
        self.records_per_s.len()
    }
}

/// A value in the middle of its second.
fn seconds(lengths: &[f64], of: &Track, values: &[Option<u64>]) -> Vec<Option<(f64, f64)>> {
    let mut start = 0.0;
    let middles = lengths.iter().map(|length| {
        start += length;
        start - length / 2.0
    });
    let points = middles.zip(values).take(of.seconds());
    points.map(|(at, value)| value.map(|ns| (at, ns as f64))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::result::{Cpu, CpuTrack, Series};
    use super::*;

    fn latencies() -> Latencies {
        let mut all = crate::latency::Latencies::new();
        (1..20_000).for_each(|n| all.record(n * 1_000, 1));
        let found = all.percentiles().expect("records");
        Latencies { p99_ns: found.p99_ns, hdr: found.hdr, ..Latencies::default() }
    }

    fn row(scenario: &str, rate: f64) -> Row {
        let values = vec![Some(1_000_000), None, Some(3_000_000)];
        let track = Track {
            records_per_s: vec![1.0; 3],
            p50_ns: values.clone(),
            p99_ns: values.clone(),
            max_ns: values,
        };
        let cpu = CpuTrack { cpu: 3, role: Some("server".into()), busy_percent: vec![40.0; 2] };
        Row {
            scenario: scenario.to_owned(),
            records_per_s: rate,
            push: Some(latencies()),
            series: Series { seconds: vec![1.0; 3], ack: Track::default(), push: track },
            cpu: Cpu { from_s: vec![0.0, 1.0], cpus: vec![cpu], steal_percent: None },
            ..Row::default()
        }
    }

    #[test]
    fn a_result_has_its_four_kinds_of_chart() {
        let file = ResultFile { rows: vec![row("a", 1e3), row("b", 1e4)], ..ResultFile::default() };
        let html = figures(&file);
        for title in ["throughput against latency", "by percentile (push)", "CPU use", "over time"]
        {
            assert!(html.contains(title), "{title} in {html}");
        }
        assert!(!html.contains("by percentile (ack)"), "no row has one");
        assert!(html.contains(">99.9 %<") && html.contains("CPU 3, server"), "{html}");
        assert!(!html.contains("NaN"), "{html}");
    }

    #[test]
    fn a_tick_is_as_short_as_it_can_be() {
        let shown = [100.0, 20_000.0, 2_000_000.0, 1_500_000_000.0].map(tick);
        assert_eq!(shown, ["0.1 us", "20 us", "2 ms", "1.5 s"]);
    }

    #[test]
    fn the_rates_of_one_ceiling_are_one_line() {
        let rows = vec![row("x at 50 %", 5e3), row("x at 90 %", 9e3), row("y", 1e3)];
        let file = ResultFile { rows, ..ResultFile::default() };
        let chart = throughput(&file);
        let points: Vec<_> = chart.lines.iter().map(|line| line.points.len()).collect();
        assert_eq!(points, [2, 1]);
    }
}
