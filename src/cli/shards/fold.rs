//! Which lines of a drawing are shown, and which are folded into one.

use std::collections::HashSet;
use std::ops::Range;

use super::tree::Row;

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A row.
    Shard(usize),
    /// So many rows in one line.
    Folded(Range<usize>),
}

/// Folds runs of families that are drawn alike, and the middle of long families. Rows in
/// `important` are always shown, and with them their family where families are folded.
pub(super) fn fold(rows: &[Row], important: &HashSet<usize>) -> Vec<Line> {
    let mut shown = vec![true; rows.len()];
    for run in runs(rows) {
        let count = run.len();
        let alike = count >= RUN_FAMILIES;
        for (nth, family) in run.into_iter().enumerate() {
            let matters = family.clone().any(|row| important.contains(&row));
            if alike && nth >= RUN_HEAD && nth + RUN_TAIL < count && !matters {
                shown[family].fill(false);
            } else if family.len() > FAMILY_ROWS {
                let middle = family.start + FAMILY_HEAD..family.end - FAMILY_TAIL;
                middle.for_each(|row| shown[row] = important.contains(&row));
            }
        }
    }
    lines(&shown)
}

/// Families that are drawn alike and follow each other.
fn runs(rows: &[Row]) -> Vec<Vec<Range<usize>>> {
    let mut starts: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].starts_family).collect();
    starts.push(rows.len());
    let mut runs: Vec<Vec<Range<usize>>> = Vec::new();
    for family in starts.windows(2).map(|pair| pair[0]..pair[1]) {
        let drawn = |family: &Range<usize>| rows[family.clone()].iter().map(|row| &row.lines);
        match runs.last_mut() {
            Some(run) if drawn(&run[0]).eq(drawn(&family)) => run.push(family),
            _ => runs.push(vec![family]),
        }
    }
    runs
}

fn lines(shown: &[bool]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut row = 0;
    while row < shown.len() {
        let hidden = shown[row..].iter().take_while(|shown| !**shown).count();
        match hidden {
            // A fold of one row would save nothing.
            0 | 1 => lines.push(Line::Shard(row)),
            _ => lines.push(Line::Folded(row..row + hidden)),
        }
        row += hidden.max(1);
    }
    lines
}

/// Families alike that are folded; fewer are shown.
const RUN_FAMILIES: usize = 8;
/// Of a run, so many families are shown in front of the fold.
const RUN_HEAD: usize = 2;
/// And so many behind it.
const RUN_TAIL: usize = 1;
/// Rows of a family above which its middle is folded.
const FAMILY_ROWS: usize = 60;
/// Of a long family, so many rows are shown in front of the fold.
const FAMILY_HEAD: usize = 30;
/// And so many behind it.
const FAMILY_TAIL: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Families by what stands in front of their rows, one letter each.
    fn rows(families: &[&str]) -> Vec<Row> {
        let row = |(i, lines): (usize, char)| Row {
            shard: 0,
            lines: lines.to_string(),
            starts_family: i == 0,
        };
        families.iter().flat_map(|family| family.chars().enumerate().map(row)).collect()
    }

    #[test]
    fn a_run_of_families_alike_is_folded_between_its_first_and_its_last() {
        let folded = fold(&rows(&["ab"; 100]), &HashSet::new());
        let first = (0..4).map(Line::Shard);
        let last = [Line::Folded(4..198), Line::Shard(198), Line::Shard(199)];
        assert_eq!(folded, first.chain(last).collect::<Vec<_>>());
    }

    #[test]
    fn a_short_run_and_families_that_differ_are_shown() {
        for families in [vec!["a"; 7], ["a", "b"].repeat(100)] {
            let rows = rows(&families);
            let all: Vec<_> = (0..rows.len()).map(Line::Shard).collect();
            assert_eq!(fold(&rows, &HashSet::new()), all);
        }
    }

    #[test]
    fn an_important_row_is_shown_with_its_family() {
        let folded = fold(&rows(&["ab"; 50]), &HashSet::from([41]));
        assert!(folded.contains(&Line::Folded(4..40)), "{folded:?}");
        assert!(folded.contains(&Line::Shard(40)) && folded.contains(&Line::Shard(41)));
        assert!(folded.contains(&Line::Folded(42..98)), "{folded:?}");
    }

    #[test]
    fn the_middle_of_a_long_family_is_folded_around_what_is_important() {
        let family: String = ('a'..='z').cycle().take(1000).collect();
        let folded = fold(&rows(&[&family]), &HashSet::from([500]));
        assert_eq!(folded.len(), 30 + 1 + 1 + 1 + 10);
        assert_eq!(folded[30], Line::Folded(30..500));
        assert_eq!(folded[31], Line::Shard(500));
        assert_eq!(folded[32], Line::Folded(501..990));
    }
}
