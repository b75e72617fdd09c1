//! Running a command as a process group that cannot outlive the cluster.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::env::Env;
use super::supervision::Supervision;
use crate::supervisor;

/// Waits for a line before it becomes the command, and gives up when the line does not come. So no
/// command ever runs that the supervisor does not know of: if the cluster is killed in between,
/// this process reads the end of the pipe. It keeps its process id.
const GATE: &str = "read -r _go || exit 125; exec \"$@\" </dev/null";

/// What to run.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The command and its arguments; not empty.
    pub(super) argv: Vec<String>,
    pub(super) env: Env,
    pub(super) directory: PathBuf,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The program is not on this machine.
    #[error("exec: {0:?}: executable file not found in $PATH")]
    NotFound(String),
    /// The directory to run in is not there.
    #[error("chdir to cwd ({0:?}) failed: no such directory")]
    NoDirectory(PathBuf),
    /// The system refused.
    #[error("cannot start a process: {0}")]
    Io(#[from] io::Error),
}

/// A running process group. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Group,
    supervision: Supervision,
}

#[derive(Debug)]
struct Group {
    id: i32,
    started: u64,
}

impl Drop for Group {
    fn drop(&mut self) {
        supervisor::kill(self.id, self.started);
    }
}

impl Program {
    /// Starts the program.
    ///
    /// # Errors
    /// When it is not there, or the system refuses.
    pub(super) async fn start(&self, supervision: &Supervision) -> Result<Process, StartError> {
        self.check()?;
        let mut child = Command::new("/bin/sh")
            .args(["-c", GATE, "sh"])
            .args(&self.argv)
            .env_clear()
            .envs(self.env.iter())
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).ok_or_else(gone)?;
        // Nobody has waited for it yet: the number is still its own, even if it has ended.
        let started = supervisor::start_time(id).ok_or_else(gone)?;
        let group = Group { id, started };
        supervision.add(id, started).await;
        if let Some(mut gate) = child.stdin.take() {
            // Fails only when it was killed meanwhile, which waiting for it will show.
            let _ = gate.write_all(b"go\n").await;
        }
        Ok(Process { child, group, supervision: supervision.clone() })
    }

    /// What the shell that waits at the gate would find out too late to say it properly.
    fn check(&self) -> Result<(), StartError> {
        if !self.directory.is_dir() {
            return Err(StartError::NoDirectory(self.directory.clone()));
        }
        let name = self.argv.first().map_or("", String::as_str);
        let found = if name.contains('/') {
            executable(&self.directory.join(name))
        } else {
            let path = self.env.get("PATH").unwrap_or_default();
            let mut directories = std::env::split_paths(OsStr::new(path));
            !name.is_empty() && directories.any(|directory| executable(&directory.join(name)))
        };
        if found { Ok(()) } else { Err(StartError::NotFound(name.to_owned())) }
    }
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

impl Process {
    /// The process group; the id of its leader.
    pub(super) fn group(&self) -> i32 {
        self.group.id
    }

    /// Standard output and standard error, once.
    pub(super) fn output(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        Some((self.child.stdout.take()?, self.child.stderr.take()?))
    }

    /// Waits until the leader has ended, then ends what it left behind in its group. Cancel safe.
    pub(super) async fn wait(&mut self) -> i32 {
        let status = self.child.wait().await;
        // As a container ends with its first process.
        let _ = killpg(Pid::from_raw(self.group.id), Signal::SIGKILL);
        self.supervision.remove(self.group.id).await;
        status.map_or(-1, code)
    }

    /// Asks all of the group to end.
    pub(super) fn terminate(&self) {
        let _ = killpg(Pid::from_raw(self.group.id), Signal::SIGTERM);
    }

    /// Ends all of the group.
    pub(super) fn kill(&self) {
        let _ = killpg(Pid::from_raw(self.group.id), Signal::SIGKILL);
    }
}

fn gone() -> io::Error {
    io::Error::other("the process is gone before it was waited for")
}

/// The exit status as a shell shows it.
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}
