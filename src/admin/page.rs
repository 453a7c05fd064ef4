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

/// The console: one page that needs nothing from elsewhere.
const CONSOLE: &str = include_str!("console.html");

impl Page {
    /// The console.
    #[must_use]
    pub fn console() -> Page {
        let content_type = "text/html; charset=utf-8";
        Page { status: 200, content_type, body: CONSOLE.as_bytes().to_vec() }
    }

    /// A line for a person.
    #[must_use]
    pub fn text(status: u16, line: &str) -> Page {
        let body = format!("{line}\n").into_bytes();
        Page { status, content_type: "text/plain; charset=utf-8", body }
    }
}
