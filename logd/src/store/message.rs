//! What shards are asked to do.

use std::sync::Arc;

use fairlead_wire::{
    Incarnation, Records,
    message::{Ack, Batch, Gap, Source},
};
use tokio::sync::oneshot;

use super::{ledger::Ledger, outbox::Outbox};
use crate::app::{AppId, Follower};

/// A file that a sender has open.
#[derive(Clone)]
pub(crate) struct OpenFile {
    pub(crate) app: AppId,
    pub(crate) incarnation: Incarnation,
    /// What the sender calls it.
    pub(crate) number: u32,
    /// Where its answers go; none for one that is never sent again, and forgotten once it is closed.
    /// The file is open as long as somebody holds it.
    pub(crate) outbox: Option<Arc<Outbox>>,
}

impl OpenFile {
    /// Tells whoever sends it how far it is.
    pub(crate) fn answer(&self, ack: Option<Ack>) {
        if let (Some(outbox), Some(ack)) = (&self.outbox, ack) {
            outbox.ack(ack);
        }
    }
}

/// What a shard is asked to do.
pub(crate) enum Message {
    /// Tell how far a file is.
    Open(Arc<OpenFile>, Source),
    /// Take what is new of a batch.
    Batch(Arc<OpenFile>, Batch, Records),
    /// Record a gap.
    Gap(Arc<OpenFile>, Gap),
    /// The file will not come again.
    Close(Arc<OpenFile>),
    /// Have somebody follow the app, known or not.
    Follow(AppId, oneshot::Sender<Follower>),
    /// Forget an app's records.
    Clear(AppId, oneshot::Sender<()>),
    /// Account for an app.
    Ledger(AppId, oneshot::Sender<Option<Ledger>>),
}

impl Message {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Batch(_, _, records) => records.bytes().len(),
            _ => 0,
        }
    }
}
