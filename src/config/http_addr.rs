//! Where something is offered over HTTP: at an address, or nowhere.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

/// An address, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpAddr {
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

/// Text that is neither.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no address; write 127.0.0.1:4567, [::]:4567, or off")]
pub struct InvalidHttpAddr(pub String);

impl Default for HttpAddr {
    fn default() -> HttpAddr {
        HttpAddr::At(SocketAddr::from(([127, 0, 0, 1], 4567)))
    }
}

impl HttpAddr {
    /// The address, unless there is none.
    #[must_use]
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            HttpAddr::Off => None,
            HttpAddr::At(address) => Some(address),
        }
    }
}

impl FromStr for HttpAddr {
    type Err = InvalidHttpAddr;

    fn from_str(text: &str) -> Result<HttpAddr, InvalidHttpAddr> {
        match text.trim() {
            "off" => Ok(HttpAddr::Off),
            address => match address.parse() {
                Ok(address) => Ok(HttpAddr::At(address)),
                Err(_) => Err(InvalidHttpAddr(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for HttpAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HttpAddr::Off => f.write_str("off"),
            HttpAddr::At(address) => address.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for HttpAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpAddr, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
