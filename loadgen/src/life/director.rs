//! The thread that carries out the script, one blocking request at a time, while the load runs.

use std::sync::mpsc::Sender;
use std::time::Duration;

use shardway::base::stream::StreamMode;
use shardway::client::Client;
use shardway::record::HashRange;
use shardway::wire::alter::{Direction, StreamChange};
use shardway::wire::shards::{ShardDescription, ShardMap};

use super::script::Step;
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::follow::Source;
use crate::stop;

/// An on-demand stream under this load for so long must have doubled.
const DOUBLING_TIMEOUT: Duration = Duration::from_secs(120);
/// Its shards are looked at so often.
const LOOK: Duration = Duration::from_millis(50);

/// What the load is told.
#[derive(Debug)]
pub enum News {
    /// The shards to write to from now on.
    Map(ShardMap),
    /// The server is to be left to itself with a load above half of these shards' limits.
    HalfOf(u32),
    /// A step is done.
    Done(Performed),
    /// There is nothing more, or there was a failure.
    Over(Result<()>),
}

/// What a step did.
#[derive(Clone, Debug)]
pub struct Performed {
    /// In words.
    pub what: String,
    /// When it was asked for.
    pub start_ns: u64,
    /// When the answer came.
    pub end_ns: u64,
    /// Open shards before.
    pub before: u32,
    /// Open shards behind it.
    pub after: u32,
    /// The hash keys whose shards were closed.
    pub closed: Vec<HashRange>,
    /// Whether writers were to be held up no longer than the target says.
    pub is_reshard: bool,
}

/// Carries out `steps` with `settle` of load in front of each, and tells the load about it.
pub fn perform(source: &Source, steps: &[Step], settle: Duration, news: &Sender<News>) {
    let result = Director::start(source, news).and_then(|mut director| {
        for &step in steps {
            std::thread::sleep(settle);
            if stop::requested() {
                return Ok(());
            }
            director.step(step)?;
        }
        std::thread::sleep(settle);
        Ok(())
    });
    // Nobody listens any more when the load has failed.
    let _ = news.send(News::Over(result));
}

struct Director<'a> {
    source: &'a Source,
    news: &'a Sender<News>,
    client: Client,
    map: ShardMap,
}

impl<'a> Director<'a> {
    fn start(source: &'a Source, news: &'a Sender<News>) -> Result<Director<'a>> {
        let mut client = source.connect()?;
        let map = client.shard_map(&source.name)?;
        Ok(Director { source, news, client, map })
    }

    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Retention(hours) => self.retention(hours),
            Step::OnDemand => self.on_demand(),
            Step::Scale(_) | Step::Split | Step::Merge => self.reshard(step),
        }
    }

    fn reshard(&mut self, step: Step) -> Result<()> {
        let none = || Failure::Usage("the stream has no shards to merge".to_owned());
        let reshard = step.reshard(&self.map).ok_or_else(none)?;
        let start_ns = now_ns();
        let done = self.client.reshard_stream(&self.source.name, reshard)?;
        let end_ns = now_ns();
        let (before, after) = (done.before, done.after);
        let what = match step {
            Step::Scale(_) => format!("scale {before} -> {after}"),
            Step::Split => format!("split {before} -> {after}"),
            _ => format!("merge {before} -> {after}"),
        };
        // What was open before. Shards that only joined others were never open.
        let closed = self.map.shards.iter().filter(|shard| is_closed_by(shard, &done.shards));
        let closed = closed.map(|shard| shard.range).collect();
        let is_reshard = true;
        self.refresh()?;
        self.tell(News::Done(Performed {
            what,
            start_ns,
            end_ns,
            before,
            after,
            closed,
            is_reshard,
        }));
        Ok(())
    }

    fn retention(&mut self, hours: u32) -> Result<()> {
        let change = StreamChange::Retention { hours, direction: Direction::Any };
        let start_ns = now_ns();
        let stream = self.client.alter_stream(&self.source.name, change)?;
        if stream.options.retention_hours != hours {
            let found = stream.options.retention_hours;
            return Err(Failure::Protocol(format!("retention is {found} h instead of {hours}")));
        }
        self.tell_unchanged(format!("retention {hours} h"), start_ns);
        Ok(())
    }

    fn on_demand(&mut self) -> Result<()> {
        let before = self.map.shards.len() as u32;
        self.tell(News::HalfOf(before));
        let change = StreamChange::Mode { mode: StreamMode::OnDemand, warm_mib: 0 };
        let start_ns = now_ns();
        let stream = self.client.alter_stream(&self.source.name, change)?;
        if stream.options.mode != StreamMode::OnDemand {
            return Err(Failure::Protocol("the mode did not change".to_owned()));
        }
        self.tell_unchanged("mode on-demand".to_owned(), start_ns);
        let start_ns = now_ns();
        while (self.map.shards.len() as u32) < before * 2 {
            if stop::requested() {
                return Ok(());
            }
            if now_ns() > start_ns + nanos(DOUBLING_TIMEOUT) {
                let now = self.map.shards.len();
                return Err(Failure::Stalled(format!(
                    "an on-demand stream of {before} shards under load has {now} shards after \
                     {DOUBLING_TIMEOUT:?}"
                )));
            }
            std::thread::sleep(LOOK);
            self.refresh()?;
        }
        let after = self.map.shards.len() as u32;
        let what = format!("doubles by itself {before} -> {after}");
        let (end_ns, closed) = (now_ns(), Vec::new());
        let is_reshard = false;
        self.tell(News::Done(Performed {
            what,
            start_ns,
            end_ns,
            before,
            after,
            closed,
            is_reshard,
        }));
        Ok(())
    }

    fn tell_unchanged(&self, what: String, start_ns: u64) {
        let (end_ns, shards) = (now_ns(), self.map.shards.len() as u32);
        let (before, after, closed, is_reshard) = (shards, shards, Vec::new(), false);
        self.tell(News::Done(Performed {
            what,
            start_ns,
            end_ns,
            before,
            after,
            closed,
            is_reshard,
        }));
    }

    /// Looks at the shards, and tells of them when they are others.
    fn refresh(&mut self) -> Result<()> {
        let map = self.client.shard_map(&self.source.name)?;
        if map.map_version != self.map.map_version {
            self.tell(News::Map(map.clone()));
        }
        self.map = map;
        Ok(())
    }

    fn tell(&self, news: News) {
        // Nobody listens any more when the load has failed.
        let _ = self.news.send(news);
    }
}

fn is_closed_by(shard: &ShardDescription, changed: &[ShardDescription]) -> bool {
    changed.iter().any(|now| now.number == shard.number && !now.is_open())
}
