//! Rank 7: what people and their monitoring see of the server, over plain HTTP on a port of its
//! own.
//!
//! Pure: what a request wants is a [`Route`], and each answer is a [`Page`] made of what the cores
//! have reported. The runtime has the port and asks the cores.

pub mod exposition;
pub mod health;
mod page;
mod route;

pub use page::Page;
pub use route::{Route, route};
