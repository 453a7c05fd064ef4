//! A comparison as a page: for each load one drawing with every pair, and the table.

use std::fmt::Write;

use super::document::{Scale, document, escape, table, unbroken};
use super::judge::{Basis, Judgement, Verdict};
use super::outcome::{Comparison, Side};
use super::table::{change, words};
use super::{EXIT_REGRESSED, judge::Change};

const WIDTH: f64 = 900.0;
const ROW: f64 = 44.0;
const LEFT: f64 = 170.0;
const RIGHT: f64 = 20.0;
const FOOT: f64 = 34.0;
/// The drawing shows changes of at least so many %, so that noise does not look dramatic.
const SPAN_MIN: f64 = 5.0;
/// And not more: what lies outside is drawn at the edge.
const SPAN_MAX: f64 = 60.0;

/// The page.
#[must_use]
pub fn of_comparison(comparison: &Comparison) -> String {
    let mut body = String::new();
    let class = match comparison.exit_code() {
        EXIT_REGRESSED => " worse",
        _ => "",
    };
    let _ = writeln!(body, "<p class=\"verdict{class}\">{}</p>", escape(&comparison.summary));
    let _ = writeln!(
        body,
        "<p>Base: {}. New: {}. {} pairs of runs.</p>",
        side(&comparison.base),
        side(&comparison.new),
        comparison.pairs
    );
    for note in &comparison.notes {
        let _ = writeln!(body, "<p>Note: {}</p>", escape(note));
    }
    let mut loads: Vec<&str> = comparison.judgements.iter().map(|j| j.load.as_str()).collect();
    loads.dedup();
    for load in loads {
        let of_load: Vec<&Judgement> =
            comparison.judgements.iter().filter(|j| j.load == load).collect();
        let _ = writeln!(body, "<section><h2>{}</h2>", escape(load));
        body += &drawing(&of_load);
        body += &numbers(&of_load, comparison.judges());
        body += "</section>\n";
    }
    let _ = writeln!(
        body,
        "<h2>How to read this</h2><p>Both builds ran in turns, and each run is compared with the \
         one beside it: every grey dot is such a pair. The coloured dot is the change (the shift \
         by Hodges and Lehmann), the bar its interval, for all numbers on this page at once. A \
         bar that crosses the middle line is no evidence. Of 100 comparisons of equal builds at \
         most {} flag anything; changes below {} % are never flagged. So many pairs find a change \
         of the size under \u{201c}would find\u{201d} in 80 of 100 cases. A star marks what is \
         judged: the values as measured, or over the floor of the same run (what the machine's \
         own disk and loopback took), where that takes the machine's noise out.</p>",
        comparison.false_alarms_percent, comparison.least_percent
    );
    document("Comparison of two builds", &body)
}

fn side(side: &Side) -> String {
    let revisions = side.revisions.join(", ");
    let revisions = if revisions.is_empty() { "unknown revision".to_owned() } else { revisions };
    format!("{} ({} runs)", escape(&revisions), side.runs)
}

fn class(judgement: &Judgement) -> &'static str {
    match judgement.verdict {
        Verdict::Regressed => "worse",
        Verdict::Improved => "better",
        _ => "same",
    }
}

fn drawing(judgements: &[&Judgement]) -> String {
    let widest = judgements
        .iter()
        .flat_map(|j| j.pair_percent.iter().map(|percent| percent.abs()))
        .fold(SPAN_MIN, f64::max)
        .min(SPAN_MAX);
    let x = Scale { from: (-widest, widest), to: (LEFT, WIDTH - RIGHT) };
    let height = ROW * judgements.len() as f64 + FOOT;
    let bottom = height - FOOT;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Change of each number, in percent\">\n"
    );
    for tick in x.ticks() {
        let class = if tick == 0.0 { " class=\"axis\"" } else { "" };
        let (at, below) = (x.at(tick), bottom + 16.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"0\" y2=\"{bottom}\"{class}/>\
             <text class=\"faint\" x=\"{at:.1}\" y=\"{below}\" text-anchor=\"middle\">{tick:+.0} %\
             </text>"
        );
    }
    for (judgement, row) in judgements.iter().zip(0..) {
        let y = ROW * (f64::from(row) + 0.5);
        let name = escape(judgement.metric.name());
        let _ = writeln!(svg, "<text x=\"0\" y=\"{:.1}\">{name}</text>", y + 4.0);
        for (i, &percent) in judgement.pair_percent.iter().enumerate() {
            // Beside each other by order of time, so that drift shows.
            let share = i as f64 / judgement.pair_percent.len().max(2) as f64 - 0.5;
            let (at, beside) = (x.at(percent), y + share * ROW * 0.7);
            let _ =
                write!(svg, "<circle class=\"dot\" cx=\"{at:.1}\" cy=\"{beside:.1}\" r=\"3\"/>");
        }
        svg += &bar(judgement, x, y);
    }
    svg + "</svg>\n"
}

fn bar(judgement: &Judgement, x: Scale, y: f64) -> String {
    let judged = match judgement.judged {
        Basis::Raw => judgement.raw,
        Basis::OverFloor => judgement.over_floor,
    };
    let Some(Change { percent, interval_percent }) = judged else { return String::new() };
    let (class, middle) = (class(judgement), x.at(percent));
    let mut svg = String::new();
    if let Some((low, high)) = interval_percent {
        let (low, high) = (x.at(low), x.at(high));
        let _ = write!(
            svg,
            "<line class=\"{class} level\" x1=\"{low:.1}\" x2=\"{high:.1}\" y1=\"{y}\" y2=\"{y}\"/>"
        );
    }
    let _ = writeln!(svg, "<circle class=\"{class}\" cx=\"{middle:.1}\" cy=\"{y}\" r=\"5\"/>");
    svg
}

fn numbers(judgements: &[&Judgement], judges: bool) -> String {
    let header = ["", "change", "over the floor", "p", "p of all", "would find", "verdict"];
    let rows: Vec<Vec<String>> = judgements
        .iter()
        .map(|judgement| {
            let main = if judgement.main { " (main)" } else { "" };
            let verdict = if judges { words(judgement) } else { "not judged".to_owned() };
            vec![
                escape(judgement.metric.name()) + main,
                unbroken(&change(judgement.raw, judgement.judged == Basis::Raw)),
                unbroken(&change(judgement.over_floor, judgement.judged == Basis::OverFloor)),
                format!("{:.4}", judgement.p),
                format!("{:.4}", judgement.p_adjusted),
                judgement
                    .would_find_percent
                    .map_or("\u{2013}".to_owned(), |p| format!("{p:.1}\u{a0}%")),
                format!("<span class=\"{}\">{}</span>", class(judgement), escape(&verdict)),
            ]
        })
        .collect();
    table(&header, &rows)
}
