//! What commands print: tables for people, JSON for programs, both to stdout.

use std::io::{self, Write};

use clap::Args;
use comfy_table::{Table, presets};
use serde::Serialize;

use super::failure::Failure;

/// The choice between the two.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct Format {
    /// Print JSON instead of text for people
    #[arg(long, display_order = 101)]
    pub(super) json: bool,
}

/// Prints one line or several.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()).map_err(|e| Failure::stdout(&e))
}

/// Prints `value` as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).expect("these types have only text keys");
    print(&text)
}

/// An empty table with this header, or without one.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header.iter().copied());
    }
    table
}

/// The table's lines: no frame and no trailing blanks, so that `awk` can read them too.
pub(super) fn lines_of(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
