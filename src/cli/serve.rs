//! `shardway serve`.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::failure::{Exit, Failure};
use super::followed_files::Followed;
use super::notices::Keep;
use super::progress::WorkBar;
use super::service_manager::ServiceManager;
use crate::admin::notices::Notices;
use crate::config::{Cores, ServeLayer, ServeOptions};
use crate::gateway::operations::Settings;
use crate::runtime::{Access, AdminOptions, Server, ServerOptions, StartError, StopSignals};

/// Run a server
///
/// Each option comes from its flag, else from its environment variable, else from the file of
/// `--config`, else it has its default.
///
/// SIGTERM and SIGINT answer what is in flight and stop; a second one stops at once.
#[derive(Args, Debug)]
#[command(after_help = "Example: shardway serve --https 127.0.0.1:4568 --tls-self-signed")]
pub(super) struct Serve {
    #[command(flatten)]
    options: ServeLayer,
    /// Start on a damaged data dir, without the records that the damage has destroyed
    ///
    /// What is lost is printed. `shardway check` says beforehand what that will be.
    #[arg(long)]
    accept_loss: bool,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failure> {
        let options = ServeOptions::load(self.options)?;
        let notices = Notices::default();
        start_log(&options.log, notices.clone());
        let signals = StopSignals::block();
        let started = Instant::now();
        let mut followed = Followed::open(&options)?;
        let mut options = server_options(options, self.accept_loss, notices)?;
        options.access.credentials = followed.take_credentials();
        let server = Server::start(options.clone(), &mut WorkBar::default())?;
        announce(&server, &options, started.elapsed());
        let manager = ServiceManager::from_env();
        manager.ready(&format!("{} cores serve {}", options.cpus.len(), server.native_addr()));
        wait(&server, &signals, &mut followed);
        manager.stopping();
        // From here on a second signal has its default effect: the end, at once.
        signals.release();
        server.stop().map_err(|reason| {
            let advice = "nothing acknowledged is lost; mend the cause and start it again";
            Failure::new(Exit::Unfit, format!("stopped without draining: {reason}; {advice}"))
        })?;
        say("Stopped; everything is in segments.");
        Ok(())
    }
}

/// Returns when a signal asks to stop, or the log has failed.
fn wait(server: &Server, signals: &StopSignals, followed: &mut Followed) {
    while server.failure().is_none() {
        followed.follow(server);
        if let Some(signal) = signals.wait(Duration::from_millis(200)) {
            say(&format!("{signal}: stopping; once more stops at once."));
            return;
        }
    }
}

fn server_options(
    options: ServeOptions,
    accept_loss: bool,
    notices: Notices,
) -> Result<ServerOptions, Failure> {
    let present: Vec<usize> =
        core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    let cpus = match options.cores {
        Cores::All => present,
        Cores::Count(n) if usize::from(n) > present.len() => {
            return Err(Failure::usage(format!(
                "{n} cores are asked for and the process may use {} CPUs; choose fewer",
                present.len()
            )));
        }
        Cores::Count(n) => present[..usize::from(n)].to_vec(),
        Cores::Cpus(cpus) => cpus.into_iter().map(usize::from).collect(),
    };
    Ok(ServerOptions {
        data_dir: options.data_dir,
        cpus,
        listen: options.listen,
        http: options.http.plain,
        https: options.http.secure,
        admin: options.http.admin.map(|address| {
            let writes = options.http.admin_writes;
            AdminOptions { address, writes, notices }
        }),
        http_limits: options.http.limits,
        access: Access {
            auth: options.access.auth,
            credentials: Arc::default(),
            settings: Settings { allow_unsealed_kms: options.access.allow_unsealed_kms },
        },
        journal_file_bytes: options.journal_file_bytes,
        tail_bytes: usize::try_from(options.tail_bytes).expect("memory sizes fit this machine"),
        spin: options.spin,
        accept_loss,
        rules: options.rules,
    })
}

/// Sends what the server traces to stderr, in colour where a person reads it, and keeps the worst
/// for the console.
fn start_log(filter: &str, notices: Notices) {
    let filter = EnvFilter::try_new(filter).expect("the options were checked");
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .finish()
        .with(Keep(notices))
        .init();
}

/// What a start has to say, for people and for scripts that wait for the last line.
fn announce(server: &Server, options: &ServerOptions, took: Duration) {
    let report = server.report();
    let cpus: Vec<String> = options.cpus.iter().map(ToString::to_string).collect();
    say(&format!("Shardway {}", env!("CARGO_PKG_VERSION")));
    say(&format!("  cores     {} (CPU {})", options.cpus.len(), cpus.join(", ")));
    say(&format!("  data      {}", options.data_dir.display()));
    let rules = &options.rules;
    say(&format!("  account   {} in {}", rules.account, rules.region));
    say(&format!("  streams   {} with {} shards", report.streams, report.shards));
    let stats = &report.recovery;
    if stats.was_clean {
        say("  recovery  clean stop, nothing to replay");
    } else {
        say(&format!(
            "  recovery  {} commits read, {} records replayed ({} bytes) in {:.2?}",
            stats.commits, stats.records, stats.bytes, stats.duration
        ));
    }
    if let Some((file, offset)) = &stats.torn_tail {
        let file = file.display();
        say(&format!("            a last commit was cut off, unacknowledged: {file} at {offset}"));
    }
    for damage in &report.losses.damage {
        say(&format!("  LOST      {damage}"));
    }
    if !report.losses.damage.is_empty() {
        say(&format!("  LOST      {} journal records behind a gap", report.losses.records));
    }
    say(&format!("  native    {}", server.native_addr()));
    if let Some(address) = server.http_addr() {
        say(&format!("  http      {address}"));
    }
    if let Some(address) = server.https_addr() {
        say(&format!("  https     {address}"));
    }
    if let Some(address) = server.admin_addr() {
        say(&format!("  admin     http://{address}/"));
    }
    if let Some(certificate) = server.certificate_to_trust() {
        say(&format!("  trust     {}", certificate.display()));
    }
    say(&format!("Ready in {took:.2?}."));
}

fn say(line: &str) {
    // Whoever started the server may have closed its output; it serves on.
    let _ = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        let exit = match &error {
            StartError::Identity(error) => Exit::of_identity(error),
            error if error.is_damage() => Exit::Damaged,
            _ => Exit::Unfit,
        };
        Failure::new(exit, error.to_string())
    }
}
