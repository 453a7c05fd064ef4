//! Shards as lines of a drawing: each behind its parents, with the lines that join them.
//!
//! A shard's column is how many generations lie above it. Shards are drawn from the lowest hash key
//! to the highest, a shard's children right behind it as soon as all their parents are drawn: so
//! every line comes to its end before another needs its column. The line of a merge's first parent
//! comes down in the column of the child, where the line of the second parent meets it.
//!
//! ```text
//! ○        0 was split into 2 and 3
//! ├─●      2
//! ╰─○─╮    3 waits for 4
//! ○   │    1 was split into 4 and 5
//! ├─○─┤    4
//! │   ●    6 comes from 3 and 4
//! ╰─●      5
//! ```

use std::collections::HashMap;

use crate::base::ids::ShardNumber;
use crate::wire::shards::ShardDescription;

/// A line of the drawing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Index of the shard in the listing.
    pub(super) shard: usize,
    /// What stands in front of it.
    pub(super) lines: String,
    /// Whether no line joins it to anything above.
    pub(super) starts_family: bool,
}

/// Draws all of `shards`. Parents that are not among them are left out.
pub(super) fn draw(shards: &[ShardDescription]) -> Vec<Row> {
    let kin = Kin::of(shards);
    let mut by_key: Vec<usize> = (0..shards.len()).collect();
    by_key.sort_by_key(|&i| (shards[i].range.start, shards[i].number));
    let is_root = |i: &usize| kin.parents[*i].is_empty();
    // On top is what is drawn next.
    let mut next: Vec<usize> = by_key.into_iter().filter(is_root).rev().collect();
    let mut canvas = Canvas::default();
    let mut drawn = vec![false; shards.len()];
    let mut rows = Vec::with_capacity(shards.len());
    while let Some(shard) = next.pop() {
        drawn[shard] = true;
        rows.push(canvas.row(shard, &kin, &drawn, shards[shard].is_open()));
        let ready = |child: &&usize| kin.parents[**child].iter().all(|&parent| drawn[parent]);
        next.extend(kin.children[shard].iter().filter(ready).rev());
    }
    rows
}

/// Who comes from whom, by the shards' indices.
struct Kin {
    parents: Vec<Vec<usize>>,
    /// By hash key.
    children: Vec<Vec<usize>>,
    /// Generations above a shard.
    depth: Vec<usize>,
}

impl Kin {
    fn of(shards: &[ShardDescription]) -> Kin {
        let index: HashMap<ShardNumber, usize> =
            shards.iter().enumerate().map(|(i, shard)| (shard.number, i)).collect();
        let mut kin = Kin {
            parents: vec![Vec::new(); shards.len()],
            children: vec![Vec::new(); shards.len()],
            depth: vec![0; shards.len()],
        };
        let mut by_number: Vec<usize> = (0..shards.len()).collect();
        by_number.sort_by_key(|&i| shards[i].number);
        for child in by_number {
            // A parent's number is lower: its own depth is known.
            let older = shards[child].parents().filter(|parent| *parent < shards[child].number);
            let parents: Vec<usize> = older.filter_map(|p| index.get(&p).copied()).collect();
            for &parent in &parents {
                kin.children[parent].push(child);
                kin.depth[child] = kin.depth[child].max(kin.depth[parent] + 1);
            }
            kin.parents[child] = parents;
        }
        for children in &mut kin.children {
            children.sort_by_key(|&child| (shards[child].range.start, shards[child].number));
        }
        kin
    }
}

/// The lines that come down from above, by column.
#[derive(Default)]
struct Canvas {
    lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    None,
    /// From a shard to so many children that are not drawn yet.
    Children(usize),
    /// From one parent of a merge to the child, past the other parent.
    Merge,
}

impl Canvas {
    fn row(&mut self, shard: usize, kin: &Kin, drawn: &[bool], is_open: bool) -> Row {
        let column = kin.depth[shard];
        let merges: Vec<usize> = kin.children[shard]
            .iter()
            .filter(|&&child| kin.parents[child].len() > 1)
            .map(|&child| kin.depth[child])
            .collect();
        let width = merges.iter().copied().max().unwrap_or(0).max(column) + 1;
        if self.lines.len() < width {
            self.lines.resize(width, Line::None);
        }
        let starts_family = self.lines.iter().all(|line| *line == Line::None);
        let mut cells = Cells::of(&self.lines);
        if let [parent] = kin.parents[shard][..] {
            let from = kin.depth[parent];
            cells.join(from, if self.leave(from) { '├' } else { '╰' }, column);
        }
        self.lines[column] = Line::None;
        cells.put(column, if is_open { '●' } else { '○' });
        for to in merges {
            let first = self.lines[to] == Line::None;
            cells.join(column, if is_open { '●' } else { '○' }, to);
            cells.put(to, if first { '╮' } else { '┤' });
            self.lines[to] = Line::Merge;
        }
        let alone = |child: &&usize| kin.parents[**child].len() == 1 && !drawn[**child];
        match kin.children[shard].iter().filter(alone).count() {
            0 => {}
            children => self.lines[column] = Line::Children(children),
        }
        Row { shard, lines: cells.text(), starts_family }
    }

    /// A child is drawn; whether others follow.
    fn leave(&mut self, column: usize) -> bool {
        let left = match self.lines[column] {
            Line::Children(n) => n - 1,
            _ => 0,
        };
        self.lines[column] = if left > 0 { Line::Children(left) } else { Line::None };
        left > 0
    }
}

/// A row while it is drawn: a sign for each column, and what stands between two.
struct Cells(Vec<(char, char)>);

impl Cells {
    fn of(lines: &[Line]) -> Cells {
        let sign = |line: &Line| if *line == Line::None { ' ' } else { '│' };
        Cells(lines.iter().map(|line| (sign(line), ' ')).collect())
    }

    fn put(&mut self, column: usize, sign: char) {
        self.0[column].0 = sign;
    }

    /// A line from `sign` at column `from` to column `to`, across those between.
    fn join(&mut self, from: usize, sign: char, to: usize) {
        self.0[from] = (sign, '─');
        for cell in &mut self.0[from + 1..to] {
            *cell = (if cell.0 == '│' || cell.0 == '┼' { '┼' } else { '─' }, '─');
        }
    }

    fn text(&self) -> String {
        let text: String = self.0.iter().flat_map(|&(sign, gap)| [sign, gap]).collect();
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests;
