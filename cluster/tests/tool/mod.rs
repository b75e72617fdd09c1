//! A real client, unchanged, with a cluster of its own that runs pods, or a namespace of a real one.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use fairlead_test_support::{find_peer, peer};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::real;
use super::run_support::{Run, start};

/// No command takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program, and the home directory it runs in.
pub(crate) struct Tool {
    program: PathBuf,
    home: TempDir,
    pub(crate) namespace: String,
    /// `None`: the server is a real one.
    pub(crate) run: Option<Run>,
}

/// What a command printed.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Tool {
    /// `None` where the program is missing, which is recorded.
    pub(crate) async fn start(test: &str, program: &str) -> Option<Self> {
        let program = peer(test, program)?;
        let run = start().await;
        let kubeconfig = run.cluster.kubeconfig(&run.cluster.mint("tester"));
        Some(Self::with(program, &kubeconfig, "app".to_owned(), Some(run)))
    }

    /// A program and a namespace of the server that `TEST_KUBECONFIG` names; `None` where there is
    /// none, or the program or kubectl is missing, which is recorded.
    pub(crate) async fn real(test: &str, program: &str) -> Option<Self> {
        let file = real::kubeconfig()?;
        let (program, kubectl) = (peer(test, program)?, peer(test, "kubectl")?);
        let kubeconfig = fs::read_to_string(file).expect("a kubeconfig");
        let namespace = format!("fairlead-test-{}-{}", std::process::id(), fastrand::u32(..));
        let mut tool = Self::with(kubectl, &kubeconfig, namespace, None);
        tool.ok(&format!("create namespace {}", tool.namespace)).await;
        tool.program = program;
        Some(tool)
    }

    fn with(program: PathBuf, kubeconfig: &str, namespace: String, run: Option<Run>) -> Self {
        let home = TempDir::new().expect("a directory");
        let config = home.path().join("config");
        fs::write(&config, kubeconfig).expect("written");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("restricted");
        Self { program, home, namespace, run }
    }

    /// Leaves nothing behind on a real server.
    pub(crate) async fn end(mut self) {
        if self.run.is_none() {
            self.program = find_peer("kubectl").expect("it made the namespace");
            self.ok(&format!("delete namespace {} --wait=false", self.namespace)).await;
        }
    }

    /// Writes a file in the home directory, which commands run in.
    pub(crate) fn file(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().expect("below the home")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// A command whose arguments are apart by spaces.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KUBECONFIG", self.home.path().join("config"))
            .current_dir(self.home.path())
            .args(["-n", &self.namespace])
            .args(line.split(' '))
            .kill_on_drop(true);
        command
    }

    /// What a command prints and how it ends.
    pub(crate) async fn run(&self, line: &str) -> Output {
        let output = timeout(PATIENCE, self.command(line).output()).await;
        let output = output.expect("in time").expect("the program starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// What a command prints that succeeds.
    pub(crate) async fn ok(&self, line: &str) -> String {
        let output = self.run(line).await;
        assert_eq!(output.code, Some(0), "{line}: {}{}", output.out, output.err);
        output.out
    }
}
