//! The log of one container: its files in order, and how far each is.

mod chain;
mod gap;
mod growth;
mod history;
mod log_file;
mod rewind;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use fairlead_wire::message;

pub use chain::{Entry, list};
pub use gap::{Edge, Gap};
pub use growth::Growth;
pub use history::{since, time_of};
pub use log_file::{Begin, LogFile, Place, Reading, Stage, Trouble};

use crate::decode::{Bucket, Position};
use crate::path::PodPath;

/// Names a container on this node, over all its restarts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerKey {
    /// Its pod's directory below `/var/log/pods`.
    pub pod: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// Whose lines these are, and what is to become of them.
#[derive(Debug, Clone)]
pub struct Identity {
    /// As logd is told.
    pub source: Arc<message::Source>,
    /// They are counted and not sent.
    pub excluded: bool,
    /// Lines of a stack trace are one record.
    pub multiline: bool,
    /// Lines a second, at most.
    pub rate: Option<u32>,
    /// Nobody knew its pod: the app is named like it, and may be another one.
    pub guessed: bool,
}

/// A container's log.
#[derive(Debug)]
pub struct Container {
    /// Which.
    pub key: ContainerKey,
    /// What its directory says of its pod.
    pub path: PodPath,
    /// Where its files are.
    pub directory: PathBuf,
    /// Oldest first.
    pub files: Vec<LogFile>,
    /// Known once its pod is, or was waited for.
    pub identity: Option<Identity>,
    /// What was known of it before this process began.
    pub remembered: Option<Identity>,
    /// Since when it is known.
    pub since: Instant,
    /// Of the logd that `stored` of its files is meant for.
    pub instance: Option<Arc<str>>,
    /// How many more lines it may write now.
    pub bucket: Option<Bucket>,
    /// There were files that logd had, and that are gone and not among `files`.
    pub forgot: bool,
    /// Its directory is there.
    pub present: bool,
}

impl Container {
    /// A container of which nothing is known but its place.
    #[must_use]
    pub const fn new(key: ContainerKey, path: PodPath, directory: PathBuf, now: Instant) -> Self {
        Self {
            key,
            path,
            directory,
            files: Vec::new(),
            identity: None,
            remembered: None,
            since: now,
            instance: None,
            bucket: None,
            forgot: false,
            present: true,
        }
    }

    /// Its lines are these from now on. What a logd has of them for another app is not for this one. What
    /// was another app's is history here, unless that was a guess.
    pub fn identify(&mut self, identity: Identity) {
        let goes = self.whose().filter(|known| known.source.app != identity.source.app);
        if let Some(known) = goes {
            if known.guessed {
                self.unsettle();
            }
            self.instance = None;
        }
        if self.bucket.as_ref().map(Bucket::rate) != identity.rate.map(f64::from) {
            self.bucket = identity.rate.map(Bucket::new);
        }
        self.identity = Some(identity);
    }

    /// No drain of its app had any of it. What is gone by now the app never gets.
    fn unsettle(&mut self) {
        for file in &mut self.files {
            file.settled = file.floor;
        }
        if std::mem::take(&mut self.forgot)
            && let Some(first) = self.files.first_mut()
        {
            let (reason, certain) = (message::GapReason::Deleted, false);
            let gap = Gap { reason, before: None, bytes: None, certain };
            first.gap = Some(first.gap.map_or(gap, |next| gap.and(next)));
        }
    }

    /// Whose its lines are, or were before this process began.
    #[must_use]
    pub fn whose(&self) -> Option<&Identity> {
        self.identity.as_ref().or(self.remembered.as_ref())
    }

    /// The file with this id.
    pub fn file(&mut self, id: u64) -> Option<&mut LogFile> {
        self.files.iter_mut().find(|file| file.id == id)
    }

    /// The incarnation of a file, as it is told.
    #[must_use]
    pub fn incarnation(&self, file: &LogFile) -> Option<message::File> {
        Some(message::File {
            pod_uid: self.path.uid.clone(),
            container: self.key.name.to_string(),
            restart: file.restart,
            first_line: file.head?.hash,
        })
    }

    /// Bytes that were sent and that logd did not report as stored.
    #[must_use]
    pub fn unacknowledged(&self) -> u64 {
        self.files.iter().map(LogFile::unacknowledged).sum()
    }

    /// The connection ended: what was sent may have to be sent again.
    pub fn disconnected(&mut self) {
        if let Some(bucket) = &mut self.bucket {
            bucket.refill();
        }
        self.files.iter_mut().for_each(LogFile::disconnected);
    }

    /// Whether there is nothing to read, to send, or to remember.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !self.present && self.files.iter().all(LogFile::is_done)
    }

    /// The last that is before an offset of a file: that offset, or where the file has nothing before it,
    /// the end of the file before.
    #[must_use]
    pub fn before(&self, index: usize, offset: u64) -> Option<Edge> {
        let edge = |file: &LogFile, offset| {
            let (restart, first_line) = (file.restart, file.head?.hash);
            Some(Edge { restart, first_line, offset, time: 0 })
        };
        let here = edge(&self.files[index], offset);
        let earlier = || {
            let file = self.files[..index].iter().rev().find(|file| file.head.is_some())?;
            edge(file, file.complete.or(file.drained)?)
        };
        here.filter(|_| offset > 0).or_else(earlier).or(here)
    }

    /// A file that is never sent leaves it to the one after it to lack what came before.
    pub fn pass(&mut self, index: usize) {
        if let [file, next, ..] = &mut self.files[index..]
            && file.is_done()
            && std::mem::take(&mut file.lacking)
        {
            next.lacking = true;
        }
    }

    /// A file is lost from `offset` on, which nobody will read any more. The file after it tells, or
    /// where none comes, it itself.
    pub fn lose(&mut self, index: usize, offset: u64, gap: Gap) {
        let file = &mut self.files[index];
        file.complete = Some(offset);
        file.content = None;
        file.marks.clear();
        (file.stored, file.settled) = (Some(Position::at(offset)), Position::at(offset));
        // What is missing right before a file of which nothing was read is one loss with it.
        let earlier = if offset == 0 { file.gap.take() } else { None };
        file.tail = Some(earlier.map_or(gap, |earlier| earlier.and(gap)));
        self.settle_tails();
    }

    /// What is missing behind a file is told by the file after it, once there is one.
    fn settle_tails(&mut self) {
        for index in 1..self.files.len() {
            let (before, after) = self.files.split_at_mut(index);
            if let (Some(file), Some(next)) = (before.last_mut(), after.first_mut())
                && let Some(gap) = file.tail.take()
            {
                next.gap = Some(next.gap.map_or(gap, |later| gap.and(later)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::Head;

    #[test]
    fn what_is_before_a_loss_is_the_last_that_was_read() {
        let now = Instant::now();
        let path = PodPath { namespace: "n".into(), pod: "p".into(), uid: "u".into() };
        let key = ContainerKey { pod: "n_p_u".into(), name: "c".into() };
        let mut container = Container::new(key, path, PathBuf::new(), now);
        for hash in [1, 2] {
            let mut file = LogFile::new(hash, 0, Place::Gone, now);
            file.head = Some(Head { hash, time: 0 });
            container.files.push(file);
        }
        let before = |container: &Container, index, offset| {
            container.before(index, offset).map(|edge| (edge.first_line, edge.offset))
        };
        assert_eq!(before(&container, 1, 7), Some((2, 7)));
        // Of the file before it is not known where it ends.
        assert_eq!(before(&container, 1, 0), Some((2, 0)));
        container.files[0].drained = Some(5);
        assert_eq!(before(&container, 1, 0), Some((1, 5)));
        container.files[0].complete = Some(6);
        assert_eq!(before(&container, 1, 0), Some((1, 6)));
        container.files[1].head = None;
        assert_eq!(before(&container, 1, 7), Some((1, 6)));
    }
}
