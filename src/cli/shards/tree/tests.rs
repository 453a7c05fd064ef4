use proptest::prelude::*;

use super::*;
use crate::base::ids::{CoreId, Millis, Seq};
use crate::record::{HashKey, HashRange};
use crate::wire::shards::ShardEnd;

/// Shards that come from each other, as reshards make them.
struct History(Vec<ShardDescription>);

impl History {
    fn new(shards: u32) -> History {
        let mut history = History(Vec::new());
        for range in HashRange::split_evenly(shards) {
            history.open(range, None, None);
        }
        history
    }

    fn open(&mut self, range: HashRange, parent: Option<u32>, adjacent: Option<u32>) {
        self.0.push(ShardDescription {
            number: ShardNumber(self.0.len() as u32),
            home: CoreId(0),
            range,
            parent: parent.map(ShardNumber),
            adjacent_parent: adjacent.map(ShardNumber),
            created: Millis(0),
            closed: None,
        });
    }

    fn close(&mut self, shard: u32) -> HashRange {
        let shard = &mut self.0[shard as usize];
        shard.closed = Some(ShardEnd { at: Millis(0), end: Seq(0) });
        shard.range
    }

    fn split(&mut self, shard: u32) {
        let HashRange { start, end } = self.close(shard);
        let middle = start.0 + (end.0 - start.0) / 2;
        self.open(HashRange { start, end: HashKey(middle) }, Some(shard), None);
        self.open(HashRange { start: HashKey(middle + 1), end }, Some(shard), None);
    }

    fn merge(&mut self, shard: u32, adjacent: u32) {
        let (start, end) = (self.close(shard).start, self.close(adjacent).end);
        self.open(HashRange { start, end }, Some(shard), Some(adjacent));
    }

    /// The open shards by hash key.
    fn open_shards(&self) -> Vec<u32> {
        let mut open: Vec<_> = self.0.iter().filter(|shard| shard.is_open()).collect();
        open.sort_by_key(|shard| shard.range.start);
        open.iter().map(|shard| shard.number.0).collect()
    }

    fn drawing(&self) -> Vec<String> {
        let number = |row: &Row| self.0[row.shard].number.0;
        draw(&self.0).iter().map(|row| format!("{:<8}{}", row.lines, number(row))).collect()
    }
}

#[test]
fn without_reshards_there_is_nothing_to_join() {
    assert_eq!(History::new(3).drawing(), ["●       0", "●       1", "●       2"]);
}

#[test]
fn children_stand_below_the_shard_that_was_split() {
    let mut history = History::new(2);
    history.split(0);
    history.split(3);
    assert_eq!(
        history.drawing(),
        ["○       0", "├─●     2", "╰─○     3", "  ├─●   4", "  ╰─●   5", "●       1"]
    );
}

#[test]
fn a_merge_is_joined_to_both_of_its_parents() {
    let mut history = History::new(2);
    history.split(0);
    history.split(1);
    history.merge(3, 4);
    assert_eq!(
        history.drawing(),
        ["○       0", "├─●     2", "╰─○─╮   3", "○   │   1", "├─○─┤   4", "│   ●   6", "╰─●     5",]
    );
}

#[test]
fn neighbours_that_were_merged_at_once_hang_together() {
    let mut history = History::new(2);
    history.merge(0, 1);
    assert_eq!(history.drawing(), ["○─╮     0", "○─┤     1", "  ●     2"]);
}

#[test]
fn a_merge_of_two_generations_joins_both() {
    let mut history = History::new(2);
    history.split(1);
    history.split(2);
    history.merge(0, 4);
    assert_eq!(
        history.drawing(),
        ["○─────╮ 0", "○     │ 1", "├─○   │ 2", "│ ├─○─┤ 4", "│ │   ● 6", "│ ╰─●   5", "╰─●     3",]
    );
}

#[test]
fn a_parent_that_is_not_listed_leaves_its_children_without_a_line() {
    let mut history = History::new(3);
    history.split(0);
    history.merge(1, 2);
    history.0.retain(|shard| ![0, 2].contains(&shard.number.0));
    assert_eq!(history.drawing(), ["●       3", "●       4", "○       1", "╰─●     5"]);
}

#[derive(Clone, Debug)]
enum Step {
    Split(prop::sample::Index),
    Merge(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        any::<prop::sample::Index>().prop_map(Step::Split),
        any::<prop::sample::Index>().prop_map(Step::Merge),
    ];
    prop::collection::vec(step, 0..60)
}

fn history(shards: u32, steps: &[Step]) -> History {
    let mut history = History::new(shards);
    for step in steps {
        let open = history.open_shards();
        match step {
            Step::Split(at) => history.split(*at.get(&open)),
            Step::Merge(at) if open.len() > 1 => {
                let first = at.index(open.len() - 1);
                history.merge(open[first], open[first + 1]);
            }
            Step::Merge(_) => {}
        }
    }
    history
}

/// Which sides of a sign a line leaves it by: left, right, up, down.
fn sides(sign: char) -> Option<[bool; 4]> {
    Some(match sign {
        ' ' => [false; 4],
        '│' => [false, false, true, true],
        '─' => [true, true, false, false],
        '├' => [false, true, true, true],
        '╰' => [false, true, true, false],
        '╮' => [true, false, false, true],
        '┤' => [true, false, true, true],
        '┼' => [true; 4],
        _ => return None,
    })
}

proptest! {
    /// No line ends in nothing, however the shards came about: the columns never collide.
    #[test]
    fn every_line_leads_from_a_shard_to_a_shard(shards in 1u32..6, steps in steps()) {
        let history = history(shards, &steps);
        let rows = draw(&history.0);
        prop_assert_eq!(rows.len(), history.0.len());
        let place: HashMap<u32, usize> =
            rows.iter().enumerate().map(|(i, row)| (history.0[row.shard].number.0, i)).collect();
        for shard in &history.0 {
            for parent in shard.parents() {
                prop_assert!(place[&parent.0] < place[&shard.number.0], "{} first", parent);
            }
        }
        let cells: Vec<Vec<char>> = rows.iter().map(|row| row.lines.chars().collect()).collect();
        let at = |row: usize, column: usize| {
            cells.get(row).and_then(|row| row.get(column)).copied().unwrap_or(' ')
        };
        for (row, line) in cells.iter().enumerate() {
            for (column, sign) in line.iter().enumerate() {
                let Some([left, right, up, down]) = sides(*sign) else { continue };
                // A shard takes lines from every side.
                let meets = |other: char, side: usize| sides(other).is_none_or(|s| s[side]);
                let above = if row == 0 { ' ' } else { at(row - 1, column) };
                let joined = (!left || meets(line[column - 1], 1))
                    && (!right || meets(at(row, column + 1), 0))
                    && (!up || meets(above, 3))
                    && (!down || meets(at(row + 1, column), 2));
                let drawing: Vec<_> = rows.iter().map(|row| &row.lines).collect();
                prop_assert!(joined, "row {row}, column {column} of {drawing:#?}");
            }
        }
    }
}
