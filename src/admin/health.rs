//! Two questions that supervisors ask, each answered by a status and a line.

use super::page::Page;

/// How the server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// Why it has failed: it is about to end.
    pub failure: Option<String>,
    /// It was told to stop and answers what is in flight.
    pub stopping: bool,
}

/// Whether the process does its work; if not, it is to be started again.
#[must_use]
pub fn healthz(condition: &Condition) -> Page {
    match &condition.failure {
        Some(reason) => Page::text(503, &format!("failed: {reason}")),
        None => Page::text(200, "ok"),
    }
}

/// Whether requests should be sent here. Recovery is over and the catalog is there before the first
/// core looks at this port, so that an answer at all says as much.
#[must_use]
pub fn readyz(condition: &Condition) -> Page {
    match condition {
        Condition { failure: Some(reason), .. } => Page::text(503, &format!("failed: {reason}")),
        Condition { stopping: true, .. } => Page::text(503, "stopping"),
        _ => Page::text(200, "ready"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stops_is_healthy_and_not_ready() {
        let stopping = Condition { failure: None, stopping: true };
        assert_eq!((healthz(&stopping).status, readyz(&stopping).status), (200, 503));
    }

    #[test]
    fn a_server_that_has_failed_is_neither_and_says_why() {
        let failed = Condition { failure: Some("core 1: no disk".to_owned()), stopping: false };
        for page in [healthz(&failed), readyz(&failed)] {
            assert_eq!(page.status, 503);
            assert_eq!(page.body, b"failed: core 1: no disk\n");
        }
        let well = Condition::default();
        assert_eq!((healthz(&well).status, readyz(&well).status), (200, 200));
    }
}
