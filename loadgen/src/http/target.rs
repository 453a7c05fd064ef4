//! Which Kinesis is measured, and what is known of it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use shardway::base::stream::ShardLimits;
use shardway::client::{Client, ConnectOptions};
use shardway::wire::alter::StreamChange;

use super::control::Control;
use super::endpoint::{Endpoint, Identity};
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::session::{ServerFacts, Session};

/// A core takes new keys with its next tick.
const KEY_TIMEOUT: Duration = Duration::from_secs(10);

/// A Kinesis that is measured.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is.
    pub endpoint: Endpoint,
    /// As whom it is asked.
    pub identity: Identity,
    /// Where it speaks the native protocol, if it is a Shardway and that is known.
    pub native: Option<SocketAddr>,
}

impl Target {
    /// A client of it.
    #[must_use]
    pub fn control(&self) -> Control {
        Control::new(&self.endpoint, &self.identity)
    }

    /// Waits until a server that has just been told about the key knows it.
    pub fn wait_until_known(&self) -> Result<()> {
        let deadline = now_ns() + nanos(KEY_TIMEOUT);
        loop {
            match self.control().call("ListStreams", &json!({})) {
                Err(Failure::Refused(refusal))
                    if refusal.code == "UnrecognizedClientException" && now_ns() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                result => return result.map(drop),
            }
        }
    }

    /// What it says of itself, if it is a Shardway.
    pub fn facts(&self) -> Result<Option<ServerFacts>> {
        let Some(native) = self.native else { return Ok(None) };
        Ok(Some(Session::connect(native)?.server().clone()))
    }

    /// Switches the limits of a stream off: the API has no way to do so.
    pub fn lift_limits(&self, stream: &str) -> Result<()> {
        let Some(native) = self.native else { return Ok(()) };
        let mut client = Client::connect(&native.to_string(), ConnectOptions::default())?;
        client.alter_stream(stream, StreamChange::Limits(ShardLimits::OFF))?;
        Ok(())
    }
}
