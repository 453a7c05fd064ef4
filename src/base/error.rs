//! A client's mistakes, and what the server tells it: one table of the AWS API's own names.
//!
//! Bugs panic, disk failures stop the log; neither is here (design §10, style 20).

use std::fmt;

/// The names of the API's errors. The number is the wire code and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum ErrorCode {
    /// A value is malformed or out of its range.
    InvalidArgument = 1,
    /// Stream, shard or consumer does not exist.
    ResourceNotFound = 2,
    /// It exists already, or somebody else holds it.
    ResourceInUse = 3,
    /// A control-plane limit is reached.
    LimitExceeded = 4,
    /// A shard's throughput is exceeded; try again later.
    ProvisionedThroughputExceeded = 5,
    /// An iterator is older than 300 s.
    ExpiredIterator = 6,
    /// A bearer or signature is refused.
    AccessDenied = 7,
    /// The server cannot do it now; the message says why.
    InternalFailure = 8,
    /// A field's form is wrong.
    Validation = 9,
    /// The frame does not follow the protocol. The connection is closed after it.
    Protocol = 10,
    /// The server is stopping; connect again.
    ShuttingDown = 11,
}

impl ErrorCode {
    /// Every code, for tables and decoders.
    pub const ALL: [ErrorCode; 11] = [
        ErrorCode::InvalidArgument,
        ErrorCode::ResourceNotFound,
        ErrorCode::ResourceInUse,
        ErrorCode::LimitExceeded,
        ErrorCode::ProvisionedThroughputExceeded,
        ErrorCode::ExpiredIterator,
        ErrorCode::AccessDenied,
        ErrorCode::InternalFailure,
        ErrorCode::Validation,
        ErrorCode::Protocol,
        ErrorCode::ShuttingDown,
    ];

    /// The code with this number on the wire.
    #[must_use]
    pub fn from_wire(code: u16) -> Option<ErrorCode> {
        Self::ALL.into_iter().find(|c| *c as u16 == code)
    }

    /// The AWS API's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::InvalidArgument => "InvalidArgumentException",
            ErrorCode::ResourceNotFound => "ResourceNotFoundException",
            ErrorCode::ResourceInUse => "ResourceInUseException",
            ErrorCode::LimitExceeded => "LimitExceededException",
            ErrorCode::ProvisionedThroughputExceeded => "ProvisionedThroughputExceededException",
            ErrorCode::ExpiredIterator => "ExpiredIteratorException",
            ErrorCode::AccessDenied => "AccessDeniedException",
            ErrorCode::InternalFailure => "InternalFailure",
            ErrorCode::Validation => "ValidationException",
            ErrorCode::Protocol => "ProtocolError",
            ErrorCode::ShuttingDown => "ShuttingDown",
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            ErrorCode::ProvisionedThroughputExceeded
                | ErrorCode::LimitExceeded
                | ErrorCode::InternalFailure
                | ErrorCode::ShuttingDown
        )
    }
}

/// An error of the API: a name from the table and a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// Which.
    pub code: ErrorCode,
    /// Why, for a person.
    pub message: String,
}

impl ApiError {
    /// An error with its cause.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into() }
    }

    /// `InvalidArgumentException`.
    pub fn invalid(message: impl Into<String>) -> ApiError {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    /// `ResourceNotFoundException`.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        Self::new(ErrorCode::ResourceNotFound, message)
    }

    /// `InternalFailure`: nothing was stored, and the message says what must change.
    pub fn internal(message: impl Into<String>) -> ApiError {
        Self::new(ErrorCode::InternalFailure, message)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for ApiError {}
