//! Writing a container's output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::task::{JoinHandle, spawn_blocking};

use super::live::Announcer;
use super::record::Encoder;
use super::rotate::rotate;
use super::{LogRotation, PodLogs, file_of};

/// How much of a stream is read at once.
const READ: usize = 16 * 1024;

/// The log of one run of a container.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    file: File,
    size: u64,
    rotation: LogRotation,
    /// What the last rotation left to do.
    settling: Option<JoinHandle<()>>,
    progress: Announcer,
}

impl PodLogs {
    /// Begins the log of a run. Logs of runs before the last are removed, as a kubelet does.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn begin(&self, pod: &Value, container: &str, run: u32) -> io::Result<Log> {
        let directory = self.container(pod, container);
        fs::create_dir_all(&directory)?;
        if let Some(old) = run.checked_sub(2) {
            remove_run(&directory, old)?;
        }
        let path = file_of(&directory, run);
        let file = open(&path)?;
        let progress = self.live.announce(&path);
        Ok(Log { path, file, size: 0, rotation: self.rotation, settling: None, progress })
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn remove_run(directory: &Path, run: u32) -> io::Result<()> {
    let prefix = format!("{run}.log");
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let rest = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl Log {
    /// Copies both streams until both have ended. Writes block this task's thread, as long as it
    /// takes to copy at most 32 KiB to the system's page cache.
    pub(crate) async fn copy(mut self, stdout: ChildStdout, stderr: ChildStderr) {
        let mut out = Stream::new("stdout", stdout);
        let mut err = Stream::new("stderr", stderr);
        let mut records = Vec::with_capacity(2 * READ);
        while !(out.ended && err.ended) {
            records.clear();
            tokio::select! {
                read = out.read(), if !out.ended => out.encode(read, &mut records),
                read = err.read(), if !err.ended => err.encode(read, &mut records),
            }
            if let Err(error) = self.write(&records).await {
                // The program must not stop because the disk is full.
                tracing::error!(%error, path = %self.path.display(), "container output lost");
            }
        }
        self.settled().await;
    }

    /// Writes whole records, and rotates the file when it has become large.
    async fn write(&mut self, records: &[u8]) -> io::Result<()> {
        self.file.write_all(records)?;
        self.size += records.len() as u64;
        self.progress.wrote(records.len());
        if self.size < self.rotation.max_size {
            return Ok(());
        }
        // A program that writes faster than its logs are compressed has to wait.
        self.settled().await;
        let settlement = rotate(&self.path, self.rotation.max_files)?;
        self.settling = Some(spawn_blocking(|| settlement.settle()));
        self.file = open(&self.path)?;
        self.size = 0;
        self.progress.rotated();
        Ok(())
    }

    async fn settled(&mut self) {
        if let Some(settling) = self.settling.take()
            && let Err(error) = settling.await
        {
            tracing::error!(%error, path = %self.path.display(), "rotated logs not settled");
        }
    }
}

/// One stream of a container.
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
