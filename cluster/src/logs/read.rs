//! Reading a log: from where, and whether to go on with what is written from now on.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::live::Progress;
use super::record::{LONGEST_RECORD, Record};
use super::{LogOptions, PodLogs, file_of, select};
use crate::status::Status;

/// How much of a file is read at once.
const READ: usize = 64 * 1024;

impl PodLogs {
    /// Opens the log that a request asks for. As with a kubelet, what was rotated away is not part of
    /// it.
    ///
    /// # Errors
    /// 400 where the pod has no such container, or the container has no log.
    pub fn read(&self, pod: &Value, options: &LogOptions) -> Result<LogStream, Status> {
        let (container, run) = select::run(pod, options)?;
        let path = file_of(&self.container(pod, &container), run);
        let progress = if options.follow { self.live.follow(&path) } else { None };
        let mut stream = LogStream {
            rotations: 0,
            path,
            progress,
            file: None,
            unread: Vec::new(),
            since: options.since,
            timestamps: options.timestamps,
            left: options.limit,
            line_begins: true,
        };
        stream.reopen();
        if let (Some(file), Some(lines)) = (&mut stream.file, options.tail) {
            let failed =
                |error: io::Error| Status::internal(format!("log of {container}: {error}"));
            let start = tail(file, lines).map_err(failed)?;
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
        }
        Ok(stream)
    }
}

/// The text of a log, piece by piece. Its buffers hold at most one read and one record.
#[derive(Debug)]
pub struct LogStream {
    path: PathBuf,
    /// How the log goes on; `None` at its end, or where nobody wants to know.
    progress: Option<watch::Receiver<Progress>>,
    /// Rotations before the open file.
    rotations: u64,
    /// `None` where there is no such file (any more).
    file: Option<File>,
    /// The beginning of a record whose end has not been read.
    unread: Vec<u8>,
    since: Option<Timestamp>,
    timestamps: bool,
    /// Bytes that may still be given.
    left: Option<u64>,
    /// Whether the next record begins a line.
    line_begins: bool,
}

impl LogStream {
    /// The next piece; `None` at the end. Waits for more where the log is followed. Reading blocks
    /// the thread as long as it takes to copy 64 KiB from the system's page cache.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let mut text = Vec::new();
            if self.read(&mut text) {
                if !text.is_empty() {
                    return Some(text.into());
                }
                continue;
            }
            // Everything that was there is read. What comes next was written after this look.
            let seen = match &mut self.progress {
                None => return None,
                Some(progress) => *progress.borrow_and_update(),
            };
            if self.read(&mut text) {
                if !text.is_empty() {
                    return Some(text.into());
                }
            } else if seen.rotations > self.rotations {
                // The old file is complete and read: its name leads to the new one.
                self.reopen();
            } else if let Some(progress) = &mut self.progress
                && progress.changed().await.is_err()
            {
                // The run has ended; what it wrote last is still to be read.
                self.progress = None;
            }
        }
    }

    /// Opens the file that the name leads to, and notes how many came before it.
    fn reopen(&mut self) {
        let rotations = |progress: &Option<watch::Receiver<Progress>>| {
            progress.as_ref().map(|p| p.borrow().rotations)
        };
        loop {
            let before = rotations(&self.progress);
            self.file = File::open(&self.path).ok();
            if rotations(&self.progress) == before {
                self.rotations = before.unwrap_or_default();
                return;
            }
        }
    }

    /// Reads once and appends the text of whole records; false at the end of the file.
    fn read(&mut self, text: &mut Vec<u8>) -> bool {
        let Some(file) = &mut self.file else { return false };
        let before = self.unread.len();
        self.unread.resize(before + READ, 0);
        let read = file.read(&mut self.unread[before..]).unwrap_or_default();
        self.unread.truncate(before + read);
        if read == 0 {
            return false;
        }
        let unread = std::mem::take(&mut self.unread);
        let mut rest = unread.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.show(&rest[..end], text);
            rest = &rest[end + 1..];
        }
        // A line that is longer than any record is none of ours.
        if rest.len() <= LONGEST_RECORD {
            self.unread = rest.to_vec();
        }
        true
    }

    fn show(&mut self, line: &[u8], text: &mut Vec<u8>) {
        let Some(record) = Record::parse(line) else { return };
        if let Some(since) = self.since {
            if record.timestamp().is_some_and(|time| time < since) {
                return;
            }
            // Records are in order: once one is new enough, all are.
            self.since = None;
        }
        let from = text.len();
        if self.timestamps && self.line_begins {
            text.extend_from_slice(record.time);
            text.push(b' ');
        }
        text.extend_from_slice(record.content);
        if record.full {
            text.push(b'\n');
        }
        self.line_begins = record.full;
        if let Some(left) = &mut self.left {
            let given = usize::try_from(*left).unwrap_or(usize::MAX).min(text.len() - from);
            text.truncate(from + given);
            *left -= given as u64;
        }
    }
}

/// Where the last lines of a file begin. A piece of a line counts as one, as with a kubelet.
fn tail(file: &mut File, lines: u64) -> io::Result<u64> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut buffer = vec![0; READ];
    let mut end = size;
    // The end of the last line does not begin another.
    let mut wanted = lines.saturating_add(1);
    while end > 0 {
        let start = end.saturating_sub(READ as u64);
        let block = &mut buffer[..usize::try_from(end - start).unwrap_or(READ)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        for (at, byte) in block.iter().enumerate().rev() {
            if *byte == b'\n' {
                wanted -= 1;
                if wanted == 0 {
                    return Ok(start + at as u64 + 1);
                }
            }
        }
        end = start;
    }
    Ok(0)
}
