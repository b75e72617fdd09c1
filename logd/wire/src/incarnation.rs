//! Which content a position is a position in.

use std::fmt;
use std::sync::Arc;

use crate::message::File;

/// Bytes of a first line that take part in its hash, at most.
pub const FIRST_LINE_CAP: usize = 4096;

/// The content of one log file from its first byte on, under whatever name it stands and whether it
/// is compressed or not: renaming and compressing keep it, truncation begins a new one. Offsets in
/// it count uncompressed bytes.
///
/// A record's name is its incarnation and the offset of its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation {
    /// Pod uid as in the file's path; for a sender without files, the process's own random id.
    pub pod_uid: Arc<str>,
    /// The container's name.
    pub container: Arc<str>,
    /// How often the container was restarted before.
    pub restart: u32,
    /// [`first_line_hash`] of the first complete line; 0 for a sender without files.
    pub first_line: u64,
}

/// Hash of a file's first complete line without its line feed: XXH3-64 with seed 0 of its first
/// [`FIRST_LINE_CAP`] bytes.
#[must_use]
pub fn first_line_hash(line: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&line[..line.len().min(FIRST_LINE_CAP)])
}

impl From<&Incarnation> for File {
    fn from(incarnation: &Incarnation) -> Self {
        let Incarnation { pod_uid, container, restart, first_line } = incarnation;
        Self {
            pod_uid: pod_uid.to_string(),
            container: container.to_string(),
            restart: *restart,
            first_line: *first_line,
        }
    }
}

impl From<File> for Incarnation {
    fn from(File { pod_uid, container, restart, first_line }: File) -> Self {
        Self { pod_uid: pod_uid.into(), container: container.into(), restart, first_line }
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pod_uid, container, restart, first_line } = self;
        write!(f, "{pod_uid}/{container}/{restart}/{first_line:016x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_shown_by_its_parts() {
        let incarnation = Incarnation {
            pod_uid: "0b6a".into(),
            container: "web".into(),
            restart: 2,
            first_line: first_line_hash(b""),
        };
        assert_eq!(incarnation.to_string(), "0b6a/web/2/2d06800538d394c2");
    }

    #[test]
    fn only_the_beginning_of_a_long_first_line_counts() {
        let line = vec![b'a'; FIRST_LINE_CAP + 1];
        assert_eq!(first_line_hash(&line), first_line_hash(&line[..FIRST_LINE_CAP]));
        assert_ne!(first_line_hash(&line), first_line_hash(&line[..FIRST_LINE_CAP - 1]));
    }
}
