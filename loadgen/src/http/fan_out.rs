//! Open subscriptions: SubscribeToShard over HTTP/2, many on a connection, as KCL has them.
//!
//! A task for each subscription hands over what arrives ([`News`]); the run takes it apart, so that
//! nothing is behind a lock or in another thread. AWS ends a subscription after 5 minutes: the next
//! one continues where it was.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use serde_json::json;
use shardway::gateway::event_stream;
use shardway::security::BodyHash;
use shardway::security::sigv4::Signer;

use super::answer::Refusal;
use super::control::not_json;
use super::endpoint::{Endpoint, wall_clock};
use super::executor::Executor;
use super::model::{Event, Record};
use super::request::headers;
use super::socket::Socket;
use super::target::Target;
use crate::clock::{nanos, now_ns};
use crate::failure::{Failure, Result};
use crate::poll::{Poller, Ready};

/// What a stream may have under way, as with KCL.
const STREAM_WINDOW: u32 = 512 << 10;
/// And all streams of a connection.
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Subscriptions that are not open within this time never will be.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
/// AWS takes a consumer's next subscription of a shard 5 s behind the last: until then it refuses.
const REOPEN_TIME: Duration = Duration::from_secs(15);
/// And this long it is left alone.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// A subscription that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Index of the consumer.
    pub consumer: usize,
    /// Its ARN.
    pub consumer_arn: Rc<str>,
    /// Index of the shard.
    pub shard: usize,
    /// Its id.
    pub shard_id: String,
}

/// Open subscriptions, and their connections.
#[derive(Debug)]
pub struct FanOut {
    endpoint: Endpoint,
    signer: Signer,
    executor: Executor,
    first_token: usize,
    sockets: Vec<Socket>,
    senders: Vec<SendRequest<Once>>,
    subscriptions: Vec<Subscription>,
    news: News,
    /// Subscriptions that are opened again at a time.
    pauses: Vec<(u64, usize)>,
    open: usize,
}

#[derive(Debug)]
struct Subscription {
    wanted: Wanted,
    /// The beginning of a frame that has not arrived wholly.
    rest: Vec<u8>,
    is_open: bool,
    /// Where the next one continues.
    continue_after: Option<String>,
    /// When it ended, until it is open again.
    ended_ns: Option<u64>,
}

/// What tasks have to say, by subscription.
type News = Rc<RefCell<VecDeque<(usize, Said)>>>;

#[derive(Debug)]
enum Said {
    Bytes(Bytes),
    Refused(u16, Vec<u8>),
    Ended,
    Broken(String),
}

impl FanOut {
    /// Opens subscriptions from the first record on, evenly over connections whose tokens begin
    /// with `first_token`, and returns when all are open.
    pub fn open(
        target: &Target,
        poller: &Rc<Poller>,
        first_token: usize,
        wanted: Vec<Wanted>,
        connections: usize,
    ) -> Result<FanOut> {
        let executor = Executor::default();
        let (mut sockets, mut senders) = (Vec::new(), Vec::new());
        for token in first_token..first_token + connections {
            let socket = Socket::open(&target.endpoint, poller, token)?;
            senders.push(handshake(&executor, socket.clone())?);
            sockets.push(socket);
        }
        let subscription = |wanted| Subscription {
            wanted,
            rest: Vec::new(),
            is_open: false,
            continue_after: None,
            ended_ns: None,
        };
        let mut fan_out = FanOut {
            endpoint: target.endpoint.clone(),
            signer: target.identity.signer(),
            executor,
            first_token,
            sockets,
            senders,
            subscriptions: wanted.into_iter().map(subscription).collect(),
            news: News::default(),
            pauses: Vec::new(),
            open: 0,
        };
        (0..fan_out.subscriptions.len()).for_each(|at| fan_out.subscribe(at));
        fan_out.wait_until_open(poller)?;
        Ok(fan_out)
    }

    /// The poller says that a socket can go on.
    pub fn ready(&self, event: Ready) {
        // Sockets of writers are watched by the same poller, and may have TLS tickets to read.
        let at = event.token.checked_sub(self.first_token);
        if let Some(socket) = at.and_then(|at| self.sockets.get(at)) {
            socket.ready(event);
        }
    }

    /// Lets all tasks go on, and hands over the records of every event that has come whole, with
    /// the indexes of consumer and shard.
    pub fn turn(
        &mut self,
        mut take: impl FnMut(usize, usize, &[Record<'_>]) -> Result<()>,
    ) -> Result<()> {
        if !self.pauses.is_empty() {
            self.end_pauses();
        }
        self.executor.run();
        loop {
            let Some((at, said)) = self.news.borrow_mut().pop_front() else { return Ok(()) };
            match said {
                Said::Bytes(bytes) => self.take(at, &bytes, &mut take)?,
                Said::Refused(status, body) => self.refused(at, status, &body)?,
                Said::Ended => self.ended(at)?,
                Said::Broken(why) => {
                    return Err(Failure::Protocol(format!("HTTP/2 without TLS: {why}")));
                }
            }
        }
    }

    /// Opens a subscription, from where the one before ended.
    fn subscribe(&mut self, at: usize) {
        let Subscription { wanted, continue_after, .. } = &self.subscriptions[at];
        let position = match continue_after {
            None => json!({"Type": "TRIM_HORIZON"}),
            Some(number) => json!({"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}),
        };
        let input = json!({
            "ConsumerARN": &*wanted.consumer_arn,
            "ShardId": wanted.shard_id,
            "StartingPosition": position,
        });
        let body = Bytes::from(input.to_string());
        let hash = BodyHash::of(&body);
        let (endpoint, now) = (&self.endpoint, wall_clock());
        let headers = headers(&mut self.signer, endpoint, "SubscribeToShard", &hash, now);
        let mut request = Request::builder().method(Method::POST).uri(format!(
            "{}://{}/",
            endpoint.scheme(),
            endpoint.host
        ));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Once(Some(body))).expect("every part was checked");
        let sender = self.senders[at % self.senders.len()].clone();
        let news = Rc::clone(&self.news);
        self.executor.spawn(async move {
            let last = ask(sender, request, at, &news).await;
            news.borrow_mut().push_back((at, last));
        });
    }

    fn take(
        &mut self,
        at: usize,
        bytes: &[u8],
        take: &mut impl FnMut(usize, usize, &[Record<'_>]) -> Result<()>,
    ) -> Result<()> {
        let subscription = &mut self.subscriptions[at];
        let mut joined = std::mem::take(&mut subscription.rest);
        let mut bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let broken = |e: event_stream::BadFrame| Failure::Protocol(e.to_string());
        while let Some((frame, length)) = event_stream::decode(bytes).map_err(broken)? {
            let kind = frame.header(":event-type").or(frame.header(":exception-type"));
            match (frame.header(":message-type"), kind) {
                (Some("event"), Some("initial-response")) => {
                    self.open += usize::from(!subscription.is_open);
                    (subscription.is_open, subscription.ended_ns) = (true, None);
                }
                (Some("event"), Some("SubscribeToShardEvent")) => {
                    let event: Event<'_> = serde_json::from_slice(frame.payload)
                        .map_err(|e| not_json("SubscribeToShard", &e))?;
                    let Wanted { consumer, shard, .. } = subscription.wanted;
                    take(consumer, shard, &event.records)?;
                    if let Some(number) = event.continuation {
                        subscription.continue_after = Some(number.0.into_owned());
                    }
                }
                (message, kind) => {
                    let code = kind.or(message).unwrap_or_default();
                    let mut refusal = Refusal::of("SubscribeToShard", 200, frame.payload);
                    code.clone_into(&mut refusal.code);
                    return Err(Failure::Refused(refusal));
                }
            }
            bytes = &bytes[length..];
        }
        subscription.rest = bytes.to_vec();
        Ok(())
    }

    fn refused(&mut self, at: usize, status: u16, body: &[u8]) -> Result<()> {
        let refusal = Refusal::of("SubscribeToShard", status, body);
        let ended = self.subscriptions[at].ended_ns;
        let soon = ended.is_some_and(|ended| now_ns() < ended + nanos(REOPEN_TIME));
        let waits = refusal.code == "ResourceInUseException" && soon;
        if !waits && !refusal.is_throttling() {
            return Err(Failure::Refused(refusal));
        }
        self.pauses.push((now_ns() + nanos(REOPEN_PAUSE), at));
        Ok(())
    }

    fn ended(&mut self, at: usize) -> Result<()> {
        let subscription = &mut self.subscriptions[at];
        if !subscription.is_open || !subscription.rest.is_empty() {
            let what = "a subscription ended before its first frame, or inside of one".to_owned();
            return Err(Failure::Protocol(what));
        }
        (subscription.is_open, subscription.ended_ns) = (false, Some(now_ns()));
        self.open -= 1;
        self.subscribe(at);
        Ok(())
    }

    fn end_pauses(&mut self) {
        let now = now_ns();
        let due = |(at_ns, _): &mut (u64, usize)| *at_ns <= now;
        let due: Vec<_> = self.pauses.extract_if(.., due).collect();
        due.into_iter().for_each(|(_, at)| self.subscribe(at));
    }

    fn wait_until_open(&mut self, poller: &Poller) -> Result<()> {
        let deadline = now_ns() + nanos(OPEN_TIMEOUT);
        let mut ready = Vec::new();
        while self.open < self.subscriptions.len() {
            if now_ns() > deadline {
                let (open, wanted) = (self.open, self.subscriptions.len());
                let what = format!("{open} of {wanted} subscriptions are open; is HTTP/2 spoken?");
                return Err(Failure::Stalled(what));
            }
            self.turn(|_, _, records| match records {
                [] => Ok(()),
                _ => Err(Failure::Protocol("a new stream has records".to_owned())),
            })?;
            ready.clear();
            poller.wait(Duration::from_millis(5), &mut ready).map_err(Failure::io("waiting"))?;
            ready.iter().for_each(|&event| self.ready(event));
        }
        Ok(())
    }
}

/// Asks, and passes on what comes; returns what ends it.
async fn ask(
    mut sender: SendRequest<Once>,
    request: Request<Once>,
    at: usize,
    news: &News,
) -> Said {
    let answered = match sender.ready().await {
        Ok(()) => sender.send_request(request).await,
        Err(error) => Err(error),
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => return Said::Broken(with_cause(&error)),
    };
    let status = answer.status().as_u16();
    let mut whole = Vec::new();
    let mut answer: Response<Incoming> = answer;
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(answer.body_mut()).poll_frame(cx)).await;
        match frame {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(bytes) if status == 200 => {
                    news.borrow_mut().push_back((at, Said::Bytes(bytes)));
                }
                Ok(bytes) => whole.extend_from_slice(&bytes),
                Err(_trailers) => {}
            },
            Some(Err(error)) => return Said::Broken(with_cause(&error)),
            None if status == 200 => return Said::Ended,
            None => return Said::Refused(status, whole),
        }
    }
}

/// hyper's own texts name only the layer that failed.
fn with_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Begins HTTP/2 on a socket, without asking whether the server speaks it.
fn handshake(executor: &Executor, socket: Socket) -> Result<SendRequest<Once>> {
    let result: Rc<RefCell<Option<hyper::Result<SendRequest<Once>>>>> = Rc::default();
    let (given, tasks) = (Rc::clone(&result), executor.clone());
    executor.spawn(async move {
        let mut builder = Builder::new(tasks.clone());
        builder
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let begun = builder.handshake::<_, Once>(socket).await;
        *given.borrow_mut() = Some(begun.map(|(sender, connection)| {
            // How it ends, each of its requests says too.
            tasks.spawn(async move { drop(connection.await) });
            sender
        }));
    });
    // It only writes, and a new socket has room for that.
    executor.run();
    match result.take() {
        Some(Ok(sender)) => Ok(sender),
        Some(Err(error)) => Err(Failure::Protocol(format!("HTTP/2: {}", with_cause(&error)))),
        None => Err(Failure::Stalled("HTTP/2 does not begin".to_owned())),
    }
}

/// A body that is there as a whole.
#[derive(Debug)]
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
