//! The admin port: one listener, on core 0, in the clear.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use glommio::TaskQueueHandle;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};

use crate::admin::exposition::{self, About};
use crate::admin::health::{Condition, healthz, readyz};
use crate::admin::{Page, Route, route};
use crate::base::ids::Millis;
use crate::gateway::http::{Front, Handler, Limits, Request, Response, ResponseBody, Transport};
use crate::net::{Listener, Poller, Token};
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

/// Listens on the address of the admin port.
pub fn listen_admin(address: SocketAddr) -> Result<(SocketAddr, Listener), StartError> {
    let (address, mut listeners) = listen(address, 1, "--admin")?;
    Ok((address, listeners.remove(0)))
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
    pub fn new(listener: Listener, poller: &Poller, now: Instant) -> std::io::Result<Admin> {
        poller.add(&listener, ADMIN)?;
        let limits = Limits {
            connections: CONNECTIONS,
            streams: 64,
            body_bytes: BODY_BYTES,
            bodies_bytes: 4 * BODY_BYTES,
            ..Limits::default()
        };
        let host = CoreHost::default();
        let pages = Pages { host: host.clone(), started: crate::base::clock::wall_now() };
        let front = Front::new(pages, limits, now);
        let door = Door::new(listener, ADMIN, None);
        Ok(Admin { front, host, door, tasks: std::cell::Cell::new(None) })
    }

    /// Its connections run in `queue`.
    pub fn run_in(&self, state: &Rc<CoreState>, queue: TaskQueueHandle) {
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

/// Answers the requests of the admin port.
#[derive(Debug)]
struct Pages {
    host: CoreHost,
    started: Millis,
}

impl Handler for Pages {
    async fn call(&self, request: Request) -> Response {
        let page = match route(request.head.method.as_str(), request.head.uri.path()) {
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
        let reports = ask_all(&state, &Question::Metrics).await;
        let cores: Vec<_> = reports
            .into_iter()
            .map(|(core, report)| {
                let Report::Metrics(metrics) = report;
                (core, metrics)
            })
            .collect();
        let version = env!("CARGO_PKG_VERSION");
        let about = About { version, started: self.started, cores: state.mesh.cores() };
        exposition::page(&about, &cores)
    }
}

fn respond(page: Page) -> Response {
    let status = StatusCode::from_u16(page.status).expect("pages have statuses of HTTP");
    Response::new(status)
        .with_header(CONTENT_TYPE, HeaderValue::from_static(page.content_type))
        .with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with_body(ResponseBody::from(page.body))
}
