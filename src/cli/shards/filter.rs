//! `--filter`.

use crate::base::clock::wall_now;
use crate::cli::shard::parse_shard;
use crate::cli::time::parse_time;
use crate::wire::shards::ShardFilter;

/// Reads a filter by the name that AWS gives it.
pub(super) fn parse_filter(text: &str) -> Result<ShardFilter, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let time = |value| parse_time(value, wall_now());
    match (name, value) {
        ("from-trim-horizon", None) => Ok(ShardFilter::FromTrimHorizon),
        ("at-trim-horizon", None) => Ok(ShardFilter::AtTrimHorizon),
        ("at-latest" | "open", None) => Ok(ShardFilter::AtLatest),
        ("at-timestamp", Some(value)) => time(value).map(ShardFilter::AtTimestamp),
        ("from-timestamp", Some(value)) => time(value).map(ShardFilter::FromTimestamp),
        ("after", Some(value)) => parse_shard(value).map(ShardFilter::AfterShard),
        _ => Err("a filter is from-trim-horizon, at-trim-horizon, at-latest, at-timestamp=T, \
                  from-timestamp=T or after=SHARD"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Millis, ShardNumber};

    #[test]
    fn filters_have_the_names_of_aws() {
        let time = Millis(1_700_000_000_000);
        for (text, filter) in [
            ("from-trim-horizon", ShardFilter::FromTrimHorizon),
            ("at-trim-horizon", ShardFilter::AtTrimHorizon),
            ("at-latest", ShardFilter::AtLatest),
            ("open", ShardFilter::AtLatest),
            ("at-timestamp=1700000000", ShardFilter::AtTimestamp(time)),
            ("from-timestamp=2023-11-14T22:13:20Z", ShardFilter::FromTimestamp(time)),
            ("after=shardId-000000000007", ShardFilter::AfterShard(ShardNumber(7))),
        ] {
            assert_eq!(parse_filter(text), Ok(filter), "{text}");
        }
        for wrong in ["", "all", "at-timestamp", "at-latest=1", "after=x", "at-timestamp=soon"] {
            assert!(parse_filter(wrong).is_err(), "{wrong}");
        }
    }
}
