//! One record for every shard, and whether it is there.

use std::collections::HashMap;

use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::base::limits::{PUT_RECORDS_MAX, READ_BYTES_MAX};
use shardway::base::stream::Position;
use shardway::client::{Client, Incoming};
use shardway::record::BatchBuilder;
use shardway::wire::shards::{ShardDescription, ShardMap};

use crate::failure::{Failure, Result};

/// Gets that are under way at once: what a connection may have.
const GETS: usize = 32;
/// Records that a get may bring.
const LIMIT: u32 = 10;
/// Waits for an answer are cut into pieces of this length; none is final.
const TICK: std::time::Duration = std::time::Duration::from_secs(10);

/// Puts record number `n` of every shard, in batches that the server takes apart.
pub fn write(client: &mut Client, maps: &[ShardMap], n: u8) -> Result<()> {
    let mut builder = BatchBuilder::new();
    for map in maps {
        for shards in map.shards.chunks(PUT_RECORDS_MAX) {
            builder.clear();
            for shard in shards {
                let data = data(map.stream, shard.number, n);
                let put = builder.push("loadgen", Some(shard.range.start), &data);
                put.expect("a few bytes for each shard");
            }
            let (any, version) = (ShardNumber::ANY, map.map_version);
            let answer = client.put(map.stream, any, version, builder.finish())?;
            if let Some(code) = answer.runs.iter().find_map(|run| run.outcome.err()) {
                return Err(Failure::Server { code, message: answer.message });
            }
        }
    }
    Ok(())
}

/// Reads all shards, each of which must have the records 0 … `n`, and says how many there are.
pub fn verify(client: &mut Client, maps: &[ShardMap], n: u8) -> Result<u64> {
    let mut records = 0;
    for map in maps {
        for shards in map.shards.chunks(GETS) {
            records += verify_some(client, map.stream, shards, n)?;
        }
    }
    Ok(records)
}

/// Reads these shards side by side. A get may bring less than there is: each is read until the
/// answer says that nothing is behind it.
fn verify_some(
    client: &mut Client,
    stream: StreamUuid,
    shards: &[ShardDescription],
    n: u8,
) -> Result<u64> {
    let mut open = HashMap::new();
    for shard in shards {
        let iterator = client.get_iterator(stream, shard.number, Position::TrimHorizon)?;
        let get = client.send_get(&iterator, LIMIT, READ_BYTES_MAX as u32, 0)?;
        open.insert(get, (shard.number, Vec::new()));
    }
    let mut records = 0;
    while !open.is_empty() {
        let (get, answer) = match client.next_event(TICK)? {
            Some(Incoming::Fetched { correlation, answer }) => (correlation, answer),
            Some(Incoming::Failed { error, .. }) => return Err(error.into()),
            other => return Err(Failure::Stalled(format!("{other:?} for a get"))),
        };
        let unasked = || Failure::Protocol("an answer without a get".to_owned());
        let (shard, mut found) = open.remove(&get).ok_or_else(unasked)?;
        let before = found.len();
        let read = answer.batches.for_each(|read| found.push(read.record.data.to_vec()));
        read.map_err(Failure::Protocol)?;
        let moved = found.len() > before;
        if moved && answer.behind_ms > 0 {
            let get = client.send_get(&answer.next_iterator, LIMIT, READ_BYTES_MAX as u32, 0)?;
            open.insert(get, (shard, found));
            continue;
        }
        records += found.len() as u64;
        let wanted = (0..n).map(|n| data(stream, shard, n));
        if !wanted.eq(found.iter().cloned()) {
            return Err(Failure::Protocol(format!(
                "VERIFICATION FAILED: shard {shard} has {} records of {n}, or others",
                found.len()
            )));
        }
    }
    Ok(records)
}

fn data(stream: StreamUuid, shard: ShardNumber, n: u8) -> Vec<u8> {
    [&stream.0[..], &shard.0.to_le_bytes(), &[n]].concat()
}
