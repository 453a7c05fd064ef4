//! What the gateway needs of the core that it runs on.

use std::future::Future;
use std::time::Duration;

use crate::base::clock::Now;
use crate::gateway::exchange::Exchange;
use crate::service::Core;

/// The core beneath. The runtime implements it.
pub trait Host: 'static {
    /// Looks at the core. What it does there has no consequences.
    fn look<R>(&self, look: impl FnOnce(&mut Core, &mut Exchange, Now) -> R) -> R;

    /// Does something on the core. Its consequences follow soon: those of all requests that are
    /// ready together share one turn.
    fn act<R>(&self, act: impl FnOnce(&mut Core, &mut Exchange, Now) -> R) -> R;

    /// Ends after this time.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + 'static;
}
