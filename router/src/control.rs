//! The control thread: watches, publishing, Events and the admin endpoints.
//!
//! A thread with a runtime of its own, so that a burst of changes takes no time from the
//! workers, and the workers none from the changes.

use std::{net::TcpListener, sync::Arc, thread};

use kube::Client;
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
};

use crate::{
    StartError, access_log::ToLogd, admin, edge::Edge, events, publish::Publisher, streams,
    watch::QUEUE,
};

/// What the control thread works with.
pub(crate) struct Control {
    pub(crate) client: Client,
    pub(crate) edge: Edge,
    pub(crate) admin: Arc<admin::Admin>,
    /// Bound, and set to not block.
    pub(crate) listener: TcpListener,
    /// Where access lines go beside the router's own output.
    pub(crate) to_logd: Option<ToLogd>,
}

/// Stops the control thread when dropped.
pub(crate) struct Handle {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Control {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be started.
    pub(crate) fn start(mut self) -> Result<Handle, StartError> {
        let failed = |error| StartError::Thread("control", error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            runtime.block_on(async {
                let client = self.client.clone();
                let sending = self.to_logd.take().map(|to_logd| to_logd.start(client));
                tokio::select! {
                    () = self.run() => {}
                    _ = stopped => {}
                }
                if let Some(sending) = sending {
                    sending.finish().await;
                }
            });
            // Does not wait for name look-ups under way.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new().name("control".into()).spawn(run).map_err(failed)?;
        Ok(Handle { stop: Some(stop), thread: Some(thread) })
    }

    /// Does not return unless the admin socket is unusable.
    async fn run(self) {
        let Self { client, edge, admin, listener, to_logd: _ } = self;
        let (feed_in, feed) = mpsc::channel(QUEUE);
        let (findings_in, findings) = mpsc::channel(QUEUE);
        tokio::spawn(events::run(client.clone(), findings));
        tokio::spawn(streams::run(edge.workers.clone(), edge.streams.subscribe()));
        let state = admin.health.state.clone();
        tokio::spawn(
            Publisher::new(state, findings_in, move |old, new| edge.take(old, new)).run(feed),
        );
        let watches = admin.health.watches.clone();
        tokio::spawn(async move { watches.run(client, feed_in).await });
        match listener
            .local_addr()
            .and_then(|addr| Ok((addr, tokio::net::TcpListener::from_std(listener)?)))
        {
            Ok((address, listener)) => admin::serve(listener, admin::routes(admin, address)).await,
            Err(error) => tracing::error!(%error, "the admin endpoints cannot be served"),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends at its next await; a panic in it was reported by the hook.
            let _ = thread.join();
        }
    }
}
