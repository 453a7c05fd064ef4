//! The core beneath the gateway.

use std::cell::OnceCell;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::base::clock::Now;
use crate::gateway::exchange::Exchange;
use crate::gateway::host::Host;
use crate::reactor;
use crate::runtime::state::CoreState;
use crate::service::Core;

/// A core that is being put together when its gateway already needs it.
#[derive(Clone, Debug, Default)]
pub struct CoreHost(Rc<OnceCell<Weak<CoreState>>>);

impl CoreHost {
    /// From now on it is this one.
    pub fn becomes(&self, state: &Rc<CoreState>) {
        self.0.set(Rc::downgrade(state)).expect("a core is put together once");
    }

    /// The core.
    pub fn state(&self) -> Rc<CoreState> {
        let state = self.0.get().and_then(Weak::upgrade);
        state.expect("connections live no longer than their core")
    }
}

impl Host for CoreHost {
    fn look<R>(&self, look: impl FnOnce(&mut Core, &mut Exchange, Now) -> R) -> R {
        let state = self.state();
        let mut domain = state.domain.borrow_mut();
        let domain = &mut *domain;
        look(&mut domain.core, &mut domain.exchange, Now::read())
    }

    fn act<R>(&self, act: impl FnOnce(&mut Core, &mut Exchange, Now) -> R) -> R {
        let done = self.look(act);
        self.state().gateway_due.notify();
        done
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + 'static {
        reactor::sleep(time)
    }
}

/// Ends the turns that requests over HTTP have begun: one for all that were ready together, since
/// their tasks run before this one.
pub async fn end_turns(state: Rc<CoreState>) {
    loop {
        state.gateway_due.wait().await;
        let now = Now::read();
        let mut domain = state.domain.borrow_mut();
        state.finish_turn(&mut domain, now);
    }
}
