//! Rank 7: what people and their monitoring see of the server, over plain HTTP on a port of its
//! own: health, metrics, and a console.
//!
//! Pure: what a request wants is a [`Route`], and each answer is a [`Page`] made of what the cores
//! have reported. The runtime has the port and asks the cores.

pub mod api;
pub mod exposition;
pub mod guard;
pub mod health;
pub mod notices;
mod page;
pub mod records;
mod route;

pub use page::Page;
pub use route::{Route, route};
