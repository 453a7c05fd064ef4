//! Shards: how people name them, and how they look.

use serde::Serialize;

use super::time::format_time;
use crate::base::ids::ShardNumber;
use crate::record::{HashKey, HashRange};
use crate::wire::shards::ShardDescription;

/// Reads `7`, `shardId-000000000007`, or any text with the number behind its first `-` (AWS).
pub(super) fn parse_shard(text: &str) -> Result<ShardNumber, String> {
    let digits = text.split_once('-').map_or(text, |(_, number)| number);
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok());
    match number.flatten() {
        Some(number) if number <= NUMBER_MAX => Ok(ShardNumber(number)),
        _ => Err("a shard is a number such as 7, or shardId-000000000007".to_owned()),
    }
}

/// Reads a hash key: decimal, or hexadecimal behind `0x`.
pub(super) fn parse_hash_key(text: &str) -> Result<HashKey, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(hex) if !hex.starts_with('+') => u128::from_str_radix(hex, 16).ok(),
        None if !text.starts_with('+') => text.parse().ok(),
        _ => None,
    };
    let invalid = "a hash key is a number from 0 to 340282366920938463463374607431768211455, or 0x \
                   and up to 32 hexadecimal digits";
    parsed.map(HashKey).ok_or_else(|| invalid.to_owned())
}

/// A shard as JSON shows it. Hash keys are text: they have more digits than JSON numbers keep.
#[derive(Serialize)]
pub(super) struct ShardShape {
    shard: String,
    open: bool,
    home_core: u16,
    hash_key_start: String,
    hash_key_end: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjacent_parent: Option<String>,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    /// Behind its last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<u64>,
}

impl ShardShape {
    pub(super) fn of(s: &ShardDescription) -> ShardShape {
        ShardShape {
            shard: s.number.to_string(),
            open: s.is_open(),
            home_core: s.home.0,
            hash_key_start: s.range.start.to_string(),
            hash_key_end: s.range.end.to_string(),
            parent: s.parent.map(|parent| parent.to_string()),
            adjacent_parent: s.adjacent_parent.map(|parent| parent.to_string()),
            created: format_time(s.created),
            closed: s.closed.map(|closed| format_time(closed.at)),
            end: s.closed.map(|closed| closed.end.0),
        }
    }
}

/// `open` or `closed`.
pub(super) fn state_text(shard: &ShardDescription) -> &'static str {
    if shard.is_open() { "open" } else { "closed" }
}

/// The numbers of the parents, or `-`.
pub(super) fn parents_text(shard: &ShardDescription) -> String {
    let parents: Vec<_> = shard.parents().map(|parent| parent.0.to_string()).collect();
    if parents.is_empty() { "-".to_owned() } else { parents.join("+") }
}

/// A range as parts of the key space, with as many decimals as tell ranges of width `narrowest`
/// apart.
pub(super) fn percent_text(range: HashRange, narrowest: f64) -> String {
    let decimals = if narrowest >= 1.0 { 1 } else { 3 };
    let start = range.start.0 as f64 / KEYS * 100.0;
    let end = (range.end.0 as f64 + 1.0) / KEYS * 100.0;
    format!("{start:.decimals$} – {end:.decimals$} %")
}

/// The width of a range in percent of the key space.
pub(super) fn percent(range: HashRange) -> f64 {
    ((range.end.0 - range.start.0) as f64 + 1.0) / KEYS * 100.0
}

/// The highest number of a shard that AWS takes.
const NUMBER_MAX: u32 = i32::MAX as u32;
/// 2^128: the number of hash keys.
const KEYS: f64 = (u128::MAX as f64) + 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_named_by_its_number_or_by_anything_behind_a_dash() {
        for text in ["7", "shardId-000000000007", "shard-7", "x-07", "-7"] {
            assert_eq!(parse_shard(text), Ok(ShardNumber(7)), "{text}");
        }
        assert_eq!(parse_shard("2147483647"), Ok(ShardNumber(2_147_483_647)));
        for wrong in ["", "x", "shardId-", "7x", "a-b-7", "2147483648", "+7", "shard-+7"] {
            assert!(parse_shard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_hash_key_is_decimal_or_hexadecimal() {
        assert_eq!(parse_hash_key("17"), Ok(HashKey(17)));
        assert_eq!(parse_hash_key("0x80"), Ok(HashKey(128)));
        let last = "340282366920938463463374607431768211455";
        assert_eq!(parse_hash_key(last), Ok(HashKey(u128::MAX)));
        for wrong in ["", "0x", "-1", "+1", "0x+1", "340282366920938463463374607431768211456"] {
            assert!(parse_hash_key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_are_parts_of_the_key_space() {
        let quarters = HashRange::split_evenly(4);
        assert_eq!(percent_text(quarters[1], 25.0), "25.0 – 50.0 %");
        assert_eq!(percent_text(quarters[3], 25.0), "75.0 – 100.0 %");
        assert!((percent(quarters[2]) - 25.0).abs() < 1e-9);
        let narrow = HashRange::split_evenly(10_000);
        assert_eq!(percent_text(narrow[1], percent(narrow[1])), "0.010 – 0.020 %");
    }
}
