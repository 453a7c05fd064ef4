//! Where a shard ends at the moment.

use std::time::{Duration, Instant};

use crate::base::ids::{Seq, ShardNumber, StreamUuid};
use crate::base::limits::READ_BYTES_MAX;
use crate::base::stream::Position;
use crate::cli::failure::Failure;
use crate::cli::pause::{Backoff, pause};
use crate::client::{Client, ClientError};

/// The sequence behind the newest record of `shard`.
///
/// An iterator at `latest` stands there; the first position of what it reads is the answer, also
/// when nothing is there to read.
pub(super) fn tip_of(
    client: &mut Client,
    stream: StreamUuid,
    shard: ShardNumber,
) -> Result<Seq, Failure> {
    let give_up = Instant::now() + PATIENCE;
    let mut backoff = Backoff::new(u64::from(shard.0));
    loop {
        match ask(client, stream, shard) {
            // Other readers may have used up what the shard gives in this second.
            Err(ClientError::Api(e)) if e.code.is_retryable() && Instant::now() < give_up => {
                pause(backoff.step());
            }
            other => return Ok(other?),
        }
    }
}

fn ask(client: &mut Client, stream: StreamUuid, shard: ShardNumber) -> Result<Seq, ClientError> {
    let iterator = client.get_iterator(stream, shard, Position::Latest)?;
    Ok(client.get(&iterator, 1, READ_BYTES_MAX as u32, 0)?.first)
}

const PATIENCE: Duration = Duration::from_secs(10);
