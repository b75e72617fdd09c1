//! What is remembered over a restart: a file that is replaced as a whole.
//!
//! `fairlead-shipper 1\n`, the XXH3-64 of what follows as eight bytes little endian, and a Protocol
//! Buffers message. Beside it stands the newest one that was made durable: what a machine that lost its
//! power has of the other may be nothing. Where neither can be read it costs a rewind and nothing else.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fairlead_wire::message::Source;
use prost::Message;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8] = b"fairlead-shipper 1\n";
const NAME: &str = "checkpoint";
const DURABLE: &str = "checkpoint.durable";

/// All that is remembered.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Checkpoint {
    #[prost(message, repeated, tag = "1")]
    pub(crate) containers: Vec<SavedContainer>,
}

/// A container's log.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedContainer {
    /// Its pod's directory.
    #[prost(string, tag = "1")]
    pub(crate) pod: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    /// Of the logd that has what is stored.
    #[prost(string, tag = "3")]
    pub(crate) instance: String,
    /// Without labels.
    #[prost(message, optional, tag = "4")]
    pub(crate) source: Option<Source>,
    /// Oldest first.
    #[prost(message, repeated, tag = "5")]
    pub(crate) files: Vec<SavedFile>,
    /// Its pod's owner wishes that it is not sent.
    #[prost(bool, tag = "6")]
    pub(crate) excluded: bool,
    /// There were files that are gone and not remembered.
    #[prost(bool, tag = "7")]
    pub(crate) forgot: bool,
    /// Its app is named like its pod because nobody knew the pod.
    #[prost(bool, tag = "8")]
    pub(crate) guessed: bool,
}

/// A file, and how far it is.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedFile {
    #[prost(uint32, tag = "1")]
    pub(crate) restart: u32,
    #[prost(fixed64, tag = "2")]
    pub(crate) first_line: u64,
    #[prost(sfixed64, tag = "3")]
    pub(crate) first_time: i64,
    #[prost(message, optional, tag = "4")]
    pub(crate) stored: Option<SavedPosition>,
    #[prost(message, optional, tag = "5")]
    pub(crate) settled: Option<SavedPosition>,
    /// Its size, where it was read to its end and will not grow.
    #[prost(uint64, optional, tag = "6")]
    pub(crate) complete: Option<u64>,
    /// What is missing before it, and behind it.
    #[prost(message, optional, tag = "7")]
    pub(crate) gap: Option<SavedGap>,
    #[prost(message, optional, tag = "8")]
    pub(crate) tail: Option<SavedGap>,
    /// Up to where it was read when the next file had begun.
    #[prost(uint64, optional, tag = "9")]
    pub(crate) drained: Option<u64>,
    /// Up to where it is never sent.
    #[prost(message, optional, tag = "10")]
    pub(crate) floor: Option<SavedPosition>,
    /// What came before what is sent of it is not.
    #[prost(bool, tag = "11")]
    pub(crate) lacking: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SavedPosition {
    #[prost(uint64, tag = "1")]
    pub(crate) to: u64,
    #[prost(uint64, optional, tag = "2")]
    pub(crate) open_stdout: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) open_stderr: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SavedGap {
    #[prost(int32, tag = "1")]
    pub(crate) reason: i32,
    #[prost(message, optional, tag = "2")]
    pub(crate) before: Option<SavedEdge>,
    #[prost(uint64, optional, tag = "3")]
    pub(crate) bytes: Option<u64>,
    #[prost(bool, tag = "4")]
    pub(crate) certain: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SavedEdge {
    #[prost(uint32, tag = "1")]
    pub(crate) restart: u32,
    #[prost(fixed64, tag = "2")]
    pub(crate) first_line: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) offset: u64,
    #[prost(sfixed64, tag = "4")]
    pub(crate) time: i64,
}

/// Why there is nothing to remember.
#[derive(Debug, Error)]
pub(crate) enum LoadError {
    #[error("cannot read {0}: {1}")]
    Io(PathBuf, #[source] io::Error),
    #[error(
        "{0} is damaged or of another version; an older one is used, logd discards what it has"
    )]
    Damaged(PathBuf),
}

/// Reads the newest checkpoint in a directory that can be read, an empty one where there is none, and says
/// which could not.
pub(crate) fn load(directory: &Path) -> (Checkpoint, Vec<LoadError>) {
    let mut errors = Vec::new();
    for name in [NAME, DURABLE] {
        match read(directory.join(name)) {
            Ok(Some(checkpoint)) => return (checkpoint, errors),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    (Checkpoint::default(), errors)
}

fn read(path: PathBuf) -> Result<Option<Checkpoint>, LoadError> {
    match fs::read(&path) {
        Ok(bytes) => decode(&bytes).map(Some).ok_or(LoadError::Damaged(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(LoadError::Io(path, error)),
    }
}

fn decode(bytes: &[u8]) -> Option<Checkpoint> {
    let (hash, message) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
    (u64::from_le_bytes(*hash) == xxh3_64(message)).then_some(())?;
    Checkpoint::decode(message).ok()
}

/// A checkpoint as it is written.
pub(crate) fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + 8 + checkpoint.encoded_len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0; 8]);
    let start = bytes.len();
    checkpoint.encode_raw(&mut bytes);
    let hash = xxh3_64(&bytes[start..]).to_le_bytes();
    bytes[start - 8..start].copy_from_slice(&hash);
    bytes
}

/// Replaces the checkpoint in a directory; made durable where `sync`.
pub(crate) fn write(directory: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let (path, new) = (directory.join(NAME), directory.join("checkpoint.tmp"));
    fs::create_dir_all(directory)?;
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_data()?;
    }
    fs::rename(&new, &path)?;
    if sync {
        // A second name of the same file, never of one that is written to. Where the file system has no such thing
        // there is one name.
        let link = directory.join("checkpoint.link");
        let _ = fs::remove_file(&link);
        if fs::hard_link(&path, &link).is_ok() {
            fs::rename(&link, directory.join(DURABLE))?;
        }
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn checkpoint() -> Checkpoint {
        let position = |to| Some(SavedPosition { to, open_stdout: Some(3), open_stderr: None });
        let file = SavedFile {
            restart: 1,
            first_line: 7,
            first_time: -5,
            stored: position(20),
            settled: position(10),
            complete: Some(30),
            gap: None,
            tail: None,
            drained: Some(30),
            floor: position(5),
            lacking: true,
        };
        let container = SavedContainer {
            pod: "n_p_u".into(),
            name: "c".into(),
            instance: "i".into(),
            source: Some(Source { app: "a".into(), ..Source::default() }),
            files: vec![file],
            excluded: true,
            forgot: true,
            guessed: true,
        };
        Checkpoint { containers: vec![container] }
    }

    #[test]
    fn what_was_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let loaded = || {
            let (checkpoint, errors) = load(directory.path());
            assert!(errors.is_empty(), "{errors:?}");
            checkpoint
        };
        assert_eq!(loaded(), Checkpoint::default());
        for sync in [true, false] {
            write(directory.path(), &encode(&checkpoint()), sync).unwrap();
            assert_eq!(loaded(), checkpoint());
        }
    }

    #[test]
    fn what_a_process_that_was_killed_left_behind_is_in_nobody_s_way() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["checkpoint.tmp", "checkpoint.link"] {
            fs::write(directory.path().join(name), "half").unwrap();
        }
        write(directory.path(), &encode(&checkpoint()), true).unwrap();
        fs::write(directory.path().join("checkpoint.tmp"), "half").unwrap();
        fs::remove_file(directory.path().join(NAME)).unwrap();
        assert_eq!(load(directory.path()).0, checkpoint());
    }

    #[test]
    fn where_the_newest_is_damaged_or_lost_the_newest_durable_one_counts() {
        let directory = tempfile::tempdir().unwrap();
        let named = |name: &str| Checkpoint {
            containers: vec![SavedContainer { name: name.into(), ..SavedContainer::default() }],
        };
        for (name, sync) in [("one", true), ("two", false), ("three", true), ("four", false)] {
            write(directory.path(), &encode(&named(name)), sync).unwrap();
        }
        assert_eq!(load(directory.path()).0, named("four"));
        fs::write(directory.path().join(NAME), "").unwrap();
        let (checkpoint, errors) = load(directory.path());
        assert_eq!((checkpoint, errors.len()), (named("three"), 1));
        fs::remove_file(directory.path().join(NAME)).unwrap();
        let (checkpoint, errors) = load(directory.path());
        assert_eq!((checkpoint, errors.len()), (named("three"), 0));
        for name in [NAME, DURABLE] {
            fs::write(directory.path().join(name), "fairlead-shipper 2\n").unwrap();
        }
        let (checkpoint, errors) = load(directory.path());
        assert_eq!((checkpoint, errors.len()), (Checkpoint::default(), 2));
    }

    proptest! {
        #[test]
        fn damage_is_noticed(at in any::<prop::sample::Index>(), cut: bool, by in 1..=255u8) {
            let mut bytes = encode(&checkpoint());
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] ^= by;
            }
            prop_assert_eq!(decode(&bytes), None);
        }
    }
}
