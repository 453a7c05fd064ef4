//! Reading shards by long poll: one get of each shard in flight, all on one connection.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use super::follow::is_not_found;
use super::inbox::{Inbox, NEWCOMER_WAIT};
use super::{News, Source};
use crate::base::error::{ApiError, ErrorCode};
use crate::base::ids::{Seq, ShardNumber};
use crate::base::limits::READ_BYTES_MAX;
use crate::base::stream::Position;
use crate::cli::failure::Failure;
use crate::cli::pause::Backoff;
use crate::client::{Client, ClientError, Fetched, Incoming};

/// Reads what comes through `inbox`, each to its end; returns when no more can come, or nobody
/// listens any more.
///
/// `reads` is how many gets a second each shard admits, 0 for any number.
pub(super) fn read(
    client: Client,
    reads: u64,
    inbox: &Receiver<Source>,
    news: &SyncSender<News>,
) -> Result<(), Failure> {
    let pace = 1000u64.checked_div(reads).map_or(Duration::ZERO, Duration::from_millis);
    let (cursors, asked) = (BTreeMap::new(), HashMap::new());
    let mut poller = Poller { client, cursors, asked, pace, news, heard: Instant::now() };
    let mut inbox = Inbox::new(inbox);
    while let Some(newcomers) = inbox.take(poller.cursors.is_empty()) {
        for source in newcomers {
            poller.cursors.insert(source.shard, Cursor::new(source));
        }
        if poller.ask()?.is_none() || poller.take()?.is_none() {
            return Ok(());
        }
    }
    Ok(())
}

struct Poller<'a> {
    client: Client,
    cursors: BTreeMap<ShardNumber, Cursor>,
    /// The shard of each get in flight, by correlation.
    asked: HashMap<u64, ShardNumber>,
    /// Between two gets of a shard.
    pace: Duration,
    news: &'a SyncSender<News>,
    /// When the server has said something last, or was asked first.
    heard: Instant,
}

/// A shard that is being read.
struct Cursor {
    source: Source,
    /// `None` until it is asked for, and when the last one has expired.
    iterator: Option<Vec<u8>>,
    /// Behind the last record that was read, once one answer has come.
    reached: Option<Seq>,
    in_flight: bool,
    /// Not before this time.
    due: Instant,
    backoff: Backoff,
}

impl Cursor {
    fn new(source: Source) -> Cursor {
        let backoff = Backoff::new(u64::from(source.shard.0));
        let due = Instant::now();
        Cursor { source, iterator: None, reached: None, in_flight: false, due, backoff }
    }

    /// Where the next iterator is made.
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

impl Poller<'_> {
    /// Sends a get for each shard that is due.
    fn ask(&mut self) -> Result<Option<Listening>, Failure> {
        let now = Instant::now();
        if self.asked.is_empty() {
            self.heard = now;
        }
        let mut gone = Vec::new();
        for (shard, cursor) in &mut self.cursors {
            if cursor.in_flight || now < cursor.due {
                continue;
            }
            let iterator = match &cursor.iterator {
                Some(iterator) => iterator,
                None => {
                    let position = cursor.position();
                    match self.client.get_iterator(cursor.source.stream, *shard, position) {
                        Ok(iterator) => cursor.iterator.insert(iterator),
                        Err(error) if is_not_found(&error) => {
                            gone.push(*shard);
                            continue;
                        }
                        Err(ClientError::Api(error)) => {
                            wait_after(cursor, error)?;
                            continue;
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            };
            let wait_ms = if cursor.source.until.is_some() { 0 } else { WAIT_MS };
            let correlation =
                self.client.send_get(iterator, LIMIT, READ_BYTES_MAX as u32, wait_ms)?;
            cursor.in_flight = true;
            self.asked.insert(correlation, *shard);
        }
        Ok(gone.into_iter().try_fold(Listening, |_, shard| self.gone(shard)))
    }

    /// Takes what comes next, or waits until a shard is due or new ones may have come.
    fn take(&mut self) -> Result<Option<Listening>, Failure> {
        let now = Instant::now();
        let due = self.cursors.values().filter(|c| !c.in_flight).map(|c| c.due).min();
        let wait = due.map_or(NEWCOMER_WAIT, |due| due.saturating_duration_since(now));
        let Some(incoming) = self.client.next_event(wait.min(NEWCOMER_WAIT))? else {
            let silent = !self.asked.is_empty() && self.heard.elapsed() > SILENCE;
            return if silent { Err(self.silence()) } else { Ok(Some(Listening)) };
        };
        self.heard = Instant::now();
        match incoming {
            Incoming::Fetched { correlation, answer } => match self.asked.remove(&correlation) {
                Some(shard) => Ok(self.fetched(shard, answer)),
                None => Ok(Some(Listening)),
            },
            Incoming::Failed { correlation, error, .. } => match self.asked.remove(&correlation) {
                Some(shard) => self.refused(shard, error),
                None => Err(error.into()),
            },
            _ => Ok(Some(Listening)),
        }
    }

    fn fetched(&mut self, shard: ShardNumber, answer: Fetched) -> Option<Listening> {
        let cursor = self.cursors.get_mut(&shard).expect("a shard with a get is being read");
        cursor.in_flight = false;
        cursor.backoff.reset();
        cursor.due = Instant::now() + self.pace;
        cursor.reached = Some(answer.end);
        let ended = answer.next_iterator.is_empty() || cursor.source.is_done(answer.end);
        cursor.iterator = Some(answer.next_iterator);
        let until = cursor.source.until;
        if !answer.batches.is_empty() {
            self.news.send(News::Records { batches: answer.batches, until }).ok()?;
        }
        if ended {
            self.cursors.remove(&shard);
            self.news.send(News::Ended { shard, children: answer.children }).ok()?;
        }
        Some(Listening)
    }

    fn refused(
        &mut self,
        shard: ShardNumber,
        error: ApiError,
    ) -> Result<Option<Listening>, Failure> {
        let cursor = self.cursors.get_mut(&shard).expect("a shard with a get is being read");
        cursor.in_flight = false;
        match error.code {
            // The output stood still for longer than an iterator lives.
            ErrorCode::ExpiredIterator => cursor.iterator = None,
            ErrorCode::ResourceNotFound => return Ok(self.gone(shard)),
            _ => wait_after(cursor, error)?,
        }
        Ok(Some(Listening))
    }

    /// The shard does not exist any more.
    fn gone(&mut self, shard: ShardNumber) -> Option<Listening> {
        self.cursors.remove(&shard);
        self.news.send(News::Gone { shard }).ok().map(|()| Listening)
    }

    fn silence(&self) -> Failure {
        ClientError::Io {
            context: format!("{} has not answered a get", self.client.addr()),
            source: ErrorKind::TimedOut.into(),
        }
        .into()
    }
}

/// Puts the next request off, if it can help to ask again.
fn wait_after(cursor: &mut Cursor, error: ApiError) -> Result<(), Failure> {
    if error.code == ErrorCode::ShuttingDown || !error.code.is_retryable() {
        return Err(error.into());
    }
    cursor.due = Instant::now() + cursor.backoff.step();
    Ok(())
}

/// Records of one get.
const LIMIT: u32 = 10_000;
/// How long the server may wait for a first record.
const WAIT_MS: u32 = 10_000;
/// A server that says nothing for so long is taken for dead: longer than any long poll.
const SILENCE: Duration = Duration::from_secs(40);
