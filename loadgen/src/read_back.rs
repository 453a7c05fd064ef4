//! Reads a run's shards again from their first record and verifies them.
//!
//! Throughput runs have no consumer during the measured time; this is where they are verified. It
//! also gives the catch-up rate of one subscription.

use crate::clock::now_ns;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::load::{CREDIT_BYTES, Load};
use crate::outcome::ReadBack;
use crate::session::Session;
use crate::setup::pools_of_shard;
use crate::stream::TestStream;
use crate::verify::ReadVerifier;
use crate::workload::Workload;

/// Who reads back.
const CONSUMER: &str = "loadgen-read-back";

/// Reads every shard to the end of what was acknowledged.
pub fn verify(
    context: &Context,
    stream: &mut TestStream,
    workload: &Workload,
    load: &Load,
) -> Result<ReadBack> {
    let pools: Vec<_> = load.writers.iter().map(|writer| writer.pool.clone()).collect();
    let refused = |writer: u32| load.writers[writer as usize].refused;
    stream.register(CONSUMER)?;
    let (start, mut records, mut bytes) = (now_ns(), 0, 0);
    for (index, shard) in load.shards.iter().enumerate() {
        let home = stream.map.shards[index].home;
        let mut session = Session::connect_to_core(stream.address(), home)?;
        let end = shard.acked.end()?;
        let mut verifier = ReadVerifier::new(shard.key, &pools_of_shard(&pools, index, workload));
        session.subscribe(0, shard.key, CONSUMER, CREDIT_BYTES)?;
        let mut used = 0;
        while verifier.next() < end {
            let pushed = session.next_push(|push| {
                used += push.batches.len() as u64;
                Ok(verifier.batches(push.batches, push.first.0, |_| ())?)
            });
            match pushed {
                // Acknowledged records that do not come are lost, not late.
                Err(Failure::Stalled(_)) => break,
                other => other?,
            }
            if used >= CREDIT_BYTES / 2 {
                session.grant(0, used)?;
                used = 0;
            }
            context.progress.show("reading back", records + verifier.next());
        }
        verifier.finish(&shard.acked, refused)?;
        records += verifier.next();
        bytes += verifier.bytes();
    }
    Ok(ReadBack { records, bytes, seconds: (now_ns() - start) as f64 / 1e9 })
}
