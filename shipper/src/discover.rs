//! inotify: that something changed in a directory, and that an idle file has grown.
//!
//! Directories are watched for names that come and go. A file is watched only while it is idle, and
//! for one event, so that busy files cost no events and idle ones nothing.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;

use futures::{FutureExt as _, StreamExt as _};
use inotify::{EventMask, EventOwned, EventStream, Inotify, WatchDescriptor, WatchMask};

/// Bytes of events read at once.
const BUFFER: usize = 16 * 1024;

/// Events taken at once.
const EVENTS: usize = 1024;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Watched {
    /// The directory of all pods.
    Root,
    /// A pod's directory.
    Pod(Arc<str>),
    /// A container's directory.
    Container(u32),
    /// An idle file of a container.
    File(u32),
}

/// A shipper's inotify instance.
#[derive(Debug)]
pub(crate) struct Watcher {
    events: EventStream<Vec<u8>>,
    watched: HashMap<WatchDescriptor, Watched>,
    /// The last attempt to watch something failed.
    failing: bool,
}

impl Watcher {
    /// Belongs to the runtime in which it is made.
    pub(crate) fn new() -> io::Result<Self> {
        let events = Inotify::init()?.into_event_stream(vec![0; BUFFER])?;
        Ok(Self { events, watched: HashMap::new(), failing: false })
    }

    /// Watches a directory for names that come and go. False where it is not there, or cannot be
    /// watched: then only rescans find what is new.
    pub(crate) fn directory(&mut self, path: &Path, as_what: Watched) -> bool {
        let mask = WatchMask::CREATE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::DELETE
            | WatchMask::ONLYDIR;
        self.add(path, mask, as_what)
    }

    /// Watches an open file for one change.
    pub(crate) fn file(&mut self, descriptor: i32, container: u32) -> bool {
        let path = format!("/proc/self/fd/{descriptor}");
        let mask = WatchMask::MODIFY | WatchMask::MOVE_SELF | WatchMask::ONESHOT;
        self.add(Path::new(&path), mask, Watched::File(container))
    }

    fn add(&mut self, path: &Path, mask: WatchMask, as_what: Watched) -> bool {
        match self.events.watches().add(path, mask) {
            Ok(descriptor) => {
                self.watched.insert(descriptor, as_what);
                self.failing = false;
                true
            }
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound && !self.failing {
                    self.failing = true;
                    tracing::warn!(
                        %error,
                        path = %path.display(),
                        "cannot watch; what is new is found by looking again and again \
                         (is fs.inotify.max_user_watches large enough?)"
                    );
                }
                false
            }
        }
    }

    /// How many watches there are.
    pub(crate) fn len(&self) -> usize {
        self.watched.len()
    }

    /// Waits until there are events, and takes them. `None` among them: some were lost. Cancelled, it
    /// has taken none.
    pub(crate) async fn events(&mut self) -> io::Result<Vec<Option<Watched>>> {
        let mut taken = Vec::new();
        let mut next = self.events.next().await;
        while let Some(event) = next {
            self.take(&event?, &mut taken);
            if taken.len() >= EVENTS {
                break;
            }
            next = self.events.next().now_or_never().flatten();
        }
        Ok(taken)
    }

    fn take(&mut self, event: &EventOwned, into: &mut Vec<Option<Watched>>) {
        if event.mask.contains(EventMask::Q_OVERFLOW) {
            into.push(None);
        } else if event.mask.contains(EventMask::IGNORED) {
            self.watched.remove(&event.wd);
        } else if let Some(what) = self.watched.get(&event.wd)
            && into.last().and_then(Option::as_ref) != Some(what)
        {
            into.push(Some(what.clone()));
        }
    }
}

/// The number by which the system knows an open file.
pub(crate) fn descriptor(content: &crate::file::Content) -> i32 {
    content.file().as_raw_fd()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn that_events_were_lost_is_told() {
        let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut watcher = Watcher::new().unwrap();
        assert!(watcher.directory(directory.path(), Watched::Root));
        let path = directory.path().join("name");
        // Two events each, which the system does not join.
        for _ in 0..=limit / 2 {
            std::fs::write(&path, "").unwrap();
            std::fs::remove_file(&path).unwrap();
        }
        let mut events = Vec::new();
        while events.last() != Some(&None) {
            events.extend(watcher.events().await.unwrap());
        }
        assert!(events.contains(&Some(Watched::Root)));
    }
}
