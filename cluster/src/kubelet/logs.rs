//! Container logs as a container runtime writes them (the CRI log format): a line each of
//! `TIME STREAM TAG CONTENT`, where the tag is `F`, or `P` for a piece of a line that goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};

use crate::meta;

/// The longest piece of a line that one record holds, as in containerd.
const LONGEST_PIECE: usize = 16 * 1024;

/// How much of a stream is read at once.
const READ: usize = 16 * 1024;

/// The directory of a pod's logs.
pub(crate) fn pod_directory(state: &Path, pod: &Value) -> PathBuf {
    let namespace = meta::namespace(pod).unwrap_or_default();
    state.join("pods").join(format!("{namespace}_{}_{}", meta::name(pod), meta::uid(pod)))
}

/// The log of one run of a container.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
}

impl Log {
    /// Opens `<directory>/<container>/<run>.log`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn open(directory: &Path, container: &str, run: u32) -> io::Result<Self> {
        let directory = directory.join(container);
        fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{run}.log"));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file })
    }

    /// Copies both streams until both have ended. Writes block this task's thread, as long as it
    /// takes to copy at most 16 KiB to the system's page cache.
    pub(super) async fn copy(mut self, stdout: ChildStdout, stderr: ChildStderr) {
        let mut out = Stream::new("stdout", stdout);
        let mut err = Stream::new("stderr", stderr);
        let mut records = Vec::with_capacity(2 * READ);
        while !(out.ended && err.ended) {
            records.clear();
            tokio::select! {
                read = out.read(), if !out.ended => out.encode(read, &mut records),
                read = err.read(), if !err.ended => err.encode(read, &mut records),
            }
            if let Err(error) = self.file.write_all(&records) {
                // The program must not stop because the disk is full.
                tracing::error!(%error, "container output lost");
            }
        }
    }
}

/// One stream of a container: what is read and has not ended its line yet is kept.
struct Stream<R> {
    name: &'static str,
    reader: R,
    buffer: Box<[u8]>,
    encoder: Encoder,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn new(name: &'static str, reader: R) -> Self {
        let buffer = vec![0; READ].into_boxed_slice();
        Self { name, reader, buffer, encoder: Encoder::default(), ended: false }
    }

    /// Reads into the buffer; 0 at the end. Cancel safe.
    async fn read(&mut self) -> usize {
        self.reader.read(&mut self.buffer).await.unwrap_or_default()
    }

    fn encode(&mut self, read: usize, records: &mut Vec<u8>) {
        let now = Timestamp::now();
        if read == 0 {
            self.ended = true;
            self.encoder.finish(now, self.name, records);
        } else {
            self.encoder.push(&self.buffer[..read], now, self.name, records);
        }
    }
}

/// Cuts bytes into records.
#[derive(Debug, Default)]
struct Encoder {
    /// The beginning of a line whose end has not come: at most one piece.
    line: Vec<u8>,
}

impl Encoder {
    fn push(&mut self, mut bytes: &[u8], now: Timestamp, stream: &str, records: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let room = LONGEST_PIECE - self.line.len();
            let take = end.unwrap_or(bytes.len()).min(room);
            self.line.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
            if let [b'\n', rest @ ..] = bytes {
                bytes = rest;
                self.emit(b'F', now, stream, records);
            } else if !bytes.is_empty() {
                self.emit(b'P', now, stream, records);
            }
        }
    }

    /// The stream has ended: a line without its end is a line.
    fn finish(&mut self, now: Timestamp, stream: &str, records: &mut Vec<u8>) {
        if !self.line.is_empty() {
            self.emit(b'F', now, stream, records);
        }
    }

    fn emit(&mut self, tag: u8, now: Timestamp, stream: &str, records: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = write!(records, "{now:.9} {stream} ");
        records.extend_from_slice(&[tag, b' ']);
        records.append(&mut self.line);
        records.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(chunks: &[&[u8]]) -> String {
        let mut encoder = Encoder::default();
        let mut records = Vec::new();
        let now = Timestamp::from_nanosecond(1_500_000_000_000_000_007).unwrap();
        for chunk in chunks {
            encoder.push(chunk, now, "stdout", &mut records);
        }
        encoder.finish(now, "stdout", &mut records);
        String::from_utf8(records).unwrap()
    }

    #[test]
    fn lines_become_records_whatever_the_reads() {
        let expected = "2017-07-14T02:40:00.000000007Z stdout F one\n\
                        2017-07-14T02:40:00.000000007Z stdout F \n\
                        2017-07-14T02:40:00.000000007Z stdout F two\n";
        assert_eq!(encode(&[b"one\n\ntwo"]), expected);
        assert_eq!(encode(&[b"o", b"ne\n", b"\nt", b"wo\n"]), expected);
    }

    #[test]
    fn a_long_line_is_cut_into_pieces() {
        let line = "x".repeat(LONGEST_PIECE + 1) + "\n";
        let records = encode(&[line.as_bytes()]);
        let tags: Vec<_> =
            records.lines().map(|record| record.split(' ').nth(2).unwrap()).collect();
        assert_eq!(tags, ["P", "F"]);
        assert!(records.ends_with(" F x\n"));
        let exact = "x".repeat(LONGEST_PIECE) + "\n";
        assert_eq!(encode(&[exact.as_bytes()]).lines().count(), 1);
    }

    proptest::proptest! {
        #[test]
        fn joined_pieces_are_what_was_written(
            chunks in proptest::collection::vec("[a-z\n]{0,40}", 0..20),
        ) {
            let chunks: Vec<&[u8]> = chunks.iter().map(|chunk| chunk.as_bytes()).collect();
            let records = encode(&chunks);
            let mut written = String::new();
            for record in records.lines() {
                let mut parts = record.splitn(4, ' ').skip(2);
                let (tag, content) = (parts.next().unwrap(), parts.next().unwrap());
                written.push_str(content);
                if tag == "F" {
                    written.push('\n');
                }
            }
            let mut expected = String::from_utf8(chunks.concat()).unwrap();
            if !expected.is_empty() && !expected.ends_with('\n') {
                expected.push('\n');
            }
            proptest::prop_assert_eq!(written, expected);
        }
    }
}
