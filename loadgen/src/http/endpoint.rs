//! Where a Kinesis is, and as whom it is asked.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use shardway::base::ids::Millis;
use shardway::security::sigv4::Signer;
use shardway::security::{Credentials, Secret};

use crate::failure::{Failure, Result};

/// A Kinesis endpoint without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where to connect.
    pub address: SocketAddr,
    /// The `Host` of every request.
    pub host: String,
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
    /// The endpoint at an address.
    #[must_use]
    pub fn at(address: SocketAddr) -> Endpoint {
        Endpoint { address, host: address.to_string() }
    }

    /// From a URL such as `http://localhost:4567`. Looks the name up.
    pub fn parse(url: &str) -> Result<Endpoint> {
        let usage = |what: &str| Failure::Usage(format!("--endpoint {url}: {what}"));
        if url.starts_with("https://") {
            return Err(usage(
                "only http:// is spoken here; put a TLS proxy such as stunnel in front of it, or \
                 use the endpoint's plain port",
            ));
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| usage("it starts with http://"))?;
        let host = rest.strip_suffix('/').unwrap_or(rest);
        if host.is_empty() || host.contains(['/', '?', '#', '@']) {
            return Err(usage("it is http://HOST:PORT"));
        }
        // A bracketed IPv6 address has colons of its own.
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let target = if has_port { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = target.to_socket_addrs().map_err(|e| usage(&e.to_string()))?;
        let address = addresses.next().ok_or_else(|| usage("the name has no address"))?;
        Ok(Endpoint { address, host: host.to_owned() })
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
            let endpoint = Endpoint::parse(url).expect(url);
            assert_eq!(endpoint.address.to_string(), address);
            assert_eq!(endpoint.host, host);
        }
        for url in ["", "127.0.0.1:4567", "http://", "http://a/b", "http://u@h:1", "https://h"] {
            let failure = Endpoint::parse(url).expect_err(url);
            assert_eq!(failure.exit_code(), 2, "{url}: {failure}");
        }
    }
}
