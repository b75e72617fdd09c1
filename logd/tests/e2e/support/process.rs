//! A logd as a process, which can be killed.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use super::{Api, Client, SERVICE};

/// A running one. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) wire: SocketAddr,
    /// What it says on standard error, line by line.
    pub(crate) said: mpsc::Receiver<String>,
}

impl Process {
    /// One of the Service in `api`, called `name`; `folder` is for a file of its own.
    pub(crate) fn start(api: &Api, name: &str, folder: &Path) -> Self {
        Self::with(api, name, folder, &["--peers", SERVICE, "--name", name])
    }

    /// One with these flags.
    pub(crate) fn with(api: &Api, name: &str, folder: &Path, args: &[&str]) -> Self {
        Self::within(api, name, folder, args, &[])
    }

    /// One with these flags, and these variables in its environment.
    pub(crate) fn within(
        api: &Api,
        name: &str,
        folder: &Path,
        args: &[&str],
        variables: &[(&str, &Path)],
    ) -> Self {
        let kubeconfig = folder.join(name);
        std::fs::write(&kubeconfig, api.kubeconfig()).unwrap();
        let any = "127.0.0.1:0";
        let mut child = Command::new(env!("CARGO_BIN_EXE_fairlead-logd"))
            .args(["--no-auth", "--http", any, "--wire", any])
            .args(args)
            .env("FAIRLEAD_LOGD_LOG", "debug")
            .env("KUBECONFIG", &kubeconfig)
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, said) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        // What nobody reads would make it wait.
        thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                let _ = line.send(text);
            }
        });
        let (http, wire) = loop {
            let text = said.recv_timeout(Duration::from_secs(60)).unwrap();
            let address = |key: &str| {
                let (_, rest) = text.split_once(key)?;
                rest.split_whitespace().next()?.parse().ok()
            };
            if let Some(addresses) = address("http=").zip(address("wire=")) {
                break addresses;
            }
        };
        Self { child, http, wire, said }
    }

    pub(crate) fn client(&self) -> Client {
        Client::at(self.http)
    }

    /// Kilobytes of memory that it has.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        resident.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
