//! An answer of the admin port.

/// A status, a type and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Of HTTP.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Page {
    /// A line for a person.
    #[must_use]
    pub fn text(status: u16, line: &str) -> Page {
        let body = format!("{line}\n").into_bytes();
        Page { status, content_type: "text/plain; charset=utf-8", body }
    }
}
