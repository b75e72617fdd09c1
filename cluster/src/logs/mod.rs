//! Container logs on disk, as a container runtime and a kubelet keep them.
//!
//! `<state>/pods/<namespace>_<pod>_<uid>/<container>/<run>.log` in the CRI format; what is rotated
//! away is `<run>.log.<time>`, all but the newest of them compressed (`.gz`).

mod live;
mod options;
mod read;
mod record;
mod rotate;
mod select;
mod write;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::meta;
use live::Live;
pub use options::LogOptions;
pub use read::LogStream;

/// When a log is rotated, and how much of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRotation {
    /// A file is rotated once it has this many bytes. Default: 10 MiB, as a kubelet.
    pub max_size: u64,
    /// Files per run of a container, the one being written included; at least 2. Default: 5.
    pub max_files: usize,
}

impl Default for LogRotation {
    fn default() -> Self {
        Self { max_size: 10 * 1024 * 1024, max_files: 5 }
    }
}

/// The logs of all pods. Clones share what is known of logs being written.
#[derive(Debug, Clone)]
pub struct PodLogs {
    state: PathBuf,
    rotation: LogRotation,
    live: Live,
}

impl PodLogs {
    pub(crate) fn new(state: PathBuf, rotation: LogRotation) -> Self {
        Self { state, rotation, live: Live::default() }
    }

    /// The directory of a pod's logs.
    pub(crate) fn directory(&self, pod: &Value) -> PathBuf {
        let namespace = meta::namespace(pod).unwrap_or_default();
        let name = format!("{namespace}_{}_{}", meta::name(pod), meta::uid(pod));
        self.state.join("pods").join(name)
    }

    fn container(&self, pod: &Value, container: &str) -> PathBuf {
        self.directory(pod).join(container)
    }
}

/// The file that a run writes.
fn file_of(container: &Path, run: u32) -> PathBuf {
    container.join(format!("{run}.log"))
}
