//! A real client, unchanged, with a cluster of its own that runs pods.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use fairlead_test_support::peer;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use super::run_support::{Run, start};

/// No command takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program, and the home directory it runs in.
pub(crate) struct Tool {
    program: PathBuf,
    home: TempDir,
    _run: Run,
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
        let home = TempDir::new().expect("a directory");
        let config = home.path().join("config");
        let token = run.cluster.mint("tester");
        fs::write(&config, run.cluster.kubeconfig(&token)).expect("written");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).expect("restricted");
        Some(Self { program, home, _run: run })
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
            .args(["-n", "app"])
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
