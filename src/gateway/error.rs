//! What a client is told when its request fails: status, name and text, and their bytes.

use std::borrow::Cow;
use std::fmt;

use crate::base::error::{ApiError, ErrorCode};
use crate::gateway::encode::Encoder;
use crate::gateway::value::{BadBody, Format};

/// Header with the name of the error. The Java, JavaScript and Rust SDKs read it before the body.
pub const ERROR_TYPE_HEADER: &str = "x-amzn-ErrorType";

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The name, `__type` of the body.
    pub code: Cow<'static, str>,
    /// The text; empty for the few errors that AWS sends without one.
    pub message: String,
}

impl Refusal {
    /// An error of the client, status 400.
    pub fn client(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status: 400, code: Cow::Borrowed(code), message: message.into() }
    }

    /// `InvalidArgumentException`.
    pub fn invalid_argument(message: impl Into<String>) -> Refusal {
        Self::client("InvalidArgumentException", message)
    }

    /// `ResourceNotFoundException`.
    pub fn not_found(message: impl Into<String>) -> Refusal {
        Self::client("ResourceNotFoundException", message)
    }

    /// `ValidationException`: a value does not keep the model's constraints.
    pub fn validation(message: impl Into<String>) -> Refusal {
        Self::client("ValidationException", message)
    }

    /// `SerializationException`: a value has another type than the model.
    pub fn serialization(message: impl Into<String>) -> Refusal {
        Self::client("SerializationException", message)
    }

    /// `UnknownOperationException`: AWS sends it without a text.
    #[must_use]
    pub fn unknown_operation() -> Refusal {
        Self::client("UnknownOperationException", "")
    }

    /// An operation that AWS has and this server does not. The name is the server's own: AWS has
    /// none for it, SDKs raise an unmodelled error of this name and do not retry it.
    #[must_use]
    pub fn not_offered(operation: &str) -> Refusal {
        let text = format!("{operation} is not offered yet by this server.");
        Self::client("UnsupportedOperationException", text)
    }

    /// `DryRunOperationException`: the request would have succeeded.
    #[must_use]
    pub fn dry_run() -> Refusal {
        let text = "Request would have succeeded, but the DryRun flag is set.";
        Self::client("DryRunOperationException", text)
    }

    /// Writes the body. AWS spells the text's name `Message` in SerializationException alone.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        let name = if self.code == "SerializationException" { "Message" } else { "message" };
        Encoder::new(format, out).map(|e| {
            e.key("__type").text(&self.code);
            if !self.message.is_empty() {
                e.key(name).text(&self.message);
            }
        });
    }

    /// The body for a request whose content type is neither JSON 1.1 nor CBOR 1.1.
    #[must_use]
    pub fn xml(&self) -> String {
        let Refusal { code, message, .. } = self;
        if message.is_empty() {
            return format!("<{code}/>\n");
        }
        let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("<{code}>\n  <Message>{message}</Message>\n</{code}>\n")
    }

    /// The body for a request of the content type `application/json`, which AWS still answers in
    /// the form of an older protocol.
    #[must_use]
    pub fn old_json(&self) -> String {
        let code = &self.code;
        format!(r#"{{"Output":{{"__type":"com.amazon.coral.service#{code}"}},"Version":"1.0"}}"#)
    }
}

/// 500 where the server fails, 503 while it stops (SDKs retry both), 400 otherwise.
impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Refusal {
        let (status, code) = match error.code {
            ErrorCode::InternalFailure | ErrorCode::Protocol => (500, "InternalFailure"),
            ErrorCode::ShuttingDown => (503, "ServiceUnavailable"),
            code => (400, code.name()),
        };
        Refusal { status, code: Cow::Borrowed(code), message: error.message }
    }
}

/// AWS does not say what is wrong with a body that it cannot read.
impl From<BadBody> for Refusal {
    fn from(_: BadBody) -> Refusal {
        Refusal::serialization("")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests;
