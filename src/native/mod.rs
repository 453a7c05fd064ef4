//! Rank 7: binary sessions: a frame comes in, a service function is called, ordered frames go out.
//!
//! Sessions are plain state: they own a socket, the frame that is still arriving, and what waits
//! to be sent. Nothing here waits for anything.

mod answer;
mod control;
mod dispatch;
mod inbound;
mod outbound;
mod queries;
mod session;
mod sessions;

pub use session::Session;
pub use sessions::Sessions;

#[cfg(test)]
mod tests;
