//! Docker's own files, to which links in a pod's directory lead.

use std::fs;
use std::os::unix::fs::symlink;

use fairlead_wire::message::GapReason;

use crate::support::{Logd, Manner, Node, WEB};

/// Docker's file of a container.
struct Docker {
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Docker {
    fn new(node: &Node) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0f1e-json.log");
        fs::write(&path, "").unwrap();
        let container = node.container(WEB, "web");
        symlink(&path, container.live()).unwrap();
        Self { path, _directory: directory }
    }

    fn write(&self, log: &str) {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let number = text.lines().count() + log.len();
        let log = serde_json::Value::from(log);
        let line = format!(
            "{{\"log\":{log},\"stream\":\"stdout\",\"time\":\"2016-10-06T00:17:09.{number:09}Z\"}}\n"
        );
        fs::write(&self.path, text + &line).unwrap();
    }

    fn rotate(&self) {
        fs::rename(&self.path, self.path.with_extension("log.1")).unwrap();
        fs::write(&self.path, "").unwrap();
    }
}

#[tokio::test]
async fn row_34_docker_s_files_are_followed_through_rotation_and_pieces_joined() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let docker = Docker::new(&node);
    let _shipper = node.ship(&logd);
    docker.write("one\n");
    logd.lines(&["one"]).await;
    docker.write("tw");
    docker.write("o\n");
    logd.lines(&["one", "two"]).await;
    docker.rotate();
    docker.write("three \u{e9}\t\n");
    logd.lines(&["one", "two", "three \u{e9}\t"]).await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn what_docker_rotated_away_during_downtime_is_a_gap() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let docker = Docker::new(&node);
    let shipper = node.ship(&logd);
    docker.write("one\n");
    logd.lines(&["one"]).await;
    shipper.shutdown().await;
    docker.rotate();
    docker.write("three\n");
    let _shipper = node.ship(&logd);
    logd.lines(&["one", "three"]).await;
    let gaps = logd.look(|state| state.gaps.clone());
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert_eq!(gap.reason, i32::from(GapReason::RuntimeRotation));
    assert!(gap.before.is_some() && gap.after.is_some());
}
