//! What a stream with the limits of AWS admits from clients that offer more: 1 MiB and 1,000
//! records a second and shard, within 3 %.
//!
//! Each case is a stream of its own with one client ([`producer`]), and all run side by side: their
//! sum is a small load, and none waits for another. A client always has a next batch; what the
//! server refuses it sends again, after a pause that doubles up to 40 ms, and always before later
//! records of the same shard. What counts is measured for some 20 s, once the burst of the first
//! seconds is used up: from one admission to another, so that only whole batches count.
//!
//! Then every record must have been admitted in the end: the limits are switched off, and a polling
//! reader must find each acknowledged record once, in the order of its key.

mod case;
mod producer;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use shardway::base::stream::{Durability, ShardLimits, StreamOptions};
use shardway::wire::alter::StreamChange;

pub use case::{RECORD_BYTES, SHARDS, cases};
pub use report::{QuotaRow, table};

use crate::bench::Bench;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::follow::{Goal, Source, polling};
use crate::keyed::Keys;
use crate::stream::TestStream;
use crate::workload::SEED;
use case::Case;
use producer::{Produced, Producer};

/// How long the clients run.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Behind the first refusal, which says that the burst is used up.
    pub settle: Duration,
    /// Measured.
    pub duration: Duration,
}

/// Runs all cases side by side and adds their rows.
pub fn measure(
    bench: &mut Bench<'_>,
    cases: &[Case],
    span: Span,
    durability: Durability,
) -> Result<()> {
    let context = bench.context;
    let admitted = Arc::new(AtomicU64::new(0));
    let rows = thread::scope(|scope| {
        let start = |case: &Case| {
            let (case, address, admitted) = (*case, context.address, Arc::clone(&admitted));
            scope.spawn(move || run(&case, address, span, durability, &admitted))
        };
        let clients: Vec<_> = cases.iter().map(start).collect();
        while !clients.iter().all(|client| client.is_finished()) {
            context.progress.show("offering too much", admitted.load(Ordering::Relaxed));
            thread::sleep(Duration::from_millis(50));
        }
        let join =
            |client: thread::ScopedJoinHandle<'_, _>| client.join().expect("no client panics");
        clients.into_iter().map(join).collect::<Result<Vec<QuotaRow>>>()
    })?;
    note_server(context)?;
    bench.report.server = bench.context.server();
    bench.report.quota = rows;
    Ok(())
}

fn note_server(context: &Context) -> Result<()> {
    let session = crate::session::Session::connect(context.address)?;
    context.note_server(session.server());
    Ok(())
}

fn run(
    case: &Case,
    address: std::net::SocketAddr,
    span: Span,
    durability: Durability,
    admitted: &AtomicU64,
) -> Result<QuotaRow> {
    let options = StreamOptions {
        durability,
        limits: ShardLimits::AWS,
        record_bytes_max: StreamOptions::default()
            .record_bytes_max
            .max(case.record_bytes as u32 + 64),
        ..StreamOptions::default()
    };
    let stream = TestStream::create_with(address, case.shards, options)?;
    let keys = Arc::new(Keys::find(case.shards, case::KEYS, case.record_bytes, SEED));
    let source = Source {
        address,
        name: stream.name().to_owned(),
        uuid: stream.map.stream,
        keys: Arc::clone(&keys),
        goal: Arc::new(Goal::unknown()),
    };
    let mut client = source.connect()?;
    let producer = Producer::new(case, &keys, &stream.map, &mut client);
    let produced = producer.run(span, admitted)?;
    // Reading is limited too, and is not what is measured.
    client.alter_stream(&source.name, StreamChange::Limits(ShardLimits::OFF))?;
    verify(&source, &produced)?;
    Ok(QuotaRow::of(case, durability, &produced))
}

fn verify(source: &Source, produced: &Produced) -> Result<()> {
    source.goal.set(produced.ledger.records());
    let reading = polling::read(source)?;
    produced.ledger.compare(reading.ledger(), reading.who()).map_err(Failure::from)
}
