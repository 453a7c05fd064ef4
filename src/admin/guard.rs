//! Who may put and read records by the console: programs of this machine and people who open the
//! console, but no page of another origin in their browser.

use super::page::Page;

/// What a request shows of itself.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The header `Host`.
    pub host: Option<&'a str>,
    /// The header `Origin`.
    pub origin: Option<&'a str>,
    /// The header `Content-Type`.
    pub content_type: Option<&'a str>,
}

/// Refuses what is not allowed at all (`--admin-writes`), and what a page of another origin may
/// have sent: such a page cannot send JSON unasked, has its own `Origin`, and where its name was
/// made to lead here, its own `Host`.
pub fn check(writes: bool, shown: Shown<'_>) -> Result<(), Page> {
    if !writes {
        return Err(Page::refusal(403, "records are for servers with --admin-writes"));
    }
    if shown.content_type != Some("application/json") {
        return Err(Page::refusal(415, "a request is application/json"));
    }
    let host = shown.host.unwrap_or_default();
    let own = shown.origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    if !own || !is_address(host) {
        let text = "records are for the console itself, opened by an address or as localhost";
        return Err(Page::refusal(403, text));
    }
    Ok(())
}

/// Whether a host, with or without its port, is an address or `localhost`.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || bare.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(writes: bool, host: &str, origin: Option<&str>, content_type: &str) -> u16 {
        let content_type = Some(content_type);
        let shown = Shown { host: Some(host), origin, content_type };
        check(writes, shown).map_or_else(|page| page.status, |()| 200)
    }

    #[test]
    fn the_console_itself_and_programs_here_may() {
        for host in ["127.0.0.1:4571", "localhost:4571", "[::1]:4571", "10.1.2.3"] {
            assert_eq!(status(true, host, None, "application/json"), 200, "{host}");
            let origin = format!("http://{host}");
            assert_eq!(status(true, host, Some(&origin), "application/json"), 200, "{host}");
        }
    }

    #[test]
    fn nobody_may_unless_the_operator_says_so() {
        assert_eq!(status(false, "127.0.0.1:4571", None, "application/json"), 403);
    }

    #[test]
    fn pages_of_other_origins_may_not() {
        let host = "127.0.0.1:4571";
        assert_eq!(status(true, host, Some("http://evil.example"), "application/json"), 403);
        assert_eq!(status(true, host, Some("null"), "application/json"), 403);
        // Its name leads here: the browser takes it for the same origin.
        let rebound = "evil.example:4571";
        let origin = "http://evil.example:4571";
        assert_eq!(status(true, rebound, Some(origin), "application/json"), 403);
        // What a form of any page may send unasked.
        assert_eq!(status(true, host, None, "text/plain"), 415);
    }
}
