//! HTTP on a core: its listeners, its connections, and the executor for their tasks.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::base::rng::secret;
use crate::gateway::answers::Answers;
use crate::gateway::api::{Api, SharedCredentials, SharedRequests};
use crate::gateway::http::{Front, Host, Limits, Transport};
use crate::gateway::operations::Settings;
use crate::metrics::{CoreMetrics, Gauge};
use crate::net::{Listener, Poller, Socket, Streams, TlsServer, TlsStream, Token};
use crate::reactor::{self, QueueId};
use crate::runtime::gateway_host::CoreHost;
use crate::runtime::options::{ServerOptions, StartError};
use crate::runtime::state::CoreState;
use crate::security::Credentials;
use crate::security::sigv4::{AuthMode, Verifier};

/// The plain listener's token.
pub const HTTP: Token = Token(3);
/// The token of the one with TLS.
pub const HTTPS: Token = Token(4);

/// Connections accepted in one turn, as for native ones.
const ACCEPTS_PER_TURN: usize = 64;

/// Where a server listens for HTTP.
#[derive(Debug, Default)]
pub struct HttpPorts {
    /// Without TLS.
    pub http: Option<SocketAddr>,
    /// With TLS.
    pub https: Option<SocketAddr>,
    /// The self-signed certificate that clients have to trust.
    pub trust: Option<PathBuf>,
    /// What it shows to clients with TLS.
    tls: Option<TlsServer>,
    plain: Vec<Listener>,
    secure: Vec<Listener>,
}

impl HttpPorts {
    /// Listens as the options say, for all cores.
    pub fn listen(options: &ServerOptions) -> Result<HttpPorts, StartError> {
        let cores = options.cpus.len();
        let mut ports = HttpPorts::default();
        if let Some(address) = options.http {
            let (address, listeners) = listen(address, cores, "--http")?;
            (ports.http, ports.plain) = (Some(address), listeners);
        }
        if let Some((address, _)) = &options.https {
            let (address, listeners) = listen(*address, cores, "--https")?;
            (ports.https, ports.secure) = (Some(address), listeners);
        }
        Ok(ports)
    }

    /// What each core gets. Reads or makes the certificate: the data dir is ours by now.
    pub fn starts(&mut self, options: &ServerOptions) -> Result<Vec<HttpStart>, StartError> {
        if let Some((_, certificate)) = &options.https {
            let addresses = [self.http, self.https, Some(options.listen)];
            let addresses: Vec<SocketAddr> = addresses.into_iter().flatten().collect();
            let (server, trust) = certificate.load(&options.data_dir, &addresses)?;
            (self.tls, self.trust) = (Some(server), trust);
        }
        let mut plain = std::mem::take(&mut self.plain).into_iter();
        let mut secure = std::mem::take(&mut self.secure).into_iter();
        let start = |_| HttpStart {
            plain: plain.next(),
            secure: secure.next().zip(self.tls.clone()),
            limits: options.http_limits.clone(),
            access: options.access.clone(),
        };
        Ok((0..options.cpus.len()).map(start).collect())
    }
}

impl HttpPorts {
    /// Reads the certificate again. On an error the server keeps the one that it has.
    pub fn renew_certificate(&self, options: &ServerOptions) -> Result<(), StartError> {
        match (&options.https, &self.tls) {
            (Some((_, certificate)), Some(tls)) => certificate.renew(&options.data_dir, tls),
            _ => Ok(()),
        }
    }
}

/// Listeners of all cores on one address; `option` is the one that chooses it.
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

/// What a core's HTTP starts from.
#[derive(Debug)]
pub struct HttpStart {
    plain: Option<Listener>,
    secure: Option<(Listener, TlsServer)>,
    limits: Limits,
    access: Access,
}

/// Who may ask for what, over HTTP.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// What a request must show.
    pub auth: AuthMode,
    /// The keys that count when the first request comes.
    pub credentials: Arc<Credentials>,
    /// What operations need to know.
    pub settings: Settings,
}

/// HTTP on a core.
#[derive(Debug)]
pub struct Http {
    front: Front<Api<CoreHost>>,
    core: CoreHost,
    answers: Answers,
    requests: SharedRequests,
    credentials: SharedCredentials,
    streams: Streams,
    doors: RefCell<Vec<Door>>,
    tasks: Cell<Option<Tasks>>,
}

/// Where connections come in.
#[derive(Debug)]
pub struct Door {
    listener: Listener,
    token: Token,
    tls: Option<TlsServer>,
    /// Left alone until the next tick: accepting has failed.
    paused: Cell<bool>,
}

impl Door {
    /// A listener that a poller watches.
    #[must_use]
    pub fn new(listener: Listener, token: Token, tls: Option<TlsServer>) -> Door {
        Door { listener, token, tls, paused: Cell::new(false) }
    }

    /// Takes new connections.
    pub fn accept(&self, poller: &Poller, open: impl Fn(Socket) -> io::Result<()>) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok(Some(socket)) => {
                    if let Err(error) = open(socket) {
                        tracing::warn!(%error, "a new HTTP connection cannot be served");
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "HTTP connections cannot be accepted for a moment");
                    // It stays readable while accepting fails: looking again would spin.
                    let paused = poller.set(&self.listener, self.token, false, false);
                    return self.paused.set(paused.is_ok());
                }
            }
        }
    }

    /// Looks at it again if it was left alone.
    pub fn look_again(&self, poller: &Poller) {
        if self.paused.get() {
            self.paused.set(poller.set(&self.listener, self.token, true, false).is_err());
        }
    }
}

impl Http {
    /// Listens in the set of `poller`.
    pub fn new(start: HttpStart, poller: &Poller, now: Instant) -> io::Result<Http> {
        let plain = start.plain.map(|listener| (listener, HTTP, None));
        let secure = start.secure.map(|(listener, tls)| (listener, HTTPS, Some(tls)));
        let mut doors = Vec::new();
        for (listener, token, tls) in plain.into_iter().chain(secure) {
            poller.add(&listener, token)?;
            doors.push(Door::new(listener, token, tls));
        }
        let core = CoreHost::default();
        let Access { auth, credentials, settings } = start.access;
        let credentials = SharedCredentials::new(RefCell::new(credentials));
        let verifier = Verifier::new(auth, None);
        let seed = u64::from_le_bytes(secret());
        let host = Rc::new(core.clone());
        let answers = Answers::new(start.limits.bodies_bytes);
        let requests = SharedRequests::default();
        let (held, counted) = (answers.clone(), requests.clone());
        let api = Api::new(host, settings, verifier, credentials.clone(), held, counted, seed);
        Ok(Http {
            front: Front::new(api, start.limits, now),
            core,
            answers,
            requests,
            credentials,
            streams: Streams::new(poller)?,
            doors: RefCell::new(doors),
            tasks: Cell::new(None),
        })
    }

    /// Connections run in `queue`, that of the turn: what it wakes runs right behind it.
    pub fn run_in(&self, state: &Rc<CoreState>, queue: QueueId) {
        self.core.becomes(state);
        self.tasks.set(Some(Tasks(queue)));
    }

    /// The streams, for the turn to wake.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Whether all connections have ended.
    pub fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// Takes new connections at the door with this token.
    pub fn accept(&self, poller: &Poller, token: Token) {
        let doors = self.doors.borrow();
        let Some(door) = doors.iter().find(|door| door.token == token) else { return };
        door.accept(poller, |socket| self.open(socket, door));
    }

    /// Looks at the gauges and counts of HTTP.
    pub fn sample(&self, metrics: &mut CoreMetrics) {
        metrics.http = *self.requests.borrow();
        metrics.set_gauge(Gauge::HttpConnections, self.front.len() as u64);
        metrics.set_gauge(Gauge::HttpBodyBytes, self.front.bodies_bytes() as u64);
        metrics.set_gauge(Gauge::HttpAnswerBytes, self.answers.held_bytes() as u64);
    }

    fn open(&self, socket: Socket, door: &Door) -> io::Result<()> {
        let tasks = self.tasks.get().expect("a core accepts after it was told where tasks run");
        let peer = socket.peer().ok();
        if self.front.is_full() {
            // One more would leave no room for those that are there; the client sees a reset.
            return Ok(());
        }
        let stream = self.streams.open(socket)?;
        let transport = match &door.tls {
            None => Transport::Plain(stream),
            Some(tls) => Transport::Tls(Box::new(TlsStream::new(stream, tls)?)),
        };
        self.front.open(&tasks, transport, peer);
        Ok(())
    }

    /// Lets deadlines come, and looks at doors that were left alone.
    pub fn tick(&self, poller: &Poller, now: Instant, credentials: &Arc<Credentials>) {
        if !Arc::ptr_eq(&self.credentials.borrow(), credentials) {
            *self.credentials.borrow_mut() = credentials.clone();
        }
        self.front.sweep(now);
        self.doors.borrow().iter().for_each(|door| door.look_again(poller));
    }

    /// No new connections; those that are there end after the requests that they have open.
    pub fn drain(&self) {
        self.doors.take();
        self.front.drain();
    }

    /// Ends all connections.
    pub fn abort(&self) {
        self.doors.take();
        self.front.abort();
    }
}

/// Starts tasks of connections.
#[derive(Clone, Copy, Debug)]
pub struct Tasks(pub QueueId);

impl Host for Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        reactor::spawn_into(self.0, task).detach();
    }
}
