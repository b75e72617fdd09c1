//! rsyslog as it is set up to follow container logs and to send them on over TCP, or to pass messages on.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program, and what it loads.
#[derive(Debug, Clone)]
pub struct Rsyslog {
    program: PathBuf,
    modules: Option<PathBuf>,
}

impl Rsyslog {
    /// The one that `./dev test-deps` fetched, else the system's.
    #[must_use]
    pub fn find() -> Option<Self> {
        let program = fairlead_test_support::find_peer("rsyslogd")?;
        // An unpacked one does not find its modules.
        let unpacked = program.parent()?.parent()?.join("rsyslog/usr/lib");
        let modules = unpacked.read_dir().ok().and_then(|folders| {
            folders.flatten().map(|folder| folder.path().join("rsyslog")).find(|path| path.is_dir())
        });
        Some(Self { program, modules })
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        let output = Command::new(&self.program).arg("-v").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        text.split_whitespace().nth(1).map(str::to_owned)
    }

    /// Follows the files under `pods` from their beginning, or from where the state that it left in
    /// `folder` says, and sends lines as they stand there, ended by line feeds. What that does not need
    /// is left at its default.
    ///
    /// # Errors
    /// Where its configuration cannot be written.
    pub fn command(&self, pods: &Path, folder: &Path, sink: SocketAddr) -> io::Result<Command> {
        let state = folder.join("rsyslog");
        std::fs::create_dir_all(&state)?;
        let config = state.join("rsyslog.conf");
        let (pods, port) = (pods.display(), sink.port());
        let text = format!(
            r#"global(workDirectory="{state}" maxMessageSize="64k")
module(load="imfile" mode="inotify")
template(name="line" type="string" string="%msg%\n")
input(type="imfile" File="{pods}/*/*/0.log" Tag="pods:" ruleset="send")
ruleset(name="send") {{
    action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="line")
}}
"#,
            state = state.display()
        );
        std::fs::write(&config, text)?;
        Ok(self.with(&config, &state))
    }

    /// Takes messages over TCP at `from` and passes them on to `sink`, in RFC 5424 behind their lengths.
    /// What that does not need is left at its default.
    ///
    /// # Errors
    /// Where its configuration cannot be written.
    pub fn relay(&self, folder: &Path, from: SocketAddr, sink: SocketAddr) -> io::Result<Command> {
        let state = folder.join("rsyslog");
        std::fs::create_dir_all(&state)?;
        let config = state.join("rsyslog.conf");
        let text = format!(
            r#"global(workDirectory="{state}" maxMessageSize="64k")
module(load="imtcp")
input(type="imtcp" address="{ip}" port="{port}" ruleset="send")
ruleset(name="send") {{
    action(type="omfwd" target="127.0.0.1" port="{sink}" protocol="tcp" tcp_framing="octet-counted"
           template="RSYSLOG_SyslogProtocol23Format")
}}
"#,
            state = state.display(),
            ip = from.ip(),
            port = from.port(),
            sink = sink.port(),
        );
        std::fs::write(&config, text)?;
        Ok(self.with(&config, &state))
    }

    fn with(&self, config: &Path, state: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-n").arg("-f").arg(config).arg("-i").arg(state.join("pid"));
        if let Some(modules) = &self.modules {
            command.arg("-M").arg(modules);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::logs::{Arrivals, Lines, kubelet::fill, sink, truth::ContainerName};

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[tokio::test]
    async fn it_sends_what_stands_in_the_files() {
        let Some(rsyslog) = Rsyslog::find() else {
            let test = "it_sends_what_stands_in_the_files";
            return fairlead_test_support::skip(test, "rsyslogd is not installed");
        };
        assert!(rsyslog.version().is_some_and(|version| version.starts_with('8')));
        let folder = tempfile::tempdir().unwrap();
        let pods = folder.path().join("pods");
        let lines = Lines::new(4);
        let names = ["a", "b"].map(|pod| ContainerName {
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            uid: pod.to_owned(),
            container: "web".to_owned(),
        });
        let truth = fill(&pods, names.into(), &lines, 4, 5000).unwrap();
        let arrivals = Arrivals::new(lines);
        let sink = sink::start(arrivals.clone()).await.unwrap();
        let mut command = rsyslog.command(&pods, folder.path(), sink.address).unwrap();
        let _rsyslog = Killed(command.stdin(Stdio::null()).spawn().unwrap());
        assert!(
            arrivals.wait(truth.lines(), Duration::from_secs(20)).await,
            "{}",
            arrivals.check(|checker| checker.verdict(&truth, &[]))
        );
    }
}
