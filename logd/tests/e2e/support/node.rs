//! A node with a shipper, and containers that write.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::PathBuf,
};

use fairlead_shipper::{Shipper, ShipperOptions};
use fairlead_wire::{Incarnation, Logds, incarnation::first_line_hash};
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Api, NODE, within};

/// Directories with pods' logs and with the shipper's state.
pub(crate) struct Node {
    root: tempfile::TempDir,
}

impl Node {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("pods")).unwrap();
        Self { root }
    }

    /// A shipper of this node, set up by `adjust`.
    pub(crate) async fn ship(
        &self,
        api: &Api,
        logds: Logds,
        adjust: impl FnOnce(&mut ShipperOptions),
    ) -> Shipper {
        let mut options = ShipperOptions {
            pods: self.root.path().join("pods"),
            state: self.root.path().join("state"),
            node: NODE.to_owned(),
            admin: "127.0.0.1:0".parse().unwrap(),
            ..ShipperOptions::to(logds)
        };
        adjust(&mut options);
        Shipper::start(options, Some(api.client().await)).unwrap()
    }

    /// What a shipper of this node remembered is lost.
    pub(crate) fn forget(&self) {
        fs::remove_dir_all(self.root.path().join("state")).unwrap();
    }

    /// A container of the pod with this directory.
    pub(crate) fn container(&self, pod: &str) -> Container {
        let directory = self.root.path().join("pods").join(pod).join("web");
        fs::create_dir_all(&directory).unwrap();
        let uid = pod.rsplit('_').next().unwrap().to_owned();
        Container { directory, uid, rotated: 0, files: vec![Vec::new()] }
    }
}

/// A container's log in the format of CRI.
pub(crate) struct Container {
    directory: PathBuf,
    uid: String,
    rotated: u32,
    /// Lines of each file as they stand there.
    files: Vec<Vec<String>>,
}

impl Container {
    /// Writes a line.
    pub(crate) fn write(&mut self, line: &str) {
        let line = format!("{:.9} stdout F {line}\n", Timestamp::now());
        let path = self.directory.join("0.log");
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
        self.files.last_mut().unwrap().push(line);
    }

    /// Renames the file as a kubelet does.
    pub(crate) fn rotate(&mut self) {
        self.rotated += 1;
        let to = format!("0.log.20260101-0000{:02}", self.rotated);
        fs::rename(self.directory.join("0.log"), self.directory.join(to)).unwrap();
        self.files.push(Vec::new());
    }

    /// Deletes the oldest file, which was renamed.
    pub(crate) fn remove_oldest(&mut self) {
        let gone = self.rotated + 2 - self.files.len() as u32;
        fs::remove_file(self.directory.join(format!("0.log.20260101-0000{gone:02}"))).unwrap();
        self.files.remove(0);
    }

    /// The names of all lines in the files.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for lines in self.files.iter().filter(|lines| !lines.is_empty()) {
            let incarnation = Incarnation {
                pod_uid: self.uid.as_str().into(),
                container: "web".into(),
                restart: 0,
                first_line: first_line_hash(lines[0].trim_end().as_bytes()),
            };
            let mut end = 0;
            for line in lines {
                end += line.len();
                names.push(format!("{incarnation}:{end}"));
            }
        }
        names
    }
}

/// The value of a series in a shipper's metrics.
pub(crate) async fn metric(shipper: &Shipper, series: &str) -> u64 {
    let address = shipper.admin_addr();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

/// Waits until a series in a shipper's metrics has a value.
pub(crate) async fn until_metric(shipper: &Shipper, series: &str, wanted: impl Fn(u64) -> bool) {
    let wait = async {
        while !wanted(metric(shipper, series).await) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    within(series, wait).await;
}
