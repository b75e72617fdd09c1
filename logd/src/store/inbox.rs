//! The way to a shard: messages wait in a queue that is bounded in number and in bytes.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::message::Message;

/// Bytes of messages that may wait for a shard. Twice the largest frame.
const BYTES: usize = 16 << 20;
/// What a message costs at least; so their number is bounded, too.
const LEAST: usize = 16 << 10;

/// The sending end.
#[derive(Clone)]
pub(crate) struct Inbox {
    queue: Sender<Letter>,
    room: Arc<Semaphore>,
}

/// A message, and the room that it takes until the shard is done with it.
pub(crate) struct Letter {
    pub(crate) message: Message,
    _room: OwnedSemaphorePermit,
}

impl Inbox {
    pub(crate) fn new() -> (Self, Receiver<Letter>) {
        let (queue, letters) = bounded(BYTES / LEAST);
        (Self { queue, room: Arc::new(Semaphore::new(BYTES)) }, letters)
    }

    /// Puts a message in as soon as there is room. So senders are held up by a shard that is behind.
    /// False where the shard is gone.
    pub(crate) async fn put(&self, message: Message) -> bool {
        let cost = message.bytes().clamp(LEAST, BYTES) as u32;
        let Ok(room) = self.room.clone().acquire_many_owned(cost).await else { return false };
        // Whoever has room finds a place, so this does not block.
        self.queue.send(Letter { message, _room: room }).is_ok()
    }
}
