//! The options of what is spoken over HTTP, checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::byte_size::ByteSize;
use super::http_addr::HttpAddr;
use super::layer::ServeLayer;
use super::serve::{ConfigError, check, size_between};
use crate::gateway::http::Limits;
use crate::runtime::Certificate;

/// Where the AWS API and the admin port are offered, and what clients of the API may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpOptions {
    /// Without TLS.
    pub plain: Option<SocketAddr>,
    /// With TLS, and by which certificate.
    pub secure: Option<(SocketAddr, Certificate)>,
    /// Health, metrics and the console.
    pub admin: Option<SocketAddr>,
    /// Records may be put and read in the console.
    pub admin_writes: bool,
    /// Bounds of each core's connections.
    pub limits: Limits,
}

/// The default of the admin port.
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4571);
/// The request line and the headers that SigV4 needs, with room for a session token.
const HEAD_BYTES_MIN: u64 = 8 << 10;
/// Above it surely a slip of the unit: every connection may have a buffer of this size.
const HEAD_BYTES_MAX: u64 = 1 << 20;
/// A record of common size.
const BODY_BYTES_MIN: u64 = 64 << 10;
/// Above it surely a slip of the unit.
const BODY_BYTES_MAX: u64 = 1 << 30;
/// Above it surely a slip of the unit.
const BODIES_BYTES_MAX: u64 = 1 << 40;
/// Above it a client that has gone is kept for nothing.
const SECONDS_MAX: u32 = 3600;

impl HttpOptions {
    pub(super) fn resolve(layer: &ServeLayer) -> Result<HttpOptions, ConfigError> {
        let plain = layer.http.unwrap_or_default().address();
        let admin = layer.admin.unwrap_or(HttpAddr::At(ADMIN)).address();
        let admin_writes = layer.admin_writes.unwrap_or(false);
        let (secure, limits) = (secure(layer)?, limits(layer)?);
        Ok(HttpOptions { plain, secure, admin, admin_writes, limits })
    }
}

fn secure(layer: &ServeLayer) -> Result<Option<(SocketAddr, Certificate)>, ConfigError> {
    let contradiction = |what: &str| Err(ConfigError::Contradiction(what.to_owned()));
    let own = layer.tls_self_signed.unwrap_or(false);
    let certificate = match (&layer.tls_cert, &layer.tls_key) {
        (Some(_), Some(_)) if own => {
            return contradiction("tls_self_signed makes what tls_cert and tls_key name; choose");
        }
        (Some(cert), Some(key)) => {
            Some(Certificate::Files { cert: cert.clone(), key: key.clone() })
        }
        (None, None) if own => Some(Certificate::SelfSigned),
        (None, None) => None,
        _ => return contradiction("tls_cert and tls_key are of use only together"),
    };
    match (layer.https, certificate) {
        (None, None) => Ok(None),
        (Some(address), Some(certificate)) => Ok(Some((address, certificate))),
        (Some(_), None) => {
            contradiction("https needs a certificate: tls_cert and tls_key, or tls_self_signed")
        }
        (None, Some(_)) => contradiction("a certificate is of use only with https"),
    }
}

fn limits(layer: &ServeLayer) -> Result<Limits, ConfigError> {
    let default = Limits::default();
    let head = bytes("http_head_bytes", layer.http_head_bytes, default.head_bytes, {
        (HEAD_BYTES_MIN, HEAD_BYTES_MAX)
    })?;
    let body = bytes("http_body_bytes", layer.http_body_bytes, default.body_bytes, {
        (BODY_BYTES_MIN, BODY_BYTES_MAX)
    })?;
    let all = default.bodies_bytes.max(body);
    let all = bytes("http_bodies_bytes", layer.http_bodies_bytes, all, {
        (body as u64, BODIES_BYTES_MAX)
    })?;
    let streams = count("http_streams", layer.http_streams, default.streams)?;
    let connections = default.connections as u32;
    let connections = count("http_connections", layer.http_connections, connections)?;
    Ok(Limits {
        head_bytes: head,
        body_bytes: body,
        bodies_bytes: all,
        connections: connections as usize,
        streams,
        head_wait: seconds("http_head_seconds", layer.http_head_seconds, default.head_wait)?,
        body_wait: seconds("http_body_seconds", layer.http_body_seconds, default.body_wait)?,
        idle: seconds("http_idle_seconds", layer.http_idle_seconds, default.idle)?,
    })
}

fn bytes(
    option: &'static str,
    given: Option<ByteSize>,
    default: usize,
    (min, max): (u64, u64),
) -> Result<usize, ConfigError> {
    let size = given.unwrap_or(ByteSize(default as u64));
    size_between(option, size, min, max)?;
    Ok(usize::try_from(size.0).expect("memory sizes fit this machine"))
}

fn count(option: &'static str, given: Option<u32>, default: u32) -> Result<u32, ConfigError> {
    let value = given.unwrap_or(default);
    check(value > 0, || ConfigError::Bounds {
        option,
        value: value.to_string(),
        bounds: "at least 1".to_owned(),
    })?;
    Ok(value)
}

fn seconds(
    option: &'static str,
    given: Option<u32>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    let Some(value) = given else { return Ok(default) };
    check((1..=SECONDS_MAX).contains(&value), || ConfigError::Bounds {
        option,
        value: value.to_string(),
        bounds: format!("between 1 and {SECONDS_MAX}"),
    })?;
    Ok(Duration::from_secs(u64::from(value)))
}
