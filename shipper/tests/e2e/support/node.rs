//! A node's log directory, written to as a kubelet and a runtime do.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fairlead_shipper::{Shipper, ShipperOptions};
use fairlead_wire::Logds;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Logd;

/// The time of the first line. Each further line is a nanosecond later.
const START: i64 = 1_475_713_029_000_000_000;

/// A directory with pods' logs, and one for the shipper's state.
#[derive(Debug)]
pub(crate) struct Node {
    root: tempfile::TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("pods")).unwrap();
        Self { root }
    }

    pub(crate) fn pods(&self) -> PathBuf {
        self.root.path().join("pods")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// A container whose log begins with the first line.
    pub(crate) fn container(&self, pod: &str, name: &str) -> ContainerLog {
        let directory = self.pods().join(pod).join(name);
        fs::create_dir_all(&directory).unwrap();
        ContainerLog { directory, restart: 0, next: 0 }
    }

    /// What a shipper of this node needs.
    pub(crate) fn options(&self, logd: &Logd) -> ShipperOptions {
        self.options_to(Logds::At(logd.url()))
    }

    pub(crate) fn options_to(&self, logds: Logds) -> ShipperOptions {
        ShipperOptions {
            pods: self.pods(),
            state: self.state(),
            node: "node-1".to_owned(),
            admin: "127.0.0.1:0".parse().unwrap(),
            ..ShipperOptions::to(logds)
        }
    }

    /// A shipper that asks no API.
    pub(crate) fn ship(&self, logd: &Logd) -> Shipper {
        Shipper::start(self.options(logd), None).unwrap()
    }
}

/// A container that writes.
#[derive(Debug)]
pub(crate) struct ContainerLog {
    pub(crate) directory: PathBuf,
    pub(crate) restart: u32,
    /// Time of the next line, in nanoseconds after the first.
    next: i64,
}

impl ContainerLog {
    /// Writes whole lines to standard output.
    pub(crate) fn write(&mut self, lines: &[&str]) {
        for line in lines {
            self.raw("stdout", "F", line.as_bytes());
        }
    }

    /// Writes one physical line. Returns its length.
    pub(crate) fn raw(&mut self, stream: &str, tag: &str, payload: &[u8]) -> u64 {
        let time = jiff::Timestamp::from_nanosecond(i128::from(START + self.next)).unwrap();
        self.next += 1;
        let mut line = format!("{time:.9} {stream} {tag} ").into_bytes();
        line.extend_from_slice(payload);
        line.push(b'\n');
        self.bytes(&line);
        line.len() as u64
    }

    /// The next lines are so much later.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.next += i64::try_from(time.as_nanos()).unwrap();
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let path = self.live();
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    }

    pub(crate) fn live(&self) -> PathBuf {
        self.directory.join(format!("{}.log", self.restart))
    }

    pub(crate) fn rotated(&self, second: u32) -> PathBuf {
        self.directory.join(format!("{}.log.20260101-0000{second:02}", self.restart))
    }

    /// Renames the file, as of this second.
    pub(crate) fn rotate(&self, second: u32) {
        fs::rename(self.live(), self.rotated(second)).unwrap();
    }

    /// Compresses a renamed file.
    pub(crate) fn compress(&self, second: u32) {
        compress(&self.rotated(second));
    }

    pub(crate) fn delete(&self, second: u32) {
        let plain = self.rotated(second);
        if fs::remove_file(&plain).is_err() {
            fs::remove_file(suffixed(&plain, ".gz")).unwrap();
        }
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Replaces a file by its compressed form.
pub(crate) fn compress(path: &Path) {
    let unfinished = suffixed(path, ".tmp");
    let mut encoder = GzEncoder::new(File::create(&unfinished).unwrap(), Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::rename(&unfinished, suffixed(path, ".gz")).unwrap();
    fs::remove_file(path).unwrap();
}
