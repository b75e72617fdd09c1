//! Deleted files are kept open until they are read, but only so many bytes of them: they take room on
//! the node's disk that nobody else can see.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fairlead_wire::message::GapReason;

use super::Engine;
use super::turn::GONE;
use crate::container::{Gap, LogFile, Place, Stage};
use crate::file::read_head;

/// How often it is looked how much there is, while there is any.
const CHECK: Duration = Duration::from_secs(1);

impl Engine {
    /// Gives up what is too much: of the container with most of it what it has longest. Returns when
    /// to look again.
    pub(super) fn check_held(&mut self, now: Instant) -> Option<Instant> {
        let held = |slot: &super::Slot| slot.container.files.iter().map(bytes).sum::<u64>();
        let sure = |slot: &super::Slot| slot.container.files.iter().any(|file| is_sure(file, now));
        loop {
            let total = self.slots.values().map(held).sum();
            self.metrics.held.store(total, Relaxed);
            let most = self.slots.iter().filter(|(_, slot)| sure(slot));
            let most = most.max_by_key(|(id, slot)| (held(slot), **id)).map(|(id, _)| *id);
            match most.filter(|_| total > self.settings.held) {
                Some(most) => self.give_up(most, now),
                None => return (total > 0).then(|| now + CHECK),
            }
        }
    }

    fn give_up(&mut self, id: u32, now: Instant) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let container = &mut slot.container;
        let given_up = container.files.iter().position(|file| is_sure(file, now));
        let Some(index) = given_up else { return };
        let file = &mut container.files[index];
        // Where it was empty when it was found, its name is not known yet.
        if let (None, Some(content)) = (file.head, &mut file.content) {
            file.head = read_head(content, true).ok().flatten();
        }
        let missing = bytes(file);
        let offset = sent(file);
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
        let before = container.before(index, offset);
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
    size.saturating_sub(sent(file))
}

/// How far its logd has it; before that has told, how far every drain does.
fn sent(file: &LogFile) -> u64 {
    file.stored.unwrap_or(file.settled).to
}

/// Whether it is deleted, rather than between two names.
fn is_sure(file: &LogFile, now: Instant) -> bool {
    bytes(file) > 0 && file.gone.is_some_and(|since| since + GONE <= now)
}
