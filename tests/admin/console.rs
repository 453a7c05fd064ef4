//! The console: what it asks for, what it may do, and what a browser makes of it.
//!
//! ```text
//! tests/tools/install              # once: chromium, from Debian
//! ```
//!
//! Without a browser its test says so and passes; with `SHARDWAY_REQUIRE_CLIENTS=1` it fails. Its
//! screenshots are in `target/artifacts`, for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::base::stream::{Position, StreamOptions};
use shardway::client::Client;
use shardway::record::BatchBuilder;
use shardway::wire::reshard::Reshard;
use shardway::wire::subscribe::Subscribe;

use crate::metrics::{put, receive, register, subscribe};
use crate::process::{new_dir, skipped};
use crate::{FIRST, Observed, http, stream};

fn json_of(answer: &http::Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

/// A stream with records, a live consumer, and a registered one that is not there.
fn in_use(observed: &Observed) -> (Client, StreamUuid, Client) {
    let mut client = observed.server.client();
    let uuid = stream(&mut client).summary.uuid;
    register(&mut client, "watched", "live");
    register(&mut client, "watched", "absent");
    let mut consumer = observed.server.client();
    subscribe(&mut consumer, uuid, "live", u64::MAX);
    put(&mut client, uuid, 3);
    put(&mut client, uuid, 1);
    receive(&mut consumer, 4);
    (client, uuid, consumer)
}

#[test]
fn the_overview_adds_the_cores_up_and_lists_the_streams() {
    let observed = Observed::start();
    let _in_use = in_use(&observed);
    let overview = json_of(&observed.page("/api/overview"));
    assert_eq!(overview["cores"].as_array().expect("a list").len(), 2);
    assert_eq!(overview["totals"]["in_records"], 4);
    assert_eq!(overview["latency"]["push"]["count"], 2);
    assert_eq!(overview["writes"], false);
    let stream = &overview["streams"][0];
    assert_eq!((&stream["name"], &stream["status"]), (&json!("watched"), &json!("ACTIVE")));
    let numbers = ["records", "open", "shards", "consumers", "subscriptions"];
    assert_eq!(numbers.map(|name| stream[name].as_u64()), [4, 1, 1, 2, 1].map(Some));
}

#[test]
fn a_stream_shows_who_reads_it_and_how_far_behind() {
    let observed = Observed::start();
    let (mut client, uuid, _consumer) = in_use(&observed);
    // One that accepts one batch, of two.
    register(&mut client, "watched", "slow");
    let mut slow = observed.server.client();
    let (consumer, position) = ("slow", Position::TrimHorizon);
    let request =
        Subscribe { subscription: 7, stream: uuid, shard: FIRST, consumer, position, credit: 1 };
    slow.subscribe(request).expect("a subscription");
    receive(&mut slow, 3);
    let stream = json_of(&observed.page("/api/stream?name=watched"));
    assert_eq!(
        (&stream["shards"][0]["records"], &stream["shards"][0]["to"]),
        (&json!(4), &json!(1.0))
    );
    let of = |name: &str| {
        let all = stream["consumers"].as_array().expect("a list");
        all.iter().find(|consumer| consumer["name"] == name).expect("it is registered").clone()
    };
    assert_eq!(of("absent")["subscriptions"], json!([]));
    let live = &of("live")["subscriptions"][0];
    assert_eq!((&live["live"], &live["lag_records"]), (&json!(true), &json!(0)));
    assert!(live["push_us"].is_u64(), "{live}");
    let slow = &of("slow")["subscriptions"][0];
    assert_eq!((&slow["live"], &slow["lag_records"]), (&json!(false), &json!(1)));
    assert_eq!(observed.page("/api/stream?name=other").status, 404);
}

#[test]
fn records_are_put_and_read_where_the_operator_allows_it() {
    let observed = Observed::with(|setup| setup.switch("--admin-writes"));
    let mut client = observed.server.client();
    let uuid = stream(&mut client).summary.uuid;
    put(&mut client, uuid, 1);
    let ask = |path, body: Value| http::post(&observed.admin, path, &body.to_string());
    let record = json!({ "stream": "watched", "key": "k", "data": "grüße" });
    let stored = json_of(&ask("/api/put", record));
    assert_eq!(stored, json!({ "shard": 0, "sequence": 1 }));
    let tail = json!({ "stream": "watched", "shard": 0, "from": 1 });
    let read = json_of(&ask("/api/tail", tail));
    assert_eq!((&read["next"], &read["records"][0]["data"]), (&json!(2), &json!("grüße")));
    let newest = json!({ "stream": "watched", "shard": 0, "from": null });
    assert_eq!(json_of(&ask("/api/tail", newest)), json!({ "records": [], "next": 2 }));
    let unknown = ask("/api/put", json!({ "stream": "other", "key": "k", "data": "" }));
    let text = json_of(&unknown)["error"].as_str().expect("a text").to_owned();
    assert!(unknown.status == 400 && text.starts_with("ResourceNotFoundException: "), "{text}");
    assert_eq!(ask("/api/put", json!({ "stream": "watched" })).status, 400);
}

#[test]
fn no_other_page_puts_a_record() {
    let record = r#"{ "stream": "watched", "key": "k", "data": "d" }"#;
    let open = Observed::with(|setup| setup.switch("--admin-writes"));
    stream(&mut open.server.client());
    let host = format!("host: {}\r\n", open.admin);
    let json = "content-type: application/json\r\n";
    let status = |head: String| http::post_with(&open.admin, "/api/put", &head, record).status;
    assert_eq!(status(format!("{host}content-type: text/plain\r\n")), 415);
    assert_eq!(status(format!("{host}{json}origin: http://evil.example\r\n")), 403);
    assert_eq!(status(format!("host: evil.example\r\n{json}origin: http://evil.example\r\n")), 403);
    assert_eq!(status(format!("{host}{json}origin: http://{}\r\n", open.admin)), 200);
    let closed = Observed::start();
    stream(&mut closed.server.client());
    assert_eq!(http::post(&closed.admin, "/api/put", record).status, 403);
}

/// A stream in use, with a shard that was split, until it is dropped.
struct Traffic {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    fn start(observed: &Observed) -> Traffic {
        let mut client = observed.server.client();
        let stream = client.create_stream("busy", 2, StreamOptions::default()).expect("a stream");
        let uuid = stream.summary.uuid;
        let split = Reshard::Split { shard: ShardNumber(1), at: None };
        client.reshard_stream("busy", split).expect("a split");
        register(&mut client, "busy", "live");
        register(&mut client, "busy", "absent");
        let mut consumer = observed.server.client();
        subscribe(&mut consumer, uuid, "live", u64::MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let mut batch = BatchBuilder::new();
                    for record in 0..10 {
                        let key = format!("{turn}-{record}");
                        batch.push(&key, None, &[b'd'; 200]).expect("a small record");
                    }
                    let any = ShardNumber::ANY;
                    client.put(uuid, any, 0, batch.finish()).expect("an answer");
                    while consumer.next_event(Duration::ZERO).expect("a connection").is_some() {}
                    // The load, not a wait: some 700 of the 1,000 records/s of a shard.
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Traffic { stop, thread: Some(thread) }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().expect("it was started").join();
        assert!(ended.is_ok() || std::thread::panicking(), "the producer has panicked");
    }
}

// ---- In a browser ------------------------------------------------------------------------------

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|dir| dir.join("chromium"));
    let found = places.find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("SHARDWAY_REQUIRE_CLIENTS").is_none(),
            "there is no chromium; run tests/tools/install"
        );
        skipped("the console in a browser", "there is no chromium; run tests/tools/install");
    }
    found
}

/// Opens the console and lets its time run for 8 s.
fn open(browser: &Path, url: &str, args: &[&str]) -> Output {
    let profile = new_dir();
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=8000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(args)
        .arg(url)
        .output()
        .expect("chromium runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<_> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(output.status.success() && complaints.is_empty(), "{complaints:?}");
    output
}

#[test]
fn the_console_shows_a_stream_in_use_in_a_browser() {
    let Some(browser) = browser() else { return };
    let observed = Observed::with(|setup| setup.switch("--admin-writes"));
    let _traffic = Traffic::start(&observed);
    let url = format!("http://{}/#busy", observed.admin);
    let page = String::from_utf8(open(&browser, &url, &["--dump-dom"]).stdout).expect("text");
    let shown = ["shardId-000000000001 (closed)", "shardId-000000000003", ">live<", ">absent<"];
    for shown in shown.iter().chain(&[">busy<", "not subscribed"]) {
        assert!(page.contains(shown), "no {shown:?} in\n{page}");
    }
    let looks = page.split("data-looks=\"").nth(1).and_then(|rest| rest.split('"').next());
    assert!(looks.is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n >= 3)), "it looks again");
    assert!(page.contains(r#"<div id="records">"#), "records can be put");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target");
    let artifacts = target.join("artifacts");
    fs::create_dir_all(&artifacts).expect("the target can be written");
    let kinds: [(&str, &[&str]); 3] = [
        ("console-light.png", &["--window-size=1280,1500"]),
        (
            "console-dark.png",
            &["--window-size=1280,1500", "--blink-settings=preferredColorScheme=0"],
        ),
        ("console-narrow.png", &["--window-size=500,2300"]),
    ];
    for (name, args) in kinds {
        let file = artifacts.join(name);
        let shot = format!("--screenshot={}", file.display());
        open(&browser, &url, &[args, &[&shot]].concat());
        assert!(fs::metadata(&file).is_ok_and(|file| file.len() > 20_000), "{}", file.display());
    }
}
