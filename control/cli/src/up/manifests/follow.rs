//! Noticing edits of the folder.

use std::{future::pending, path::Path, time::Duration};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// How long the folder must be quiet before it is read: an editor replaces a
/// file in several steps, and must not seem to remove it in between.
const SETTLE: Duration = Duration::from_millis(15);
const SETTLE_REMOVAL: Duration = Duration::from_millis(150);

/// Tells when a folder has changed and is quiet again.
#[derive(Debug)]
pub(crate) struct Follow {
    _watcher: RecommendedWatcher,
    changes: mpsc::Receiver<Duration>,
    /// When the folder counts as quiet, if nothing happens until then.
    quiet_at: Option<Instant>,
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
    Ok(Follow { _watcher: watcher, changes, quiet_at: None })
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
    /// Nothing is lost when the future is dropped before it is ready.
    pub(crate) async fn changed(&mut self) -> Option<()> {
        loop {
            let quiet = async {
                match self.quiet_at {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                settle = self.changes.recv() => self.quiet_at = Some(Instant::now() + settle?),
                () = quiet => {
                    self.quiet_at = None;
                    return Some(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, future::Future, task::Poll};

    use super::*;

    #[tokio::test]
    async fn a_change_is_told_though_the_wait_for_it_was_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let mut follow = follow(dir.path()).unwrap();
        fs::write(dir.path().join("a.yaml"), "a").unwrap();
        // Polled until the event has been taken, then dropped while the folder settles.
        loop {
            let polled = {
                let mut changed = std::pin::pin!(follow.changed());
                std::future::poll_fn(|cx| Poll::Ready(changed.as_mut().poll(cx))).await
            };
            if polled.is_ready() {
                return;
            }
            if follow.quiet_at.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let told = tokio::time::timeout(Duration::from_secs(10), follow.changed()).await;
        assert_eq!(told, Ok(Some(())));
    }
}
