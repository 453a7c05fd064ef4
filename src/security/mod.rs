//! Rank 2: who asks, and what the server itself has signed; pure.

mod body_hash;
mod calendar;
mod credentials;
pub mod exposure;
pub mod iterator;
mod secret;
pub mod sigv4;
mod utc_text;

pub use body_hash::BodyHash;
pub use credentials::{Credential, Credentials, CredentialsError};
pub use secret::Secret;
