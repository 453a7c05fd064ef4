//! What an answer means for a batch: stored, lost, or to be sent again.

use super::shard_queue::{Batch, key_tag};
use crate::base::error::ErrorCode;
use crate::client::PutAnswer;
use crate::record::{BatchBuilder, BatchView};

/// What an answer means for a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) stored: u64,
    /// Of the stored records' data.
    pub(super) stored_bytes: u64,
    pub(super) failed: u64,
    /// The records that the server may take later.
    pub(super) again: Option<Batch>,
}

/// Judges an answer record by record. `may_retry` says whether refused records get another chance.
pub(super) fn judge(
    batch: &Batch,
    answer: &PutAnswer,
    may_retry: bool,
) -> Result<Judgement, String> {
    if answer.records() != u64::from(batch.records) {
        let (sent, told) = (batch.records, answer.records());
        return Err(format!("a put of {sent} records was answered for {told}"));
    }
    if answer.is_stored() {
        let (stored, stored_bytes) = (u64::from(batch.records), batch.data_bytes);
        return Ok(Judgement { stored, stored_bytes, ..Judgement::default() });
    }
    let outcomes = answer.outcomes().into_iter().map(|(_, outcome)| outcome.err());
    Ok(split(batch, outcomes, may_retry))
}

/// Judges a batch that was refused as a whole.
pub(super) fn judge_refusal(batch: &Batch, code: ErrorCode, may_retry: bool) -> Judgement {
    split(batch, std::iter::repeat_n(Some(code), batch.records as usize), may_retry)
}

/// `refusals` has one entry for each record, `None` if it was stored.
fn split(
    batch: &Batch,
    refusals: impl Iterator<Item = Option<ErrorCode>>,
    may_retry: bool,
) -> Judgement {
    let view = BatchView::check_client(&batch.bytes).expect("it was built here");
    let mut judgement = Judgement::default();
    let (mut rest, mut keys, mut data_bytes) = (BatchBuilder::new(), Vec::new(), 0);
    for (record, refusal) in view.records().zip(refusals) {
        match refusal {
            None => {
                judgement.stored += 1;
                judgement.stored_bytes += record.data.len() as u64;
            }
            Some(code) if may_retry && code.is_retryable() => {
                rest.push_record(&record).expect("a part of a batch fits a batch");
                keys.push(key_tag(record.hash_key()));
                data_bytes += record.data.len() as u64;
            }
            Some(_) => judgement.failed += 1,
        }
    }
    if !rest.is_empty() {
        let bytes = rest.finish().to_vec();
        judgement.again = Some(Batch::new(bytes, rest.count(), data_bytes, keys));
    }
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{Millis, Seq, ShardNumber};
    use crate::wire::put::PutRun;

    fn batch_of(data: &[&str]) -> Batch {
        let mut builder = BatchBuilder::new();
        for text in data {
            builder.push(text, None, text.as_bytes()).unwrap();
        }
        let bytes = data.iter().map(|d| d.len() as u64).sum();
        Batch::new(builder.finish().to_vec(), data.len() as u32, bytes, vec![1])
    }

    fn run(count: u32, outcome: Result<Seq, ErrorCode>) -> PutRun {
        PutRun { shard: ShardNumber(0), count, outcome, arrival: Millis(0) }
    }

    fn answer(runs: &[PutRun], run_of: &[u16]) -> PutAnswer {
        PutAnswer { runs: runs.to_vec(), message: String::new(), run_of: run_of.to_vec() }
    }

    #[test]
    fn a_stored_batch_is_counted_whole() {
        let judged = judge(&batch_of(&["a", "bb"]), &answer(&[run(2, Ok(Seq(4)))], &[]), true);
        let expected = Judgement { stored: 2, stored_bytes: 3, failed: 0, again: None };
        assert_eq!(judged, Ok(expected));
    }

    #[test]
    fn only_what_was_throttled_goes_again_in_its_order() {
        let throttled = Err(ErrorCode::ProvisionedThroughputExceeded);
        let runs = [run(1, Ok(Seq(4))), run(2, throttled), run(1, Err(ErrorCode::InvalidArgument))];
        let batch = batch_of(&["a", "bb", "ccc", "dddd"]);
        let judged = judge(&batch, &answer(&runs, &[1, 0, 2, 1]), true).unwrap();
        assert_eq!((judged.stored, judged.stored_bytes, judged.failed), (1, 2, 1));
        let again = judged.again.unwrap();
        let view = BatchView::check_client(&again.bytes).unwrap();
        let data: Vec<_> = view.records().map(|r| r.data).collect();
        assert_eq!(data, [b"a".as_slice(), b"dddd"]);
        assert_eq!((again.records, again.data_bytes), (2, 5));
        let given_up = judge(&batch, &answer(&runs, &[1, 0, 2, 1]), false).unwrap();
        assert_eq!((given_up.failed, given_up.again), (3, None));
    }

    #[test]
    fn a_refused_request_is_tried_again_only_if_that_can_help() {
        let batch = batch_of(&["a", "b"]);
        let judged = judge_refusal(&batch, ErrorCode::InternalFailure, true);
        assert_eq!(judged.again.map(|b| b.bytes), Some(batch.bytes.clone()));
        assert_eq!(judge_refusal(&batch, ErrorCode::ResourceNotFound, true).failed, 2);
    }

    #[test]
    fn an_answer_for_another_number_of_records_is_no_answer() {
        assert!(judge(&batch_of(&["a"]), &answer(&[run(2, Ok(Seq(0)))], &[]), true).is_err());
    }
}
