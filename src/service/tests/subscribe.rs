//! Subscriptions by time, whose position is read from a segment first: what may happen meanwhile.

use super::*;

/// Two shards with records that lie in segments.
fn filled(options: StreamOptions) -> World {
    let mut w = world(options);
    for shard in 0..2 {
        let bytes = batch(3, 20);
        let view = BatchView::check_client(&bytes).unwrap();
        let key = ShardKey { stream: UUID, number: ShardNumber(shard) };
        w.core.put(w.now, PutWaiter::new(ME, 1, None, w.now.mono), key, &view).unwrap();
    }
    w.commit();
    w.write_behind();
    w.said();
    w
}

impl World {
    /// Subscribes by time; returns the read that this asks for.
    fn seek(
        &mut self,
        session: SessionId,
        wire_id: u32,
        shard: u32,
        correlation: u64,
    ) -> Result<ReadJob, ApiError> {
        let new = NewSubscription { wire_id, consumer: "c7".to_owned(), credit: u64::MAX };
        let key = ShardKey { stream: UUID, number: ShardNumber(shard) };
        let at = Position::AtTimestamp(Millis(WALL.0 - 5));
        self.core.subscribe(self.now, session, correlation, key, new, at)?;
        Ok(self.core.effects.reads.pop().unwrap())
    }

    fn found(&mut self, job: &ReadJob) {
        self.core.read_done(self.now, job.slot, job.purpose.clone(), Ok(Err(Seq(0))));
    }

    /// Answers to subscribes, by correlation: open or refused.
    fn told(&mut self) -> Vec<(u64, Result<(), ErrorCode>)> {
        let effects = std::mem::take(&mut self.core.effects.list);
        let told = effects.into_iter().filter_map(|effect| match effect {
            Effect::Subscribed { correlation, .. } => Some((correlation, Ok(()))),
            Effect::Failed { correlation, error, .. } => Some((correlation, Err(error.code))),
            _ => None,
        });
        told.collect()
    }
}

const GONE: Result<(), ErrorCode> = Err(ErrorCode::ResourceNotFound);

#[test]
fn a_consumer_that_is_deregistered_meanwhile_gets_no_subscription() {
    let mut w = filled(options());
    let job = w.seek(ME, 7, 0, 50).unwrap();
    let consumer = w.state.streams.get_mut("orders").unwrap().consumers.remove("c7").unwrap();
    w.install();
    w.found(&job);
    assert_eq!(w.told(), [(50, GONE)]);
    assert_eq!(w.core.subscriptions.of_shard(job.slot), 0);
    // Nor when it is registered again before the read is done.
    let register = |w: &mut World, consumer: &ConsumerRecord| {
        let consumers = &mut w.state.streams.get_mut("orders").unwrap().consumers;
        consumers.insert("c7".to_owned(), consumer.clone());
        w.install();
    };
    register(&mut w, &consumer);
    let job = w.seek(ME, 7, 0, 51).unwrap();
    w.state.streams.get_mut("orders").unwrap().consumers.remove("c7").unwrap();
    w.install();
    register(&mut w, &consumer);
    w.found(&job);
    assert_eq!(w.told(), [(51, GONE)]);
    let job = w.seek(ME, 7, 0, 52).unwrap();
    w.found(&job);
    assert_eq!(w.told(), [(52, Ok(()))]);
}

#[test]
fn one_that_was_taken_back_does_not_open_in_place_of_the_next_with_its_number() {
    let mut w = filled(options());
    let first = w.seek(ME, 7, 0, 50).unwrap();
    w.core.unsubscribe(ME, 51, 7).unwrap();
    let second = w.seek(ME, 7, 1, 52).unwrap();
    w.found(&first);
    w.found(&second);
    assert_eq!(w.told(), [(50, GONE), (52, Ok(()))]);
    assert_eq!(w.core.subscriptions.of_shard(second.slot), 1);
    assert!(w.core.seeking.is_empty());
}

#[test]
fn the_guard_of_five_seconds_holds_when_the_position_is_found() {
    let mut w = filled(StreamOptions::default());
    let first = w.seek(ME, 7, 0, 50).unwrap();
    let other = SessionId { index: 2, ..ME };
    let second = w.seek(other, 1, 0, 60).unwrap();
    w.found(&first);
    w.found(&second);
    assert_eq!(w.told(), [(50, Ok(())), (60, Err(ErrorCode::ResourceInUse))]);
    w.pass(5000);
    let third = w.seek(other, 1, 0, 61).unwrap();
    w.found(&third);
    assert_eq!(w.told(), [(61, Ok(()))], "it takes over");
}

#[test]
fn what_cannot_be_looked_for_any_more_is_forgotten() {
    let mut w = filled(options());
    let job = w.seek(ME, 7, 0, 50).unwrap();
    let damaged = ReadFailure::Damaged("bits".to_owned());
    w.core.read_done(w.now, job.slot, job.purpose, Err(damaged));
    let job = w.seek(ME, 7, 0, 51).unwrap();
    w.state.streams.get_mut("orders").unwrap().status = StreamStatus::Deleting;
    w.install();
    w.found(&job);
    assert_eq!(w.told(), [(50, Err(ErrorCode::InternalFailure)), (51, GONE)]);
    assert!(w.core.seeking.is_empty());
}
