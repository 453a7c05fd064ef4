//! Which page a request wants.

use super::page::Page;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The console.
    Console,
    /// Everything that is counted, for Prometheus.
    Metrics,
    /// Whether the process does its work.
    Health,
    /// Whether it takes requests.
    Ready,
    /// The server at a glance.
    Overview,
    /// The stream of this name.
    Stream(String),
    /// A record is put.
    Put,
    /// Records are read.
    Tail,
    /// None of them: this is the answer.
    Other(Page),
}

/// What there is for people and programs.
const PATHS: &str = "/, /metrics, /healthz, /readyz";

/// The page behind a method, a path, and its query.
#[must_use]
pub fn route(method: &str, path: &str, query: Option<&str>) -> Route {
    let (route, wanted) = match path {
        "/" => (Route::Console, "GET"),
        "/metrics" => (Route::Metrics, "GET"),
        "/healthz" => (Route::Health, "GET"),
        "/readyz" => (Route::Ready, "GET"),
        "/api/overview" => (Route::Overview, "GET"),
        // The names of streams need no escapes.
        "/api/stream" => match query.and_then(|query| query.strip_prefix("name=")) {
            Some(name) => (Route::Stream(name.to_owned()), "GET"),
            None => return Route::Other(Page::refusal(400, "a stream has a name")),
        },
        "/api/put" => (Route::Put, "POST"),
        "/api/tail" => (Route::Tail, "POST"),
        _ => return Route::Other(Page::text(404, &format!("not here; there is {PATHS}"))),
    };
    let head = method == "HEAD" && wanted == "GET";
    if method == wanted || head {
        return route;
    }
    Route::Other(Page::text(405, &format!("only {wanted}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_that_is_named_is_there_and_others_say_what_is() {
        for path in PATHS.split(", ") {
            assert!(!matches!(route("GET", path, None), Route::Other(_)), "{path}");
            let Route::Other(page) = route("POST", path, None) else { panic!("{path}: a POST") };
            assert_eq!(page.status, 405);
        }
        let Route::Other(page) = route("GET", "/metrics/", None) else { panic!("no such page") };
        assert_eq!(page.status, 404);
        assert!(String::from_utf8(page.body).unwrap().contains(PATHS));
    }

    #[test]
    fn no_link_puts_a_record() {
        let Route::Other(page) = route("GET", "/api/put", None) else { panic!("a GET puts") };
        assert_eq!(page.status, 405);
        assert_eq!(route("POST", "/api/put", None), Route::Put);
        let stream = route("GET", "/api/stream", Some("name=a.b-c"));
        assert_eq!(stream, Route::Stream("a.b-c".to_owned()));
    }
}
