//! Why a request has no answer.

use std::io;

use thiserror::Error;

use crate::base::error::ApiError;

/// Why a request has no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens at the address.
    #[error("no Shardway server answers at {addr}; start one with `shardway serve`")]
    Unreachable {
        /// As the caller gave it.
        addr: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection failed, or the server did not answer in time.
    #[error("{context}: {source}")]
    Io {
        /// What was being done, with which server.
        context: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server refused the request.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The other side does not keep to the protocol; the connection is of no more use.
    #[error("{addr} does not speak the Shardway protocol as this client knows it: {cause}")]
    Protocol {
        /// The server.
        addr: String,
        /// What was wrong.
        cause: String,
    },
}

impl ClientError {
    /// Whether the server could not be reached or went away, as opposed to having said no.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        !matches!(self, ClientError::Api(_))
    }
}
