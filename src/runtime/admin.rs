//! The admin port: one listener, on core 0, in the clear.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use crate::admin::exposition::{self, About};
use crate::admin::guard::{self, Shown};
use crate::admin::health::{Condition, healthz, readyz};
use crate::admin::notices::Notices;
use crate::admin::{Page, Route, api, route};
use crate::base::clock::Now;
use crate::base::ids::Millis;
use crate::gateway::host::Host;
use crate::gateway::http::{
    Front, Handler, Head, Limits, Request, Response, ResponseBody, Transport,
};
use crate::net::{Listener, Poller, Token};
use crate::reactor::QueueId;
use crate::runtime::console;
use crate::runtime::gateway_host::CoreHost;
use crate::runtime::http::{Door, Tasks, listen};
use crate::runtime::options::StartError;
use crate::runtime::questions::ask_all;
use crate::runtime::state::{CoreState, Phase};
use crate::service::{Question, Report};

/// The listener's token.
pub const ADMIN: Token = Token(5);

/// Supervisors, a scraper or two, and people's browsers.
const CONNECTIONS: usize = 128;
/// A record of the largest size that a console may put, as base64 in JSON.
const BODY_BYTES: usize = 2 << 20;

/// What an operator chooses of it.
#[derive(Clone, Debug)]
pub struct AdminOptions {
    /// Where. Port 0 picks a free one.
    pub address: SocketAddr,
    /// Records may be put and read there.
    pub writes: bool,
    /// What is logged, for the console.
    pub notices: Notices,
}

/// What core 0 starts it from.
#[derive(Debug)]
pub struct AdminStart {
    listener: Listener,
    options: AdminOptions,
}

/// Listens on the address of the admin port.
pub fn listen_admin(options: &AdminOptions) -> Result<(SocketAddr, AdminStart), StartError> {
    let (address, mut listeners) = listen(options.address, 1, "--admin")?;
    Ok((address, AdminStart { listener: listeners.remove(0), options: options.clone() }))
}

/// See the module.
#[derive(Debug)]
pub struct Admin {
    front: Front<Pages>,
    host: CoreHost,
    door: Door,
    tasks: std::cell::Cell<Option<Tasks>>,
}

impl Admin {
    /// Listens in the set of `poller`.
    pub fn new(start: AdminStart, poller: &Poller, now: Now) -> std::io::Result<Admin> {
        let AdminStart { listener, options } = start;
        poller.add(&listener, ADMIN)?;
        let limits = Limits {
            connections: CONNECTIONS,
            streams: 64,
            body_bytes: BODY_BYTES,
            bodies_bytes: 4 * BODY_BYTES,
            ..Limits::default()
        };
        let host = CoreHost::default();
        let pages = Pages { host: host.clone(), started: now.wall, options };
        let front = Front::new(pages, limits, now.mono);
        let door = Door::new(listener, ADMIN, None);
        Ok(Admin { front, host, door, tasks: std::cell::Cell::new(None) })
    }

    /// Its connections run in `queue`.
    pub fn run_in(&self, state: &Rc<CoreState>, queue: QueueId) {
        self.host.becomes(state);
        self.tasks.set(Some(Tasks(queue)));
    }

    /// Takes new connections.
    pub fn accept(&self, state: &CoreState) {
        let tasks = self.tasks.get().expect("a core accepts after it was told where tasks run");
        self.door.accept(&state.poller.borrow(), |socket| {
            let peer = socket.peer().ok();
            let stream = state.http.streams().open(socket)?;
            self.front.open(&tasks, Transport::Plain(stream), peer);
            Ok(())
        });
    }

    /// Lets deadlines come.
    pub fn tick(&self, poller: &Poller, now: Instant) {
        self.front.sweep(now);
        self.door.look_again(poller);
    }

    /// Ends all connections; new ones are ended at once. Until the core is done, health can be
    /// asked for.
    pub fn abort(&self) {
        self.front.abort();
    }
}

/// The console needs what is in it and this port. No other page may show it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      connect-src 'self'; form-action 'none'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Answers the requests of the admin port.
#[derive(Debug)]
struct Pages {
    host: CoreHost,
    started: Millis,
    options: AdminOptions,
}

impl Handler for Pages {
    async fn call(&self, request: Request) -> Response {
        let Head { method, uri, .. } = &request.head;
        let page = match route(method.as_str(), uri.path(), uri.query()) {
            Route::Console => Page::console(),
            Route::Overview => self.overview().await,
            Route::Stream(name) => self.stream(&name).await,
            Route::Put => match self.guard(&request.head) {
                Ok(()) => console::put(&self.host, &request.body).await,
                Err(page) => page,
            },
            Route::Tail => match self.guard(&request.head) {
                Ok(()) => console::tail(&self.host, &request.body).await,
                Err(page) => page,
            },
            Route::Metrics => self.metrics().await,
            Route::Health => healthz(&self.condition()),
            Route::Ready => readyz(&self.condition()),
            Route::Other(page) => page,
        };
        respond(page)
    }
}

impl Pages {
    fn condition(&self) -> Condition {
        let state = self.host.state();
        let stopping = state.is_stopping() || state.phase.get() > Phase::Serving;
        Condition { failure: state.shared.failure(), stopping }
    }

    async fn metrics(&self) -> Page {
        let state = self.host.state();
        let reports = ask_all(&state, &Question::Metrics).await.into_iter();
        let cores: Vec<_> = reports
            .filter_map(|(core, report)| match report {
                Report::Metrics(metrics) => Some((core, metrics)),
                _ => None,
            })
            .collect();
        exposition::page(&self.about(&state), &cores)
    }

    async fn overview(&self) -> Page {
        let state = self.host.state();
        let reports = ask_all(&state, &Question::Overview).await.into_iter();
        let cores: Vec<_> = reports
            .filter_map(|(core, report)| match report {
                Report::Overview(metrics, loads) => Some((core, metrics, loads)),
                _ => None,
            })
            .collect();
        let (view, now) = self.host.look(|core, _, now| (core.view().clone(), now.wall));
        let (about, writes) = (self.about(&state), self.options.writes);
        let notices = self.options.notices.all();
        api::Overview { about, now, writes, view: &view, cores: &cores, notices }.page()
    }

    async fn stream(&self, name: &str) -> Page {
        let state = self.host.state();
        let view = self.host.look(|core, _, _| core.view().clone());
        let stream = match view.require_name(name) {
            Ok(stream) => stream,
            Err(error) => return Page::refusal(404, &error.message),
        };
        let (mut shards, mut subscriptions) = (Vec::new(), Vec::new());
        for (_, report) in ask_all(&state, &Question::Stream(stream.uuid)).await {
            if let Report::Stream(of_shards, of_subscriptions) = report {
                shards.extend(of_shards);
                subscriptions.extend(of_subscriptions);
            }
        }
        api::stream_page(stream, &shards, &subscriptions)
    }

    fn about(&self, state: &CoreState) -> About {
        let version = env!("CARGO_PKG_VERSION");
        About { version, started: self.started, cores: state.mesh.cores() }
    }

    fn guard(&self, head: &Head) -> Result<(), Page> {
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let host = head.uri.authority().map(|authority| authority.as_str());
        let (origin, content_type) = (header(ORIGIN), header(CONTENT_TYPE));
        let shown = Shown { host: host.or_else(|| header(HOST)), origin, content_type };
        guard::check(self.options.writes, shown)
    }
}

fn respond(page: Page) -> Response {
    let status = StatusCode::from_u16(page.status).expect("pages have statuses of HTTP");
    Response::new(status)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(page.content_type))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_header(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))
        .with_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with_body(ResponseBody::from(page.body))
}
