//! No allocation per record on the put and push paths, once they are warm (design §7).
//!
//! A counting allocator counts what the server core's thread asks for; the clients run on other
//! threads. Puts go out in bursts, one burst in flight, and a subscription takes every record.
//!
//! Two looks at it. First, all allocations of a burst: what would belong to a record or a batch
//! must show as a difference between bursts that differ in nothing but their number of records or
//! batches. That number wobbles with the runtime, which allocates on every round of its loop. So
//! second, a few bursts more with a backtrace for each allocation: how many are our own.

#![expect(clippy::print_stdout, reason = "the table is what the test is read for")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use shardway::base::ids::{ShardNumber, StreamUuid};
use shardway::base::limits::FRAME_HEADER_BYTES;
use shardway::base::stream::{Position, ShardLimits, StreamOptions};
use shardway::client::{Client, ConnectOptions, Incoming};
use shardway::log::progress::NoProgress;
use shardway::record::BatchBuilder;
use shardway::runtime::{Server, ServerOptions};
use shardway::wire::consumers::{ConsumerName, RegisterConsumer};
use shardway::wire::frame::{write_frame, write_frame_with_body};
use shardway::wire::hello::{ANY_CORE, Hello, PROTOCOL_VERSION};
use shardway::wire::put::Put;
use shardway::wire::subscribe::Subscribe;
use shardway::wire::{FrameHeader, Opcode};

// ---- The allocator -----------------------------------------------------------------------------

/// The system's allocator, which counts the calls of one thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static MEASURING: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static TRACING: AtomicBool = AtomicBool::new(false);
static TRACES: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());

/// The thread of the only core is named so, before its executor starts; that of its helper has a
/// longer name.
const CORE_THREAD: &[u8] = b"core-0\0";

thread_local! {
    /// Whether this thread is the core's; not known before its first allocation under measurement.
    static IS_CORE: Cell<Option<bool>> = const { Cell::new(None) };
    /// Inside of a backtrace, which allocates itself.
    static IN_TRACE: Cell<bool> = const { Cell::new(false) };
}

fn is_core() -> bool {
    IS_CORE.get().unwrap_or_else(|| {
        let mut name = [0u8; 16];
        // SAFETY: PR_GET_NAME writes at most 16 bytes.
        unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
        let is_core = name.starts_with(CORE_THREAD);
        IS_CORE.set(Some(is_core));
        is_core
    })
}

fn count(bytes: usize) {
    if !MEASURING.load(Ordering::Relaxed) || IN_TRACE.get() || !is_core() {
        return;
    }
    CALLS.fetch_add(1, Ordering::Relaxed);
    BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    if TRACING.load(Ordering::Relaxed) {
        IN_TRACE.set(true);
        TRACES.lock().unwrap().push(Backtrace::force_capture());
        IN_TRACE.set(false);
    }
}

/// The innermost function of ours or of the runtime's in a backtrace: who allocates.
fn allocator(trace: &str) -> Option<&str> {
    // A line of a function reads "  12: path::name"; a line of a place, "    at file:1:2".
    let functions = trace.lines().filter_map(|line| {
        let (number, name) = line.trim_start().split_once(": ")?;
        number.parse::<u32>().ok().map(|_| name)
    });
    let owner = |name: &&str| {
        let path = name.trim_start_matches(['<', '&']);
        path.starts_with("shardway::") || path.starts_with("io_uring")
    };
    functions.into_iter().find(owner)
}

/// Allocations by function of ours, since the last call.
fn own_places() -> BTreeMap<String, u64> {
    let mut places = BTreeMap::new();
    for trace in TRACES.lock().unwrap().drain(..) {
        let text = trace.to_string();
        let name = allocator(&text).unwrap_or_else(|| panic!("nobody's allocation:\n{text}"));
        if name.trim_start_matches(['<', '&']).starts_with("shardway::") {
            *places.entry(name.to_owned()).or_default() += 1;
        }
    }
    places
}

// SAFETY: every call goes to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        count(bytes);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, bytes) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

// ---- The clients -------------------------------------------------------------------------------

/// A connection that writes a prepared burst of puts in one call and counts the answers.
struct Writer {
    stream: TcpStream,
    inbox: Vec<u8>,
}

impl Writer {
    fn connect(address: SocketAddr) -> Writer {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut writer = Writer { stream, inbox: Vec::new() };
        let hello = Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            features: 0,
            wanted_core: ANY_CORE,
            client: "no_alloc",
        };
        let mut out = Vec::new();
        write_frame(&mut out, Opcode::Hello, 1, |w| hello.write(w));
        writer.stream.write_all(&out).unwrap();
        assert_eq!(writer.answer(), Opcode::HelloAnswer);
        writer
    }

    /// One burst: written at once, answered whole.
    fn burst(&mut self, load: &Load, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        for _ in 0..load.puts {
            assert_eq!(self.answer(), Opcode::PutAnswer);
        }
    }

    fn answer(&mut self) -> Opcode {
        loop {
            if let Some((head, rest)) = self.inbox.split_first_chunk::<FRAME_HEADER_BYTES>() {
                let header = FrameHeader::decode(head).unwrap();
                let payload_bytes = header.payload_bytes as usize;
                if rest.len() >= payload_bytes {
                    self.inbox.drain(..FRAME_HEADER_BYTES + payload_bytes);
                    return header.opcode;
                }
            }
            let mut some = [0; 16 * 1024];
            let n = self.stream.read(&mut some).unwrap();
            assert!(n > 0, "the server closed the connection");
            self.inbox.extend_from_slice(&some[..n]);
        }
    }
}

/// What a burst is made of.
#[derive(Clone, Copy, Debug)]
struct Load {
    puts: u32,
    records: u32,
    data: usize,
}

impl Load {
    fn bytes(&self, stream: StreamUuid) -> Vec<u8> {
        let mut builder = BatchBuilder::new();
        for _ in 0..self.records {
            builder.push("key", None, &vec![b'x'; self.data]).unwrap();
        }
        let batch = builder.finish();
        let put = Put { stream, shard: ShardNumber(0), map_version: 1, batch };
        let mut bytes = Vec::new();
        for correlation in 0..u64::from(self.puts) {
            write_frame_with_body(&mut bytes, Opcode::Put, correlation + 2, batch.len(), |w| {
                put.write_prefix(w);
            });
            bytes.extend_from_slice(batch);
        }
        bytes
    }
}

/// What a burst costs on the core, on average.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Allocations.
    calls: f64,
    /// Those that our own code makes.
    own: f64,
}

struct Bench {
    stream: StreamUuid,
    writer: Writer,
    /// Records that the subscription has received.
    received: &'static AtomicU64,
    written: u64,
    /// Allocations a second without any request: the tick and the runtime.
    idle: f64,
    /// Where our own code allocates, and how often it did.
    places: BTreeMap<String, u64>,
}

impl Bench {
    /// Bursts until the tail, the lists and the maps have their size, then the same again,
    /// counted.
    fn measure(&mut self, load: Load) -> Cost {
        let bytes = load.bytes(self.stream);
        let warm_up = if self.written == 0 { WARM_UP_FIRST } else { WARM_UP };
        for _ in 0..warm_up {
            self.writer.burst(&load, &bytes);
        }
        self.written += u64::from(warm_up * load.puts * load.records);
        self.await_pushes();
        let started = Instant::now();
        let (calls, asked) = counted(|| {
            for _ in 0..BURSTS {
                self.writer.burst(&load, &bytes);
            }
        });
        let idle = self.idle * started.elapsed().as_secs_f64();
        TRACING.store(true, Ordering::SeqCst);
        counted(|| {
            for _ in 0..TRACED {
                self.writer.burst(&load, &bytes);
            }
        });
        TRACING.store(false, Ordering::SeqCst);
        self.written += u64::from((BURSTS + TRACED) * load.puts * load.records);
        self.await_pushes();
        let places = own_places();
        let own = places.values().sum::<u64>() as f64 / f64::from(TRACED);
        for (place, times) in places {
            *self.places.entry(place).or_default() += times;
        }
        let bursts = f64::from(BURSTS);
        let cost = Cost { calls: (calls as f64 - idle) / bursts, own };
        let records = f64::from(load.puts * load.records);
        println!(
            "{:>5} {:>8} {:>6} | {:>6.2} {:>9.4} {:>7.0} | {:>6.2} {:>9.4}",
            load.puts,
            load.records,
            load.data,
            cost.calls,
            cost.calls / records,
            asked as f64 / bursts,
            own,
            own / records,
        );
        cost
    }

    /// Waits until every record has come back: pushes are part of what is measured.
    fn await_pushes(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        while self.received.load(Ordering::Acquire) < self.written {
            assert!(Instant::now() < until, "pushes are missing");
            std::thread::yield_now();
        }
    }
}

/// Calls and bytes of the core's thread while `work` runs.
fn counted(work: impl FnOnce()) -> (u64, u64) {
    CALLS.store(0, Ordering::SeqCst);
    BYTES.store(0, Ordering::SeqCst);
    MEASURING.store(true, Ordering::SeqCst);
    work();
    MEASURING.store(false, Ordering::SeqCst);
    (CALLS.load(Ordering::SeqCst), BYTES.load(Ordering::SeqCst))
}

/// Counts what a subscription receives, on a thread of its own, for as long as the process lives.
fn subscribe(address: SocketAddr, stream: StreamUuid) -> &'static AtomicU64 {
    static RECEIVED: AtomicU64 = AtomicU64::new(0);
    let mut client = Client::connect(&address.to_string(), ConnectOptions::default()).unwrap();
    let request = Subscribe {
        subscription: 1,
        stream,
        shard: ShardNumber(0),
        consumer: "no-alloc",
        position: Position::Latest,
        credit: u64::MAX,
    };
    let name = ConsumerName { stream: "s", consumer: "no-alloc" };
    client.register_consumer(&RegisterConsumer { name, tags: Vec::new() }).unwrap();
    client.subscribe(request).unwrap();
    std::thread::spawn(move || {
        while let Ok(event) = client.recv() {
            let Incoming::Pushed(pushed) = event else { panic!("{event:?}") };
            let records = pushed.batches.views().map(|view| view.unwrap().header().count).sum();
            RECEIVED.fetch_add(u32::into(records), Ordering::Release);
        }
    });
    &RECEIVED
}

// ---- The test ----------------------------------------------------------------------------------

/// Bursts before the first that counts: more commits than the tail has room for, and than
/// write-behind leaves alone.
const WARM_UP_FIRST: u32 = 2000;
/// The same for further loads, which find the tail full.
const WARM_UP: u32 = 200;
/// Bursts that count.
const BURSTS: u32 = 500;
/// Bursts whose allocations are traced: each backtrace is put into words, which takes its time.
const TRACED: u32 = 40;
/// A tail of few commits is soon full, and then evicts as much as it takes in.
const TAIL_BYTES: usize = 4 * 1024 * 1024;
/// Allocations of a burst that is one commit, nearly all of them the runtime's: sources and wakers
/// of the write and of the poll, and of every round of its loop. Measured: 19 to 26.
const PER_BURST_MAX: f64 = 60.0;
/// Our own: the reference count of the commit's buffer is one; a piece of write-behind, paths and
/// lists, is about twenty, for each 256 KiB. The margin is for bursts that arrive in two turns.
const OWN_PER_BURST_MAX: f64 = 6.0;
/// What one record or batch more may seem to cost. A real allocation would be 1.
const NOISE: f64 = 0.5;
/// The same for our own allocations, which depend less on how busy the machine is.
const OWN_NOISE: f64 = 0.1;

#[test]
fn puts_and_pushes_allocate_nothing_per_record() {
    let dir = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let mut options = ServerOptions::new(dir.path().to_owned(), vec![0]);
    options.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    options.journal_file_bytes = 16 * 1024 * 1024;
    options.tail_bytes = TAIL_BYTES;
    let server = Server::start(options, &mut NoProgress).unwrap();
    let address = server.native_addr();
    let mut client = Client::connect(&address.to_string(), ConnectOptions::default()).unwrap();
    let limits = ShardLimits::OFF;
    let stream =
        client.create_stream("s", 1, StreamOptions { limits, ..StreamOptions::default() }).unwrap();
    let stream = stream.summary.uuid;
    let received = subscribe(address, stream);
    let writer = Writer::connect(address);

    let started = Instant::now();
    let (calls, _) = counted(|| std::thread::sleep(Duration::from_secs(2)));
    let idle = calls as f64 / started.elapsed().as_secs_f64();
    println!("idle: {idle:.0} allocations a second (the tick's timer and wakers)\n");
    println!("       a burst is:     | allocations        bytes | our own        ");
    println!(" puts  records  bytes | burst    record    burst | burst    record");
    let mut bench = Bench { stream, writer, received, written: 0, idle, places: BTreeMap::new() };
    let load = |puts, records, data| Load { puts, records, data };
    let single = bench.measure(load(1, 1, 64));
    bench.measure(load(1, 100, 64));
    let many = bench.measure(load(1, 500, 64));
    // As many bytes in one record: write-behind has the same work.
    let wide = bench.measure(load(1, 1, 500 * (64 + 8 + 3)));
    let few_batches = bench.measure(load(2, 1, 64));
    let many_batches = bench.measure(load(64, 1, 64));
    let wide_batches = bench.measure(load(2, 1, 32 * (64 + 8 + 3 + 128)));
    server.stop().unwrap();
    println!("\nwhere our own come from, of {} bursts:", 7 * TRACED);
    for (place, times) in &bench.places {
        println!("{times:>6}  {place}");
    }

    for cost in [single, many, wide, few_batches, many_batches, wide_batches] {
        assert!(cost.calls < PER_BURST_MAX, "a commit costs {cost:?}");
        assert!(cost.own < OWN_PER_BURST_MAX, "a commit costs {cost:?}");
        assert!(cost.own >= 1.0, "backtraces do not show who allocates: {cost:?}");
    }
    let more =
        |many: Cost, few: Cost, by: f64| ((many.calls - few.calls) / by, (many.own - few.own) / by);
    let (record, own) = more(many, wide, 499.0);
    assert!(record < NOISE && own < OWN_NOISE, "one record more: {record} allocations, {own} ours");
    let (batch, own) = more(many_batches, wide_batches, 62.0);
    assert!(batch < NOISE && own < OWN_NOISE, "one batch more: {batch} allocations, {own} ours");
}
