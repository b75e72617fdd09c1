//! The word that a worker is about to end.

use tokio::sync::watch;

/// Tells a connection that its worker drains: finish what is under way, begin nothing.
#[derive(Debug, Clone)]
pub struct Drain(watch::Receiver<bool>);

impl Drain {
    pub(crate) fn new(receiver: watch::Receiver<bool>) -> Self {
        Self(receiver)
    }

    /// Whether draining has begun.
    pub fn draining(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once draining has begun.
    pub async fn signalled(&self) {
        // An error means that the sender is gone, and it outlives the worker's connections.
        let _ = self.0.clone().wait_for(|draining| *draining).await;
    }

    /// The same as a channel: `true` once draining has begun. Its sender lives as long as the worker.
    pub fn watch(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }
}
