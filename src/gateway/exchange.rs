//! Requests of HTTP connections on their way through the cores, and what came back for them.
//!
//! To the rest of the server each is a connection with one request: a [`SessionId`] from a range of
//! its own. Answers find their place by it, and wake the task that waits there. A place whose task
//! has gone gets a new generation, so that late answers miss.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::base::error::ApiError;
use crate::base::ids::{CoreId, Seq, SessionId};
use crate::fanout::Effects;
use crate::gateway::exchange::batches::Batches;
use crate::gateway::names::next_token::TokenKey;
use crate::security::iterator::ITERATOR_BYTES;
use crate::service::{ControlOutcome, Core, Message, Outgoing};
use crate::wire::put::PutRun;
use crate::wire::shards::ChildShard;

pub mod batches;
mod news_of;

use news_of::{of_effect, of_frame};

/// What came back for a request.
#[derive(Debug)]
pub enum News {
    /// The records of a put are durable, or refused.
    Put(PutOutcome),
    /// An iterator.
    Iterator([u8; ITERATOR_BYTES]),
    /// Records for a get.
    Got(Got),
    /// A subscription is open.
    Subscribed {
        /// Its first record.
        start: Seq,
    },
    /// A subscription was ended by its client.
    Unsubscribed,
    /// Records for a subscription.
    Pushed {
        /// The first that is new.
        first: Seq,
        /// See [`crate::wire::subscribe::Push`].
        behind_ms: u64,
        /// The batches.
        batches: Batches,
    },
    /// A subscription has come to the end of its closed shard.
    ShardEnded {
        /// Behind its last record.
        end: Seq,
        /// Where the records go on.
        children: Vec<ChildShard>,
    },
    /// A subscription ended without being asked to.
    Ended {
        /// Where a new one would continue.
        continue_at: Seq,
        /// Why.
        error: ApiError,
    },
    /// A change of the catalog was made or refused.
    Control(ControlOutcome),
    /// The request failed.
    Failed(ApiError),
}

/// What became of a put's records.
#[derive(Debug)]
pub struct PutOutcome {
    /// One for each shard that got records.
    pub runs: Vec<PutRun>,
    /// For each record its run; empty when there is one run.
    pub run_of: Vec<u16>,
    /// The first failure's sentence; empty without one.
    pub message: String,
}

/// Records for a get.
#[derive(Debug)]
pub struct Got {
    /// Continues behind `end`; `None` when the shard is closed and read to its end.
    pub iterator: Option<[u8; ITERATOR_BYTES]>,
    /// Where the records go on; only at the end of a closed shard.
    pub children: Vec<ChildShard>,
    /// How far the reader is behind the newest record, in ms.
    pub behind_ms: u64,
    /// First record of the answer.
    pub first: Seq,
    /// Behind its last.
    pub end: Seq,
    /// The batches.
    pub batches: Batches,
}

/// See the module.
#[derive(Debug)]
pub struct Exchange {
    me: CoreId,
    cores: u16,
    places: Vec<Place>,
    free: Vec<u32>,
    /// Those that wait until a batch can be taken.
    room: Vec<Waker>,
    token_key: TokenKey,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    news: VecDeque<News>,
    waker: Option<Waker>,
    /// Cores that may hold something for it, as bits.
    known_to: u64,
}

impl Exchange {
    /// Nothing under way. Whoever knows `secret` can make tokens.
    #[must_use]
    pub fn new(me: CoreId, cores: u16, secret: &[u8; 32]) -> Exchange {
        let token_key = TokenKey::new(secret);
        Exchange { me, cores, places: Vec::new(), free: Vec::new(), room: Vec::new(), token_key }
    }

    /// Issues and opens the tokens of lists.
    #[must_use]
    pub fn token_key(&self) -> &TokenKey {
        &self.token_key
    }

    /// A place for a request.
    pub fn open(&mut self) -> SessionId {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let generation = self.places[place as usize].generation;
        SessionId { core: self.me, index: place | SessionId::EXCHANGE, generation }
    }

    /// Nobody waits there any more: what other cores hold for it goes.
    pub fn close(&mut self, core: &mut Core, id: SessionId) {
        let Some(place) = self.place(id) else { return };
        let known_to = std::mem::take(&mut place.known_to);
        place.news.clear();
        place.waker = None;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.index & !SessionId::EXCHANGE);
        core.forget_puts(id);
        for to in (0..self.cores).filter(|c| known_to & (1 << c) != 0).map(CoreId) {
            if to == self.me {
                core.session_closed(id);
            } else {
                core.outgoing.push(Outgoing { to, message: Message::SessionClosed(id) });
            }
        }
    }

    /// A core may hold something for this place until it is closed: a get or a subscription.
    pub fn known_to(&mut self, id: SessionId, home: CoreId) {
        if let Some(place) = self.place(id) {
            place.known_to |= 1 << home.0;
        }
    }

    /// The next news of a place.
    pub fn poll_news(&mut self, id: SessionId, cx: &mut Context<'_>) -> Poll<News> {
        let place = self.place(id).expect("whoever waits has not closed its place");
        match place.news.pop_front() {
            Some(news) => Poll::Ready(news),
            None => {
                place.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Whether a batch of so many bytes can be taken now; else the task is woken to ask again.
    pub fn poll_room(&mut self, core: &Core, bytes: usize, cx: &mut Context<'_>) -> Poll<()> {
        if core.has_room(bytes) {
            return Poll::Ready(());
        }
        self.room.push(cx.waker().clone());
        Poll::Pending
    }

    /// Whether somebody waits for room.
    #[must_use]
    pub fn waits_for_room(&self) -> bool {
        !self.room.is_empty()
    }

    /// There may be room: everybody who waits for it asks again.
    pub fn wake_for_room(&mut self) {
        self.room.drain(..).for_each(Waker::wake);
    }

    /// Requests that have a place.
    #[must_use]
    pub fn open_places(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Hands out what a turn has brought for places here.
    pub fn deliver(&mut self, core: &mut Core) {
        let effects: &mut Effects = &mut core.effects;
        for effect in effects.list.drain(..) {
            let (id, news) = of_effect(effect, &effects.chunks);
            self.bring(id, news);
        }
        effects.chunks.clear();
    }

    /// A frame for a place here came from another core.
    pub fn frame(&mut self, id: SessionId, bytes: Vec<u8>) {
        if self.place(id).is_some() {
            self.bring(id, of_frame(bytes));
        }
    }

    /// A change that a place here asked for was made or refused.
    pub fn control_done(&mut self, id: SessionId, outcome: ControlOutcome) {
        self.bring(id, News::Control(outcome));
    }

    fn bring(&mut self, id: SessionId, news: News) {
        let Some(place) = self.place(id) else { return };
        place.news.push_back(news);
        if let Some(waker) = place.waker.take() {
            waker.wake();
        }
    }

    fn place(&mut self, id: SessionId) -> Option<&mut Place> {
        let place = self.places.get_mut((id.index & !SessionId::EXCHANGE) as usize)?;
        (place.generation == id.generation).then_some(place)
    }
}
