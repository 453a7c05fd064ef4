//! `Put`: one batch for one stream, and what became of each of its records.

use super::codec::{Decode, DecodeError, Reader, Writer};
use crate::base::error::ErrorCode;
use crate::base::ids::{Millis, Seq, ShardNumber, StreamUuid};
use crate::base::limits::PUT_RECORDS_MAX;

/// Bytes in front of the batch.
pub const PUT_PREFIX_BYTES: usize = 32;

/// A run in an answer.
const RUN_BYTES: usize = 28;

/// A put. The batch is not decoded here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put<'a> {
    /// The stream.
    pub stream: StreamUuid,
    /// The shard of all records, chosen by the client; or [`ShardNumber::ANY`]: the server routes
    /// each record by its hash key.
    pub shard: ShardNumber,
    /// Version of the shard map by which the client chose. An old one makes the server route.
    pub map_version: u64,
    /// The batch: header and body.
    pub batch: &'a [u8],
}

impl Put<'_> {
    /// Writes everything in front of the batch.
    pub fn write_prefix(&self, w: &mut Writer<'_>) {
        w.bytes(&self.stream.0).u32(self.shard.0).u32(0).u64(self.map_version);
    }
}

impl<'a> Decode<'a> for Put<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let stream = StreamUuid(r.array("stream")?);
        let shard = ShardNumber(r.u32("shard")?);
        r.reserved(4)?;
        Ok(Put { stream, shard, map_version: r.u64("map_version")?, batch: r.rest() })
    }
}

/// Records of a put that went to one shard together: they have dense sequences from `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutRun {
    /// Where they went.
    pub shard: ShardNumber,
    /// How many.
    pub count: u32,
    /// Sequence of the first, or why none of them was stored.
    pub outcome: Result<Seq, ErrorCode>,
    /// The arrival time that all of them have; 0 if none was stored.
    pub arrival: Millis,
}

/// The answer to a put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutAnswer<'a> {
    /// One for each shard that got records.
    pub runs: Vec<PutRun>,
    /// The first failure's sentence; empty without one.
    pub message: &'a str,
    /// For each record of the request the index of its run; empty when there is one run.
    pub run_of: Vec<u16>,
}

/// Writes an answer. With one run, `run_of` says nothing and is left out.
pub fn write_put_answer(w: &mut Writer<'_>, runs: &[PutRun], message: &str, run_of: &[u16]) {
    let run_of = if runs.len() == 1 { &[] } else { run_of };
    debug_assert!(runs_cover(runs, run_of), "{runs:?} do not account for {run_of:?}");
    w.u16(runs.len() as u16).u16(run_of.len() as u16);
    for run in runs {
        let (code, base) = match run.outcome {
            Ok(seq) => (0, seq.0),
            Err(code) => (code as u16, 0),
        };
        w.u32(run.shard.0).u32(run.count).u64(base).u64(run.arrival.0).u16(code).u16(0);
    }
    for run in run_of {
        w.u16(*run);
    }
    w.text(message);
}

impl<'a> Decode<'a> for PutAnswer<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (runs_len, records) = (r.u16("runs")?, r.u16("records")?);
        if usize::from(runs_len) > PUT_RECORDS_MAX || usize::from(records) > PUT_RECORDS_MAX {
            return Err(DecodeError::Value("runs"));
        }
        let mut runs = Vec::with_capacity(usize::from(runs_len).min(r.remaining() / RUN_BYTES));
        for _ in 0..runs_len {
            let (shard, count) = (ShardNumber(r.u32("shard")?), r.u32("count")?);
            let (base, arrival) = (Seq(r.u64("base")?), Millis(r.u64("arrival")?));
            let code = r.u16("code")?;
            r.reserved(2)?;
            let outcome = match code {
                0 => Ok(base),
                n => Err(ErrorCode::from_wire(n).ok_or(DecodeError::Value("code"))?),
            };
            runs.push(PutRun { shard, count, outcome, arrival });
        }
        let mut run_of = Vec::with_capacity(usize::from(records).min(r.remaining() / 2));
        for _ in 0..records {
            let run = r.u16("run of record")?;
            if run >= runs_len {
                return Err(DecodeError::Value("run of record"));
            }
            run_of.push(run);
        }
        if !runs_cover(&runs, &run_of) {
            return Err(DecodeError::Value("records"));
        }
        Ok(PutAnswer { runs, message: r.text("message")?, run_of })
    }
}

/// Whether each run has as many records as it claims: clients walk the runs without looking.
fn runs_cover(runs: &[PutRun], run_of: &[u16]) -> bool {
    if runs.len() < 2 {
        return runs.len() == 1 && run_of.is_empty();
    }
    let mut counts = vec![0; runs.len()];
    for &run in run_of {
        counts[usize::from(run)] += 1;
    }
    runs.iter().map(|run| run.count).eq(counts)
}
