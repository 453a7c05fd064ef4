//! The file of access keys, and reading it again when it changes.
//!
//! The server asks [`CredentialsFile::changed`] about once a second, which costs one `stat`, and
//! on yes calls [`CredentialsFile::reload`]. What does not parse is an error value: the caller
//! says so and goes on with the keys that it has.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::file_stamp::FileStamp;
use crate::base::limits::CREDENTIALS_FILE_BYTES_MAX;
use crate::security::{Credentials, CredentialsError};

/// A file of access keys, and which state of it was read last.
#[derive(Clone, Debug)]
pub struct CredentialsFile {
    path: PathBuf,
    /// None while it could not be found.
    seen: Option<FileStamp>,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedCredentials {
    /// Valid from now on, instead of those before.
    pub credentials: Credentials,
    /// What the operator should know, if anything: who else can read the keys.
    pub warning: Option<String>,
}

/// A credentials file that cannot be used. No text has a word of its content.
#[derive(Debug, Error)]
pub enum CredentialsFileError {
    /// It cannot be read.
    #[error("credentials file {path}: {source}")]
    Read {
        /// As given.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is a directory, a pipe or the like.
    #[error("credentials file {path}: it is not a regular file")]
    Irregular {
        /// As given.
        path: String,
    },
    /// Surely something else.
    #[error("credentials file {path}: it has more than {CREDENTIALS_FILE_BYTES_MAX} bytes")]
    Large {
        /// As given.
        path: String,
    },
    /// It is not UTF-8.
    #[error("credentials file {path}: it is not text in UTF-8")]
    Binary {
        /// As given.
        path: String,
    },
    /// It does not say what it should.
    #[error("credentials file {path}, {source}")]
    Content {
        /// As given.
        path: String,
        /// Which line, and what is wrong there.
        source: CredentialsError,
    },
}

impl CredentialsFile {
    /// Opens a file of the AWS tools' form ([`Credentials::parse`]) and reads it.
    pub fn open(path: &Path) -> Result<(CredentialsFile, LoadedCredentials), CredentialsFileError> {
        let mut file = CredentialsFile { path: path.to_owned(), seen: None };
        let loaded = file.reload()?;
        Ok((file, loaded))
    }

    /// Whether the file differs from what was read last: written, replaced, removed, back again.
    /// An error that was reported is no news.
    #[must_use]
    pub fn changed(&self) -> bool {
        FileStamp::of_path(&self.path) != self.seen
    }

    /// Reads the file again. Whatever comes of it, the file counts as seen.
    pub fn reload(&mut self) -> Result<LoadedCredentials, CredentialsFileError> {
        self.seen = None;
        let path = || self.path.display().to_string();
        let unreadable = |source| CredentialsFileError::Read { path: path(), source };
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        // Taken before the content: whoever writes meanwhile makes it change once more.
        self.seen = Some(FileStamp::of(&metadata));
        // Opening a pipe would wait for a writer.
        if !metadata.is_file() {
            return Err(CredentialsFileError::Irregular { path: path() });
        }
        let file = File::open(&self.path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(CREDENTIALS_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > CREDENTIALS_FILE_BYTES_MAX {
            return Err(CredentialsFileError::Large { path: path() });
        }
        let Ok(text) = str::from_utf8(&bytes) else {
            return Err(CredentialsFileError::Binary { path: path() });
        };
        let credentials = Credentials::parse(text)
            .map_err(|source| CredentialsFileError::Content { path: path(), source })?;
        Ok(LoadedCredentials { credentials, warning: warning(&self.path, &metadata) })
    }
}

/// Who beside the owner and the group may read the keys, or write their own.
fn warning(path: &Path, metadata: &Metadata) -> Option<String> {
    const OTHERS_READ: u32 = 0o004;
    const OTHERS_WRITE: u32 = 0o002;
    let what = match metadata.mode() & (OTHERS_READ | OTHERS_WRITE) {
        0 => return None,
        OTHERS_READ => "read the secret keys in",
        _ => "change",
    };
    let path = path.display();
    Some(format!("every user of this machine can {what} {path}; run `chmod o= {path}`"))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn profile(id: &str) -> String {
        format!("[a]\naws_access_key_id={id}\naws_secret_access_key={SECRET}\n")
    }

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        (directory, path)
    }

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn knows(loaded: &LoadedCredentials, id: &str) -> bool {
        loaded.credentials.find(id).is_some()
    }

    #[test]
    fn a_file_is_read_and_has_not_changed_since() {
        let (_directory, path) = directory();
        write(&path, &profile("A"));
        let (file, loaded) = CredentialsFile::open(&path).unwrap();
        assert!(knows(&loaded, "A") && loaded.warning.is_none());
        assert!(!file.changed());
    }

    #[test]
    fn a_file_that_was_written_or_replaced_has_changed() {
        let (directory, path) = directory();
        write(&path, &profile("A"));
        let (mut file, _) = CredentialsFile::open(&path).unwrap();
        write(&path, &profile("AB"));
        assert!(file.changed());
        assert!(knows(&file.reload().unwrap(), "AB"));
        assert!(!file.changed());
        // Of the same length and age: editors write another file and rename it.
        let other = directory.path().join("other");
        write(&other, &profile("CD"));
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(file.changed());
        assert!(knows(&file.reload().unwrap(), "CD"));
        assert!(!file.changed());
    }

    #[test]
    fn a_link_that_leads_elsewhere_has_changed() {
        let (directory, path) = directory();
        let targets = ["A", "B"].map(|id| directory.path().join(id));
        write(&targets[0], &profile("A"));
        write(&targets[1], &profile("B"));
        std::os::unix::fs::symlink(&targets[0], &path).unwrap();
        let (mut file, _) = CredentialsFile::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&targets[1], &path).unwrap();
        assert!(file.changed() && knows(&file.reload().unwrap(), "B"));
    }

    #[test]
    fn a_bad_file_is_an_error_once_and_good_again_later() {
        let (_directory, path) = directory();
        write(&path, &profile("A"));
        let (mut file, _) = CredentialsFile::open(&path).unwrap();
        write(&path, &format!("[a]\n{SECRET}\n"));
        assert!(file.changed());
        let error = file.reload().unwrap_err().to_string();
        assert!(
            error.ends_with(
                "credentials, line 2: neither a profile ([name]) nor a setting \
                                 (name = value)"
            ),
            "{error}"
        );
        assert!(!error.contains(SECRET));
        assert!(!file.changed(), "said once");
        fs::remove_file(&path).unwrap();
        assert!(file.changed());
        assert!(matches!(file.reload(), Err(CredentialsFileError::Read { .. })));
        assert!(!file.changed(), "said once");
        write(&path, &profile("B"));
        assert!(file.changed() && knows(&file.reload().unwrap(), "B"));
    }

    #[test]
    fn a_file_that_others_can_read_or_write_has_a_warning() {
        let (_directory, path) = directory();
        for (mode, what) in [
            (0o600, None),
            (0o640, None),
            (0o604, Some("every user of this machine can read the secret keys in ")),
            (0o602, Some("every user of this machine can change ")),
            (0o666, Some("every user of this machine can change ")),
        ] {
            write(&path, &profile("A"));
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let warning = CredentialsFile::open(&path).unwrap().1.warning;
            assert_eq!(warning.is_some(), what.is_some(), "{mode:o}");
            let starts = warning.zip(what).is_none_or(|(text, what)| text.starts_with(what));
            assert!(starts, "{mode:o}");
        }
    }

    #[test]
    fn what_is_no_file_of_text_is_refused() {
        let (directory, path) = directory();
        let refusal = |path: &Path| CredentialsFile::open(path).unwrap_err().to_string();
        assert!(refusal(&path).contains("No such file"));
        assert!(refusal(directory.path()).ends_with("it is not a regular file"));
        fs::write(&path, b"[a]\n\xff").unwrap();
        assert!(refusal(&path).ends_with("it is not text in UTF-8"));
        let size = usize::try_from(CREDENTIALS_FILE_BYTES_MAX).unwrap();
        let fits = profile("A") + &"#".repeat(size - profile("A").len());
        write(&path, &fits);
        assert!(CredentialsFile::open(&path).is_ok());
        write(&path, &(fits + "#"));
        assert!(refusal(&path).ends_with("it has more than 1048576 bytes"));
    }
}
