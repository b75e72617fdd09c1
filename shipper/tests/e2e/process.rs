//! The program, ended without warning.

use std::process::{Child, Command, Stdio};

use crate::support::{Logd, Manner, Node, WEB, compress};

/// The program on a node.
struct Program(Child);

impl Program {
    fn start(node: &Node, logd: &Logd) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_fairlead-shipper"))
            .args(["--no-api=true", "--admin=127.0.0.1:0", "--log=warn"])
            .arg(format!("--logd=http://{}", logd.address))
            .arg(format!("--pods={}", node.pods().display()))
            .arg(format!("--state={}", node.state().display()))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// `kill -9`.
    fn kill(&mut self) {
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
