//! What shards are asked to do.

use std::sync::Arc;

use fairlead_wire::{
    Incarnation, Records,
    message::{Ack, Batch, Gap, Source},
};
use tokio::sync::oneshot;

use super::{ledger::Ledger, outbox::Outbox};
use crate::{
    app::{AppId, Follower},
    drain::Feeds,
    origin,
};

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
    /// Feed these drains.
    Drains(Feeds),
    /// Tell all senders how far their files are settled.
    Settle(oneshot::Sender<()>),
    /// Add a line about a drain to an app's log.
    Notice(AppId, String),
    /// Account for an app.
    Ledger(AppId, oneshot::Sender<Option<Ledger>>),
}

impl Message {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Batch(_, batch, records) => {
                records.bytes().len() + size_of_val(batch.losses.as_slice())
            }
            Self::Open(file, source) => origin::size(&file.incarnation, source),
            Self::Gap(_, gap) => [&gap.before, &gap.after]
                .into_iter()
                .flatten()
                .map(|edge| edge.incarnation.pod_uid.len() + edge.incarnation.container.len())
                .sum(),
            Self::Notice(_, text) => text.len(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_takes_the_room_of_its_names_and_labels() {
        let incarnation =
            Incarnation { pod_uid: "u".into(), container: "c".into(), restart: 0, first_line: 0 };
        let app = AppId::new("shop", "web").expect("a name");
        let file = Arc::new(OpenFile { app, incarnation, number: 1, outbox: None });
        let mut source = Source { pod: "p".repeat(1_000), ..Source::default() };
        for label in 0..64 {
            source.labels.insert(format!("{label:01000}"), "v".repeat(1_000));
        }
        let bytes = Message::Open(file, source).bytes();
        assert!((129_000..140_000).contains(&bytes), "{bytes}");
    }
}
