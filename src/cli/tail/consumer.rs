//! `--consumer`: a name that is not registered yet is registered.

use std::io::{self, Write};

use super::follow::is_not_found;
use crate::cli::failure::Failure;
use crate::client::Client;
use crate::wire::consumers::{ConsumerName, RegisterConsumer};

/// Registers `consumer` if it does not exist, and says so.
pub(super) fn ensure_registered(
    client: &mut Client,
    stream: &str,
    consumer: &str,
) -> Result<(), Failure> {
    let name = ConsumerName { stream, consumer };
    match client.describe_consumer(name) {
        Err(error) if is_not_found(&error) => {
            client.register_consumer(&RegisterConsumer { name, tags: Vec::new() })?;
            // Whoever has closed stderr does not want to know.
            let _ = writeln!(
                io::stderr(),
                "registered consumer {consumer}; `shardway consumer deregister {stream} \
                 {consumer}` removes it"
            );
            Ok(())
        }
        described => Ok(described.map(drop)?),
    }
}
