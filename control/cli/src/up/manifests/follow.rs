//! Noticing edits of the folder.

use std::{path::Path, time::Duration};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};
use tokio::sync::mpsc;

/// How long the folder must be quiet before it is read: an editor replaces a
/// file in several steps, and must not seem to remove it in between.
const SETTLE: Duration = Duration::from_millis(15);
const SETTLE_REMOVAL: Duration = Duration::from_millis(150);

/// Tells when a folder has changed and is quiet again.
#[derive(Debug)]
pub(crate) struct Follow {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<Duration>,
}

/// Follows `folder` from now on.
///
/// # Errors
/// When the system cannot watch it.
pub(crate) fn follow(folder: &Path) -> notify::Result<Follow> {
    // One place is enough: any number of events while it is full means one reading.
    let (sender, changes) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if let Some(settle) = event.map_or(Some(SETTLE_REMOVAL), |event| settle_after(event.kind)) {
            let _ = sender.try_send(settle);
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(Follow { _watcher: watcher, changes })
}

fn settle_after(kind: EventKind) -> Option<Duration> {
    match kind {
        EventKind::Access(AccessKind::Close(notify::event::AccessMode::Write)) => Some(SETTLE),
        EventKind::Access(_) => None,
        EventKind::Remove(_) => Some(SETTLE_REMOVAL),
        // A write under way ends with a close.
        EventKind::Modify(notify::event::ModifyKind::Data(_)) | EventKind::Create(_) => {
            Some(SETTLE_REMOVAL)
        }
        _ => Some(SETTLE),
    }
}

impl Follow {
    /// Waits for the next change. `None` when the folder can no longer be watched.
    pub(crate) async fn changed(&mut self) -> Option<()> {
        let mut settle = self.changes.recv().await?;
        while let Ok(next) = tokio::time::timeout(settle, self.changes.recv()).await {
            settle = next?;
        }
        Some(())
    }
}
