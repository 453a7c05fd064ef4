//! A running server: its cores' threads, its address, its end.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::base::limits::{COMMIT_BYTES_MAX, JOURNAL_FILES};
use crate::catalog::{FileStore, State};
use crate::disk::blocking::DirLock;
use crate::gateway::exchange::Exchange;
use crate::log::identity::Identity;
use crate::log::progress::Progress;
use crate::log::recovery::{Losses, RecoveryStats};
use crate::mesh::{self, Endpoint};
use crate::metrics::{Counter, Histogram, Metric};
use crate::native::Sessions;
use crate::net::{Listener, Poller};
use crate::reactor::{self, QueueId, Settings};
use crate::runtime::admin::{Admin, AdminStart, listen_admin};
use crate::runtime::boot::{Booted, boot};
use crate::runtime::commit::{Ring, commit};
use crate::runtime::http::{Http, HttpPorts, HttpStart};
use crate::runtime::notify::Notify;
use crate::runtime::options::{ServerOptions, StartError};
use crate::runtime::state::{CoreState, Domain, Phase, Shared, StopBell};
use crate::runtime::{behind, control, gateway_host, host, http, reads, stop, turn};
use crate::security::Credentials;
use crate::service::{Core, CoreSpec, Envelope};

/// A server in this process.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    http: HttpPorts,
    admin: Option<SocketAddr>,
    report: StartReport,
    shared: Arc<Shared>,
    bells: Vec<StopBell>,
    threads: Vec<JoinHandle<()>>,
    identity: Identity,
    options: ServerOptions,
    /// Last: the data dir is free when everything else is gone.
    _lock: DirLock,
}

/// What there is to say about a start.
#[derive(Clone, Debug)]
pub struct StartReport {
    /// Streams in the catalog.
    pub streams: usize,
    /// Shards of all streams.
    pub shards: usize,
    /// What recovery did.
    pub recovery: RecoveryStats,
    /// What was given up, if loss was accepted.
    pub losses: Losses,
}

/// What a core's thread gets.
struct CoreStart {
    spec: CoreSpec,
    listener: Listener,
    http: HttpStart,
    /// On core 0, if at all.
    admin: Option<AdminStart>,
    mesh: Endpoint<Envelope>,
    bell: StopBell,
    shared: Arc<Shared>,
    server: [u8; 16],
    /// On core 0.
    catalog: Option<(FileStore, State)>,
    started: mpsc::Sender<(u16, Result<(), String>)>,
}

impl Server {
    /// Recovers the data dir and starts one core for each CPU. When it returns, clients are
    /// served.
    pub fn start(
        options: ServerOptions,
        progress: &mut dyn Progress,
    ) -> Result<Server, StartError> {
        let (address, listeners) = http::listen(options.listen, options.cpus.len(), "--listen")?;
        let mut ports = HttpPorts::listen(&options)?;
        let (admin, mut admin_start) =
            options.admin.as_ref().map(listen_admin).transpose()?.unzip();
        let booted = boot(&options, progress)?;
        let Booted { lock, identity, store, catalog, recovered, cores } = booted;
        let report = StartReport {
            streams: catalog.streams.len(),
            shards: catalog.streams.values().map(|stream| stream.shards.len()).sum(),
            recovery: recovered.stats,
            losses: recovered.losses,
        };
        let https = ports.starts(&options)?;
        let count = cores.len();
        let shared = Arc::new(Shared::default());
        shared.set_credentials(options.access.credentials.clone());
        let host = |e: io::Error| StartError::Host(format!("cannot make eventfds: {e}"));
        let mut bells = Vec::new();
        let mut threads = Vec::new();
        let (started, starts) = mpsc::channel();
        let mut catalog = Some((store, catalog));
        let meshes = mesh::connect(count as u16).map_err(host)?;
        let ends = cores.into_iter().zip(listeners).zip(https).zip(meshes);
        for (((spec, listener), http), mesh) in ends {
            let bell = StopBell::new().map_err(host)?;
            bells.push(bell.try_clone().map_err(host)?);
            let start = CoreStart {
                spec,
                listener,
                http,
                admin: admin_start.take(),
                mesh,
                bell,
                shared: shared.clone(),
                server: *identity.uuid.as_bytes(),
                catalog: catalog.take(),
                started: started.clone(),
            };
            threads.push(spawn(&options, start)?);
        }
        drop(started);
        let mut server = Server {
            address,
            http: ports,
            admin,
            report,
            shared,
            bells,
            threads,
            identity,
            options,
            _lock: lock,
        };
        server.wait_for_cores(&starts, count)?;
        Ok(server)
    }

    fn wait_for_cores(
        &mut self,
        starts: &mpsc::Receiver<(u16, Result<(), String>)>,
        count: usize,
    ) -> Result<(), StartError> {
        for _ in 0..count {
            let (core, outcome) = starts.recv().unwrap_or((0, Err("its thread ended".to_owned())));
            if let Err(reason) = outcome {
                // The others must not wait for it, and must be gone before the data dir is free.
                self.shared.fail(&reason);
                self.ask_to_stop();
                for thread in std::mem::take(&mut self.threads) {
                    drop(thread.join());
                }
                return Err(StartError::Core { core, reason });
            }
        }
        Ok(())
    }

    /// Where native clients connect.
    #[must_use]
    pub fn native_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where clients of the AWS API connect, if they can, without TLS.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.http
    }

    /// The same with TLS.
    #[must_use]
    pub fn https_addr(&self) -> Option<SocketAddr> {
        self.http.https
    }

    /// Where the admin port is, if there is one.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// The self-signed certificate that clients of it have to trust, if it has one.
    #[must_use]
    pub fn certificate_to_trust(&self) -> Option<&Path> {
        self.http.trust.as_deref()
    }

    /// What there is to say about the start.
    #[must_use]
    pub fn report(&self) -> &StartReport {
        &self.report
    }

    /// Why the log has failed, if it has: the server must be stopped.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.failure()
    }

    /// These access keys count from now on.
    pub fn set_credentials(&self, credentials: Credentials) {
        self.shared.set_credentials(Arc::new(credentials));
    }

    /// Reads the certificate of the TLS port again: it is shown to those who connect from now on.
    /// On an error the server keeps the one that it has.
    pub fn renew_certificate(&self) -> Result<(), StartError> {
        self.http.renew_certificate(&self.options)
    }

    /// Answers what is in flight, writes everything into segments, and ends all threads. An error
    /// is the reason why the next boot has to replay.
    pub fn stop(mut self) -> Result<(), String> {
        self.ask_to_stop();
        for thread in std::mem::take(&mut self.threads) {
            thread.join().map_err(|_| "a core has panicked".to_owned())?;
        }
        if let Some(reason) = self.shared.failure() {
            return Err(reason);
        }
        if self.shared.unclean.load(Ordering::Acquire) {
            return Ok(());
        }
        let clean = Identity { clean: true, ..self.identity };
        clean.store(&self.options.data_dir).map_err(|error| error.to_string())
    }

    fn ask_to_stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        for bell in &self.bells {
            bell.ring();
        }
    }
}

fn spawn(options: &ServerOptions, start: CoreStart) -> Result<JoinHandle<()>, StartError> {
    let core = start.spec.core.0;
    let cpu = options.cpus[usize::from(core)];
    // Registered memory, which is resident from the start: the tail, and room for the commits that
    // are gathered and written and for write-behind. What does not fit is not registered.
    let io_memory = options.tail_bytes + 4 * COMMIT_BYTES_MAX;
    let name = format!("core-{core}");
    let settings = Settings { name, cpu: Some(cpu), memory: io_memory, spin: options.spin };
    reactor::start(settings, move || run(start))
        .map_err(|error| StartError::Core { core, reason: error.to_string() })
}

/// The life of a core.
async fn run(start: CoreStart) {
    CoreLife::begin(start.shared.clone(), start.spec.core);
    serve(start).await;
    CoreLife::end();
}

async fn serve(start: CoreStart) {
    let core = start.spec.core;
    let started = start.started.clone();
    let (state, catalog) = match assemble(start) {
        Ok((state, catalog)) => (Rc::new(state), catalog),
        Err(error) => return drop(started.send((core.0, Err(error.to_string())))),
    };
    let ring = match Ring::open(&state, JOURNAL_FILES).await {
        Ok(ring) => ring,
        Err(error) => return drop(started.send((core.0, Err(error.to_string())))),
    };
    // Commit and push. Its tasks end their turns by themselves.
    let commit_queue = QueueId::MAIN;
    let read_queue = reactor::queue(100);
    let behind_queue = reactor::queue(100);
    state.http.run_in(&state, commit_queue);
    if let Some(admin) = &state.admin {
        admin.run_in(&state, behind_queue);
    }
    let gateway = gateway_host::end_turns(state.clone());
    reads::install(state.clone(), read_queue);
    let gateway = reactor::spawn_into(commit_queue, gateway);
    let writing = reactor::spawn_into(commit_queue, commit(state.clone(), ring));
    let behind = reactor::spawn_into(behind_queue, behind::write_behind(state.clone()));
    let ticks = reactor::spawn_into(behind_queue, stop::tick(state.clone()));
    let changes = catalog.map(|(store, catalog)| {
        let changes = control::control(state.clone(), store, catalog);
        reactor::spawn_into(behind_queue, changes)
    });
    drop(started.send((core.0, Ok(()))));
    let serving = turn::serve(state.clone());
    let serving = reactor::spawn_into(commit_queue, serving);
    if let Err(error) = serving.await {
        state.fail(&format!("core {core}: sockets cannot be watched: {error}"));
    }
    if !state.has_failed() {
        behind.await;
        writing.await;
    } else {
        behind.cancel();
        writing.cancel();
    }
    ticks.cancel();
    gateway.cancel();
    if let Some(changes) = changes {
        changes.cancel();
    }
    reads::uninstall();
    if !state.domain.borrow().core.is_drained() {
        state.shared.unclean.store(true, Ordering::Release);
    }
    log_metrics(&state);
}

thread_local! {
    /// Of the core whose thread this is.
    static LIFE: RefCell<Option<CoreLife>> = const { RefCell::new(None) };
}

/// Makes the end of a core's thread the failure of the server, which then stops, unless the core
/// has come to its own end. The thread has to notice: a core drops no task when one panics.
struct CoreLife {
    shared: Arc<Shared>,
    core: CoreId,
    ended: bool,
}

impl CoreLife {
    fn begin(shared: Arc<Shared>, core: CoreId) {
        LIFE.set(Some(CoreLife { shared, core, ended: false }));
    }

    /// The core has come to its own end, whichever.
    fn end() {
        LIFE.with_borrow_mut(|life| life.as_mut().expect("it has begun").ended = true);
    }
}

impl Drop for CoreLife {
    fn drop(&mut self) {
        if !self.ended {
            // The panic has been printed, and a thread that ends cannot log any more.
            self.shared.note_failure(&format!("core {} has panicked", self.core));
        }
    }
}

/// What the core has done, for whoever looks for the cause of a latency.
fn log_metrics(state: &CoreState) {
    let core = state.mesh.core();
    let domain = state.domain.borrow();
    for counter in Counter::ALL {
        let n = domain.core.metrics.counter(*counter);
        tracing::debug!(%core, "{} {n}", counter.metric().name);
    }
    for histogram in Histogram::ALL {
        let cell = domain.core.metrics.histogram(*histogram);
        let (p50, p99, max) = (cell.percentile(50.0), cell.percentile(99.0), cell.max());
        let (Metric { name, unit, .. }, n) = (histogram.metric(), cell.count());
        tracing::debug!(%core, "{name} n {n} p50 {p50} p99 {p99} max {max} {unit:?}");
    }
}

/// The state of a core, and the catalog on core 0.
fn assemble(start: CoreStart) -> io::Result<(CoreState, Option<(FileStore, State)>)> {
    let CoreStart { spec, listener, http, admin, mesh, bell, shared, server, catalog, .. } = start;
    let poller = Poller::new()?;
    poller.add(&listener, turn::LISTENER)?;
    poller.add(&mesh, turn::MESH)?;
    poller.add(&bell, turn::STOP)?;
    let http = Http::new(http, &poller, Now::read().mono)?;
    let admin = admin.map(|start| Admin::new(start, &poller, Now::read())).transpose()?;
    let sessions = Sessions::new(spec.core, spec.cores, server);
    let exchange = Exchange::new(spec.core, spec.cores, &spec.iterator_key.derive("lists"));
    let data_dir = spec.data_dir.clone();
    // A share of the process's descriptors; a quarter stays for everything else.
    let files = host::open_files_max() / usize::from(spec.cores);
    let core = Core::new(spec, Now::read());
    let state = CoreState {
        domain: RefCell::new(Domain { core, sessions, exchange }),
        poller: RefCell::new(poller),
        listener: RefCell::new(Some(listener)),
        listener_paused: Cell::new(false),
        counted_drained: Cell::new(false),
        open_segments_max: files / 4,
        sessions_max: files / 2,
        http,
        admin,
        questions: RefCell::default(),
        mesh,
        gateway_due: Notify::default(),
        commit_due: Notify::default(),
        behind_due: Notify::default(),
        outbox: RefCell::default(),
        reads: RefCell::default(),
        reads_running: Cell::new(0),
        control: RefCell::default(),
        control_due: Notify::default(),
        control_busy: Cell::new(false),
        removed: RefCell::default(),
        removals: Cell::new(0),
        upkeep_due: Cell::new(false),
        drained: RefCell::default(),
        loads: RefCell::default(),
        early: RefCell::default(),
        installs: Cell::new((0, 0)),
        shared,
        bell,
        phase: Cell::new(Phase::Serving),
        data_dir,
    };
    Ok((state, catalog))
}
