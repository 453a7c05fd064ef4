//! Rank 8: builds one core per CPU, starts them in order, stops them by gate.

mod admin;
mod behind;
mod boot;
mod commit;
mod console;
mod control;
mod gateway_host;
pub mod host;
mod http;
mod notify;
mod options;
mod outbox;
mod questions;
mod reads;
mod reports;
mod server;
mod signals;
mod state;
mod stop;
mod tls;
mod turn;

pub use admin::AdminOptions;
pub use http::Access;
pub use options::{ServerOptions, StartError};
pub use server::{Server, StartReport};
pub use signals::StopSignals;
pub use tls::Certificate;
