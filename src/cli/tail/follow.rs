//! Which shards are read when, and by which thread: parents to their ends before their children,
//! through all reshards that come.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::thread;

use super::{News, Source, poll, push};
use crate::base::error::ErrorCode;
use crate::base::ids::{CoreId, Seq, ShardKey, ShardNumber, home_core};
use crate::cli::connect::Server;
use crate::cli::failure::{Exit, Failure};
use crate::client::lineage::{Lineage, StartAt};
use crate::client::{Client, ClientError};
use crate::wire::shards::{ChildShard, ShardDescription, ShardFilter};
use crate::wire::streams::{DescribeStream, StreamSummary};

/// What a tail reads.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) stream: StreamSummary,
    pub(super) listing: Vec<ShardDescription>,
    pub(super) start: StartAt,
    /// Where each of the shards ends that are read; `None` goes on for ever, through all reshards.
    pub(super) until: Option<BTreeMap<ShardNumber, Seq>>,
    /// `None` polls.
    pub(super) consumer: Option<String>,
}

/// See the module.
pub(super) struct Follow<'a> {
    server: &'a Server,
    /// For listing the shards again.
    client: Client,
    stream: StreamSummary,
    until: Option<BTreeMap<ShardNumber, Seq>>,
    consumer: Option<String>,
    lineage: Lineage,
    /// A thread for each home core that owns a shard. What waits there are shards, each once.
    readers: BTreeMap<CoreId, Sender<Source>>,
    news: SyncSender<News>,
}

impl<'a> Follow<'a> {
    /// Starts to read what may be read at once.
    pub(super) fn start(
        server: &'a Server,
        client: Client,
        wanted: Wanted,
        news: SyncSender<News>,
    ) -> Result<Follow<'a>, Failure> {
        let Wanted { stream, listing, start, until, consumer } = wanted;
        let lineage = Lineage::new(&listing, start);
        let readers = BTreeMap::new();
        let mut follow = Follow { server, client, stream, until, consumer, lineage, readers, news };
        follow.hand_out()?;
        Ok(follow)
    }

    /// Whether everything was read that is to be read.
    pub(super) fn is_done(&self) -> bool {
        self.lineage.is_done()
    }

    /// All records of a shard that are meant were passed on; it goes on in `children`.
    pub(super) fn ended(
        &mut self,
        shard: ShardNumber,
        children: &[ChildShard],
    ) -> Result<(), Failure> {
        // Without following, only the shards of the first listing are meant.
        let children = if self.until.is_some() { &[] } else { children };
        self.lineage.ended(shard, children);
        self.list_again()?;
        self.hand_out()
    }

    /// A shard has expired before it was read to its end.
    pub(super) fn gone(&mut self, shard: ShardNumber) -> Result<(), Failure> {
        self.check_stream()?;
        match self.until {
            Some(_) => self.lineage.ended(shard, &[]),
            None => self.lineage.gone(shard),
        }
        self.list_again()?;
        self.hand_out()
    }

    /// Gives each shard that may be read now to the thread of its home core.
    fn hand_out(&mut self) -> Result<(), Failure> {
        while let Some(readable) = self.lineage.next_ready() {
            let shard = readable.shard;
            let until = self.until.as_ref().map(|until| until.get(&shard).copied());
            let until = until.map(Option::unwrap_or_default);
            // Nothing is below the first position: such a shard has been read to its end.
            if until == Some(Seq::ZERO) {
                self.lineage.ended(shard, &[]);
                continue;
            }
            let stream = self.stream.uuid;
            let home = home_core(ShardKey { stream, number: shard }, self.client.server().cores);
            let source = Source { stream, shard, from: readable.position, until };
            // A thread that has ended has said why.
            let _ = self.reader(home)?.send(source);
        }
        Ok(())
    }

    fn reader(&mut self, home: CoreId) -> Result<&Sender<Source>, Failure> {
        if !self.readers.contains_key(&home) {
            let (sender, inbox) = channel();
            self.start_reader(self.server.connect_to(home)?, inbox);
            self.readers.insert(home, sender);
        }
        Ok(&self.readers[&home])
    }

    fn start_reader(&self, client: Client, inbox: Receiver<Source>) {
        let (consumer, news) = (self.consumer.clone(), self.news.clone());
        let (stream, reads) = (self.stream.name.clone(), self.stream.options.limits.reads);
        thread::spawn(move || {
            let read = match consumer {
                Some(consumer) => push::read(client, &stream, &consumer, &inbox, &news),
                None => poll::read(client, reads, &inbox, &news),
            };
            if let Err(failure) = read {
                // When nobody listens any more, the command has ended already.
                let _ = news.send(News::Failed(failure));
            }
        });
    }

    /// Shards are missing that nobody has named: those that came and went between two listings.
    fn list_again(&mut self) -> Result<(), Failure> {
        if self.until.is_none() && self.lineage.needs_listing() {
            let listing =
                self.client.all_shards(&self.stream.name, ShardFilter::FromTrimHorizon)?;
            self.lineage.relisted(&listing);
        }
        Ok(())
    }

    /// A shard may be gone because its stream is.
    fn check_stream(&mut self) -> Result<(), Failure> {
        let name = &self.stream.name;
        let request = DescribeStream { name, after: None, limit: 0 };
        if self.client.describe_page(&request)?.summary.uuid == self.stream.uuid {
            return Ok(());
        }
        let message = format!("stream {name} was deleted and created again; start anew");
        Err(Failure::new(Exit::Refused, message))
    }
}

/// Whether an error says that a shard, stream or consumer does not exist.
pub(super) fn is_not_found(error: &ClientError) -> bool {
    matches!(error, ClientError::Api(error) if error.code == ErrorCode::ResourceNotFound)
}
