//! What split, merge and scale share: the request, and what it has done.

use serde::Serialize;

use crate::cli::connect::Server;
use crate::cli::failure::Failure;
use crate::cli::output::{Format, lines_of, print, print_json, table};
use crate::cli::shard::{ShardShape, parents_text, percent, percent_text, state_text};
use crate::wire::reshard::{Reshard, Resharded};

#[derive(Serialize)]
struct ReshardedShape<'a> {
    stream: &'a str,
    open_shards_before: u32,
    open_shards: u32,
    map_version: u64,
    shards: Vec<ShardShape>,
}

/// Asks for the change, waits until it is done and prints which shards were closed and made.
pub(super) fn reshard(
    server: &Server,
    stream: &str,
    reshard: Reshard,
    format: Format,
) -> Result<(), Failure> {
    let done = server.connect_patiently()?.reshard_stream(stream, reshard)?;
    if format.json {
        return print_json(&ReshardedShape {
            stream,
            open_shards_before: done.before,
            open_shards: done.after,
            map_version: done.map_version,
            shards: done.shards.iter().map(ShardShape::of).collect(),
        });
    }
    print(&text(stream, &done))
}

fn text(stream: &str, done: &Resharded) -> String {
    if done.shards.is_empty() {
        return format!("{stream}: already has {} even shards", done.after);
    }
    let narrowest = done.shards.iter().map(|s| percent(s.range)).fold(100.0, f64::min);
    let mut rows = table(&["SHARD", "STATE", "PARENTS", "HASH KEYS"]);
    for shard in done.shards.iter().take(SHOWN) {
        rows.add_row([
            shard.number.to_string(),
            state_text(shard).to_owned(),
            parents_text(shard),
            percent_text(shard.range, narrowest),
        ]);
    }
    let more = match done.shards.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("and {n} more; `shardway shards {stream}` draws them\n"),
    };
    let head = format!("{stream}: {} open shards before, {} now", done.before, done.after);
    format!("{head}\n{}{more}", lines_of(rows))
}

/// Shards that are listed for people.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CoreId, Millis, Seq, ShardNumber};
    use crate::record::HashRange;
    use crate::wire::shards::{ShardDescription, ShardEnd};

    fn shard(number: u32, parents: [Option<u32>; 2], closed: bool) -> ShardDescription {
        ShardDescription {
            number: ShardNumber(number),
            home: CoreId(0),
            range: HashRange::split_evenly(4)[number as usize % 4],
            parent: parents[0].map(ShardNumber),
            adjacent_parent: parents[1].map(ShardNumber),
            created: Millis(0),
            closed: closed.then_some(ShardEnd { at: Millis(1), end: Seq(5) }),
        }
    }

    #[test]
    fn what_was_closed_and_made_is_listed_with_parents() {
        let shards = vec![
            shard(0, [None; 2], true),
            shard(1, [None; 2], true),
            shard(4, [Some(0), Some(1)], false),
        ];
        let done = Resharded { before: 4, after: 3, map_version: 2, shards };
        let text = text("orders", &done);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "orders: 4 open shards before, 3 now");
        assert_eq!(lines[4], "shardId-000000000004  open    0+1      0.0 – 25.0 %");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn a_change_of_many_shards_is_cut_short_and_no_change_says_so() {
        let shards = (0..100).map(|n| shard(n, [None; 2], true)).collect();
        let done = Resharded { before: 100, after: 200, map_version: 2, shards };
        assert!(text("s", &done).contains("and 60 more; `shardway shards s`"));
        let nothing = Resharded { before: 4, after: 4, map_version: 1, shards: vec![] };
        assert_eq!(text("s", &nothing), "s: already has 4 even shards");
    }
}
