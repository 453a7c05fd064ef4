//! PutRecord and PutRecords.

use std::borrow::Cow;
use std::rc::Rc;

use crate::base::ids::{Seq, StreamUuid};
use crate::base::limits::PUT_BYTES_MAX;
use crate::base::stream::Distribution;
use crate::catalog::StreamView;
use crate::gateway::caller::Caller;
use crate::gateway::check::Input;
use crate::gateway::encode::Encoder;
use crate::gateway::error::Refusal;
use crate::gateway::exchange::PutOutcome;
use crate::gateway::host::Host;
use crate::gateway::names::arn::{stream_of, stream_of_arn};
use crate::gateway::names::hash_key;
use crate::gateway::names::sequence_number::{Origin, SequenceNumber, check_ordering};
use crate::gateway::put_fast::{self, PutRecord, PutRecordsInput};
use crate::gateway::value::Format;
use crate::record::{BatchBuilder, TooLarge};
use crate::wire::put::PutRun;

use super::{Call, Outcome};

/// What a result of PutRecords needs, about.
const RESULT_BYTES: usize = 140;

/// A record as an input has it.
struct Entry<'a> {
    data: Cow<'a, [u8]>,
    key: Option<&'a str>,
    hash: Option<&'a str>,
}

impl<H: Host> Call<'_, H> {
    pub(super) async fn put_record(&self) -> Outcome {
        let input = self.input;
        let (view, now) = self.view();
        let name = stream_of(input, view.rules())?;
        let stream = view.require_name(name)?;
        if let Some(number) = input.text("SequenceNumberForOrdering") {
            check_ordering(number, name, &view.rules().account, now.wall)?;
        }
        let mut batch = BatchBuilder::new();
        push(&mut batch, stream, 0, &Entry::of(input), "partitionKey")?;
        self.refuse_dry_run(stream)?;
        let outcome = self.caller().put(stream.uuid, batch.finish()).await?;
        let run = outcome.runs[0];
        let seq = run.outcome.map_err(|code| refusal(&outcome, code, stream, run))?;
        let number = number_of(self.host, stream.uuid, &run, seq);
        Ok(self.write(|e| {
            e.key("ShardId").text(&run.shard.to_string());
            e.key("SequenceNumber").text(&number.to_string());
            write_encryption(e, stream);
        }))
    }

    pub(super) async fn put_records(&self) -> Outcome {
        let (view, _) = self.view();
        let stream = view.require_name(stream_of(self.input, view.rules())?)?;
        let records = self.input.list("Records").expect("the model requires it");
        let mut batch = BatchBuilder::new();
        for (at, record) in records.iter().enumerate() {
            let path = format!("records.{}.member.partitionKey", at + 1);
            push(&mut batch, stream, at, &Entry::of(record.as_structure()), &path)?;
        }
        self.refuse_dry_run(stream)?;
        let count = records.len();
        let outcome = self.caller().put(stream.uuid, batch.finish()).await?;
        Ok(write_results(self.host, stream, self.format, count, &outcome))
    }

    fn refuse_dry_run(&self, stream: &StreamView) -> Result<(), Refusal> {
        if !self.input.flag("DryRun") {
            return Ok(());
        }
        stream.require_usable()?;
        Err(Refusal::dry_run())
    }
}

/// PutRecords as almost all clients send it, without a tree of values in between. `None`: read it
/// the long way, which finds what is wrong or understands it after all.
pub(super) async fn put_records_fast<H: Host>(
    host: &Rc<H>,
    format: Format,
    body: &[u8],
) -> Option<Outcome> {
    let input = put_fast::parse(format, body)?;
    let view = host.look(|core, _, _| core.view().clone());
    let stream = match (&input.stream_name, &input.stream_arn) {
        (Some(name), None) => view.by_name(name)?,
        (None, Some(arn)) => view.by_name(stream_of_arn(arn, view.rules()).ok()?)?,
        _ => return None,
    };
    let mut batch = BatchBuilder::new();
    build_fast(&mut batch, stream, &input)?;
    let count = input.records.len();
    let put = Caller::new(host).put(stream.uuid, batch.finish()).await;
    Some(match put {
        Ok(outcome) => Ok(write_results(host, stream, format, count, &outcome)),
        Err(error) => Err(error.into()),
    })
}

fn build_fast(
    batch: &mut BatchBuilder,
    stream: &StreamView,
    input: &PutRecordsInput<'_>,
) -> Option<()> {
    let auto = stream.options.distribution == Distribution::Auto;
    for PutRecord { data, partition_key, explicit_hash_key } in &input.records {
        let key = partition_key.as_deref();
        if key.is_none() && !auto {
            return None;
        }
        let hash = explicit_hash_key.as_deref().map(hash_key::parse);
        let hash = match hash {
            Some(None) => return None,
            Some(hash) => hash,
            None => None,
        };
        let bytes = data.decoded_len();
        batch.push_with(key.unwrap_or_default(), hash, bytes, |out| data.append_to(out))?;
    }
    Some(())
}

impl<'a> Entry<'a> {
    fn of(input: &'a Input<'_>) -> Entry<'a> {
        Entry {
            data: Cow::Borrowed(input.blob("Data").expect("the model requires it")),
            key: input.text("PartitionKey"),
            hash: input.text("ExplicitHashKey"),
        }
    }
}

/// Adds a record to the batch. `path` is the key's, for errors.
fn push(
    batch: &mut BatchBuilder,
    stream: &StreamView,
    at: usize,
    entry: &Entry<'_>,
    path: &str,
) -> Result<(), Refusal> {
    let auto = stream.options.distribution == Distribution::Auto;
    let hash = entry.hash.map(hash_key::explicit).transpose()?;
    let pushed = match entry.key {
        Some(key) => batch.push(key, hash, &entry.data),
        None if auto => batch.push_keyless(&entry.data),
        None => {
            return Err(Refusal::validation(format!(
                "1 validation error detected: Value null at '{path}' failed to satisfy \
                 constraint: Member must not be null"
            )));
        }
    };
    pushed.map_err(|error| match error {
        TooLarge::BatchFull => Refusal::invalid_argument(format!(
            "Records size exceeds {} MB limit (at record {})",
            PUT_BYTES_MAX >> 20,
            at + 1
        )),
        TooLarge::Record | TooLarge::Key => Refusal::invalid_argument(error.to_string()),
    })
}

fn write_results<H: Host>(
    host: &Rc<H>,
    stream: &StreamView,
    format: Format,
    count: usize,
    outcome: &PutOutcome,
) -> Vec<u8> {
    let origins: Vec<Origin> =
        outcome.runs.iter().map(|run| origin(host, stream.uuid, run)).collect();
    let failed = |run: &&PutRun| run.outcome.is_err();
    let failed: u32 = outcome.runs.iter().filter(failed).map(|run| run.count).sum();
    let mut body = Vec::with_capacity(RESULT_BYTES * (count + 1));
    Encoder::new(format, &mut body).map(|e| {
        e.key("FailedRecordCount").int(failed.into());
        e.key("Records").list(|e| {
            let mut taken = vec![0; outcome.runs.len()];
            for at in 0..count {
                let nth = outcome.run_of.get(at).map_or(0, |run| usize::from(*run));
                let run = &outcome.runs[nth];
                write_result(e, stream, outcome, run, origins[nth], taken[nth]);
                taken[nth] += 1;
            }
        });
        write_encryption(e, stream);
    });
    body
}

/// What became of one record, the `nth` of its run.
fn write_result(
    e: &mut Encoder<'_>,
    stream: &StreamView,
    outcome: &PutOutcome,
    run: &PutRun,
    origin: Origin,
    nth: u64,
) {
    e.map(|e| match run.outcome {
        Ok(first) => {
            let seq = first.plus(nth);
            let number = SequenceNumber::of_record(origin, seq, run.arrival);
            e.key("SequenceNumber").text(&number.to_string());
            e.key("ShardId").text(&run.shard.to_string());
        }
        Err(code) => {
            let Refusal { code, message, .. } = refusal(outcome, code, stream, *run);
            e.key("ErrorCode").text(&code);
            e.key("ErrorMessage").text(&message);
        }
    });
}

/// Why the records of a run were refused, in AWS's words.
fn refusal(
    outcome: &PutOutcome,
    code: crate::base::error::ErrorCode,
    stream: &StreamView,
    run: PutRun,
) -> Refusal {
    use crate::base::error::{ApiError, ErrorCode};
    let message = match code {
        // The answer carries the sentence of one run only, and each names its shard.
        ErrorCode::ProvisionedThroughputExceeded => format!(
            "Rate exceeded for shard {} in stream {} under account {}.",
            run.shard,
            stream.name,
            stream.account()
        ),
        ErrorCode::InternalFailure => "Internal Service Failure".to_owned(),
        _ => outcome.message.clone(),
    };
    ApiError::new(code, message).into()
}

/// The number of a record that was just stored, also in a shard that is new to the request.
fn number_of<H: Host>(host: &Rc<H>, stream: StreamUuid, run: &PutRun, seq: Seq) -> SequenceNumber {
    SequenceNumber::of_record(origin(host, stream, run), seq, run.arrival)
}

fn origin<H: Host>(host: &Rc<H>, stream: StreamUuid, run: &PutRun) -> Origin {
    let created = host.look(|core, _, _| {
        let shard = core.view().by_uuid(stream).and_then(|stream| stream.shard(run.shard));
        // Only a shard that has expired, or its stream has gone, since the record was stored.
        shard.map_or(run.arrival, |shard| shard.created)
    });
    Origin { shard: run.shard, created }
}

fn write_encryption(e: &mut Encoder<'_>, stream: &StreamView) {
    e.key("EncryptionType").text(if stream.key_id.is_some() { "KMS" } else { "NONE" });
}
