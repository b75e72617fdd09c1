//! What was deleted before it could be read.

use fairlead_wire::incarnation::Incarnation;
use fairlead_wire::message::{self, GapReason};
use xxhash_rust::xxh3::Xxh3;

/// An end of a gap: a file of the same container, and an offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The file's restart.
    pub restart: u32,
    /// Hash of its first line.
    pub first_line: u64,
    /// Offset in it.
    pub offset: u64,
    /// Event time there in nanoseconds since 1970-01-01 UTC; 0 where unknown.
    pub time: i64,
}

/// One contiguous loss, up to the file that it is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The last that was read; `None` where nothing was.
    pub before: Option<Edge>,
    /// How much is missing, where it is known.
    pub bytes: Option<u64>,
    /// It is certain, and logd was told or is about to be. Otherwise it is none where logd
    /// has of what comes after it: then this process's predecessor was there already.
    pub certain: bool,
}

impl Gap {
    /// This loss and the one right behind it.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        let bytes = self.bytes.zip(next.bytes).map(|(one, other)| one + other);
        Self { bytes, certain: self.certain || next.certain, ..self }
    }

    /// Names it: the same gap told again has the same name.
    #[must_use]
    pub fn id(&self, pod_uid: &str, container: &str, after: Option<Edge>) -> u64 {
        let mut hash = Xxh3::new();
        hash.update(pod_uid.as_bytes());
        hash.update(b"/");
        hash.update(container.as_bytes());
        for edge in [self.before, after] {
            let edge =
                edge.map_or([u64::MAX; 3], |e| [u64::from(e.restart), e.first_line, e.offset]);
            edge.iter().for_each(|number| hash.update(&number.to_le_bytes()));
        }
        // 0 stands for none.
        hash.digest().max(1)
    }
}

impl Edge {
    /// As it is told.
    #[must_use]
    pub fn message(&self, pod_uid: &str, container: &str) -> message::Edge {
        let Self { restart, first_line, offset, time } = *self;
        let (pod_uid, container) = (pod_uid.to_owned(), container.to_owned());
        let incarnation = message::File { pod_uid, container, restart, first_line };
        message::Edge { incarnation, offset, time }
    }

    /// The end of a gap in this content.
    #[must_use]
    pub const fn of(incarnation: &Incarnation, offset: u64, time: i64) -> Self {
        Self { restart: incarnation.restart, first_line: incarnation.first_line, offset, time }
    }
}
