//! What is to be said to a sender, gathered until it is sent.

use std::{collections::BTreeMap, sync::Arc};

use fairlead_wire::message::{Ack, Acks, FromLogd, Opened};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Answers that may wait until no more is taken of their sender.
const WAITING: usize = 16 << 10;

/// Takes answers to one stream. Of the positions of a file only the newest is kept. A sender that
/// opens and closes files without an end has to take its answers before it is [heard](Self::room)
/// again.
pub(crate) struct Outbox(Arc<Shared>);

/// What was taken, until all that take have gone.
pub(crate) struct Answers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Notify,
    taken: Notify,
}

#[derive(Default)]
struct Pending {
    opened: Vec<Opened>,
    acks: BTreeMap<u32, Ack>,
    closed: bool,
}

impl Pending {
    fn len(&self) -> usize {
        self.opened.len() + self.acks.len()
    }
}

pub(crate) fn channel() -> (Outbox, Answers) {
    let shared = Arc::<Shared>::default();
    (Outbox(shared.clone()), Answers(shared))
}

impl Outbox {
    /// Waits until there is room for answers, for one at a time.
    pub(crate) async fn room(&self) {
        while self.0.pending.lock().len() >= WAITING {
            self.0.taken.notified().await;
        }
    }

    pub(crate) fn opened(&self, opened: Opened) {
        self.0.pending.lock().opened.push(opened);
        self.0.changed.notify_one();
    }

    pub(crate) fn ack(&self, ack: Ack) {
        let mut pending = self.0.pending.lock();
        let last = pending.acks.entry(ack.file).or_default();
        // The id of a gap stays until it is told.
        let gap = if ack.gap == 0 { last.gap } else { ack.gap };
        *last = Ack { gap, ..ack };
        drop(pending);
        self.0.changed.notify_one();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.0.pending.lock().closed = true;
        self.0.changed.notify_one();
    }
}

impl Answers {
    /// What is to be said, once there is something; none when nothing will come any more.
    pub(crate) async fn take(&self) -> Option<Vec<FromLogd>> {
        loop {
            let (opened, acks, closed) = {
                let mut pending = self.0.pending.lock();
                let Pending { opened, acks, closed } = &mut *pending;
                (std::mem::take(opened), std::mem::take(acks), *closed)
            };
            let mut messages: Vec<_> = opened.into_iter().map(FromLogd::Opened).collect();
            if !acks.is_empty() {
                messages.push(FromLogd::Acks(Acks { acks: acks.into_values().collect() }));
            }
            if !messages.is_empty() {
                self.0.taken.notify_one();
                return Some(messages);
            }
            if closed {
                return None;
            }
            self.0.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_newest_position_of_a_file_is_told_once() {
        let (outbox, answers) = channel();
        outbox.opened(Opened { file: 1, ..Opened::default() });
        outbox.ack(Ack { file: 1, stored: 5, settled: 5, gap: 9 });
        outbox.ack(Ack { file: 2, stored: 7, settled: 7, gap: 0 });
        outbox.ack(Ack { file: 1, stored: 6, settled: 6, gap: 0 });
        let acks = vec![
            Ack { file: 1, stored: 6, settled: 6, gap: 9 },
            Ack { file: 2, stored: 7, settled: 7, gap: 0 },
        ];
        let expected = [
            FromLogd::Opened(Opened { file: 1, ..Opened::default() }),
            FromLogd::Acks(Acks { acks }),
        ];
        assert_eq!(answers.take().await.unwrap(), expected);
        drop(outbox);
        assert_eq!(answers.take().await, None);
    }

    #[tokio::test]
    async fn a_sender_that_does_not_take_its_answers_waits() {
        let (outbox, answers) = channel();
        for file in 0..WAITING as u32 / 2 {
            outbox.room().await;
            outbox.opened(Opened { file, ..Opened::default() });
            outbox.ack(Ack { file, ..Ack::default() });
        }
        assert_eq!(outbox.room().now_or_never(), None);
        assert_eq!(answers.take().await.map(|taken| taken.len()), Some(WAITING / 2 + 1));
        outbox.room().await;
    }
}
