//! What a core says about itself when it is asked.

use crate::metrics::{CoreMetrics, Counter};
use crate::native::Sessions;
use crate::runtime::host;
use crate::runtime::state::CoreState;
use crate::service::{Core, Question, Report};

impl CoreState {
    /// The answer to a question.
    pub fn report(&self, core: &Core, sessions: &Sessions, question: &Question) -> Report {
        match question {
            Question::Metrics => Report::Metrics(Box::new(self.sample(core, sessions))),
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
