//! Looking at directories: what is there, and what is gone.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::{Engine, RESCAN, RESCAN_MISSING};
use crate::container::{Container, ContainerKey, LogFile, Place, list};
use crate::discover::Watched;
use crate::path::PodPath;

impl Engine {
    /// Looks at everything.
    pub(super) fn scan(&mut self, now: Instant) {
        self.metrics.rescans.fetch_add(1, Relaxed);
        let names: HashSet<Arc<str>> = self.scan_pods(now);
        for name in &names {
            self.scan_pod(name, now);
        }
        let paths: HashSet<&PodPath> =
            self.slots.values().map(|slot| &slot.container.path).collect();
        self.pods.sweep(|path| paths.contains(path));
    }

    /// Looks for pods that are new or gone.
    pub(super) fn scan_root(&mut self, now: Instant) {
        let known: HashSet<Arc<str>> = self.keys.keys().map(|key| key.pod.clone()).collect();
        for name in self.scan_pods(now).difference(&known) {
            self.scan_pod(name, now);
        }
    }

    /// Watches the directory of all pods and lists it. Containers of pods that are gone learn so.
    fn scan_pods(&mut self, now: Instant) -> HashSet<Arc<str>> {
        let root = self.settings.pods.clone();
        let there = self.watcher.directory(&root, Watched::Root);
        self.rescan = now + if there { RESCAN } else { RESCAN_MISSING };
        // Where it cannot be listed nothing is known of what is gone.
        let Some(names) = directories(&root) else { return HashSet::new() };
        let names: HashSet<Arc<str>> = names
            .into_iter()
            .filter(|name| PodPath::parse(name).is_some())
            .map(Arc::from)
            .collect();
        let gone = self.keys.iter().filter(|(key, _)| !names.contains(&key.pod));
        for id in gone.map(|(_, id)| *id).collect::<Vec<_>>() {
            self.scan_container(id, now);
        }
        names
    }

    /// Looks for a pod's containers.
    pub(super) fn scan_pod(&mut self, name: &Arc<str>, now: Instant) {
        let Some(path) = PodPath::parse(name) else { return };
        let directory = self.settings.pods.join(&**name);
        self.watcher.directory(&directory, Watched::Pod(name.clone()));
        let found = directories(&directory).unwrap_or_default();
        for container in &found {
            let key = ContainerKey { pod: name.clone(), name: Arc::from(container.as_str()) };
            let make = {
                let (key, path, directory) = (key.clone(), path.clone(), directory.join(container));
                move || Container::new(key, path, directory, now)
            };
            let id = self.slot(&key, make);
            self.scan_container(id, now);
        }
        let gone = self.keys.iter().filter(|(key, _)| {
            key.pod == *name && !found.iter().any(|container| **container == *key.name)
        });
        for id in gone.map(|(_, id)| *id).collect::<Vec<_>>() {
            self.scan_container(id, now);
        }
    }

    /// Looks at a container's files.
    pub(super) fn scan_container(&mut self, id: u32, now: Instant) {
        let Some(slot) = self.slots.get_mut(&id) else { return };
        let directory = slot.container.directory.clone();
        self.watcher.directory(&directory, Watched::Container(id));
        let entries = match list(&directory) {
            Ok(entries) => {
                slot.container.present = true;
                entries
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                slot.container.present = false;
                Vec::new()
            }
            // What cannot be looked at now may be there all the same.
            Err(error) => {
                tracing::warn!(%error, directory = %directory.display(), "cannot list log files");
                return;
            }
        };
        let last = slot.container.files.last().map(|file| file.id);
        slot.container.reconcile(&entries, &mut self.next_file, now);
        let deleted = |file: &LogFile| file.place == Place::Gone && file.content.is_some();
        if slot.container.files.iter().any(deleted) {
            self.held_check.get_or_insert(now);
        }
        if slot.container.files.last().map(|file| file.id) != last {
            slot.watched = false;
        }
        self.queue(id);
    }
}

/// Names of directories in a directory.
fn directories(path: &Path) -> Option<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, directory = %path.display(), "cannot list");
            }
            return None;
        }
    };
    let directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| !kind.is_file());
    let entries = entries.filter_map(Result::ok).filter(directory);
    Some(entries.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}
