//! What core 0 does for the streams by itself.

use crate::base::clock::Now;
use crate::base::ids::{Millis, ShardNumber};
use crate::catalog::decide::{self, Cause};
use crate::catalog::on_demand::Decision;
use crate::catalog::{Event, State};
use crate::runtime::control::Control;

impl Control {
    /// The regular look: about once a second.
    pub(super) async fn look_after_streams(&mut self) {
        let now = Now::read().wall;
        self.scale_on_demand(now).await;
        self.expire_shards(now).await;
        self.remove_deleted();
    }

    async fn scale_on_demand(&mut self, now: Millis) {
        for (core, loads) in self.state.loads.take() {
            self.on_demand.observe(now, core, &loads);
        }
        for decision in self.on_demand.decide(&self.catalog, now) {
            match decision {
                Decision::Peak { stream, day, bytes_per_s, records_per_s } => {
                    let peak = decide::observe_peak(
                        &self.catalog,
                        stream,
                        day,
                        bytes_per_s,
                        records_per_s,
                    );
                    // Nobody but the scaling looks at it: no core needs a new view.
                    if let Some(event) = peak
                        && let Err(error) = self.append(&event).await
                    {
                        tracing::warn!(%error, "the peak of an on-demand stream is not kept");
                    }
                }
                Decision::Reshard { name, reshard } => {
                    tracing::info!(stream = %name, ?reshard, "an on-demand stream is scaled");
                    if let Err(error) = self.reshard(&name, &reshard, Cause::OnDemand).await {
                        tracing::warn!(stream = %name, %error, "it is not scaled");
                    }
                }
            }
        }
    }

    async fn expire_shards(&mut self, now: Millis) {
        for event in decide::expire_shards(&self.catalog, now) {
            let Some(name) = event.stream().map(str::to_owned) else { continue };
            let expired = expired_by(&event);
            let uuid = stream_of(&self.catalog, &name);
            if let Err(error) = self.change(event).await {
                tracing::warn!(stream = %name, %error, "expired shards are kept");
                continue;
            }
            self.remove_shards(uuid, &expired);
        }
    }
}

fn stream_of(catalog: &State, name: &str) -> crate::base::ids::StreamUuid {
    catalog.stream(name).expect("it was just decided for").uuid
}

fn expired_by(event: &Event) -> Vec<ShardNumber> {
    match event {
        Event::ShardsExpired { shards, .. } => shards.clone(),
        other => unreachable!("only shards expire, not {other:?}"),
    }
}
