//! Deleted files are kept open until they are read, but only so many bytes of them: they take room on
//! the node's disk that nobody else can see.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fairlead_wire::message::GapReason;

use super::Engine;
use crate::container::{Edge, Gap, LogFile, Place, Stage};

/// How often it is looked how much there is, while there is any.
const CHECK: Duration = Duration::from_secs(1);

impl Engine {
    /// Gives up what is too much: of the container with most of it what it has longest. Returns when
    /// to look again.
    pub(super) fn check_held(&mut self, now: Instant) -> Option<Instant> {
        loop {
            let held = |slot: &super::Slot| slot.container.files.iter().map(bytes).sum::<u64>();
            let held = self.slots.iter().map(|(id, slot)| (held(slot), *id));
            let (total, most) =
                held.fold((0, (0, 0)), |(total, most), slot| (total + slot.0, most.max(slot)));
            self.metrics.held.store(total, Relaxed);
            if total <= self.settings.held {
                return (total > 0).then(|| now + CHECK);
            }
            self.give_up(most.1);
        }
    }

    fn give_up(&mut self, id: u32) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let container = &mut slot.container;
        let Some(index) = container.files.iter().position(|file| bytes(file) > 0) else { return };
        let file = &mut container.files[index];
        let missing = bytes(file);
        let offset = file.stored.unwrap_or_default().to;
        let before = file.head.filter(|_| offset > 0).map(|head| Edge {
            restart: file.restart,
            first_line: head.hash,
            offset,
            time: 0,
        });
        let unacknowledged = file.unacknowledged();
        if let Some(up) =
            slot.link.and_then(|link| self.links.get_mut(link)).and_then(|link| link.up.as_mut())
        {
            up.forget(unacknowledged);
        }
        if let Stage::Reading(number, _) | Stage::Opening(number) = file.stage {
            file.stage = Stage::Ending(number);
        }
        tracing::warn!(container = %container.directory.display(), bytes = missing, "gave up a deleted log file");
        let gap = Gap { reason: GapReason::GivenUp, before, bytes: Some(missing), certain: false };
        container.lose(index, offset, gap);
        self.saver.changed();
        self.queue(id);
    }
}

/// What of a deleted file is open and was not stored.
fn bytes(file: &LogFile) -> u64 {
    if file.place != Place::Gone || file.complete.is_some() {
        return 0;
    }
    let size = file.content.as_ref().and_then(|content| content.size().ok()).unwrap_or_default();
    size.saturating_sub(file.stored.unwrap_or_default().to)
}
