//! A core that serves nothing but HTTP, in a thread.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpStream};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::gateway::http::{
    Aborted, Admission, ChunkSource, Front, Handler, Head, Host, Limits, Refusal, Request,
    Response, ResponseBody, Transport,
};
use crate::net::{Listener, Poller, SelfSigned, Streams, TlsServer, TlsStream, Token};
use crate::reactor;

/// Nothing that works takes this long.
pub const HANG: Duration = Duration::from_secs(60);

/// What a test and the server's thread share.
#[derive(Debug, Default)]
pub struct Shared {
    skew_ms: AtomicU64,
    drain: AtomicBool,
    abort: AtomicBool,
    stop: AtomicBool,
    /// Connections that are open.
    pub connections: AtomicUsize,
    /// Requests that wait for [`Shared::release`].
    pub waiting: AtomicUsize,
    /// Lets them go on.
    pub release: AtomicBool,
    /// Handlers whose future was dropped before it was ready.
    pub dropped: AtomicUsize,
    /// Requests that were served.
    pub served: AtomicUsize,
}

/// A server; its thread ends with it.
#[derive(Debug)]
pub struct TestServer {
    pub address: SocketAddr,
    /// The same with TLS.
    pub secure: SocketAddr,
    /// What to trust for that.
    pub certificate: String,
    pub shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub fn start() -> TestServer {
        TestServer::with(Limits::default())
    }

    pub fn with(limits: Limits) -> TestServer {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = [0, 1].map(|_| Listener::bind(any, true).unwrap());
        let [address, secure] = [0, 1].map(|i: usize| listeners[i].address().unwrap());
        let made = SelfSigned::make(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
        let protocols: [&[u8]; 2] = [b"h2", b"http/1.1"];
        let (chain, key) = (made.certificate.as_bytes(), made.key.as_bytes());
        let tls = TlsServer::new(chain, key, &protocols).unwrap();
        let shared = Arc::new(Shared::default());
        let (name, spin) = ("http".to_owned(), Duration::ZERO);
        let settings = reactor::Settings { name, cpu: None, memory: 0, spin };
        let thread = reactor::start(settings, {
            let shared = shared.clone();
            move || serve(listeners, tls, limits, shared)
        });
        let (certificate, thread) = (made.certificate, Some(thread.unwrap()));
        TestServer { address, secure, certificate, shared, thread }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Lets time pass in the server.
    pub fn advance(&self, time: Duration) {
        self.shared.skew_ms.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    /// Lets time pass, as much as it takes.
    pub fn advance_until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        until(what, || {
            self.advance(Duration::from_secs(1));
            condition()
        });
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    pub fn drain(&self) {
        self.shared.drain.store(true, Ordering::Relaxed);
    }

    pub fn abort(&self) {
        self.shared.abort.store(true, Ordering::Relaxed);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the server's thread has panicked");
    }
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANG;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: has not happened within {HANG:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[derive(Clone)]
struct Local;

impl Host for Local {
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        reactor::spawn(task).detach();
    }
}

async fn serve(listeners: [Listener; 2], tls: TlsServer, limits: Limits, shared: Arc<Shared>) {
    let started = Instant::now();
    let front = Rc::new(Front::new(Echo { shared: shared.clone() }, limits, started));
    let ended = Rc::new(Cell::new(false));
    let ticks = reactor::spawn({
        let (front, shared, ended) = (front.clone(), shared.clone(), ended.clone());
        async move {
            while !(shared.stop.load(Ordering::Relaxed) && front.is_empty()) {
                reactor::sleep(Duration::from_millis(2)).await;
                let skew = Duration::from_millis(shared.skew_ms.load(Ordering::Relaxed));
                front.sweep(Instant::now() + skew);
                shared.connections.store(front.len(), Ordering::Relaxed);
                if shared.drain.load(Ordering::Relaxed) {
                    front.drain();
                }
                let stop = shared.stop.load(Ordering::Relaxed);
                if stop || shared.abort.load(Ordering::Relaxed) {
                    front.abort();
                }
            }
            ended.set(true);
        }
    });
    let mut poller = Poller::new().unwrap();
    let streams = Streams::new(&poller).unwrap();
    for (token, listener) in listeners.iter().enumerate() {
        poller.add(listener, Token(token as u64)).unwrap();
    }
    let mut ready = Vec::new();
    while !ended.get() {
        // A stop is noticed by the next tick, not by the sockets.
        let soon = Duration::from_millis(20);
        {
            let (mut wait, mut late) = (pin!(poller.wait()), pin!(reactor::sleep(soon)));
            poll_fn(|cx| {
                let ready = wait.as_mut().poll(cx).is_ready() || late.as_mut().poll(cx).is_ready();
                if ready { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        poller.take(&mut ready).unwrap();
        for event in &ready {
            if Streams::owns(event.token) {
                streams.ready(event);
                continue;
            }
            let secure = event.token == Token(1);
            while let Some(socket) = listeners[usize::from(secure)].accept().unwrap() {
                let peer = socket.peer().ok();
                let stream = streams.open(socket).unwrap();
                let transport = match secure {
                    false => Transport::Plain(stream),
                    true => Transport::Tls(Box::new(TlsStream::new(stream, &tls).unwrap())),
                };
                front.open(&Local, transport, peer);
            }
        }
    }
    ticks.await;
}

/// Does what the path says.
struct Echo {
    shared: Arc<Shared>,
}

impl Handler for Echo {
    fn admit(&self, head: &Head, limit: usize) -> Admission {
        match head.uri.path() {
            "/small" => Admission::Read(10),
            "/forbidden" => Admission::Answer(Response::new(StatusCode::FORBIDDEN)),
            _ => Admission::Read(limit),
        }
    }

    async fn call(&self, request: Request) -> Response {
        self.shared.served.fetch_add(1, Ordering::Relaxed);
        let ok = Response::new(StatusCode::OK);
        match request.head.uri.path() {
            "/echo" | "/small" => ok.with_body(request.body.bytes().clone().into()),
            "/about" => {
                let Head { method, uri, version, headers, peer, secure } = request.head;
                let host = headers.get("host").map_or("none", |host| host.to_str().unwrap());
                let authority = uri.authority().map_or("none", |authority| authority.as_str());
                let peer = peer.is_some_and(|peer| peer.ip().is_loopback());
                let text = format!("{method} {version:?} {host} {authority} {peer} {secure}");
                ok.with_body(text.into_bytes().into())
            }
            "/chunks" => {
                let chunks =
                    ["one ", "", "two ", "three"].map(|c| Bytes::from_static(c.as_bytes()));
                ok.with_body(ResponseBody::Chunks(chunks.into()))
            }
            "/stream" => {
                ok.with_body(ResponseBody::Stream(Box::new(Slow { left: 3, wait: false })))
            }
            "/large" => ok.with_body(vec![7; 64 << 20].into()),
            "/endless" => ok.with_body(ResponseBody::Stream(Box::new(Endless))),
            "/broken" => ok.with_body(ResponseBody::Stream(Box::new(Broken(0)))),
            "/wait" => {
                let guard = Dropped(&self.shared, Cell::new(false));
                self.shared.waiting.fetch_add(1, Ordering::Relaxed);
                while !self.shared.release.load(Ordering::Relaxed) {
                    reactor::sleep(Duration::from_millis(1)).await;
                }
                self.shared.waiting.fetch_sub(1, Ordering::Relaxed);
                guard.1.set(true);
                ok.with_body(b"waited".to_vec().into())
            }
            _ => Response::new(StatusCode::NOT_FOUND),
        }
    }

    fn refuse(&self, _: &Head, refusal: Refusal) -> Response {
        let why = HeaderValue::from_str(&format!("{refusal:?}")).unwrap();
        Response::new(refusal.status()).with_header(HeaderName::from_static("x-refused"), why)
    }
}

struct Dropped<'a>(&'a Shared, Cell<bool>);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        if !self.1.get() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Has to be asked twice for each chunk.
struct Slow {
    left: u32,
    wait: bool,
}

impl ChunkSource for Slow {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        self.wait = !self.wait;
        if self.wait {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.left -= 1;
        let more = self.left > 0;
        Poll::Ready(more.then(|| Ok(Bytes::from_static(b"chunk "))))
    }
}

struct Endless;

impl ChunkSource for Endless {
    fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        Poll::Ready(Some(Ok(Bytes::from_static(&[7; 16 << 10]))))
    }
}

/// Half of an answer, a pause in which it is sent, and no second half.
struct Broken(u32);

impl ChunkSource for Broken {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Aborted>>> {
        self.0 += 1;
        match self.0 {
            1 => Poll::Ready(Some(Ok(Bytes::from_static(b"half")))),
            2 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Err(Aborted))),
        }
    }
}
