//! The regular tick of a core, and the gates of its stop.
//!
//! Serving → draining (no new requests, those in flight are answered) → flushing (when *all* cores
//! have drained, since they answer for each other) → done (everything is in segments).

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::disk::blocking as files;
use crate::disk::dma::blocking;
use crate::metrics::{CoreMetrics, Counter, Histogram};
use crate::reactor;
use crate::runtime::state::{CoreState, Domain, Phase};
use crate::service::{Message, Outgoing};

/// Long polls and quotas are looked at this often.
const TICK: Duration = Duration::from_millis(25);
/// A tick that comes later than this was stalled. Write-behind shares the tick's queue and takes
/// milliseconds at most.
const STALL: Duration = Duration::from_millis(10);
/// Loads are reported, and streams looked after, this often.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// Expired segments are looked for this often.
const RETENTION_EVERY: Duration = Duration::from_secs(5);
/// A client that does not take its answers is given up after this.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Ticks until the core is done.
pub async fn tick(state: Rc<CoreState>) {
    let mut retention_due = Instant::now() + RETENTION_EVERY;
    let mut upkeep_due = Instant::now() + UPKEEP_EVERY;
    let mut drain_until = None;
    while state.phase.get() < Phase::Done {
        let due = Instant::now() + TICK;
        reactor::sleep(TICK).await;
        let now = Now::read();
        {
            let mut domain = state.domain.borrow_mut();
            count_delay(&mut domain.core.metrics, now.mono.saturating_duration_since(due));
            domain.core.tick(now);
            if now.mono >= upkeep_due {
                upkeep_due = now.mono + UPKEEP_EVERY;
                begin_upkeep(&state, &mut domain);
            }
            state.finish_turn(&mut domain, now);
        }
        state.behind_due.notify();
        if now.mono >= retention_due {
            retention_due = now.mono + RETENTION_EVERY;
            remove_expired(&state, now).await;
        }
        state.listen_again();
        if let Some(admin) = &state.admin {
            admin.tick(&state.poller.borrow(), now.mono);
        }
        state.http.tick(&state.poller.borrow(), now.mono, &state.shared.credentials());
        advance_stop(&state, now, &mut drain_until);
    }
}

/// How late a tick came is how long the core was kept from it: by one long turn or by many.
fn count_delay(metrics: &mut CoreMetrics, late: Duration) {
    metrics.record(Histogram::TickDelayMicros, late.as_micros() as u64);
    metrics.add(Counter::ReactorStalls, u64::from(late > STALL));
}

/// Tells core 0 what on-demand shards here have taken in, and core 0 that it is time to look at
/// it.
fn begin_upkeep(state: &CoreState, domain: &mut Domain) {
    let core = state.mesh.core();
    if let Some(loads) = domain.core.take_loads() {
        let message = Message::Loads { core, loads };
        domain.core.outgoing.push(Outgoing { to: CoreId(0), message });
    }
    if core == CoreId(0) && state.phase.get() == Phase::Serving {
        state.upkeep_due.set(true);
        state.control_due.notify();
    }
}

async fn remove_expired(state: &CoreState, now: Now) {
    let expired = state.domain.borrow_mut().core.expired_files(now);
    for file in expired {
        let path = file.clone();
        if let Err(error) = blocking(move || files::remove_file(&path)).await {
            tracing::error!(%error, "an expired segment cannot be removed");
        }
    }
}

fn advance_stop(state: &CoreState, now: Now, drain_until: &mut Option<Instant>) {
    if state.has_failed() {
        // What is not durable stays unacknowledged; the journal keeps what is.
        state.http.abort();
        state.abort_admin();
        state.phase.set(Phase::Done);
        state.bell.ring();
        state.commit_due.notify();
        return;
    }
    match state.phase.get() {
        Phase::Serving if state.is_stopping() => {
            state.listener.take();
            state.http.drain();
            let mut domain = state.domain.borrow_mut();
            let Domain { core, sessions, exchange } = &mut *domain;
            // Readers first: they are told where to go on before their connections end.
            core.end_waiting(now);
            core.end_subscriptions(now);
            sessions.deliver(core);
            exchange.deliver(core);
            sessions.begin_stop(core, &state.poller.borrow());
            state.finish_turn(&mut domain, now);
            *drain_until = Some(now.mono + DRAIN_MAX);
            state.phase.set(Phase::Draining);
        }
        Phase::Draining => {
            let until = *drain_until.get_or_insert(now.mono);
            if now.mono >= until {
                // Before the domain is borrowed: requests that end here give their places back.
                state.http.abort();
            }
            let domain = state.domain.borrow();
            let served = domain.sessions.is_empty()
                && domain.exchange.open_places() == 0
                && state.http.is_empty();
            let answered = served || now.mono >= until;
            let idle = domain.core.log.is_idle()
                && !domain.core.is_parking()
                && !state.control_busy.get()
                && state.removals.get() == 0
                && state.control.borrow().is_empty();
            let mailed = state.outbox.borrow().is_empty() && state.early.borrow().is_empty();
            let drained = answered && idle && mailed;
            if drained && !state.counted_drained.replace(true) {
                state.shared.drained.fetch_add(1, Ordering::AcqRel);
            }
            // Until every core has drained, one of them may still send records here.
            let all = state.shared.drained.load(Ordering::Acquire) == state.mesh.cores();
            if drained && all && !state.mesh.has_mail() {
                *drain_until = None;
                state.abort_admin();
                state.phase.set(Phase::Flushing);
                state.commit_due.notify();
                state.behind_due.notify();
            }
        }
        _ => {}
    }
}
