//! The life of a stream under load, and the proof that nothing of it is lost on the way.
//!
//! Writers put numbered records of many keys ([`lane`], [`load`]) while a script ([`script`]) is
//! carried out ([`director`]): 4 -> 8 -> 4 -> 3 shards, splits and merges, the retention up and
//! down, the mode to on-demand, and then a load above half of the shards' limits until the server
//! has doubled them by itself. All the time one reader polls and another is pushed to; both follow
//! the reshards ([`follow`](crate::follow)). In the end every acknowledged record must
//! have reached both exactly once, in the order of its key, and none that was not acknowledged.
//!
//! It measures how long a reshard holds up the writers of the hash keys whose shards it closes, and
//! the others ([`pauses`]): the longest put of each writer that was under way between request and
//! answer, counted from the time at which it was meant to leave. Target: p99 <= 10 ms over all
//! writers and reshards; for others nothing beyond what is usual on the machine.

mod director;
mod lane;
mod load;
mod options;
mod pauses;
mod report;
mod script;

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use shardway::base::stream::{ShardLimits, StreamOptions};

pub use options::{
    BATCH_RECORDS, CONNECTIONS, IN_FLIGHT, KEYS, LifeOptions, RATE, RESHARDS, WRITERS,
};
pub use report::LifeReport;

use crate::bench::Bench;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::follow::{Goal, Source, polling, pushing};
use crate::keyed::{Keys, Reading};
use crate::pin;
use crate::stream::TestStream;
use load::Written;
use report::ReaderRow;

/// Runs the script once and adds its report.
pub fn measure(bench: &mut Bench<'_>, options: &LifeOptions) -> Result<()> {
    options.check()?;
    let (written, readers) = run(bench.context, options)?;
    bench.report.server = bench.context.server();
    bench.report.life = Some(LifeReport::of(options, written, readers));
    Ok(())
}

fn run(context: &Context, options: &LifeOptions) -> Result<(Written, Vec<ReaderRow>)> {
    let (record_bytes, seed) = (options.record_bytes, options.seed);
    let keys = Arc::new(Keys::find(options.writers, options.keys, record_bytes, seed));
    let stream_options = StreamOptions {
        durability: options.durability,
        limits: ShardLimits::OFF,
        record_bytes_max: StreamOptions::default().record_bytes_max.max(record_bytes as u32 + 64),
        ..StreamOptions::default()
    };
    let mut stream = TestStream::create_with(context.address, script::SHARDS, stream_options)?;
    context.note_server(stream.server());
    stream.register(pushing::CONSUMER)?;
    let source = Source {
        address: context.address,
        name: stream.name().to_owned(),
        uuid: stream.map.stream,
        keys: Arc::clone(&keys),
        goal: Arc::new(Goal::unknown()),
    };
    let readers = [spawn(&source, polling::read), spawn(&source, pushing::read)];
    let (tell, news) = channel();
    let steps = script::script(options.reshards, options.on_demand);
    let (of_director, settle) = (source.clone(), options.settle);
    let director = thread::spawn(move || director::perform(&of_director, &steps, settle, &tell));
    let readers_run = || !readers.iter().any(JoinHandle::is_finished);
    let written = load::write(context, options, &keys, &stream.map, &news, &readers_run);
    match &written {
        Ok(written) => source.goal.set(written.ledger.records()),
        Err(_) => source.goal.abandon(),
    }
    // A script that nobody listens to any more may still wait for its stream: it is left behind.
    drop((news, director));
    let (written, read) = match (written, join(context, readers)) {
        // What a reader has found out says more than how the load went.
        (_, Err(mismatch @ Failure::KeyMismatch(_))) => return Err(mismatch),
        (written, read) => (written?, read?),
    };
    let rows = read.iter().map(|reading| verified(reading, &written)).collect::<Result<_>>()?;
    Ok((written, rows))
}

/// Starts a reader. It makes way for the writers, who are measured, on the CPU that both share.
fn spawn(
    source: &Source,
    read: impl FnOnce(&Source) -> Result<Reading> + Send + 'static,
) -> JoinHandle<Result<Reading>> {
    let source = source.clone();
    thread::spawn(move || {
        pin::make_way();
        read(&source)
    })
}

fn join(context: &Context, readers: [JoinHandle<Result<Reading>>; 2]) -> Result<Vec<Reading>> {
    while !readers.iter().all(JoinHandle::is_finished) {
        context.progress.stage("waiting for the readers");
        thread::sleep(Duration::from_millis(20));
    }
    let join = |reader: JoinHandle<_>| reader.join().expect("a reader does not panic");
    readers.into_iter().map(join).collect()
}

fn verified(reading: &Reading, written: &Written) -> Result<ReaderRow> {
    written.ledger.compare(reading.ledger(), reading.who()).map_err(Failure::from)?;
    Ok(ReaderRow {
        reader: reading.who(),
        records: reading.ledger().records(),
        bytes: reading.bytes(),
        shards: reading.shards(),
    })
}
