//! Which page a request wants.

use super::page::Page;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Everything that is counted, for Prometheus.
    Metrics,
    /// Whether the process does its work.
    Health,
    /// Whether it takes requests.
    Ready,
    /// None of them: this is the answer.
    Other(Page),
}

/// What there is.
const PATHS: &str = "/metrics, /healthz, /readyz";

/// The page behind a method and a path without its query.
#[must_use]
pub fn route(method: &str, path: &str) -> Route {
    let route = match path {
        "/metrics" => Route::Metrics,
        "/healthz" => Route::Health,
        "/readyz" => Route::Ready,
        _ => return Route::Other(Page::text(404, &format!("not here; there is {PATHS}"))),
    };
    match method {
        "GET" | "HEAD" => route,
        _ => Route::Other(Page::text(405, "only GET")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_that_is_named_is_there_and_others_say_what_is() {
        for path in PATHS.split(", ") {
            assert!(!matches!(route("GET", path), Route::Other(_)), "{path}");
            let Route::Other(page) = route("POST", path) else { panic!("{path} takes a POST") };
            assert_eq!(page.status, 405);
        }
        let Route::Other(page) = route("GET", "/metrics/") else { panic!("no such page") };
        assert_eq!(page.status, 404);
        assert!(String::from_utf8(page.body).unwrap().contains(PATHS));
    }
}
