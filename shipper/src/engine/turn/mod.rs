//! A container's turn: its files are read one after the other, each from where logd has it.

mod gap;
mod identity;
mod open;
mod read;

use std::time::{Duration, Instant};

pub(super) use self::gap::gap_id;
pub(super) use self::identity::identity;
pub(super) use self::open::line_start;
use super::Settings;
use super::links::Up;
use crate::container::{Container, LogFile, Place, Stage};
use crate::metrics::Metrics;
use crate::pods::Pods;

/// Bytes that a container's turn reads of a file, at most.
pub(super) const TURN: usize = 256 * 1024;

/// How long a file that was renamed or deleted may still be written to.
const LINGER: Duration = Duration::from_secs(5);

/// How long logd is given to say how far it has a file, before it is asked again.
const REFUSED: Duration = Duration::from_secs(60);

/// How long a file must have been gone: between two names it seems to be.
pub(super) const GONE: Duration = Duration::from_secs(1);

/// When to give the container its next turn.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Next {
    /// There is more to read.
    pub(super) now: bool,
    /// Then, at the latest.
    pub(super) at: Option<Instant>,
    /// About then, together with others.
    pub(super) look: Option<Instant>,
    /// When its logd can take more.
    pub(super) blocked: bool,
    /// When its last file changes.
    pub(super) changed: bool,
    /// Its directory has to be looked at again.
    pub(super) rescan: bool,
    /// Something of its state is new to the checkpoint.
    pub(super) dirty: bool,
}

impl Next {
    fn at(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |earlier| earlier.min(at)));
    }

    fn look(&mut self, at: Instant) {
        self.look = Some(self.look.map_or(at, |earlier| earlier.min(at)));
    }
}

/// Whether the files after one may be read.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Pass,
    Stop,
}

/// What a turn works with.
pub(super) struct Turn<'a> {
    pub(super) id: u32,
    pub(super) now: Instant,
    pub(super) buffer: &'a mut [u8],
    pub(super) settings: &'a Settings,
    pub(super) pods: &'a Pods,
    /// `None`: the container is not to be shipped.
    pub(super) up: Option<&'a mut Up>,
    pub(super) metrics: &'a Metrics,
    pub(super) next: Next,
    /// How much of the container its logd may be sent once more.
    pub(super) history: u64,
}

impl Turn<'_> {
    /// Reads and sends what the turn allows.
    pub(super) fn run(&mut self, container: &mut Container) {
        if let Some(up) = &self.up
            && container.instance.as_ref() != Some(&up.instance)
        {
            container.disconnected();
            container.rewind(&up.instance, self.history);
            self.next.dirty = true;
        }
        for index in 0..container.files.len() {
            match self.file(container, index) {
                Step::Pass => container.pass(index),
                Step::Stop => break,
            }
        }
        let over = |file: &mut LogFile| {
            file.place == Place::Gone && file.is_done() && file.number().is_none()
        };
        for file in container.files.extract_if(.., over) {
            container.forgot |= file.complete > Some(0);
            self.next.dirty = true;
        }
    }

    fn file(&mut self, container: &mut Container, index: usize) -> Step {
        let file = &mut container.files[index];
        let reads = matches!(file.stage, Stage::Waiting | Stage::Reading(..));
        if let Some(at) = file.trouble.retry.filter(|at| *at > self.now && reads) {
            self.next.at(at);
            return Step::Stop;
        }
        match &file.stage {
            Stage::Waiting if file.is_done() => {
                (file.content, file.inode) = (None, None);
                Step::Pass
            }
            Stage::Waiting => self.open(container, index),
            Stage::Opening(number) => {
                // What logd refuses now it may take later: it has no room, or the token is another one.
                let (number, again) = (*number, file.asked + REFUSED);
                if again > self.now {
                    self.next.at(again);
                } else if let Some(up) = &mut self.up {
                    up.close(number, self.metrics);
                    file.stage = Stage::Waiting;
                    return self.open(container, index);
                }
                Step::Stop
            }
            Stage::Reading(..) => self.read(container, index),
            Stage::Ending(_) => {
                self.end(container, index);
                Step::Pass
            }
        }
    }
}
