//! Who may reach a server that asks nobody for a name.

use std::fmt;
use std::net::SocketAddr;

use super::sigv4::AuthMode;

/// What a port speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The binary protocol, which has no authentication yet.
    Native,
    /// The AWS API in the clear.
    Http,
    /// The AWS API over TLS.
    Https,
    /// Health, metrics and the console.
    Admin,
}

impl Protocol {
    /// The flag that sets its address.
    fn flag(self) -> &'static str {
        match self {
            Protocol::Native => "--listen",
            Protocol::Http => "--http",
            Protocol::Https => "--https",
            Protocol::Admin => "--admin",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Native => "native protocol",
            Protocol::Http => "AWS API (http)",
            Protocol::Https => "AWS API (https)",
            Protocol::Admin => "admin port",
        })
    }
}

/// A port that a server is about to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
}

/// Whether a server may open these ports: beyond loopback only what asks for signatures, or all
/// of it if the operator insists (`--insecure`). The error says what to change.
pub fn exposure(listen: &[Listener], auth: AuthMode, insecure: bool) -> Result<(), String> {
    let open: Vec<&Listener> = listen.iter().filter(|listener| is_open(listener, auth)).collect();
    if insecure || open.is_empty() {
        return Ok(());
    }
    let mut text = "refusing to start, because others than this machine could read, write and \
                    delete everything without a name or a key:"
        .to_owned();
    for Listener { protocol, address } in &open {
        let flag = protocol.flag();
        let mut local = *address;
        local.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { LOOPBACK_6.into() });
        let remedy = match protocol {
            Protocol::Native | Protocol::Admin => {
                "it has no authentication yet, so keep it on this machine"
            }
            Protocol::Http | Protocol::Https => {
                "demand signatures (--auth sigv4 --credentials FILE) or keep it on this machine"
            }
        };
        text += &format!("\n  {flag} {address}: {protocol}; {remedy} ({flag} {local})");
    }
    Err(text + "\nIf everybody who can reach these ports may do all of that, add --insecure.")
}

/// Whether strangers can reach it and nothing asks who they are.
fn is_open(listener: &Listener, auth: AuthMode) -> bool {
    let asks =
        auth == AuthMode::SigV4 && matches!(listener.protocol, Protocol::Http | Protocol::Https);
    // `::ffff:127.0.0.1` is loopback, too.
    !asks && !listener.address.ip().to_canonical().is_loopback()
}

const LOOPBACK_6: [u16; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(protocol: Protocol, address: &str) -> Listener {
        Listener { protocol, address: address.parse().unwrap() }
    }

    const ALL: [Protocol; 4] = [Protocol::Native, Protocol::Http, Protocol::Https, Protocol::Admin];

    #[test]
    fn loopback_needs_no_authentication() {
        for address in ["127.0.0.1:1", "127.9.8.7:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            let listen = ALL.map(|protocol| listener(protocol, address));
            assert_eq!(exposure(&listen, AuthMode::Off, false), Ok(()), "{address}");
        }
    }

    #[test]
    fn beyond_loopback_every_listener_without_authentication_is_refused() {
        for address in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[fe80::1]:1", "[::ffff:8.8.8.8]:1"] {
            for protocol in ALL {
                let listen = [listener(Protocol::Http, "127.0.0.1:2"), listener(protocol, address)];
                let text = exposure(&listen, AuthMode::Off, false).unwrap_err();
                assert!(text.contains(address) && text.contains("--insecure"), "{text}");
                assert!(!text.contains("--http 127.0.0.1:2"), "that one is fine: {text}");
            }
        }
    }

    #[test]
    fn signatures_open_the_aws_api_only() {
        let listen = ALL.map(|protocol| listener(protocol, "0.0.0.0:7"));
        assert_eq!(exposure(&listen[1..3], AuthMode::SigV4, false), Ok(()));
        let text = exposure(&listen, AuthMode::SigV4, false).unwrap_err();
        assert!(text.contains("--listen 0.0.0.0:7: native protocol"), "{text}");
        assert!(text.contains("--admin 0.0.0.0:7: admin port"), "{text}");
        assert!(!text.contains("--http"), "{text}");
    }

    #[test]
    fn an_operator_may_insist() {
        let listen = ALL.map(|protocol| listener(protocol, "0.0.0.0:7"));
        assert_eq!(exposure(&listen, AuthMode::Off, true), Ok(()));
    }

    #[test]
    fn the_refusal_says_what_to_write_instead() {
        let listen =
            [listener(Protocol::Native, "0.0.0.0:4570"), listener(Protocol::Https, "[::]:4568")];
        assert_eq!(
            exposure(&listen, AuthMode::Off, false).unwrap_err(),
            "refusing to start, because others than this machine could read, write and delete \
             everything without a name or a key:\n  \
             --listen 0.0.0.0:4570: native protocol; it has no authentication yet, so keep it on \
             this machine (--listen 127.0.0.1:4570)\n  \
             --https [::]:4568: AWS API (https); demand signatures (--auth sigv4 --credentials \
             FILE) or keep it on this machine (--https [::1]:4568)\n\
             If everybody who can reach these ports may do all of that, add --insecure."
        );
    }
}
