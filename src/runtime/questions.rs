//! Questions that were put to all cores, until each has answered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::base::ids::CoreId;
use crate::reactor;
use crate::runtime::state::CoreState;
use crate::service::{Message, Outgoing, Question, Report};

/// A core that does not answer for so long is left out. Prometheus waits for 10 s.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// Those of a core, by ticket.
#[derive(Debug, Default)]
pub struct Questions {
    next: u64,
    open: HashMap<u64, Open>,
}

#[derive(Debug, Default)]
struct Open {
    answers: Vec<(CoreId, Report)>,
    waker: Option<Waker>,
}

impl Questions {
    /// A core has answered; late, if nobody waits any more.
    pub fn told(&mut self, ticket: u64, core: CoreId, report: Report) {
        if let Some(open) = self.open.get_mut(&ticket) {
            open.answers.push((core, report));
            if let Some(waker) = open.waker.take() {
                waker.wake();
            }
        }
    }
}

/// Takes the question back when whoever asked goes away.
struct Ticket<'a>(&'a RefCell<Questions>, u64);

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().open.remove(&self.1);
    }
}

/// What the cores say, in their order. One that is stuck is not among them.
pub async fn ask_all(state: &Rc<CoreState>, question: &Question) -> Vec<(CoreId, Report)> {
    let cores = state.mesh.cores();
    let ticket = {
        let mut questions = state.questions.borrow_mut();
        questions.next += 1;
        let ticket = questions.next;
        questions.open.insert(ticket, Open::default());
        ticket
    };
    let ticket = Ticket(&state.questions, ticket);
    {
        let mut domain = state.domain.borrow_mut();
        for to in (0..cores).map(CoreId) {
            let (from, ticket, question) = (state.mesh.core(), ticket.1, question.clone());
            let message = Message::Ask { from, ticket, question };
            domain.core.outgoing.push(Outgoing { to, message });
        }
    }
    state.gateway_due.notify();
    let mut late = pin!(reactor::sleep(ANSWER_MAX));
    poll_fn(|cx| {
        let mut questions = state.questions.borrow_mut();
        let open = questions.open.get_mut(&ticket.1).expect("it is open until it is dropped");
        let over = late.as_mut().poll(cx).is_ready();
        if over || open.answers.len() == usize::from(cores) {
            let mut answers = std::mem::take(&mut open.answers);
            answers.sort_unstable_by_key(|(core, _)| core.0);
            return Poll::Ready(answers);
        }
        open.waker = Some(cx.waker().clone());
        Poll::Pending
    })
    .await
}
