//! Reading everything that a run has written, when nobody read along.

use serde_json::json;

use super::control::{Control, not_json};
use super::ledger::Reader;
use super::model::GetRecordsAnswer;
use super::stream::HttpStream;
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::outcome::ReadBack;
use crate::progress::Progress;

/// Without a record for so long, the rest does not come any more.
const PROGRESS_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// Pause behind an empty answer: AWS gives a shard 5 calls a second.
const EMPTY_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// Reads all shards until `records` were read and nothing is behind them, or no more come.
pub fn read(
    stream: &mut HttpStream,
    reader: &mut Reader,
    records: u64,
    sent: impl Fn(u32) -> u64,
    progress: &Progress,
) -> Result<ReadBack> {
    let start = now_ns();
    let (name, shards) = (stream.name().to_owned(), stream.shards.clone());
    let control = stream.control();
    let mut iterators = Vec::new();
    for shard in &shards {
        let (id, from) = (&shard.id, "TRIM_HORIZON");
        let input = json!({"StreamName": name, "ShardId": id, "ShardIteratorType": from});
        let answer = control.call("GetShardIterator", &input)?;
        iterators.push(answer["ShardIterator"].as_str().map(str::to_owned));
    }
    let (mut read, mut progress_ns, mut end) = (0, now_ns(), false);
    while !(end && read >= records) && now_ns() < progress_ns + nanos(PROGRESS_TIMEOUT) {
        let before = read;
        for (shard, iterator) in iterators.iter_mut().enumerate() {
            let Some(from) = iterator.take() else { continue };
            let (next, records) = page(control, &from, shard, reader, &sent)?;
            *iterator = next;
            read += records;
        }
        progress.show("reading back", read);
        end = read == before;
        if end {
            std::thread::sleep(EMPTY_PAUSE);
        } else {
            progress_ns = now_ns();
        }
    }
    let seconds = (now_ns() - start) as f64 / 1e9;
    Ok(ReadBack { records: read, bytes: reader.bytes(), seconds })
}

/// The next records of a shard: the iterator behind them, and how many they are.
fn page(
    control: &mut Control,
    iterator: &str,
    shard: usize,
    reader: &mut Reader,
    sent: &impl Fn(u32) -> u64,
) -> Result<(Option<String>, u64)> {
    let operation = "GetRecords";
    control.ask(operation, &json!({"ShardIterator": iterator}), |body| {
        let answer: GetRecordsAnswer<'_> =
            serde_json::from_slice(body).map_err(|e| not_json(operation, &e))?;
        for record in &answer.records {
            reader.take(shard, record, sent).map_err(Failure::HttpMismatch)?;
        }
        Ok((answer.next, answer.records.len() as u64))
    })
}
