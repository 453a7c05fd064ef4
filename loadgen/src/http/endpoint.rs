//! Where a Kinesis is, and as whom it is asked.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use shardway::base::ids::Millis;
use shardway::security::sigv4::Signer;
use shardway::security::{Credentials, Secret};

use super::transport::Tls;
use crate::failure::{Failure, Result};

/// A Kinesis endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where to connect.
    pub address: SocketAddr,
    /// The `Host` of every request.
    pub host: String,
    /// Its TLS, with https.
    pub tls: Option<Tls>,
}

/// As whom a Kinesis is asked.
#[derive(Clone)]
pub struct Identity {
    /// The region that requests are signed for.
    pub region: String,
    /// The access key's name.
    pub access_key_id: String,
    /// The access key.
    pub secret: String,
    /// What temporary keys come with.
    pub token: Option<String>,
}

impl Endpoint {
    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The endpoint at an address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Endpoint {
        Endpoint { address, host: address.to_string(), tls: None }
    }

    /// From a URL such as `http://localhost:4567`. Looks the name up. With https, authorities are
    /// those of `ca_file`, or else the system's.
    pub fn parse(url: &str, ca_file: Option<&Path>) -> Result<Endpoint> {
        let usage = |what: &str| Failure::Usage(format!("--endpoint {url}: {what}"));
        let (rest, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, 80),
            (_, Some(rest)) => (rest, 443),
            _ => return Err(usage("it starts with http:// or https://")),
        };
        if port == 80 && ca_file.is_some() {
            return Err(usage("--ca-file is for https://"));
        }
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return Err(usage("it is http://HOST:PORT or https://HOST:PORT"));
        }
        // A bracketed IPv6 address has colons of its own.
        let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        let target = if name.is_some() { host.to_owned() } else { format!("{host}:{port}") };
        let mut addresses = target.to_socket_addrs().map_err(|e| usage(&e.to_string()))?;
        let address = addresses.next().ok_or_else(|| usage("the name has no address"))?;
        let name = name.map_or(host, |(name, _)| name);
        let tls = if port == 443 { Some(Tls::new(name, ca_file)?) } else { None };
        Ok(Endpoint { address, host: host.to_owned(), tls })
    }
}

impl Identity {
    /// A signer for it.
    #[must_use]
    pub fn signer(&self) -> Signer {
        let Identity { region, access_key_id, secret, token } = self;
        Signer::new(access_key_id, Secret::new(secret), token.as_deref(), region)
    }

    /// The keys of a server that takes this one only.
    pub fn credentials(&self) -> Result<Credentials> {
        let Identity { access_key_id, secret, token, .. } = self;
        let mut text = format!(
            "[loadgen]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret}\n"
        );
        if let Some(token) = token {
            text += &format!("aws_session_token = {token}\n");
        }
        Credentials::parse(&text)
            .map_err(|e| Failure::Usage(format!("this access key cannot be checked: {e}")))
    }
}

/// Without secrets.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} in {})", self.access_key_id, self.region)
    }
}

/// The time that signatures carry.
#[must_use]
pub fn wall_clock() -> Millis {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Millis(since_epoch.map_or(0, |time| time.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_with_host_and_port() {
        for (url, address, host) in [
            ("http://127.0.0.1:4567", "127.0.0.1:4567", "127.0.0.1:4567"),
            ("http://127.0.0.1:4567/", "127.0.0.1:4567", "127.0.0.1:4567"),
            ("http://127.0.0.1", "127.0.0.1:80", "127.0.0.1"),
            ("http://[::1]:4567", "[::1]:4567", "[::1]:4567"),
            ("http://[::1]", "[::1]:80", "[::1]"),
        ] {
            let endpoint = Endpoint::parse(url, None).expect(url);
            assert_eq!(endpoint.address.to_string(), address);
            assert_eq!(endpoint.host, host);
        }
        for url in ["", "127.0.0.1:4567", "http://", "http://a/b", "http://u@h:1", "ftp://h"] {
            let failure = Endpoint::parse(url, None).expect_err(url);
            assert_eq!(failure.exit_code(), 2, "{url}: {failure}");
        }
    }
}
