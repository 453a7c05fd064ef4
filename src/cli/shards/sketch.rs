//! The drawing with its columns, for people.

use std::collections::HashSet;
use std::ops::Range;

use comfy_table::{Attribute, Cell, CellAlignment, Color};
use indicatif::{HumanBytes, HumanCount};

use super::Keys;
use super::fold::{Line, fold};
use super::listing::Listing;
use super::tree::{Row, draw};
use crate::base::stream::ShardLimits;
use crate::cli::output::{lines_of, table};
use crate::cli::shard::{percent, percent_text, state_text};
use crate::record::{HashKey, HashRange};
use crate::wire::shards::{ShardDescription, ShardStats};

/// Draws the listing: a line about all of it, and the tree. `all` folds nothing.
pub(super) fn sketch(listing: &Listing, keys: Keys, all: bool) -> String {
    let rows = draw(&listing.shards);
    let lines = match all {
        true => (0..rows.len()).map(Line::Shard).collect(),
        false => fold(&rows, &hottest(listing, &rows)),
    };
    let narrowest = listing.shards.iter().map(|s| percent(s.range)).fold(100.0, f64::min);
    let sketch = Sketch { listing, rows: &rows, keys, narrowest };
    let mut out = table(&sketch.header());
    for line in &lines {
        match line {
            Line::Shard(row) => out.add_row(sketch.shard(&rows[*row])),
            Line::Folded(range) => out.add_row(sketch.folded(range)),
        };
    }
    for column in out.column_iter_mut().skip(sketch.first_number()).take(NUMBERS) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n{}", summary(listing), lines_of(out))
}

/// The rows of the hottest shards: they are shown whatever is folded.
fn hottest(listing: &Listing, rows: &[Row]) -> HashSet<usize> {
    let load = |row: usize| listing.load_of(&listing.shards[rows[row].shard]);
    let is_hot = |row: &usize| listing.is_hot(&listing.shards[rows[*row].shard]);
    let mut hot: Vec<usize> = (0..rows.len()).filter(is_hot).collect();
    hot.sort_by_key(|row| std::cmp::Reverse(load(*row)));
    hot.into_iter().take(HOTTEST).collect()
}

/// One line about the whole stream.
fn summary(listing: &Listing) -> String {
    let stream = &listing.stream;
    let sum = Sum::of(listing, &listing.shards);
    let mut text = format!(
        "{}: {}, {}, {} open and {} closed shards",
        stream.name,
        stream.status.word(),
        stream.options.mode.word(),
        HumanCount(sum.open),
        HumanCount(sum.shards - sum.open)
    );
    if listing.stats.is_some() {
        text += &format!(
            "; {} records in {}, {}/s and {} records/s come in",
            HumanCount(sum.records),
            HumanBytes(sum.bytes),
            HumanBytes(sum.in_bytes),
            HumanCount(sum.in_records)
        );
        if stream.options.limits != ShardLimits::OFF {
            text += &format!(", {} hot", HumanCount(sum.hot));
        }
    }
    text
}

struct Sketch<'a> {
    listing: &'a Listing,
    rows: &'a [Row],
    keys: Keys,
    /// Percent of the key space.
    narrowest: f64,
}

impl Sketch<'_> {
    fn header(&self) -> Vec<&'static str> {
        let mut header = vec!["", "SHARD", "HASH KEYS"];
        if self.keys != Keys::Percent {
            header.extend(["FIRST HASH KEY", "LAST HASH KEY"]);
        }
        header.extend(["STATE", "CORE"]);
        if self.listing.stats.is_some() {
            header.extend(["RECORDS", "BYTES", "BYTES/S IN", "RECORDS/S IN", "NOTES"]);
        }
        header
    }

    /// The first column of numbers that are to be compared.
    fn first_number(&self) -> usize {
        if self.keys == Keys::Percent { 5 } else { 7 }
    }

    fn shard(&self, row: &Row) -> Vec<Cell> {
        let shard = &self.listing.shards[row.shard];
        let mut cells = vec![row.lines.clone(), shard.number.0.to_string()];
        cells.extend(self.hash_keys(shard.range));
        cells.extend([state_text(shard).to_owned(), shard.home.to_string()]);
        let mut notes = None;
        if let Some(stats) = self.listing.stats_of(shard) {
            let (bytes, per_s) = (HumanBytes(stats.bytes), HumanBytes(stats.in_bytes_per_s));
            cells.extend([HumanCount(stats.records()).to_string(), bytes.to_string()]);
            // Nothing comes into a closed shard.
            cells.extend(match shard.is_open() {
                true => [per_s.to_string(), HumanCount(stats.in_records_per_s).to_string()],
                false => ["-".to_owned(), "-".to_owned()],
            });
            notes = Some(self.notes(shard, &stats));
        }
        let hot = self.listing.is_hot(shard);
        let style = |text: String| match shard.is_open() {
            true => Cell::new(text),
            false => Cell::new(text).add_attribute(Attribute::Dim),
        };
        let mut cells: Vec<Cell> = cells.into_iter().map(style).collect();
        cells.extend(notes.map(|notes| match hot {
            true => Cell::new(notes).fg(Color::Yellow).add_attribute(Attribute::Bold),
            false => style(notes),
        }));
        cells
    }

    fn notes(&self, shard: &ShardDescription, stats: &ShardStats) -> String {
        let mut notes = Vec::new();
        if self.listing.is_hot(shard) {
            notes.push(format!("HOT {} %", self.listing.load_of(shard).unwrap_or_default()));
        }
        if stats.throttled > 0 {
            notes.push(format!("throttled {}", HumanCount(stats.throttled)));
        }
        if stats.subscriptions > 0 {
            notes.push(format!("subscriptions {}", stats.subscriptions));
        }
        notes.join(", ")
    }

    /// One line for many shards.
    fn folded(&self, rows: &Range<usize>) -> Vec<Cell> {
        let shards: Vec<_> =
            self.rows[rows.clone()].iter().map(|row| self.listing.shards[row.shard]).collect();
        let sum = Sum::of(self.listing, &shards);
        let mut cells = vec!["⋮".to_owned(), format!("{} shards", HumanCount(sum.shards))];
        cells.extend(self.hash_keys(sum.range));
        cells.extend([format!("{} open", HumanCount(sum.open)), String::new()]);
        if self.listing.stats.is_some() {
            cells.extend([HumanCount(sum.records).to_string(), HumanBytes(sum.bytes).to_string()]);
            cells.push(HumanBytes(sum.in_bytes).to_string());
            cells.push(HumanCount(sum.in_records).to_string());
            let hot =
                if sum.hot > 0 { format!("{} hot, ", HumanCount(sum.hot)) } else { String::new() };
            cells.push(format!("{hot}--all shows them"));
        }
        cells.into_iter().map(|text| Cell::new(text).add_attribute(Attribute::Dim)).collect()
    }

    fn hash_keys(&self, range: HashRange) -> Vec<String> {
        let percent = percent_text(range, self.narrowest);
        match self.keys {
            Keys::Percent => vec![percent],
            Keys::Hex => {
                let hex = |key: HashKey| format!("0x{:032x}", key.0);
                vec![percent, hex(range.start), hex(range.end)]
            }
            Keys::Decimal => vec![percent, range.start.to_string(), range.end.to_string()],
        }
    }
}

/// Several shards together.
struct Sum {
    shards: u64,
    open: u64,
    hot: u64,
    /// From their first hash key to their last.
    range: HashRange,
    records: u64,
    bytes: u64,
    in_bytes: u64,
    in_records: u64,
}

impl Sum {
    fn of(listing: &Listing, shards: &[ShardDescription]) -> Sum {
        let mut sum = Sum {
            shards: shards.len() as u64,
            open: 0,
            hot: 0,
            range: HashRange { start: HashKey(u128::MAX), end: HashKey(0) },
            records: 0,
            bytes: 0,
            in_bytes: 0,
            in_records: 0,
        };
        for shard in shards {
            sum.open += u64::from(shard.is_open());
            sum.hot += u64::from(listing.is_hot(shard));
            sum.range.start = sum.range.start.min(shard.range.start);
            sum.range.end = sum.range.end.max(shard.range.end);
            let stats = listing.stats_of(shard).unwrap_or_default();
            sum.records += stats.records();
            sum.bytes += stats.bytes;
            // What a closed shard took in during the last minute is history.
            if shard.is_open() {
                sum.in_bytes += stats.in_bytes_per_s;
                sum.in_records += stats.in_records_per_s;
            }
        }
        sum
    }
}

/// Hot shards that no fold hides.
const HOTTEST: usize = 20;
/// Columns of numbers.
const NUMBERS: usize = 4;
