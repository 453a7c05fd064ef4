//! Why a run has no result, and the exit code that says so.

use std::fmt;
use std::io;

use shardway::base::error::{ApiError, ErrorCode};
use shardway::client::ClientError;

use crate::http::{HttpMismatch, Refusal};
use crate::keyed::KeyMismatch;
use crate::verify::Mismatch;

/// The outcome of everything that can fail.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a run has no result.
#[derive(Debug)]
pub enum Failure {
    /// The operating system refused something.
    Io {
        /// What was being done.
        doing: String,
        /// Its answer.
        source: io::Error,
    },
    /// The server answered a request with an error.
    Server {
        /// The error's name.
        code: ErrorCode,
        /// The server's sentence.
        message: String,
    },
    /// The server broke the protocol.
    Protocol(String),
    /// Options that do not fit together, or this machine.
    Usage(String),
    /// The server stopped answering.
    Stalled(String),
    /// What was read is not what was acknowledged.
    Mismatch(Mismatch),
    /// The same, of records that are numbered by key.
    KeyMismatch(KeyMismatch),
    /// The same, over HTTP.
    HttpMismatch(HttpMismatch),
    /// A request of the API was not served.
    Refused(Refusal),
}

impl Failure {
    /// An I/O failure with what was being done.
    pub fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let doing = doing.into();
        move |source| Failure::Io { doing, source }
    }

    /// The process's exit code. A mismatch has its own, so that scripts cannot take it for a
    /// network hiccup.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Mismatch(_) | Failure::KeyMismatch(_) | Failure::HttpMismatch(_) => 3,
            _ => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io { doing, source } => write!(f, "{doing}: {source}"),
            Failure::Server { code, message } => {
                write!(f, "the server answered {}: {message}", code.name())
            }
            Failure::Protocol(what) => write!(f, "the server broke the protocol: {what}"),
            Failure::Usage(what) => f.write_str(what),
            Failure::Stalled(what) => write!(f, "the server stopped answering: {what}"),
            Failure::Mismatch(mismatch) => write!(f, "VERIFICATION FAILED: {mismatch}"),
            Failure::KeyMismatch(mismatch) => write!(f, "VERIFICATION FAILED: {mismatch}"),
            Failure::HttpMismatch(mismatch) => write!(f, "VERIFICATION FAILED: {mismatch}"),
            Failure::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Mismatch> for Failure {
    fn from(mismatch: Mismatch) -> Failure {
        Failure::Mismatch(mismatch)
    }
}

impl From<KeyMismatch> for Failure {
    fn from(mismatch: KeyMismatch) -> Failure {
        Failure::KeyMismatch(mismatch)
    }
}

impl From<ApiError> for Failure {
    fn from(ApiError { code, message }: ApiError) -> Failure {
        Failure::Server { code, message }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Api(error) => error.into(),
            ClientError::Protocol { cause, .. } => Failure::Protocol(cause),
            ClientError::Io { context, source }
                if matches!(
                    source.kind(),
                    io::ErrorKind::TimedOut | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Failure::Stalled(format!("{context}: {source}"))
            }
            ClientError::Io { context, source } => Failure::Io { doing: context, source },
            ClientError::Unreachable { addr, source } => {
                Failure::Io { doing: format!("connecting to {addr}"), source }
            }
        }
    }
}
