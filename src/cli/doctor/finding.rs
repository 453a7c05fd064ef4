//! What a check says.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// The server starts, and would be faster, steadier or safer otherwise.
    Advice,
    /// The server does not start, or cannot keep its promise that what is acknowledged stays.
    Problem,
    /// It could not be looked at.
    Unknown,
}

impl Verdict {
    /// As the JSON has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Advice => "advice",
            Verdict::Problem => "problem",
            Verdict::Unknown => "unknown",
        }
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// Its name, and that of its page in `tuning/knobs/`.
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    /// One line: what depends on it.
    pub(super) why: &'static str,
    /// What changes it, for a shell, or in the words of the configuration.
    pub(super) command: Option<String>,
}

/// A check with its reason, from which findings are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) why: &'static str,
}

impl Check {
    pub(super) fn ok(self, found: impl Into<String>) -> Finding {
        self.finding(Verdict::Ok, found, None)
    }

    pub(super) fn unknown(self, found: impl Into<String>) -> Finding {
        self.finding(Verdict::Unknown, found, None)
    }

    pub(super) fn advice(self, found: impl Into<String>, command: impl Into<String>) -> Finding {
        self.finding(Verdict::Advice, found, Some(command.into()))
    }

    pub(super) fn problem(self, found: impl Into<String>, command: impl Into<String>) -> Finding {
        self.finding(Verdict::Problem, found, Some(command.into()))
    }

    fn finding(
        self,
        verdict: Verdict,
        found: impl Into<String>,
        command: Option<String>,
    ) -> Finding {
        Finding { check: self.name, verdict, found: found.into(), why: self.why, command }
    }
}
