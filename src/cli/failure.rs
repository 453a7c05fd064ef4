//! How a command fails: one line on stderr, what happened and then what to do, and an exit code.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::base::error::{ApiError, ErrorCode};
use crate::client::ClientError;
use crate::config::ConfigError;

/// The exit codes that scripts can rely on; the help lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Whoever read the output has gone: nothing failed here.
    Done = 0,
    /// The server refused, or records were not stored.
    Refused = 1,
    /// Wrong usage or configuration, or a directory that is not Shardway's.
    Usage = 2,
    /// No server, or the connection failed.
    Unreachable = 3,
    /// This machine cannot run a server, or another process or release has the data dir.
    Unfit = 4,
    /// The data dir is damaged.
    Damaged = 5,
}

/// Why a command ends early.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }

    /// A value that was given does not work.
    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// Says one more thing that may help. AWS ends its sentences; here a clause follows.
    pub(super) fn advise(&mut self, advice: &str) {
        self.message = format!("{}; {advice}", self.message.trim_end_matches('.'));
    }

    /// Stdout does not take what is written. A closed pipe is how `| head` ends: no failure.
    pub(super) fn stdout(error: &io::Error) -> Failure {
        if error.kind() == ErrorKind::BrokenPipe {
            return Failure::new(Exit::Done, "");
        }
        let message = format!("cannot write to stdout: {error}; check where it is redirected to");
        Failure::new(Exit::Refused, message)
    }

    /// Prints the line, if there is one, and gives the exit code.
    pub(super) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            let line = self.message.replace('\n', " ");
            // Nothing is left to tell it to if stderr is gone as well.
            let _ = writeln!(io::stderr(), "shardway: {line}");
        }
        ExitCode::from(self.exit as u8)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Api(error) => error.into(),
            ClientError::Unreachable { .. } => Failure::new(Exit::Unreachable, error.to_string()),
            ClientError::Io { .. } => Failure::new(
                Exit::Unreachable,
                format!("{error}; check that the server runs and read its log"),
            ),
            ClientError::Protocol { .. } => Failure::new(
                Exit::Unreachable,
                format!("{error}; check the port and that both have the same release"),
            ),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Failure {
        let exit = match error.code {
            ErrorCode::ShuttingDown => Exit::Unreachable,
            _ => Exit::Refused,
        };
        let mut failure = Failure::new(exit, error.to_string());
        if let Some(advice) = advice(error.code) {
            failure.advise(advice);
        }
        failure
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::usage(format!("{error}; see `shardway serve --help`"))
    }
}

/// What to do about an error whose sentence cannot know which command asked.
fn advice(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::ResourceNotFound => Some(
            "`shardway stream list`, `shardway shards STREAM` and `shardway consumer list STREAM` \
             show what exists",
        ),
        ErrorCode::LimitExceeded => Some(
            "wait or make do with less; the limits of a server are options of `shardway serve`",
        ),
        ErrorCode::ProvisionedThroughputExceeded => {
            Some("try again later, or use a stream with more shards or other --limits")
        }
        ErrorCode::ShuttingDown => Some("try again when the server runs"),
        _ => None,
    }
}
