//! What of the engine's state the checkpoint holds, and what a fresh start makes of it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use fairlead_wire::message::{GapReason, Source};

use super::Engine;
use crate::checkpoint::{
    self, Checkpoint, SavedContainer, SavedEdge, SavedFile, SavedGap, SavedPosition,
};
use crate::container::{Container, ContainerKey, Edge, Gap, Identity, LogFile, Place};
use crate::decode::Position;
use crate::file::Head;
use crate::path::PodPath;

impl Engine {
    /// Goes on where the checkpoint ends.
    pub(super) fn recall(&mut self) {
        let (saved, errors) = checkpoint::load(&self.settings.state);
        for error in errors {
            tracing::error!("{error}");
            self.metrics.checkpoint_errors.fetch_add(1, Relaxed);
        }
        let now = Instant::now();
        for saved in saved.containers {
            let Some(path) = PodPath::parse(&saved.pod) else { continue };
            let directory = self.settings.pods.join(&saved.pod).join(&saved.name);
            let key = ContainerKey { pod: saved.pod.into(), name: saved.name.into() };
            let mut container = Container::new(key.clone(), path, directory, now);
            container.instance =
                Some(saved.instance).filter(|name| !name.is_empty()).map(Arc::from);
            container.remembered = saved.source.map(|source| Identity {
                source: source.into(),
                excluded: saved.excluded,
                multiline: false,
                rate: self.settings.rate,
                guessed: saved.guessed,
            });
            container.forgot = saved.forgot;
            for file in saved.files {
                container.files.push(recalled(&file, self.next_file, now));
                self.next_file += 1;
            }
            self.slot(&key, || container);
        }
    }

    /// Writes what has changed, if it is time to.
    pub(super) fn save(&mut self, now: Instant) {
        let Some(durable) = self.saver.begin(now) else { return };
        for up in self.links.iter_mut().filter_map(|link| link.up.as_mut()) {
            up.saving();
        }
        let bytes = checkpoint::encode(&self.checkpoint());
        self.saver.write(bytes, durable, now.elapsed(), &self.metrics);
    }

    /// The one being written is.
    pub(super) fn saved(&mut self) {
        for up in self.links.iter_mut().filter_map(|link| link.up.as_mut()) {
            up.saved(&self.metrics);
        }
    }

    /// Writes the last one.
    pub(super) async fn save_last(&mut self) {
        let bytes = checkpoint::encode(&self.checkpoint());
        if let Err(error) = self.saver.last(&bytes).await {
            tracing::error!(%error, "the last checkpoint cannot be written");
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        let containers = self.slots.values().filter_map(|slot| {
            let container = &slot.container;
            let files: Vec<_> = container.files.iter().filter_map(remembered).collect();
            let known = container.whose();
            let source = known.map(|known| Source {
                labels: std::collections::BTreeMap::new(),
                ..known.source.as_ref().clone()
            });
            (!files.is_empty()).then(|| SavedContainer {
                pod: container.key.pod.to_string(),
                name: container.key.name.to_string(),
                instance: container.instance.as_deref().unwrap_or_default().to_owned(),
                source,
                files,
                excluded: known.is_some_and(|known| known.excluded)
                    && !self.settings.excluded_namespaces.contains(&container.path.namespace),
                forgot: container.forgot,
                guessed: known.is_some_and(|known| known.guessed),
            })
        });
        Checkpoint { containers: containers.collect() }
    }
}

fn remembered(file: &LogFile) -> Option<SavedFile> {
    let head = file.head?;
    Some(SavedFile {
        restart: file.restart,
        first_line: head.hash,
        first_time: head.time,
        stored: file.stored.map(SavedPosition::of),
        settled: Some(SavedPosition::of(file.settled)),
        floor: Some(file.floor).filter(|floor| floor.to > 0).map(SavedPosition::of),
        complete: file.complete,
        gap: file.gap.map(SavedGap::of),
        tail: file.tail.map(SavedGap::of),
        drained: file.drained,
        lacking: file.lacking,
    })
}

fn recalled(saved: &SavedFile, id: u64, now: Instant) -> LogFile {
    let mut file = LogFile::new(id, saved.restart, Place::Gone, now);
    file.gone = Some(now);
    file.head = Some(Head { hash: saved.first_line, time: saved.first_time });
    file.stored = saved.stored.map(SavedPosition::position);
    file.settled = saved.settled.map(SavedPosition::position).unwrap_or_default();
    file.floor = saved.floor.map(SavedPosition::position).unwrap_or_default();
    file.complete = saved.complete;
    file.gap = saved.gap.map(SavedGap::gap);
    file.tail = saved.tail.map(SavedGap::gap);
    file.drained = saved.drained;
    file.lacking = saved.lacking;
    file
}

impl SavedPosition {
    const fn of(position: Position) -> Self {
        let Position { to, open_stdout, open_stderr } = position;
        Self { to, open_stdout, open_stderr }
    }

    const fn position(self) -> Position {
        let Self { to, open_stdout, open_stderr } = self;
        Position { to, open_stdout, open_stderr }
    }
}

impl SavedGap {
    fn of(gap: Gap) -> Self {
        let Gap { reason, before, bytes, certain } = gap;
        let before = before.map(|edge| {
            let Edge { restart, first_line, offset, time } = edge;
            SavedEdge { restart, first_line, offset, time }
        });
        Self { reason: reason.into(), before, bytes, certain }
    }

    fn gap(self) -> Gap {
        let reason = GapReason::try_from(self.reason).unwrap_or(GapReason::Deleted);
        let before = self.before.map(|edge| {
            let SavedEdge { restart, first_line, offset, time } = edge;
            Edge { restart, first_line, offset, time }
        });
        Gap { reason, before, bytes: self.bytes, certain: self.certain }
    }
}
