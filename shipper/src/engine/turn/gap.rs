//! What is missing, and how logd is told.

use std::sync::atomic::Ordering::Relaxed;

use fairlead_wire::message::{FromSender, GapReason};

use super::Turn;
use crate::container::{Container, Edge, Gap, LogFile, Stage};

impl Turn<'_> {
    /// Tells logd what is missing before a file, and behind it.
    pub(super) fn tell_gap(&mut self, container: &Container, index: usize) {
        let file = &container.files[index];
        let (Some(up), Some(number)) = (&mut self.up, file.number()) else { return };
        if let Some(gap) = &file.gap {
            let gap = message(gap, number, container, after(file));
            up.say(FromSender::Gap(gap), self.metrics);
        }
        if let Some(gap) = file.tail.filter(|gap| gap.certain) {
            up.say(FromSender::Gap(message(&gap, number, container, None)), self.metrics);
        }
    }

    /// A file's content from an offset on is lost; for certain where it was being read.
    pub(super) fn lose(
        &mut self,
        container: &mut Container,
        index: usize,
        offset: u64,
        reason: GapReason,
        bytes: Option<u64>,
    ) {
        let certain = matches!(container.files[index].stage, Stage::Reading(..));
        let file = &container.files[index];
        // Behind a symbolic link the runtime rotates files where nobody can tell them apart.
        let live = container.directory.join(format!("{}.log", file.restart));
        let reason = match reason {
            GapReason::Deleted if live.is_symlink() => GapReason::RuntimeRotation,
            reason => reason,
        };
        let before = container.before(index, offset);
        if let Some(up) = &mut self.up {
            up.forget(container.files[index].unacknowledged());
        }
        container.lose(index, offset, Gap { reason, before, bytes, certain });
        self.next.dirty = true;
        if certain {
            self.metrics.gaps[reason as usize].fetch_add(1, Relaxed);
            // The file after it may be open already; one that is none is told with its opening.
            let next = container.files.get(index + 1).map(|next| &next.stage);
            if matches!(next, Some(Stage::Reading(..) | Stage::Ending(_))) {
                self.tell_gap(container, index + 1);
            }
        }
    }
}

fn after(file: &LogFile) -> Option<Edge> {
    let head = file.head?;
    let (restart, first_line, time) = (file.restart, head.hash, head.time);
    Some(Edge { restart, first_line, offset: 0, time })
}

pub(super) fn message(
    gap: &Gap,
    file: u32,
    container: &Container,
    after: Option<Edge>,
) -> fairlead_wire::message::Gap {
    let (uid, name) = (&container.path.uid, &container.key.name);
    fairlead_wire::message::Gap {
        file,
        id: gap.id(uid, name, after),
        reason: gap.reason.into(),
        before: gap.before.map(|edge| edge.message(uid, name)),
        after: after.map(|edge| edge.message(uid, name)),
        bytes: gap.bytes,
    }
}

/// The gap that a file tells, by the name under which it is acknowledged.
pub(in crate::engine) fn gap_id(
    gap: &Gap,
    container: &Container,
    after_file: Option<&LogFile>,
) -> u64 {
    gap.id(&container.path.uid, &container.key.name, after_file.and_then(after))
}
