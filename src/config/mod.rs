//! Rank 9: what a user chooses, with units and bounds.
//!
//! One set of options comes from flags, environment and file; the first that says something wins.

mod access;
mod byte_size;
mod control_rates;
mod cores;
mod credentials;
mod file_stamp;
mod http;
mod http_addr;
mod layer;
mod serve;

pub use access::{AccessOptions, Auth};
pub use byte_size::{ByteSize, InvalidByteSize};
pub use control_rates::ControlRates;
pub use cores::{Cores, InvalidCores};
pub use credentials::{CredentialsFile, CredentialsFileError, LoadedCredentials};
pub use file_stamp::WatchedFiles;
pub use http::HttpOptions;
pub use http_addr::{HttpAddr, InvalidHttpAddr};
pub use layer::ServeLayer;
pub use serve::{ConfigError, ServeOptions};

#[cfg(test)]
mod tests;
