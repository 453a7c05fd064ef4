//! Changes of the catalog, on core 0: one after the other, durable, then seen by every core, then
//! answered.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::base::clock::Now;
use crate::base::error::ApiError;
use crate::base::ids::{CoreId, StreamUuid};
use crate::base::rng::secret;
use crate::catalog::{Event, FileStore, MetaStore, Rules, State, View, decide};
use crate::disk::blocking as files;
use crate::disk::dma::blocking;
use crate::log::layout;
use crate::native::Outgoing;
use crate::runtime::state::CoreState;
use crate::service::{ControlAnswer, ControlOperation, ControlOutcome, ControlRequest, Message};
use crate::wire::shards::SHARDS_PER_PAGE_MAX;
use crate::wire::streams::{CreateStream, DeleteStream};

/// How often the removal of a stream's files is tried.
const REMOVE_TRIES: u32 = 20;
/// In between.
const REMOVE_PAUSE: Duration = Duration::from_millis(50);

/// Serves changes until the server stops.
pub async fn control(state: Rc<CoreState>, store: FileStore, catalog: State) {
    let mut control = Control { state, store: Some(store), catalog };
    loop {
        let request = control.state.control.borrow_mut().pop_front();
        control.state.control_busy.set(request.is_some());
        match request {
            Some(request) => control.serve(request).await,
            None => control.state.control_due.wait().await,
        }
    }
}

struct Control {
    state: Rc<CoreState>,
    store: Option<FileStore>,
    catalog: State,
}

impl Control {
    async fn serve(&mut self, request: ControlRequest) {
        let ControlRequest { session, correlation, operation } = request;
        let mut removed = None;
        let outcome = match operation {
            ControlOperation::Create { name, shards, options, tags } => {
                self.create(&CreateStream { name: &name, shards, options, tags }).await
            }
            ControlOperation::Delete { name, with_consumers } => {
                removed = self.catalog.stream(&name).map(|stream| stream.uuid);
                self.delete(&DeleteStream { name: &name, with_consumers }).await
            }
            _ => Err(ApiError::internal("not implemented yet")),
        };
        removed = removed.filter(|_| outcome.is_ok());
        self.post(session.core, Message::ControlDone { session, correlation, outcome });
        if let Some(uuid) = removed {
            self.remove(uuid).await;
        }
    }

    async fn create(&mut self, request: &CreateStream<'_>) -> ControlOutcome {
        let (now, uuid) = (Now::read().wall, StreamUuid(secret()));
        let event = decide::create_stream(&self.catalog, &self.rules(), request, now, uuid)?;
        self.change(event).await?;
        let view = self.state.domain.borrow().core.view().clone();
        let stream = view.require_name(request.name)?;
        let description = stream.describe(None, SHARDS_PER_PAGE_MAX as u32)?;
        Ok(ControlAnswer::Created(Box::new(description)))
    }

    async fn delete(&mut self, request: &DeleteStream<'_>) -> ControlOutcome {
        let event = decide::delete_stream(&self.catalog, &self.rules(), request)?;
        self.change(event).await?;
        Ok(ControlAnswer::Deleted)
    }

    fn rules(&self) -> Arc<Rules> {
        self.state.domain.borrow().core.view().rules().clone()
    }

    /// Removes the files of a deleted stream, then its name. A crash before the end is finished
    /// by recovery, which removes streams that are being deleted.
    async fn remove(&mut self, uuid: StreamUuid) {
        let mut tries = 0;
        loop {
            let dir = layout::stream_dir(&self.state.data_dir, uuid);
            let Err(error) = blocking(move || files::remove_dir_all(&dir)).await else { break };
            tries += 1;
            if tries == REMOVE_TRIES {
                tracing::error!(%error, "the files of a deleted stream cannot be removed");
                return;
            }
            // A piece of write-behind that was on its way has made a file again.
            glommio::timer::sleep(REMOVE_PAUSE).await;
        }
        let Some(event) = decide::remove_stream(&self.catalog, uuid) else { return };
        if let Err(error) = self.change(event).await {
            tracing::error!(%error, "a deleted stream keeps its name");
        }
    }

    /// Makes an event durable and waits until every core uses what follows from it.
    async fn change(&mut self, event: Event) -> Result<(), ApiError> {
        let mut store = self.store.take().expect("one change at a time");
        let appended = event.clone();
        let (store, result) = blocking(move || {
            let result = store.append(&appended);
            (store, result)
        })
        .await;
        self.store = Some(store);
        result
            .map_err(|error| ApiError::internal(format!("the catalog cannot change: {error}")))?;
        self.catalog.apply(&event);
        let cores = self.state.mesh.cores();
        let view = Arc::new(View::of(&self.catalog, cores, self.rules()));
        self.state.installs.set((view.version(), 0));
        for core in (0..cores).map(CoreId) {
            self.post(core, Message::ViewChanged(view.clone()));
        }
        while self.state.installs.get().1 < cores {
            self.state.control_due.wait().await;
        }
        // The same bell announces requests that came meanwhile.
        self.state.control_due.notify();
        Ok(())
    }

    fn post(&self, to: CoreId, message: Message) {
        let now = Now::read();
        let mut domain = self.state.domain.borrow_mut();
        domain.sessions.outgoing.push(Outgoing { to, message });
        self.state.finish_turn(&mut domain, now);
    }
}
