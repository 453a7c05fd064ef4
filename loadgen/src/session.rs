//! A blocking connection: hello, then control requests one at a time.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use shardway::base::ids::{CoreId, Seq, ShardKey};
use shardway::base::stream::{Position, StreamOptions, StreamStatus};
use shardway::wire::consumers::{ConsumerDescription, ConsumerName, RegisterConsumer};
use shardway::wire::frame::write_frame;
use shardway::wire::hello::{ANY_CORE, Hello, HelloAnswer, PROTOCOL_VERSION};
use shardway::wire::shards::ShardMap;
use shardway::wire::streams::{
    CreateStream, DeleteStream, DescribeStream, StreamDescription, StreamName,
};
use shardway::wire::subscribe::{Credit, Push, Subscribe, SubscribeAnswer, SubscriptionEnd};
use shardway::wire::{Opcode, Writer};

use crate::clock::now_ns;
use crate::connection::{Connection, Received, decode, server_error};
use crate::failure::{Failure, Result};
use crate::inbox::Inbox;
use crate::poll::Poller;

/// A server that does not answer a control request for so long has failed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const CLIENT: &str = concat!("loadgen/", env!("CARGO_PKG_VERSION"));

/// A connection before, or without, load on it.
#[derive(Debug)]
pub struct Session {
    stream: TcpStream,
    inbox: Inbox,
    next_correlation: u64,
    server: ServerFacts,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ServerFacts {
    /// Its release.
    pub release: String,
    /// Its number of cores.
    pub cores: u16,
}

impl Session {
    /// Connects to any core.
    pub fn connect(address: SocketAddr) -> Result<Session> {
        Session::connect_to_core(address, ANY_CORE)
    }

    /// Connects and asks to be served by `core`.
    pub fn connect_to_core(address: SocketAddr, core: CoreId) -> Result<Session> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)
            .map_err(Failure::io(format!("connecting to {address}")))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_read_timeout(Some(ANSWER_TIMEOUT)))
            .map_err(Failure::io("setting up a connection"))?;
        let server = ServerFacts { release: String::new(), cores: 0 };
        let mut session = Session { stream, inbox: Inbox::default(), next_correlation: 1, server };
        let hello = Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            features: 0,
            wanted_core: core,
            client: CLIENT,
        };
        let (header, range) =
            session.request(Opcode::Hello, Opcode::HelloAnswer, |w| hello.write(w))?;
        let answer: HelloAnswer<'_> = decode(&header, session.inbox.payload(range))?;
        let server = ServerFacts { release: answer.release.to_owned(), cores: answer.cores };
        session.server = server;
        Ok(session)
    }

    /// What the server said in its hello.
    #[must_use]
    pub fn server(&self) -> &ServerFacts {
        &self.server
    }

    /// Creates a stream and waits until it is in use.
    pub fn create_stream(
        &mut self,
        name: &str,
        shards: u32,
        options: StreamOptions,
    ) -> Result<StreamDescription> {
        let create = CreateStream { name, shards, options, tags: Vec::new() };
        let (header, range) =
            self.request(Opcode::CreateStream, Opcode::CreateStreamAnswer, |w| create.write(w))?;
        let mut stream: StreamDescription = decode(&header, self.inbox.payload(range))?;
        let deadline = now_ns() + crate::clock::nanos(ANSWER_TIMEOUT);
        while stream.summary.status != StreamStatus::Active {
            if now_ns() > deadline {
                return Err(Failure::Stalled(format!("stream {name} does not become active")));
            }
            std::thread::sleep(Duration::from_millis(5));
            let (header, range) =
                self.request(Opcode::DescribeStream, Opcode::DescribeStreamAnswer, |w| {
                    DescribeStream { name, after: None, limit: 0 }.write(w);
                })?;
            stream = decode(&header, self.inbox.payload(range))?;
        }
        Ok(stream)
    }

    /// Deletes a stream with its records and consumers.
    pub fn delete_stream(&mut self, name: &str) -> Result<()> {
        let delete = DeleteStream { name, with_consumers: true };
        self.request(Opcode::DeleteStream, Opcode::DeleteStreamAnswer, |w| delete.write(w))?;
        Ok(())
    }

    /// Registers a consumer of a stream.
    pub fn register_consumer(&mut self, stream: &str, consumer: &str) -> Result<()> {
        let (opcode, answer) = (Opcode::RegisterConsumer, Opcode::RegisterConsumerAnswer);
        let name = ConsumerName { stream, consumer };
        let register = RegisterConsumer { name, tags: Vec::new() };
        let (header, range) = self.request(opcode, answer, |w| register.write(w))?;
        decode::<ConsumerDescription>(&header, self.inbox.payload(range)).map(drop)
    }

    /// Shards and home cores.
    pub fn shard_map(&mut self, name: &str) -> Result<ShardMap> {
        let (header, range) = self
            .request(Opcode::ShardMap, Opcode::ShardMapAnswer, |w| StreamName { name }.write(w))?;
        decode(&header, self.inbox.payload(range))
    }

    /// Subscribes to a whole shard, from its first record on.
    pub fn subscribe(
        &mut self,
        subscription: u32,
        shard: ShardKey,
        consumer: &str,
        credit: u64,
    ) -> Result<()> {
        let subscribe = Subscribe {
            subscription,
            stream: shard.stream,
            shard: shard.number,
            consumer,
            position: Position::TrimHorizon,
            credit,
        };
        let (header, range) =
            self.request(Opcode::Subscribe, Opcode::SubscribeAnswer, |w| subscribe.write(w))?;
        let answer: SubscribeAnswer = decode(&header, self.inbox.payload(range))?;
        if answer.start != Seq::ZERO {
            let start = answer.start;
            return Err(Failure::Protocol(format!("a new shard starts at {start}, not at 0")));
        }
        Ok(())
    }

    /// Waits for the next push of the only subscription and hands it over.
    pub fn next_push(&mut self, mut take: impl FnMut(&Push<'_>) -> Result<()>) -> Result<()> {
        let (header, range) = self.next_frame()?;
        let payload = self.inbox.payload(range);
        match header.opcode {
            Opcode::Push => take(&decode(&header, payload)?),
            Opcode::SubscriptionEnd => Err(subscription_end(&header, payload)),
            Opcode::Error => Err(server_error(&header, payload)),
            other => Err(Failure::Protocol(format!("{other:?} instead of a push"))),
        }
    }

    /// Grants a subscription more bytes.
    pub fn grant(&mut self, subscription: u32, bytes: u64) -> Result<()> {
        self.send(Opcode::Credit, 0, |w| Credit { subscription, bytes }.write(w))
    }

    /// Puts the connection under load.
    pub fn into_connection(self, poller: &Poller, token: usize) -> Result<Connection> {
        Connection::new(self.stream, self.inbox, poller, token)
            .map_err(Failure::io("watching a connection"))
    }

    fn request(
        &mut self,
        opcode: Opcode,
        wanted: Opcode,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<Received> {
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        self.send(opcode, correlation, payload)?;
        let (header, range) = self.next_frame()?;
        if header.opcode == Opcode::Error {
            return Err(server_error(&header, self.inbox.payload(range)));
        }
        if header.opcode != wanted || header.correlation != correlation {
            let found = header.opcode;
            return Err(Failure::Protocol(format!("{found:?} instead of {wanted:?}")));
        }
        Ok((header, range))
    }

    fn send(
        &mut self,
        opcode: Opcode,
        correlation: u64,
        payload: impl FnOnce(&mut Writer<'_>),
    ) -> Result<()> {
        let mut frame = Vec::new();
        write_frame(&mut frame, opcode, correlation, payload);
        self.stream.write_all(&frame).map_err(Failure::io(format!("sending {opcode:?}")))
    }

    fn next_frame(&mut self) -> Result<Received> {
        loop {
            if let Some(received) = self.inbox.next_frame()? {
                return Ok(received);
            }
            match self.inbox.fill(&mut self.stream) {
                Ok(0) => return Err(Failure::Stalled("it closed a connection".to_owned())),
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Failure::Stalled(format!("nothing for {ANSWER_TIMEOUT:?}")));
                }
                Err(e) => return Err(Failure::io("receiving")(e)),
            }
        }
    }
}

/// The failure that the end of a subscription is: nobody asked for it.
pub fn subscription_end(header: &shardway::wire::FrameHeader, payload: &[u8]) -> Failure {
    match decode::<SubscriptionEnd<'_>>(header, payload) {
        Ok(end) => Failure::Server {
            code: end.code,
            message: format!("a subscription ended at {}: {}", end.continue_at, end.message),
        },
        Err(failure) => failure,
    }
}
