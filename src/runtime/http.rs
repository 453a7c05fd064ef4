//! HTTP on a core: its listeners, its connections, and the executor for their tasks.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use glommio::TaskQueueHandle;

use crate::base::rng::secret;
use crate::gateway::api::{Api, SharedCredentials};
use crate::gateway::http::{Front, Host, Limits, Transport};
use crate::gateway::operations::Settings;
use crate::net::{Listener, Poller, Socket, Streams, Token};
use crate::runtime::gateway_host::CoreHost;
use crate::runtime::options::{ServerOptions, StartError};
use crate::runtime::state::CoreState;
use crate::security::Credentials;
use crate::security::sigv4::{AuthMode, Verifier};

/// The plain listener's token.
pub const HTTP: Token = Token(3);

/// Connections accepted in one turn, as for native ones.
const ACCEPTS_PER_TURN: usize = 64;

/// What a core's HTTP starts from.
#[derive(Debug)]
pub struct HttpStart {
    /// Listens for plain connections.
    pub plain: Option<Listener>,
    /// What clients may cost.
    pub limits: Limits,
    /// Who may ask for what.
    pub access: Access,
}

/// Who may ask for what, over HTTP.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What a request must show.
    pub auth: AuthMode,
    /// What operations need to know.
    pub settings: Settings,
}

/// HTTP on a core.
#[derive(Debug)]
pub struct Http {
    front: Front<Api<CoreHost>>,
    core: CoreHost,
    credentials: SharedCredentials,
    streams: Streams,
    plain: RefCell<Option<Listener>>,
    paused: Cell<bool>,
    host: Cell<Option<Tasks>>,
}

impl Http {
    /// Listens in the set of `poller`.
    pub fn new(start: HttpStart, poller: &Poller, now: Instant) -> io::Result<Http> {
        if let Some(listener) = &start.plain {
            poller.add(listener, HTTP)?;
        }
        let core = CoreHost::default();
        let credentials = SharedCredentials::default();
        let Access { auth, settings } = start.access;
        let verifier = Verifier::new(auth, None);
        let seed = u64::from_le_bytes(secret());
        let host = Rc::new(core.clone());
        let api = Api::new(host, settings, verifier, credentials.clone(), seed);
        Ok(Http {
            front: Front::new(api, start.limits, now),
            core,
            credentials,
            streams: Streams::new(poller)?,
            plain: RefCell::new(start.plain),
            paused: Cell::new(false),
            host: Cell::new(None),
        })
    }

    /// Serves what `state` has. Connections run in `queue`, that of the turn: what it wakes runs
    /// right behind it.
    pub fn run_in(&self, state: &Rc<CoreState>, queue: TaskQueueHandle) {
        self.core.becomes(state);
        self.host.set(Some(Tasks(queue)));
    }

    /// The streams, for the turn to wake.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Whether all connections have ended.
    pub fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// Takes new connections.
    pub fn accept(&self, poller: &Poller) {
        let listener = self.plain.borrow();
        let Some(listener) = listener.as_ref() else { return };
        for _ in 0..ACCEPTS_PER_TURN {
            match listener.accept() {
                Ok(Some(socket)) => self.open(socket),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "HTTP connections cannot be accepted for a moment");
                    // It stays readable while accepting fails: looking again would spin.
                    let paused = poller.set(listener, HTTP, false, false);
                    return self.paused.set(paused.is_ok());
                }
            }
        }
    }

    fn open(&self, socket: Socket) {
        let Some(host) = self.host.get() else { return };
        let peer = socket.peer().ok();
        match self.streams.open(socket) {
            // One too many is closed at once.
            Ok(stream) => drop(self.front.open(&host, Transport::Plain(stream), peer)),
            Err(error) => tracing::warn!(%error, "a new HTTP connection cannot be watched"),
        }
    }

    /// Lets deadlines come, takes over new keys, and looks at a listener that was left alone.
    pub fn tick(&self, poller: &Poller, now: Instant, credentials: &Arc<Credentials>) {
        if !Arc::ptr_eq(&self.credentials.borrow(), credentials) {
            *self.credentials.borrow_mut() = credentials.clone();
        }
        self.front.sweep(now);
        if self.paused.replace(false)
            && let Some(listener) = self.plain.borrow().as_ref()
        {
            self.paused.set(poller.set(listener, HTTP, true, false).is_err());
        }
    }

    /// No new connections; those that are there end after the requests that they have open.
    pub fn drain(&self) {
        self.plain.take();
        self.front.drain();
    }

    /// Ends all connections.
    pub fn abort(&self) {
        self.plain.take();
        self.front.abort();
    }
}

/// Starts tasks of connections.
#[derive(Clone, Copy, Debug)]
struct Tasks(TaskQueueHandle);

impl Host for Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let spawned = glommio::spawn_local_into(task, self.0);
        spawned.expect("the queue lives as long as the core").detach();
    }
}

/// Listeners of all cores on one address.
pub fn listen(
    address: SocketAddr,
    cores: usize,
    option: &'static str,
) -> Result<(SocketAddr, Vec<Listener>), StartError> {
    let error = |source| StartError::Listen { address, option, source };
    let first = Listener::bind(address, true).map_err(error)?;
    let bound = first.address().map_err(error)?;
    let mut listeners = vec![first];
    for _ in 1..cores {
        listeners.push(Listener::bind(bound, false).map_err(error)?);
    }
    Ok((bound, listeners))
}

/// Where HTTP listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpAddresses {
    /// Plain.
    pub http: Option<SocketAddr>,
}

/// Listens on what the options say: where, and the start of each core.
pub fn start(options: &ServerOptions) -> Result<(HttpAddresses, Vec<HttpStart>), StartError> {
    let cores = options.cpus.len();
    let plain = options.http.map(|address| listen(address, cores, "--http")).transpose()?;
    let (http, plain) = plain.unzip();
    let mut plain = plain.unwrap_or_default().into_iter();
    let start = |_| HttpStart {
        plain: plain.next(),
        limits: options.http_limits.clone(),
        access: options.access.clone(),
    };
    Ok((HttpAddresses { http }, (0..cores).map(start).collect()))
}
