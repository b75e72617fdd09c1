//! Which logs are being written, so that a reader who follows one need not look again and again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// How far a log has been written. The channel closes when its run has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes, over all files of the run.
    pub(super) written: u64,
    /// Files of the run that are complete.
    pub(super) rotations: u64,
}

/// Logs being written, by file. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    logs: Arc<Mutex<HashMap<PathBuf, watch::Receiver<Progress>>>>,
}

/// Tells readers of one log how it goes on, until dropped.
#[derive(Debug)]
pub(super) struct Announcer {
    live: Live,
    path: PathBuf,
    progress: watch::Sender<Progress>,
}

impl Live {
    /// A log begins.
    pub(super) fn announce(&self, path: &Path) -> Announcer {
        let (progress, receiver) = watch::channel(Progress::default());
        self.logs.lock().insert(path.to_owned(), receiver);
        Announcer { live: self.clone(), path: path.to_owned(), progress }
    }

    /// How a log goes on; `None` where its run has ended.
    pub(super) fn follow(&self, path: &Path) -> Option<watch::Receiver<Progress>> {
        self.logs.lock().get(path).cloned()
    }
}

impl Announcer {
    pub(super) fn wrote(&self, bytes: usize) {
        self.progress.send_modify(|progress| progress.written += bytes as u64);
    }

    pub(super) fn rotated(&self) {
        self.progress.send_modify(|progress| progress.rotations += 1);
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        self.live.logs.lock().remove(&self.path);
    }
}
