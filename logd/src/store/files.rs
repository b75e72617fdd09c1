//! The files of an app, and how far each is, also those that nobody sends now: a sender that has
//! forgotten how far it was reads them once more.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use fairlead_wire::{
    Incarnation,
    message::{Ack, Limits, Source},
};

use super::{message::OpenFile, position::Position, settled::Settled};
use crate::origin::{Account, Origin};

/// Files that are remembered per app, open ones apart, and bytes of their names and labels.
const FILES: usize = 4_096;
const FILES_BYTES: usize = 4 << 20;
/// Files of one container that were read to their end and are remembered. A node keeps five of it, unless
/// its kubelet is told otherwise.
const CLOSED: usize = 32;
/// How long a file is remembered that is none on a disk, once it was closed.
const SILENT: Duration = Duration::from_secs(600);
/// What a file takes beside its origin, about.
const FILE: usize = 512;

/// The files of an app. Boxed, since most apps have few and a table keeps room for more.
#[derive(Default)]
pub(super) struct Files(HashMap<Incarnation, Box<File>>);

/// How far a file is.
pub(super) struct File {
    pub(super) origin: Arc<Origin>,
    pub(super) position: Position,
    pub(super) settled: Settled,
    /// Who has it open.
    pub(super) opened: Weak<OpenFile>,
    closed: bool,
    /// Its next record lacks what came before it.
    pub(super) lacking: bool,
    pub(super) used: Instant,
}

impl Files {
    /// A sender is about to send of a file.
    pub(super) fn open(
        &mut self,
        file: &Arc<OpenFile>,
        source: Source,
        origins: &Account,
        now: Instant,
    ) -> &mut File {
        let new = |source| Arc::new(Origin::new(file.incarnation.clone(), source, origins));
        match self.0.entry(file.incarnation.clone()) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                if known.origin.source != source {
                    known.origin = new(source);
                }
                known.opened = Arc::downgrade(file);
                (known.closed, known.used) = (false, now);
                known
            }
            Entry::Vacant(place) => place.insert(Box::new(File {
                origin: new(source),
                position: Position::default(),
                settled: Settled::default(),
                opened: Arc::downgrade(file),
                closed: false,
                lacking: false,
                used: now,
            })),
        }
    }

    /// What pods say of the app's limits: the largest of each, over all files that were not read to their
    /// ends; 0 where none says.
    pub(super) fn limits(&self) -> Limits {
        let files = self.0.values().filter(|file| !file.closed);
        let said = files.filter_map(|file| file.origin.source.limits);
        said.fold(Limits::default(), |one, other| Limits {
            bytes: one.bytes.max(other.bytes),
            lines: one.lines.max(other.lines),
            age: one.age.max(other.age),
        })
    }

    pub(super) fn get(&self, name: &Incarnation) -> Option<&File> {
        self.0.get(name).map(|file| &**file)
    }

    pub(super) fn get_mut(&mut self, name: &Incarnation) -> Option<&mut File> {
        self.0.get_mut(name).map(|file| &mut **file)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut File> {
        self.0.values_mut().map(|file| &mut **file)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that they take in memory, but for their origins.
    pub(super) fn memory(&self) -> usize {
        self.0.len() * FILE
    }

    /// A file was read to its end.
    pub(super) fn close(&mut self, file: &OpenFile, now: Instant) {
        if file.outbox.is_none() {
            self.0.remove(&file.incarnation);
            return;
        }
        let Some(known) = self.0.get_mut(&file.incarnation) else { return };
        (known.closed, known.used) = (true, now);
        // The oldest of its container that are too many.
        let is_its = |name: &Incarnation| {
            name.pod_uid == file.incarnation.pod_uid && name.container == file.incarnation.container
        };
        let closed = self.0.iter().filter(|(name, known)| known.closed && is_its(name));
        let mut closed: Vec<_> = closed.map(|(name, known)| (known.used, name.clone())).collect();
        let Some(many) = closed.len().checked_sub(CLOSED).filter(|many| *many > 0) else { return };
        closed.sort_unstable_by_key(|(used, _)| *used);
        for (_, name) in closed.drain(..many) {
            self.0.remove(&name);
        }
    }

    /// Forgets what nobody has open and was not used for `keep`, or for `closed` since it was read to its end, and
    /// then the longest unused, as far as they are too many.
    pub(super) fn forget(&mut self, keep: Duration, closed: Duration, now: Instant) {
        self.0.retain(|name, file| {
            let keep = match (file.closed, name.first_line) {
                (false, _) => keep,
                (true, 0) => closed.min(SILENT),
                (true, _) => closed,
            };
            file.is_open() || now.saturating_duration_since(file.used) < keep
        });
        let unused = self.0.values().filter(|file| !file.is_open());
        let mut unused: Vec<_> = unused.map(|file| (file.age(), file.origin.bytes)).collect();
        let (mut count, mut bytes) =
            (unused.len(), unused.iter().map(|(_, bytes)| bytes).sum::<usize>());
        if count <= FILES && bytes <= FILES_BYTES {
            return;
        }
        unused.sort_unstable();
        let last = unused.into_iter().find(|(_, of)| {
            (count, bytes) = (count - 1, bytes - of);
            count <= FILES && bytes <= FILES_BYTES
        });
        if let Some((last, _)) = last {
            self.0.retain(|_, file| file.is_open() || file.age() > last);
        }
    }

    /// Bytes that what nobody has open takes.
    pub(super) fn unused(&self) -> usize {
        let unused = self.0.values().filter(|file| !file.is_open());
        unused.map(|file| FILE + file.origin.bytes).sum()
    }
}

impl File {
    fn is_open(&self) -> bool {
        !self.closed && self.opened.strong_count() > 0
    }

    /// What is less is forgotten first: what was read to its end, whatever happened to be away for longer.
    fn age(&self) -> (bool, Instant) {
        (!self.closed, self.used)
    }

    pub(super) fn ack(&self, file: u32) -> Ack {
        Ack { file, stored: self.position.stored(), settled: self.settled.to(), gap: 0 }
    }
}

#[cfg(test)]
mod tests {
    use fairlead_wire::message::Batch;

    use super::*;
    use crate::{app::AppId, store::outbox};

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn file(container: &str, first_line: u64) -> Arc<OpenFile> {
        let incarnation = Incarnation {
            pod_uid: "u".into(),
            container: container.into(),
            restart: 0,
            first_line,
        };
        let app = AppId::new("shop", "web").expect("a name");
        let outbox = Some(Arc::new(outbox::channel().0));
        Arc::new(OpenFile { app, incarnation, number: 1, outbox })
    }

    fn read(files: &mut Files, file: &Arc<OpenFile>, now: Instant) {
        let known = files.open(file, Source::default(), &Account::default(), now);
        known.position.advance(&Batch { to: 10, ..Batch::default() });
        files.close(file, now);
    }

    fn known(files: &mut Files, file: &Arc<OpenFile>) -> bool {
        let now = Instant::now() + 30 * DAY;
        files.open(file, Source::default(), &Account::default(), now).position.stored() == 10
    }

    #[test]
    fn a_file_that_a_node_may_still_have_is_remembered_and_none_that_is_on_no_disk() {
        let (mut files, now) = (Files::default(), Instant::now());
        let (on_disk, on_none) = (file("web", 7), file("router", 0));
        read(&mut files, &on_disk, now);
        read(&mut files, &on_none, now);
        files.forget(7 * DAY, 7 * DAY, now + SILENT - Duration::from_secs(1));
        assert_eq!(files.len(), 2);
        files.forget(7 * DAY, 7 * DAY, now + 6 * DAY);
        assert_eq!(files.len(), 1);
        assert!(known(&mut files, &on_disk));
        read(&mut files, &on_disk, now);
        files.forget(7 * DAY, 7 * DAY, now + 7 * DAY);
        assert!(files.is_empty() && files.unused() == 0);
        read(&mut files, &on_disk, now);
        assert!(files.unused() > FILE);
        files.forget(7 * DAY, DAY, now + DAY);
        assert!(files.is_empty());
    }

    #[test]
    fn a_file_that_is_still_written_is_remembered_whatever_was_closed_since() {
        let (mut files, now) = (Files::default(), Instant::now());
        let live = file("live", 1);
        let known = files.open(&live, Source::default(), &Account::default(), now);
        known.position.advance(&Batch { to: 10, ..Batch::default() });
        let incarnation = live.incarnation.clone();
        // Its sender's connection ends.
        drop(live);
        for number in 0..=FILES {
            read(&mut files, &file(&number.to_string(), 1), now + Duration::from_secs(1));
        }
        files.forget(7 * DAY, 7 * DAY, now + Duration::from_secs(2));
        assert_eq!(files.get(&incarnation).map(|file| file.position.stored()), Some(10));
        assert!(files.len() <= FILES);
    }

    #[test]
    fn of_a_container_the_newest_are_remembered_whatever_another_one_writes() {
        let (mut files, now) = (Files::default(), Instant::now());
        let quiet = file("quiet", 1);
        read(&mut files, &quiet, now);
        let noisy: Vec<_> = (1..=1_000).map(|first_line| file("noisy", first_line)).collect();
        for (second, file) in noisy.iter().enumerate() {
            read(&mut files, file, now + Duration::from_secs(second as u64));
        }
        assert_eq!(files.len(), 1 + CLOSED);
        assert!(known(&mut files, &quiet));
        let (forgotten, kept) = noisy.split_at(noisy.len() - CLOSED);
        assert!(kept.iter().all(|file| known(&mut files, file)));
        assert!(!forgotten.iter().any(|file| known(&mut files, file)));
    }
}
