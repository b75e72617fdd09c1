//! A running `fairlead up` and what it printed.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Everything here takes milliseconds; this only bounds a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process with ports, state and manifests of its own. Dropped, it is killed.
pub(crate) struct Up {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    dir: tempfile::TempDir,
}

impl Up {
    /// Starts on a copy of `examples/hello`.
    pub(crate) fn example() -> Self {
        let up = tempfile::tempdir().unwrap();
        let manifests = up.path().join("manifests");
        fs::create_dir(&manifests).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hello");
        for entry in fs::read_dir(example).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), manifests.join(entry.file_name())).unwrap();
        }
        Self::start(up, &[])
    }

    /// Starts on the folder `manifests` of `dir`.
    pub(crate) fn start(dir: tempfile::TempDir, args: &[&str]) -> Self {
        let mut child = command(&dir.path().join("state"), &dir.path().join("manifests"))
            .args(["--http-port=0", "--https-port=0", "--admin-port=0", "--logs-port=0"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines, seen: Vec::new(), dir }
    }

    pub(crate) fn manifest(&self, name: &str) -> PathBuf {
        self.dir.path().join("manifests").join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.dir.path().join("manifests")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The first line, printed already or yet to come, in which `find` finds something.
    pub(crate) fn line<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        if let Some(found) = self.seen.iter().find_map(|line| find(line)) {
            return found;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line);
                    if let Some(found) = find(self.seen.last().unwrap()) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {what} in time; printed: {:#?}", self.seen)
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without {what}; printed: {:#?}", self.seen)
                }
            }
        }
    }

    /// The port in the URL of `host` that was printed.
    pub(crate) fn port(&mut self, scheme: &str, host: &str) -> u16 {
        let prefix = format!("  {scheme}://{host}:");
        self.line(&prefix, |line| line.strip_prefix(&prefix)?.parse().ok())
    }

    /// Waits until at least `pods` pods are ready.
    pub(crate) fn ready(&mut self, pods: usize) {
        self.line(&format!("{pods} ready pods"), |line| {
            let (ready, all) =
                line.split(" · ").find_map(|part| part.strip_prefix("pods "))?.split_once('/')?;
            (ready.parse() == Ok(pods) && all.starts_with(&format!("{pods} "))).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the end of fairlead up", || self.child.try_wait().unwrap())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `fairlead up` without ports.
pub(crate) fn command(state: &Path, manifests: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairlead"));
    command.arg("up").arg("--state-dir").arg(state).arg("--manifests").arg(manifests);
    command
}

/// The exit code and standard error of a command that ends by itself.
pub(crate) fn fails(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = until("the end of the command", || child.try_wait().unwrap());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (status.code(), stderr)
}

/// Looks again and again until `probe` gives something.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process, told apart from a later one with the same id by its start time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    id: u32,
    parent: u32,
    started: String,
}

/// All processes that live; one that is dead and not yet collected does not count.
fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap();
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        // proc_pid_stat(5): after the name in brackets come state, parent, and as the 20th start time.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let started = (*fields.get(19)?).to_owned();
        (fields[0] != "Z")
            .then(|| Some(Process { id, parent: fields[1].parse().ok()?, started }))?
    })
    .collect()
}

/// What `id` has started, directly or not.
pub(crate) fn descendants(id: u32) -> Vec<Process> {
    let all = processes();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![id];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.id);
            found.push(process.clone());
        }
    }
    found
}

/// Those of `processes` that still live.
pub(crate) fn alive(past: &[Process]) -> Vec<Process> {
    let now = processes();
    past.iter()
        .filter(|p| now.iter().any(|n| n.id == p.id && n.started == p.started))
        .cloned()
        .collect()
}
