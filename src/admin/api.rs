//! What the console asks for, as JSON. It has no version: console and server are one program.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::exposition::About;
use super::notices::Notice;
use super::page::Page;
use crate::base::ids::{CoreId, Millis, ShardNumber, StreamUuid};
use crate::catalog::{ShardView, StreamView, View};
use crate::fanout::SubscriptionStats;
use crate::metrics::{CoreMetrics, Counter, Gauge, Histogram};
use crate::service::StreamLoad;
use crate::wire::shards::ShardStats;

/// Hot shards that are listed.
const HOT_MAX: usize = 20;

impl Page {
    /// An answer of the console's API.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Page {
        Page { status, content_type: "application/json", body: value.to_string().into_bytes() }
    }

    /// A refusal of the console's API.
    #[must_use]
    pub fn refusal(status: u16, error: &str) -> Page {
        Page::json(status, &json!({ "error": error }))
    }
}

/// The server at a glance.
#[derive(Debug)]
pub struct Overview<'a> {
    /// The server.
    pub about: About,
    /// Now.
    pub now: Millis,
    /// Whether records may be put and read here.
    pub writes: bool,
    /// The streams.
    pub view: &'a View,
    /// What the cores say that have answered.
    pub cores: &'a [(CoreId, Box<CoreMetrics>, Vec<StreamLoad>)],
    /// What was logged.
    pub notices: Vec<Notice>,
}

impl Overview<'_> {
    /// As JSON.
    #[must_use]
    pub fn page(&self) -> Page {
        let mut all = CoreMetrics::new();
        self.cores.iter().for_each(|(_, metrics, _)| all.merge(metrics));
        let loads = self.loads();
        let none = StreamLoad::of(StreamUuid([0; 16]));
        let stream = |stream| stream_of(stream, loads.get(&stream.uuid).unwrap_or(&none));
        let core = |(core, metrics, _): &(CoreId, Box<CoreMetrics>, _)| {
            json!({
                "core": core.0,
                "cpu_us": metrics.counter(Counter::CpuMicros),
                "shards": metrics.gauge(Gauge::Shards),
            })
        };
        let notice = |n: &Notice| json!({ "at_ms": n.at.0, "level": n.level, "text": n.text });
        Page::json(
            200,
            &json!({
                "version": self.about.version,
                "started_ms": self.about.started.0,
                "now_ms": self.now.0,
                "all_cores": self.about.cores,
                "writes": self.writes,
                "cores": self.cores.iter().map(core).collect::<Vec<_>>(),
                "totals": totals(&all),
                "latency": {
                    "put": latency(&all, Histogram::PutMicros),
                    "push": latency(&all, Histogram::PushMicros),
                    "commit": latency(&all, Histogram::CommitMicros),
                },
                "streams": self.view.streams().iter().map(|s| stream(s)).collect::<Vec<_>>(),
                "hot": self.hot(&loads),
                "notices": self.notices.iter().map(notice).collect::<Vec<_>>(),
            }),
        )
    }

    /// By stream, of all cores.
    fn loads(&self) -> HashMap<StreamUuid, StreamLoad> {
        let mut all: HashMap<StreamUuid, StreamLoad> = HashMap::new();
        for load in self.cores.iter().flat_map(|(.., loads)| loads) {
            all.entry(load.stream).or_insert_with(|| StreamLoad::of(load.stream)).merge(load);
        }
        all
    }

    /// The hottest shards of all streams.
    fn hot(&self, loads: &HashMap<StreamUuid, StreamLoad>) -> Vec<Value> {
        let mut hot: Vec<_> = loads
            .values()
            .filter_map(|load| Some((self.view.by_uuid(load.stream)?, load)))
            .flat_map(|(stream, load)| load.hot.iter().map(move |shard| (&*stream.name, *shard)))
            .collect();
        hot.sort_by_key(|(stream, shard)| (std::cmp::Reverse(shard.percent), *stream, shard.shard));
        let shown = hot.iter().take(HOT_MAX).map(|(stream, shard)| {
            json!({
                "stream": stream,
                "shard": shard.shard.0,
                "percent": shard.percent,
                "in_bytes_per_s": shard.in_bytes_per_s,
                "in_records_per_s": shard.in_records_per_s,
            })
        });
        shown.collect()
    }
}

fn stream_of(stream: &StreamView, load: &StreamLoad) -> Value {
    let stream = stream.shown();
    json!({
        "name": stream.name,
        "status": stream.status.word(),
        "mode": stream.options.mode.word(),
        "durability": stream.options.durability.word(),
        "open": stream.open_shards(),
        "shards": stream.shards.len(),
        "consumers": stream.consumers.len(),
        "records": load.records,
        "bytes": load.sum.bytes,
        "in_bytes_per_s": load.sum.in_bytes_per_s,
        "in_records_per_s": load.sum.in_records_per_s,
        "throttled": load.sum.throttled,
        "subscriptions": load.sum.subscriptions,
    })
}

fn totals(all: &CoreMetrics) -> Value {
    let (n, now) = (|c| all.counter(c), |g| all.gauge(g));
    json!({
        "in_records": n(Counter::RecordsIn),
        "in_bytes": n(Counter::BytesIn),
        "get_records": n(Counter::RecordsOut),
        "get_bytes": n(Counter::BytesOut),
        "push_records": n(Counter::PushRecords),
        "push_bytes": n(Counter::PushBytes),
        "throttled": n(Counter::ThrottledRecords),
        "refused": n(Counter::RefusedPuts),
        "credit_stalls": n(Counter::CreditStalls),
        "stored_bytes": now(Gauge::StoredBytes),
        "unflushed_bytes": now(Gauge::UnflushedBytes),
        "subscriptions": now(Gauge::Subscriptions),
        "sessions": now(Gauge::Sessions),
        "http_connections": now(Gauge::HttpConnections),
    })
}

/// Counts below each bound, from which the console has quantiles of what came since its last look.
fn latency(all: &CoreMetrics, histogram: Histogram) -> Value {
    let (cell, bounds) = (all.histogram(histogram), histogram.bounds());
    let below: Vec<u64> = cell.below(bounds).collect();
    json!({ "bounds": bounds, "below": below, "count": cell.count() })
}

/// One stream in full. `shards` and `subscriptions` are what the cores say that have answered.
#[must_use]
pub fn stream_page(
    stream: &StreamView,
    shards: &[ShardStats],
    subscriptions: &[SubscriptionStats],
) -> Page {
    let stream = stream.shown();
    let stats: HashMap<ShardNumber, &ShardStats> =
        shards.iter().map(|stats| (stats.number, stats)).collect();
    let none = ShardStats::default();
    let shard = |shard: &ShardView| {
        shard_of(stream, shard, stats.get(&shard.number).copied().unwrap_or(&none))
    };
    let consumer = |name: &String| {
        let own = subscriptions.iter().filter(|subscription| subscription.consumer == *name);
        let mut own: Vec<_> = own.collect();
        own.sort_by_key(|subscription| subscription.shard);
        let own: Vec<_> = own.into_iter().map(subscription_of).collect();
        json!({ "name": name, "subscriptions": own })
    };
    Page::json(
        200,
        &json!({
            "name": stream.name,
            "shards": stream.shards.iter().map(shard).collect::<Vec<_>>(),
            "consumers": stream.consumers.keys().map(consumer).collect::<Vec<_>>(),
        }),
    )
}

fn shard_of(stream: &StreamView, shard: &ShardView, stats: &ShardStats) -> Value {
    // A picture needs no more than a double has.
    let part = |key: u128| key as f64 / u128::MAX as f64;
    let percent = shard.is_open().then(|| stats.load_percent(&stream.options.limits)).flatten();
    json!({
        "shard": shard.number.0,
        "core": shard.home.0,
        "parent": shard.parent.map(|parent| parent.0),
        "adjacent_parent": shard.adjacent_parent.map(|parent| parent.0),
        "closed": shard.closed.is_some(),
        "from": part(shard.range.start.0),
        "to": part(shard.range.end.0),
        "records": stats.records(),
        "bytes": stats.bytes,
        "in_bytes_per_s": stats.in_bytes_per_s,
        "in_records_per_s": stats.in_records_per_s,
        "percent": percent,
        "throttled": stats.throttled,
        "subscriptions": stats.subscriptions,
    })
}

fn subscription_of(subscription: &SubscriptionStats) -> Value {
    json!({
        "shard": subscription.shard.0,
        "live": subscription.live,
        "lag_records": subscription.lag_records,
        "lag_ms": subscription.lag_ms,
        "push_us": subscription.last_wait.map(|wait| wait.as_micros() as u64),
        "credit": subscription.credit,
    })
}
