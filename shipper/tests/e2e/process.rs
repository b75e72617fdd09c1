//! The program, ended without warning.

use std::process::{Child, Command, Stdio};

use crate::support::{Logd, Manner, Node, WEB, compress};

/// The program on a node.
pub(crate) struct Program(Child);

impl Program {
    fn start(node: &Node, logd: &Logd) -> Self {
        Self::start_with(node, logd, |command| command.arg("--no-api=true"))
    }

    pub(crate) fn start_with(
        node: &Node,
        logd: &Logd,
        more: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fairlead-shipper"));
        let child = more(&mut command)
            .args(["--admin=127.0.0.1:0", "--log=warn"])
            .arg(format!("--logd=http://{}", logd.address))
            .arg(format!("--pods={}", node.pods().display()))
            .arg(format!("--state={}", node.state().display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test]
async fn killed_at_any_time_it_loses_and_repeats_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut web = node.container(WEB, "web");
    let mut expected: Vec<String> = Vec::new();
    for round in 0..6 {
        let mut program = Program::start(&node, &logd);
        for line in 0..50 {
            expected.push(format!("{round}.{line}"));
            web.write(&[expected.last().unwrap()]);
        }
        // Somewhere in the middle of it.
        let some = expected[expected.len() - 50 + 8 * round as usize].clone();
        logd.until("some lines", |state| state.with(&some).map(drop)).await;
        program.kill();
        web.rotate(round);
        if let Some(older) = round.checked_sub(1) {
            compress(&web.rotated(older));
        }
    }
    web.write(&["last"]);
    expected.push("last".to_owned());
    let _program = Program::start(&node, &logd);
    let lines: Vec<_> = expected.iter().map(String::as_str).collect();
    logd.lines(&lines).await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn a_file_that_was_truncated_and_has_grown_beyond_what_was_read_begins_anew() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut web = node.container(WEB, "web");
    let program = Program::start(&node, &logd);
    web.write(&["one", "two"]);
    logd.lines(&["one", "two"]).await;
    program.signal("-STOP");
    std::fs::File::create(web.live()).unwrap();
    web.write(&["three", "four", "five"]);
    program.signal("-CONT");
    logd.lines(&["one", "two", "three", "four", "five"]).await;
    logd.look(|state| {
        assert_eq!(state.files.len(), 2);
        assert!(state.gaps.is_empty() && state.faults.is_empty(), "{state:?}");
    });
}

/// The system keeps so many events and no more: what is new is found by looking everywhere.
#[tokio::test]
async fn a_container_is_found_though_the_event_that_tells_of_it_was_lost() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    node.container(WEB, "web").write(&["one"]);
    let program = Program::start(&node, &logd);
    logd.lines(&["one"]).await;
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    program.signal("-STOP");
    let other = node.pods().join("other");
    for _ in 0..=limit / 2 {
        std::fs::create_dir(&other).unwrap();
        std::fs::remove_dir(&other).unwrap();
    }
    node.container("shop_late-1_9c1e", "web").write(&["two"]);
    program.signal("-CONT");
    // Sooner than all is looked at anyway.
    let found = logd.until("the line of the other", |state| state.with("two").map(drop));
    tokio::time::timeout(std::time::Duration::from_secs(30), found).await.unwrap();
}
