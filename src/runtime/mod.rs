//! Rank 8: builds one core per CPU, starts them in order, stops them by gate.

mod behind;
mod boot;
mod commit;
mod control;
mod gateway_host;
pub mod host;
mod http;
mod notify;
mod options;
mod outbox;
mod pulse;
mod reads;
mod server;
mod signals;
mod state;
mod stop;
mod tls;
mod turn;

pub use http::Access;
pub use options::{ServerOptions, StartError};
pub use server::{Server, StartReport};
pub use signals::StopSignals;
pub use tls::Certificate;
