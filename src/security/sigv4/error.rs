//! Why a request is not who it says it is.

use std::fmt;

/// AWS's names of it. HTTP status 400 for JSON and CBOR, 403 for the rest (reference §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthErrorCode {
    /// There is no signature.
    MissingAuthenticationToken,
    /// Parts of it are missing or malformed.
    IncompleteSignature,
    /// It is not of this request, this server, this time or this key.
    InvalidSignature,
    /// The key or its session token is not known.
    UnrecognizedClient,
}

impl AuthErrorCode {
    /// The AWS API's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AuthErrorCode::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            AuthErrorCode::IncompleteSignature => "IncompleteSignatureException",
            AuthErrorCode::InvalidSignature => "InvalidSignatureException",
            AuthErrorCode::UnrecognizedClient => "UnrecognizedClientException",
        }
    }
}

/// A refusal.
///
/// Some texts of AWS end with what the client sent, an `Authorization` header above all. A client
/// that is set up wrongly sends secrets there, so only [`AuthError::message`], which is the answer
/// to that client, has this end; `Display` and `Debug`, which end in logs, have not.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthError {
    code: AuthErrorCode,
    /// The answer's text up to `echo_at` and its echo.
    message: String,
    echo_at: usize,
}

impl AuthError {
    fn new(code: AuthErrorCode, message: impl Into<String>) -> AuthError {
        let message = message.into();
        AuthError { code, echo_at: message.len(), message }
    }

    pub(super) fn missing() -> AuthError {
        Self::new(AuthErrorCode::MissingAuthenticationToken, "Missing Authentication Token")
    }

    pub(super) fn incomplete(message: impl Into<String>) -> AuthError {
        Self::new(AuthErrorCode::IncompleteSignature, message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> AuthError {
        Self::new(AuthErrorCode::InvalidSignature, message)
    }

    pub(super) fn unrecognized() -> AuthError {
        let message = "The security token included in the request is invalid.";
        Self::new(AuthErrorCode::UnrecognizedClient, message)
    }

    pub(super) fn mismatch() -> AuthError {
        Self::invalid(
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method. Consult the service documentation for \
             details.",
        )
    }

    /// With an end that only the client sees.
    pub(super) fn with_echo(mut self, echo: impl AsRef<str>) -> AuthError {
        self.message.push_str(echo.as_ref());
        self
    }

    /// Which.
    #[must_use]
    pub fn code(&self) -> AuthErrorCode {
        self.code
    }

    /// The text for the client that sent the request, and for nobody else.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dots = if self.echo_at < self.message.len() { "…" } else { "" };
        write!(f, "{}: {}{dots}", self.code.name(), &self.message[..self.echo_at])
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthError({self})")
    }
}

impl std::error::Error for AuthError {}
