//! Who may reach the server, and with what.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Deserialize;

use super::http::HttpOptions;
use super::layer::ServeLayer;
use super::serve::ConfigError;
use crate::security::exposure::{Listener, Protocol, exposure};
use crate::security::sigv4::AuthMode;

/// What a request of the AWS API must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// The form of a signature, by any key.
    #[default]
    Off,
    /// A signature by a key of the credentials file.
    Sigv4,
}

/// Who may do what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessOptions {
    /// What a request of the AWS API must show.
    pub auth: AuthMode,
    /// The file of the keys that count.
    pub credentials: Option<PathBuf>,
    /// `StartStreamEncryption` is taken, although nothing is sealed yet.
    pub allow_unsealed_kms: bool,
}

impl AccessOptions {
    pub(super) fn resolve(
        layer: &ServeLayer,
        listen: SocketAddr,
        http: &HttpOptions,
    ) -> Result<AccessOptions, ConfigError> {
        let contradiction = |what: String| Err(ConfigError::Contradiction(what));
        let auth = match layer.auth.unwrap_or_default() {
            Auth::Off => AuthMode::Off,
            Auth::Sigv4 => AuthMode::SigV4,
        };
        match (auth, &layer.credentials) {
            (AuthMode::SigV4, None) => {
                return contradiction("auth sigv4 needs the keys: credentials".to_owned());
            }
            (AuthMode::Off, Some(_)) => {
                return contradiction("credentials are of use only with auth sigv4".to_owned());
            }
            _ => {}
        }
        let native = Some((Protocol::Native, listen));
        let plain = http.plain.map(|address| (Protocol::Http, address));
        let secure = http.secure.as_ref().map(|(address, _)| (Protocol::Https, *address));
        let admin = http.admin.map(|address| (Protocol::Admin, address));
        let listeners: Vec<Listener> = [native, plain, secure, admin]
            .into_iter()
            .flatten()
            .map(|(protocol, address)| Listener { protocol, address })
            .collect();
        exposure(&listeners, auth, layer.insecure.unwrap_or(false))
            .map_err(ConfigError::Contradiction)?;
        Ok(AccessOptions {
            auth,
            credentials: layer.credentials.clone(),
            allow_unsealed_kms: layer.allow_unsealed_kms.unwrap_or(false),
        })
    }
}
