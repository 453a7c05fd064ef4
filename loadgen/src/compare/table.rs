//! A comparison for people.

use comfy_table::Cell;

use super::judge::{Basis, Change, Judgement, Verdict};
use super::outcome::{Comparison, Side};
use crate::table::{new_table, number};

/// Prints it.
pub fn print(comparison: &Comparison) {
    println!(
        "base {}, new {}; {} pairs of runs",
        build(&comparison.base),
        build(&comparison.new),
        comparison.pairs
    );
    for note in &comparison.notes {
        println!("NOTE: {note}");
    }
    let mut loads: Vec<&str> = comparison.judgements.iter().map(|j| j.load.as_str()).collect();
    loads.dedup();
    for load in loads {
        println!("\n{load}");
        let of_load = comparison.judgements.iter().filter(|j| j.load == load);
        println!("{}", table(of_load, comparison.judges()));
    }
    println!(
        "\nIntervals and verdicts hold for all numbers at once: of 100 comparisons of equal builds \
         at most {} flag anything.",
        comparison.false_alarms_percent
    );
    println!("{}", comparison.summary);
}

fn build(side: &Side) -> String {
    match side.revisions.as_slice() {
        [] => "of unknown revision".to_owned(),
        revisions => revisions.join(", "),
    }
}

fn table<'a>(judgements: impl Iterator<Item = &'a Judgement>, judges: bool) -> comfy_table::Table {
    let mut table =
        new_table(&["", "change", "over the floor", "p", "p of all", "would find", "verdict"]);
    for judgement in judgements {
        let main = if judgement.main { " (main)" } else { "" };
        let verdict = if judges { words(judgement) } else { "not judged".to_owned() };
        table.add_row(vec![
            Cell::new(format!("{}{main}", judgement.metric.name())),
            number(change(judgement.raw, judgement.judged == Basis::Raw)),
            number(change(judgement.over_floor, judgement.judged == Basis::OverFloor)),
            number(format!("{:.4}", judgement.p)),
            number(format!("{:.4}", judgement.p_adjusted)),
            number(judgement.would_find_percent.map_or("-".to_owned(), |p| format!("{p:.1} %"))),
            Cell::new(verdict),
        ]);
    }
    table
}

/// A change with its interval; a star marks the one that is judged.
#[must_use]
pub fn change(change: Option<Change>, judged: bool) -> String {
    let Some(Change { percent, interval_percent }) = change else { return String::new() };
    let mut text = format!("{percent:+.1} %");
    if let Some((low, high)) = interval_percent {
        text += &format!(" [{low:+.1}, {high:+.1}]");
    }
    text + if judged { " *" } else { "" }
}

/// A verdict in words.
#[must_use]
pub fn words(judgement: &Judgement) -> String {
    match judgement.verdict {
        Verdict::Regressed => "REGRESSED".to_owned(),
        Verdict::Improved => "improved".to_owned(),
        Verdict::NoEvidence => "no evidence".to_owned(),
        Verdict::TooFewRuns { needed: Some(needed) } if judgement.pairs < needed => {
            format!("too few runs: needs {needed} each")
        }
        Verdict::TooFewRuns { needed: Some(_) } => "too few runs".to_owned(),
        Verdict::TooFewRuns { needed: None } => "too noisy".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judged_change_has_a_star_and_its_interval() {
        let found = Change { percent: 5.04, interval_percent: Some((3.0, 7.26)) };
        assert_eq!(change(Some(found), true), "+5.0 % [+3.0, +7.3] *");
        let found = Change { percent: -0.5, interval_percent: None };
        assert_eq!(change(Some(found), false), "-0.5 %");
        assert_eq!(change(None, true), "");
    }
}
