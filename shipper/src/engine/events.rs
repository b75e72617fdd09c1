//! What logds, the API and the membership of logds tell.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use fairlead_wire::Members;
use fairlead_wire::message::{Ack, FromLogd, Opened};

use super::turn::{Next, Turn, gap_id, identity};
use super::{Engine, Slot};
use crate::container::{Container, Identity, Stage};
use crate::link::{LinkEvent, LinkId};
use crate::pods::PodEvent;

impl Engine {
    pub(super) fn heard(&mut self, link: LinkId, event: LinkEvent) {
        match event {
            LinkEvent::Up(hello, out) => {
                self.metrics.connects.fetch_add(1, Relaxed);
                self.links.connected(link, Some((hello, out)));
                self.relink(Some(link));
            }
            LinkEvent::Down => {
                self.metrics.connect_failures.fetch_add(1, Relaxed);
                self.links.connected(link, None);
                for slot in self.slots.values_mut().filter(|slot| slot.link == Some(link)) {
                    slot.container.disconnected();
                    slot.fetches.clear();
                }
            }
            LinkEvent::Said(FromLogd::Opened(opened)) => self.opened(link, &opened),
            LinkEvent::Said(FromLogd::Acks(acks)) => {
                for ack in &acks.acks {
                    self.acknowledged(link, ack);
                }
                self.unblock(link);
            }
            LinkEvent::Answered(bytes) => {
                if let Some(up) = self.links.get_mut(link).and_then(|link| link.up.as_mut()) {
                    up.answering = up.answering.saturating_sub(bytes);
                }
                self.unblock(link);
            }
            LinkEvent::Said(FromLogd::Fetch(fetch)) => self.fetch(link, fetch),
            // The connection takes care of these.
            LinkEvent::Said(FromLogd::Hello(_) | FromLogd::End(_)) => {}
        }
    }

    /// Containers that waited for a link to take more get a turn.
    fn unblock(&mut self, link: LinkId) {
        let waiting = self.links.get_mut(link).map(|link| std::mem::take(&mut link.waiting));
        for id in waiting.into_iter().flatten() {
            self.queue(id);
        }
    }

    /// Containers of a link, or all, get a turn.
    fn relink(&mut self, link: Option<LinkId>) {
        let of = |slot: &Slot| link.is_none() || slot.link.is_none() || slot.link == link;
        let ids: Vec<u32> =
            self.slots.iter().filter(|(_, slot)| of(slot)).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.queue(id));
    }

    pub(super) fn members(&mut self, members: Members) {
        self.links.set(members);
        for slot in self.slots.values_mut() {
            let Some(identity) = slot.container.identity.as_ref() else { continue };
            let app = format!("{}/{}", identity.source.namespace, identity.source.app);
            let owner = self.links.owner(&app);
            if owner == slot.link {
                continue;
            }
            if let Some(up) = slot
                .link
                .and_then(|link| self.links.get_mut(link))
                .and_then(|link| link.up.as_mut())
            {
                leave(&mut slot.container, up, &self.metrics);
            }
            slot.container.disconnected();
            slot.fetches.clear();
            slot.link = owner;
        }
        self.relink(None);
    }

    pub(super) fn pod(&mut self, event: PodEvent) {
        let listed = matches!(event, PodEvent::Listed(_));
        let Some(path) = self.pods.take(event) else {
            if listed {
                self.relink(None);
            }
            return;
        };
        let ids: Vec<u32> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.container.path == path)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            let Some(slot) = self.slots.get_mut(&id) else { continue };
            let new = identity(&slot.container, &self.pods, &self.settings);
            let Some(new) = new else { continue };
            // What logd is told again. The rest is for files that are opened from now on.
            let goes = |identity: &Identity| {
                (identity.source.app.clone(), identity.source.limits, identity.excluded)
            };
            if slot.container.identity.as_ref().is_some_and(|old| goes(old) != goes(&new)) {
                let link = slot.link.take().and_then(|link| self.links.get_mut(link));
                if let Some(up) = link.and_then(|link| link.up.as_mut()) {
                    leave(&mut slot.container, up, &self.metrics);
                }
                slot.container.disconnected();
                slot.fetches.clear();
            }
            slot.container.identify(new);
            self.saver.changed();
            self.queue(id);
        }
    }

    /// The slot of a file that a logd named, with the file's index.
    pub(super) fn named(&mut self, link: LinkId, number: u32) -> Option<(u32, u64)> {
        self.links.get_mut(link)?.up.as_mut()?.numbers.get(&number).copied()
    }

    fn opened(&mut self, link: LinkId, opened: &Opened) {
        let Some((id, file)) = self.named(link, opened.file) else { return };
        let Some(mut slot) = self.slots.remove(&id) else { return };
        let index = slot.container.files.iter().position(|known| known.id == file);
        if let Some(index) = index {
            let mut turn = Turn {
                id,
                now: Instant::now(),
                buffer: &mut self.buffer,
                settings: &self.settings,
                pods: &self.pods,
                up: self.links.get_mut(link).and_then(|link| link.up.as_mut()),
                metrics: &self.metrics,
                next: Next::default(),
                history: 0,
            };
            turn.opened(&mut slot.container, index, opened);
            self.saver.changed();
        }
        self.slots.insert(id, slot);
        self.queue(id);
    }

    fn acknowledged(&mut self, link: LinkId, ack: &Ack) {
        let Some((id, number)) = self.named(link, ack.file) else { return };
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let container = &mut slot.container;
        let Some(index) = container.files.iter().position(|file| file.id == number) else { return };
        if ack.gap != 0 {
            let file = &container.files[index];
            let is = |gap: &Option<crate::container::Gap>, after| {
                gap.is_some_and(|gap| gap_id(&gap, container, after) == ack.gap)
            };
            let (gap, tail) = (is(&file.gap, Some(file)), is(&file.tail, None));
            let file = &mut container.files[index];
            if gap {
                file.gap = None;
            }
            if tail {
                file.tail = None;
            }
        }
        let file = &mut container.files[index];
        let stored = file.acknowledged(ack.stored, ack.settled);
        let ending = matches!(file.stage, Stage::Ending(_));
        if let Some(up) = self.links.get_mut(link).and_then(|link| link.up.as_mut()) {
            up.forget(stored);
        }
        self.saver.changed();
        if ending {
            self.queue(id);
        }
    }
}

/// A container goes to another logd, or to none.
fn leave(container: &mut Container, up: &mut super::links::Up, metrics: &crate::metrics::Metrics) {
    up.forget(container.unacknowledged());
    for number in container.files.iter().filter_map(crate::container::LogFile::number) {
        up.close(number, metrics);
    }
}
