//! Whose signatures the server accepts: access keys, as the AWS tools keep them in a file.
//!
//! ```text
//! # one profile for each user
//! [alice]
//! aws_access_key_id     = AKIAIOSFODNN7EXAMPLE
//! aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
//! aws_session_token     = only where requests must bring one
//! ```
//! Other settings of a profile (`region`, `output`, …) are passed over, so that the file of a
//! client serves as it is. What is wrong is named by its line, never by its content.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use super::secret::Secret;

/// A user's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    access_key_id: Arc<str>,
    profile: Arc<str>,
    secret_access_key: Secret,
    session_token: Option<Secret>,
}

impl Credential {
    /// The name that requests are signed with.
    #[must_use]
    pub fn access_key_id(&self) -> &Arc<str> {
        &self.access_key_id
    }

    /// The name of the profile in the file.
    #[must_use]
    pub fn profile(&self) -> &Arc<str> {
        &self.profile
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret_access_key
    }

    /// Whether a request with this session token may use these keys: one is needed where the
    /// profile has one, and none may come where it has none, as on AWS.
    pub(super) fn takes_token(&self, token: Option<&[u8]>) -> bool {
        match (&self.session_token, token) {
            (None, None) => true,
            (Some(own), Some(token)) => own.is(token),
            _ => false,
        }
    }
}

/// All keys that are valid now. A reload makes another set; nobody changes this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    by_access_key_id: HashMap<Arc<str>, Credential>,
}

/// A credentials file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct CredentialsError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and no word of the file but the names of profiles.
    pub message: String,
}

impl Credentials {
    /// Reads a file's text. It must hold one profile at least, each with an access key id of its
    /// own and a secret access key.
    pub fn parse(text: &str) -> Result<Credentials, CredentialsError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            reader.line(index + 1, line)?;
        }
        reader.finish()
    }

    /// The keys that belong to an access key id.
    #[must_use]
    pub fn find(&self, access_key_id: &str) -> Option<&Credential> {
        self.by_access_key_id.get(access_key_id)
    }

    /// How many profiles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_access_key_id.len()
    }

    /// Whether nobody has a key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_access_key_id.is_empty()
    }
}

const ACCESS_KEY_ID: &str = "aws_access_key_id";
const SECRET_ACCESS_KEY: &str = "aws_secret_access_key";
const SESSION_TOKEN: &str = "aws_session_token";

/// The profile that is being read.
struct Profile<'a> {
    line: usize,
    name: &'a str,
    /// Values of the three settings, in the order of [`SETTINGS`].
    values: [Option<&'a str>; 3],
}

const SETTINGS: [&str; 3] = [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN];

#[derive(Default)]
struct Reader<'a> {
    done: Credentials,
    profile: Option<Profile<'a>>,
    /// Every name, with the line where it stands.
    names: HashMap<&'a str, usize>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, number: usize, line: &'a str) -> Result<(), CredentialsError> {
        let line = without_comment(line).trim();
        if line.is_empty() {
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.strip_suffix(']').map(str::trim).filter(|name| !name.is_empty());
            let wrong = "a profile starts with its name in brackets: [name]";
            return self.start(number, name.ok_or_else(|| error(number, wrong))?);
        }
        let (key, value) = line.split_once('=').ok_or_else(|| {
            error(number, "neither a profile ([name]) nor a setting (name = value)")
        })?;
        self.setting(number, key.trim(), value.trim())
    }

    fn start(&mut self, number: usize, name: &'a str) -> Result<(), CredentialsError> {
        self.close()?;
        if let Some(line) = self.names.insert(name, number) {
            return Err(error(number, format!("profile [{name}] stands on line {line} already")));
        }
        self.profile = Some(Profile { line: number, name, values: [None; 3] });
        Ok(())
    }

    fn setting(
        &mut self,
        number: usize,
        key: &str,
        value: &'a str,
    ) -> Result<(), CredentialsError> {
        let Some(profile) = &mut self.profile else {
            return Err(error(number, "a setting stands before the first profile ([name])"));
        };
        let Some(at) = SETTINGS.iter().position(|setting| key.eq_ignore_ascii_case(setting)) else {
            return Ok(());
        };
        let setting = SETTINGS[at];
        if profile.values[at].is_some() {
            let message = format!("profile [{}] has {setting} already", profile.name);
            return Err(error(number, message));
        }
        if let Some(wrong) = unusable(setting, value) {
            return Err(error(number, format!("{setting} {wrong}")));
        }
        profile.values[at] = Some(value);
        Ok(())
    }

    /// Takes over the profile that was being read, if it is complete.
    fn close(&mut self) -> Result<(), CredentialsError> {
        let Some(Profile { line, name, values: [id, secret, token] }) = self.profile.take() else {
            return Ok(());
        };
        let lacks = |what| error(line, format!("profile [{name}] has no {what}"));
        let id: Arc<str> = id.ok_or_else(|| lacks(ACCESS_KEY_ID))?.into();
        let credential = Credential {
            access_key_id: Arc::clone(&id),
            profile: name.into(),
            secret_access_key: Secret::new(secret.ok_or_else(|| lacks(SECRET_ACCESS_KEY))?),
            session_token: token.map(Secret::new),
        };
        match self.done.by_access_key_id.insert(id, credential) {
            None => Ok(()),
            // The id itself is not repeated: somebody may have put the secret there.
            Some(other) => Err(error(
                line,
                format!("profiles [{}] and [{name}] have the same {ACCESS_KEY_ID}", other.profile),
            )),
        }
    }

    fn finish(mut self) -> Result<Credentials, CredentialsError> {
        self.close()?;
        if self.done.is_empty() {
            return Err(error(1, "there is no profile, so that nobody could sign a request"));
        }
        Ok(self.done)
    }
}

/// A line up to its comment, which starts the line or follows a blank.
fn without_comment(line: &str) -> &str {
    let starts =
        |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    let comment = line.match_indices(['#', ';']).find(starts);
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Why a setting cannot have this value.
fn unusable(setting: &str, value: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if value.is_empty() {
        Some("is empty; write its value or leave the line out")
    } else if value.contains(odd) {
        Some("has a blank inside")
    } else if value.starts_with(['"', '\'']) {
        Some("starts with a quote; write the value without quotes")
    } else if setting == ACCESS_KEY_ID && value.contains(['/', ',', '=']) {
        // In a signature these end the id; on AWS only secrets have them.
        Some("has a `/`, `,` or `=`; is it the secret?")
    } else {
        None
    }
}

fn error(line: usize, message: impl Into<String>) -> CredentialsError {
    CredentialsError { line, message: message.into() }
}

#[cfg(test)]
mod tests;
