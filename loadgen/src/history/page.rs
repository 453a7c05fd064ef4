//! A history as a page: the changes first, then every series with its levels.

use std::fmt::Write;

use super::series::Series;
use super::{Change, Found, History, date};
use crate::compare::document::{Scale, document, escape, table, unbroken};
use crate::compare::judge::Basis;
use crate::compare::metric::Metric;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 14.0;
const FOOT: f64 = 26.0;
/// Room above the largest and below the smallest value.
const MARGIN: f64 = 0.02;

/// The page.
#[must_use]
pub fn of(history: &History) -> String {
    let mut body = String::new();
    let class = if history.exit_code() == 0 { "" } else { " worse" };
    let _ = writeln!(body, "<p class=\"verdict{class}\">{}</p>", escape(&history.summary));
    body += &changes(history);
    for found in &history.series {
        let series = &found.series;
        let _ = writeln!(
            body,
            "<section><h2>{} \u{2013} {}</h2><p class=\"faint\">{}; {} sessions; {}</p>",
            escape(series.metric.name()),
            escape(&series.load),
            escape(&series.machine),
            series.sessions.len(),
            match series.judged {
                Basis::Raw => format!("as measured{}", unit(series).1),
                Basis::OverFloor => "over the floor of the same run".to_owned(),
            }
        );
        body += &drawing(found);
        body += "</section>\n";
    }
    let _ = writeln!(
        body,
        "<h2>How to read this</h2><p>Every dot is a session: the middle of the runs of one build \
         that were made one after the other. The coloured lines are levels, a vertical line a \
         change that chance hardly makes: of 100 histories without any change at most {} show one. \
         Changes below {} % are left out, and {} sessions is the fewest in which one can be \
         found.</p>",
        history.false_alarms_percent, history.least_percent, history.sessions_needed
    );
    document("History of results", &body)
}

fn changes(history: &History) -> String {
    let mut rows = Vec::new();
    for found in &history.series {
        for change in &found.changes {
            let build = |build: &Option<String>| escape(build.as_deref().unwrap_or("unknown"));
            rows.push(vec![
                unbroken(&date(change.at_unix_ms)),
                escape(&found.series.load),
                escape(found.series.metric.name()),
                format!("<span class=\"{}\">{:+.1}\u{a0}%</span>", class(change), change.percent),
                format!("{:.5}", change.p),
                build(&change.last_before),
                build(&change.first_after),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let header = ["since", "load", "number", "change", "p", "last before", "first after"];
    table(&header, &rows)
}

fn class(change: &Change) -> &'static str {
    if change.worse { "worse" } else { "better" }
}

fn drawing(found: &Found) -> String {
    let Found { series, changes } = found;
    let (unit, _) = unit(series);
    let points: Vec<f64> =
        series.sessions.iter().map(|session| series.point(session) / unit).collect();
    let (low, high) =
        points.iter().fold((f64::INFINITY, 0.0_f64), |(low, high), &p| (low.min(p), high.max(p)));
    let y = Scale { from: (low * (1.0 - MARGIN), high * (1.0 + MARGIN)), to: (HEIGHT - FOOT, TOP) };
    let last = (points.len().max(2) - 1) as f64;
    let x = Scale { from: (0.0, last), to: (LEFT, WIDTH - RIGHT) };
    let name = escape(series.metric.name());
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{name} over time\">\n"
    );
    for tick in y.ticks() {
        let at = y.at(tick);
        let (end, text) = (WIDTH - RIGHT, short(tick));
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    svg += &line(&points, x, y);
    for (session, (i, &point)) in series.sessions.iter().zip(points.iter().enumerate()) {
        let _ = writeln!(
            svg,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}, {}: {}</title>\
             </circle>",
            x.at(i as f64),
            y.at(point),
            date(session.at_unix_ms),
            escape(session.revision.as_deref().unwrap_or("unknown build")),
            short(point)
        );
    }
    svg += &levels(&points, changes, x, y);
    svg += &dates(series);
    svg + "</svg>\n"
}

fn line(points: &[f64], x: Scale, y: Scale) -> String {
    let path: Vec<String> = points
        .iter()
        .enumerate()
        .map(|(i, &point)| format!("{:.1},{:.1}", x.at(i as f64), y.at(point)))
        .collect();
    format!("<polyline class=\"path\" points=\"{}\"/>\n", path.join(" "))
}

/// A line for each level, and one where it changes.
fn levels(points: &[f64], changes: &[Change], x: Scale, y: Scale) -> String {
    let mut svg = String::new();
    let starts = std::iter::once((0, "same")).chain(changes.iter().map(|c| (c.session, class(c))));
    let starts: Vec<(usize, &str)> = starts.collect();
    for (i, &(start, class)) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(points.len(), |next| next.0);
        let mut level = points[start..end].to_vec();
        level.sort_by(f64::total_cmp);
        let Some(&middle) = level.get(level.len() / 2) else { continue };
        let (from, to, at) = (x.at(start as f64), x.at((end - 1) as f64), y.at(middle));
        let _ = writeln!(
            svg,
            "<line class=\"{class} level\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{at:.1}\" \
             y2=\"{at:.1}\"/>"
        );
    }
    for change in changes {
        let (at, bottom) = (x.at(change.session as f64 - 0.5), HEIGHT - FOOT);
        let _ = writeln!(
            svg,
            "<line class=\"{0}\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" \
             stroke-dasharray=\"4 3\"/><text class=\"{0}\" x=\"{1:.1}\" y=\"12\">\
             {2:+.1} %</text>",
            class(change),
            at + 4.0,
            change.percent
        );
    }
    svg
}

fn dates(series: &Series) -> String {
    let (first, last) = (series.sessions.first(), series.sessions.last());
    let Some((first, last)) = first.zip(last) else { return String::new() };
    let y = HEIGHT - 6.0;
    format!(
        "<text class=\"faint\" x=\"{LEFT}\" y=\"{y}\">{}</text>\
         <text class=\"faint\" x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>\n",
        date(first.at_unix_ms),
        WIDTH - RIGHT,
        date(last.at_unix_ms)
    )
}

/// What the values are divided by to be shown, and how that is said.
fn unit(series: &Series) -> (f64, &'static str) {
    match (series.metric, series.judged) {
        (Metric::ServerCpu | Metric::RecordsPerS, _) | (_, Basis::OverFloor) => (1.0, ""),
        (Metric::AckP50 | Metric::AckP99 | Metric::PushP50 | Metric::PushP99, Basis::Raw) => {
            (1e6, ", in ms")
        }
    }
}

/// A number with three digits or so.
fn short(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..1_000.0 => format!("{value:.1}"),
        1_000.0..1e6 => format!("{:.1} k", value / 1e3),
        _ => format!("{:.2} M", value / 1e6),
    }
}
