//! Records that the console puts and reads: through the same door as requests of the AWS API.

use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::admin::Page;
use crate::admin::records::{PutForm, Tail, TailForm, put_page};
use crate::base::error::ApiError;
use crate::base::ids::{Seq, ShardNumber};
use crate::base::stream::Position;
use crate::gateway::caller::Caller;
use crate::gateway::host::Host;
use crate::record::BatchBuilder;
use crate::runtime::gateway_host::CoreHost;

/// Records of one answer.
const TAIL_RECORDS_MAX: u32 = 100;

/// Puts a record.
pub async fn put(host: &CoreHost, body: &[u8]) -> Page {
    match put_record(host, body).await {
        Ok(page) | Err(page) => page,
    }
}

/// Reads records.
pub async fn tail(host: &CoreHost, body: &[u8]) -> Page {
    match read_records(host, body).await {
        Ok(page) | Err(page) => page,
    }
}

async fn put_record(host: &CoreHost, body: &[u8]) -> Result<Page, Page> {
    let PutForm { stream, key, data } = form(body)?;
    let view = host.look(|core, _, _| core.view().clone());
    let stream = view.require_name(&stream).map_err(refusal)?;
    let mut batch = BatchBuilder::new();
    let pushed = batch.push(&key, None, data.as_bytes());
    pushed.map_err(|error| Page::refusal(400, &error.to_string()))?;
    let caller = Caller::new(&Rc::new(host.clone()));
    let put = caller.put(stream.uuid, batch.finish()).await.map_err(refusal)?;
    let run = put.runs[0];
    let refused = |code| refusal(ApiError::new(code, put.message.clone()));
    Ok(put_page(run.shard, run.outcome.map_err(refused)?))
}

async fn read_records(host: &CoreHost, body: &[u8]) -> Result<Page, Page> {
    let TailForm { stream, shard, from } = form(body)?;
    let view = host.look(|core, _, _| core.view().clone());
    let stream = view.require_name(&stream).map_err(refusal)?;
    let shard = stream.key(ShardNumber(shard));
    let position = from.map_or(Position::Latest, |seq| Position::AtSequence(Seq(seq)));
    let caller = Caller::new(&Rc::new(host.clone()));
    let iterator = caller.iterator(shard, position).await.map_err(refusal)?;
    let claims = caller.claims(&iterator).map_err(refusal)?;
    let got = caller.get(claims, TAIL_RECORDS_MAX).await.map_err(refusal)?;
    let mut tail = Tail::default();
    got.batches.for_each(got.first, Some(got.end), |record, arrival| {
        tail.add(record.seq, arrival, record.partition_key, record.data);
    });
    Ok(tail.page(got.end))
}

fn form<T: DeserializeOwned>(body: &[u8]) -> Result<T, Page> {
    serde_json::from_slice(body).map_err(|error| Page::refusal(400, &error.to_string()))
}

fn refusal(error: ApiError) -> Page {
    Page::refusal(400, &format!("{}: {}", error.code.name(), error.message))
}
