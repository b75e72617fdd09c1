//! A container, and the runtime that writes its output to a file.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fairlead_wire::Stream;
use fairlead_wire::incarnation::first_line_hash;
use fastrand::Rng;

use super::super::lines::{Lines, StreamId};
use super::super::truth::{ContainerName, ContainerTruth};
use super::clock::Clock;

/// Lines that are written to the renamed file before the runtime has opened the new one.
const UNTIL_REOPENED: u64 = 20;

/// A container that writes.
#[derive(Debug)]
pub(super) struct Container {
    directory: PathBuf,
    restart: u32,
    path: PathBuf,
    file: File,
    lines: Lines,
    streams: [StreamId; 2],
    rng: Rng,
    clock: Clock,
    buffer: Vec<u8>,
    /// The end of the last line, which a write cut.
    held: Vec<u8>,
    /// The log was renamed: lines to write before it is opened anew.
    reopening: Option<u64>,
    ended: bool,
    truth: ContainerTruth,
    /// Files of the truth by the names that rotations gave them.
    renamed: HashMap<PathBuf, usize>,
}

impl Container {
    /// Begins its first file.
    pub(super) fn start(
        pods: &Path,
        name: ContainerName,
        lines: Lines,
        streams: [StreamId; 2],
        seed: u64,
    ) -> io::Result<Self> {
        let pod = format!("{}_{}_{}", name.namespace, name.pod, name.uid);
        let directory = pods.join(pod).join(&name.container);
        fs::create_dir_all(&directory)?;
        let path = directory.join("0.log");
        let mut truth = ContainerTruth::new(name);
        truth.begin(0);
        Ok(Self {
            file: open(&path)?,
            rng: Rng::with_seed(seed ^ u64::from(streams[0])),
            clock: Clock::default(),
            restart: 0,
            buffer: Vec::new(),
            held: Vec::new(),
            reopening: None,
            ended: false,
            renamed: HashMap::new(),
            directory,
            path,
            lines,
            streams,
            truth,
        })
    }

    /// The log that is being written, and how large it is.
    pub(super) fn log(&self) -> (&Path, u64) {
        (&self.path, self.truth.files.last().map_or(0, |file| file.size))
    }

    /// Writes lines of both streams, mixed. The write may end within a line.
    pub(super) fn write(&mut self, mut lines: u64) -> io::Result<()> {
        self.clock.tick();
        while lines > 0 {
            let now = lines.min(self.reopening.unwrap_or(lines));
            self.buffer.append(&mut self.held);
            for _ in 0..now {
                // Most of what programs write is standard output.
                let stderr = self.rng.u8(..) < 64;
                self.line(if stderr { Stream::Stderr } else { Stream::Stdout });
            }
            lines -= now;
            if let Some(left) = &mut self.reopening {
                *left -= now;
                if *left == 0 {
                    self.reopen()?;
                }
            }
        }
        let cut = self.rng.usize(..self.buffer.len().clamp(1, 64));
        self.held.extend(self.buffer.drain(self.buffer.len() - cut..));
        self.flush()
    }

    /// Ends the lines that were begun, for readers wait for their ends.
    pub(super) fn complete(&mut self) -> io::Result<()> {
        self.buffer.append(&mut self.held);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let id = self.streams[stream as usize];
            let last = |truth: &ContainerTruth| truth.written[stream as usize].checked_sub(1);
            while last(&self.truth).is_some_and(|last| self.lines.partial(id, last)) {
                self.line(stream);
            }
        }
        self.flush()
    }

    fn line(&mut self, stream: Stream) {
        let (id, number) = (self.streams[stream as usize], self.truth.written[stream as usize]);
        let start = self.buffer.len();
        self.clock.write(&mut self.buffer);
        let tag = if self.lines.partial(id, number) { 'P' } else { 'F' };
        // Writing to a vector cannot fail.
        let _ = write!(self.buffer, " {} {tag} ", stream.as_str());
        self.lines.write(id, number, &mut self.buffer);
        self.buffer.push(b'\n');
        let line = &self.buffer[start..];
        self.truth.line(stream, line.len(), || first_line_hash(&line[..line.len() - 1]));
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// What a write cut is written to its end.
    fn finish(&mut self) -> io::Result<()> {
        self.buffer.append(&mut self.held);
        self.flush()
    }

    /// The log was renamed. The runtime opens a new one after some more lines.
    pub(super) fn renamed(&mut self, to: PathBuf) {
        self.renamed.insert(to, self.truth.files.len() - 1);
        self.reopening = Some(UNTIL_REOPENED);
    }

    /// Whether a new log is still to be opened.
    pub(super) fn reopening(&self) -> bool {
        self.reopening.is_some()
    }

    /// Opens a new log now.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.finish()?;
        self.file = open(&self.path)?;
        self.truth.begin(self.restart);
        self.reopening = None;
        Ok(())
    }

    /// These files are no longer there.
    pub(super) fn removed(&mut self, names: &[PathBuf]) {
        for name in names {
            if let Some(file) = self.renamed.remove(name) {
                self.truth.files[file].deleted = true;
            }
        }
    }

    /// Ends the container and starts it again. Of those that have ended, a kubelet keeps the last.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.finish()?;
        self.restart += 1;
        if let Some(old) = self.restart.checked_sub(2) {
            let prefix = format!("{old}.log");
            for entry in fs::read_dir(&self.directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(&prefix) {
                    fs::remove_file(entry.path())?;
                }
            }
            let files = self.truth.files.iter_mut().filter(|file| file.restart == old);
            files.for_each(|file| file.deleted = true);
        }
        self.path = self.directory.join(format!("{}.log", self.restart));
        self.file = open(&self.path)?;
        self.truth.begin(self.restart);
        self.reopening = None;
        Ok(())
    }

    /// Ends the container with its pod, whose directory is removed.
    pub(super) fn remove(&mut self) -> io::Result<()> {
        self.finish()?;
        self.ended = true;
        self.truth.files.iter_mut().for_each(|file| file.deleted = true);
        fs::remove_dir_all(self.directory.parent().unwrap_or(&self.directory))
    }

    /// Whether it writes no more.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn truth(&self) -> &ContainerTruth {
        &self.truth
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
