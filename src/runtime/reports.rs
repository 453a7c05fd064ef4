//! What a core says about itself when it is asked.

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::metrics::{CoreMetrics, Counter};
use crate::native::Sessions;
use crate::runtime::host;
use crate::runtime::state::CoreState;
use crate::service::{Core, Message, Outgoing, Question, Report};

impl CoreState {
    /// Answers a question: from which core, and by which ticket.
    pub fn answer(
        &self,
        core: &mut Core,
        sessions: &Sessions,
        now: Now,
        (from, ticket, question): (CoreId, u64, &Question),
    ) {
        let report = self.report(core, sessions, now, question);
        let message = Message::Told { ticket, core: self.mesh.core(), report };
        core.outgoing.push(Outgoing { to: from, message });
    }

    fn report(
        &self,
        core: &mut Core,
        sessions: &Sessions,
        now: Now,
        question: &Question,
    ) -> Report {
        match question {
            Question::Metrics => Report::Metrics(Box::new(self.sample(core, sessions))),
            Question::Overview => {
                let sample = Box::new(self.sample(core, sessions));
                Report::Overview(sample, core.stream_loads(now))
            }
            Question::Stream(stream) => {
                Report::Stream(core.shard_stats(now, *stream), core.subscription_stats(*stream))
            }
        }
    }

    fn sample(&self, core: &Core, sessions: &Sessions) -> CoreMetrics {
        let mut sample = core.sample();
        sessions.sample(&mut sample);
        self.http.sample(&mut sample);
        let cpu_us = u64::try_from(host::thread_cpu_time().as_micros()).unwrap_or(u64::MAX);
        sample.set_counter(Counter::CpuMicros, cpu_us);
        sample
    }
}
