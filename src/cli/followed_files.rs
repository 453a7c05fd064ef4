//! Files that a running server reads again when they change: access keys and the certificate.

use std::path::Path;
use std::sync::Arc;

use super::failure::Failure;
use crate::config::{CredentialsFile, ServeOptions, WatchedFiles};
use crate::runtime::{Certificate, Server};
use crate::security::Credentials;

/// See the module. What cannot be used is told, and changes nothing.
pub(super) struct Followed {
    keys: Keys,
    certificate: Option<WatchedFiles>,
}

impl Followed {
    /// Reads the keys. The certificate is read by the server itself, later.
    pub(super) fn open(options: &ServeOptions) -> Result<Followed, Failure> {
        let certificate = match &options.http.secure {
            Some((_, Certificate::Files { cert, key })) => {
                Some(WatchedFiles::new(vec![cert.clone(), key.clone()]))
            }
            _ => None,
        };
        let keys = Keys::open(options.access.credentials.as_deref())?;
        Ok(Followed { keys, certificate })
    }

    /// The keys that a server starts with.
    pub(super) fn take_credentials(&mut self) -> Arc<Credentials> {
        self.keys.loaded.take().unwrap_or_default()
    }

    /// Gives the server what has changed.
    pub(super) fn follow(&mut self, server: &Server) {
        self.keys.follow(server);
        if self.certificate.as_mut().is_some_and(WatchedFiles::changed) {
            match server.renew_certificate() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::error!(%error, "the certificate stays as it is"),
            }
        }
    }
}

/// The access keys of a server, as their file has them.
#[derive(Default)]
struct Keys {
    file: Option<CredentialsFile>,
    /// What was read before there was a server.
    loaded: Option<Arc<Credentials>>,
}

impl Keys {
    fn open(path: Option<&Path>) -> Result<Keys, Failure> {
        let Some(path) = path else { return Ok(Keys::default()) };
        let (file, loaded) =
            CredentialsFile::open(path).map_err(|error| Failure::usage(error.to_string()))?;
        if let Some(warning) = loaded.warning {
            tracing::warn!("{warning}");
        }
        Ok(Keys { file: Some(file), loaded: Some(Arc::new(loaded.credentials)) })
    }

    /// Reads the file again if it has changed. What cannot be used changes nothing.
    fn follow(&mut self, server: &Server) {
        let Some(file) = self.file.as_mut().filter(|file| file.changed()) else { return };
        match file.reload() {
            Ok(loaded) => {
                if let Some(warning) = loaded.warning {
                    tracing::warn!("{warning}");
                }
                tracing::info!(keys = loaded.credentials.len(), "the access keys were read again");
                server.set_credentials(loaded.credentials);
            }
            Err(error) => tracing::error!(%error, "the access keys stay as they are"),
        }
    }
}
