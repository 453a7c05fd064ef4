//! Reading shards by long poll: one get of each shard in flight, all on one connection.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::{News, Source};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::Seq;
use crate::base::limits::READ_BYTES_MAX;
use crate::base::stream::Position;
use crate::cli::failure::Failure;
use crate::cli::pause::Backoff;
use crate::client::{Client, ClientError, Fetched, Incoming};

/// Reads all of `sources` until each is done; returns early when nobody listens any more.
///
/// `reads` is how many gets a second each shard admits, 0 for any number.
pub(super) fn read(
    mut client: Client,
    sources: Vec<Source>,
    reads: u64,
    news: &SyncSender<News>,
) -> Result<(), Failure> {
    let mut cursors = Vec::new();
    for source in sources {
        // Nothing is below the first position: an empty shard has been read to its end.
        if !source.is_done(Seq::ZERO) {
            let iterator = client.get_iterator(source.stream, source.shard, source.from)?;
            cursors.push(Cursor::new(source, iterator));
        }
    }
    let pace = 1000u64.checked_div(reads).map_or(Duration::ZERO, Duration::from_millis);
    let mut poller = Poller { client, cursors, asked: HashMap::new(), pace };
    while poller.cursors.iter().any(|cursor| !cursor.done) {
        poller.ask()?;
        if poller.take(news)?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

struct Poller {
    client: Client,
    cursors: Vec<Cursor>,
    /// The cursor of each get in flight, by correlation.
    asked: HashMap<u64, usize>,
    /// Between two gets of a shard.
    pace: Duration,
}

/// A shard that is being read.
struct Cursor {
    source: Source,
    iterator: Vec<u8>,
    /// Behind the last record that was read, once one answer has come.
    reached: Option<Seq>,
    in_flight: bool,
    /// Not before this time.
    due: Instant,
    backoff: Backoff,
    done: bool,
}

impl Cursor {
    fn new(source: Source, iterator: Vec<u8>) -> Cursor {
        let backoff = Backoff::new(u64::from(source.shard.0));
        let due = Instant::now();
        Cursor { source, iterator, reached: None, in_flight: false, due, backoff, done: false }
    }

    /// Where an iterator that has expired is made anew.
    fn position(&self) -> Position {
        match self.reached {
            None => self.source.from,
            Some(Seq::ZERO) => Position::TrimHorizon,
            Some(Seq(reached)) => Position::AfterSequence(Seq(reached - 1)),
        }
    }
}

/// Somebody still listens.
struct Listening;

impl Poller {
    /// Sends a get for each shard that is due.
    fn ask(&mut self) -> Result<(), ClientError> {
        let now = Instant::now();
        for (index, cursor) in self.cursors.iter_mut().enumerate() {
            if cursor.done || cursor.in_flight || now < cursor.due {
                continue;
            }
            let wait_ms = if cursor.source.until.is_some() { 0 } else { WAIT_MS };
            let correlation =
                self.client.send_get(&cursor.iterator, LIMIT, READ_BYTES_MAX as u32, wait_ms)?;
            cursor.in_flight = true;
            self.asked.insert(correlation, index);
        }
        Ok(())
    }

    /// Takes what comes next, or waits until a shard is due.
    fn take(&mut self, news: &SyncSender<News>) -> Result<Option<Listening>, Failure> {
        let now = Instant::now();
        let idle = self.cursors.iter().filter(|c| !c.done && !c.in_flight).map(|c| c.due).min();
        let wait = idle.map_or(SILENCE, |due| due.saturating_duration_since(now).min(SILENCE));
        match self.client.next_event(wait)? {
            None if wait == SILENCE => Err(ClientError::Io {
                context: format!("{} has not answered a get", self.client.addr()),
                source: ErrorKind::TimedOut.into(),
            }
            .into()),
            Some(Incoming::Fetched { correlation, answer }) => {
                Ok(match self.asked.remove(&correlation) {
                    Some(index) => self.fetched(index, answer, news),
                    None => Some(Listening),
                })
            }
            Some(Incoming::Failed { correlation, error, .. }) => {
                match self.asked.remove(&correlation) {
                    Some(index) => self.refused(index, error)?,
                    None => return Err(error.into()),
                }
                Ok(Some(Listening))
            }
            _ => Ok(Some(Listening)),
        }
    }

    fn fetched(
        &mut self,
        index: usize,
        answer: Fetched,
        news: &SyncSender<News>,
    ) -> Option<Listening> {
        let cursor = &mut self.cursors[index];
        cursor.in_flight = false;
        cursor.backoff.reset();
        cursor.due = Instant::now() + self.pace;
        cursor.reached = Some(answer.end);
        cursor.done = answer.next_iterator.is_empty() || cursor.source.is_done(answer.end);
        cursor.iterator = answer.next_iterator;
        if answer.batches.is_empty() {
            return Some(Listening);
        }
        let records = News::Records { batches: answer.batches, until: cursor.source.until };
        news.send(records).ok().map(|()| Listening)
    }

    fn refused(&mut self, index: usize, error: ApiError) -> Result<(), Failure> {
        let cursor = &mut self.cursors[index];
        cursor.in_flight = false;
        match error.code {
            // The output stood still for longer than an iterator lives.
            ErrorCode::ExpiredIterator => {
                let Source { stream, shard, .. } = cursor.source;
                cursor.iterator = self.client.get_iterator(stream, shard, cursor.position())?;
            }
            ErrorCode::ShuttingDown => return Err(error.into()),
            code if code.is_retryable() => cursor.due = Instant::now() + cursor.backoff.step(),
            _ => return Err(error.into()),
        }
        Ok(())
    }
}

/// Records of one get.
const LIMIT: u32 = 10_000;
/// How long the server may wait for a first record.
const WAIT_MS: u32 = 10_000;
/// A server that says nothing for so long is taken for dead: longer than any long poll.
const SILENCE: Duration = Duration::from_secs(40);
