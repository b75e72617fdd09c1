//! A process that may be killed at any time, and started again.

use std::fs::OpenOptions;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A process. It is killed when dropped.
#[derive(Debug)]
pub struct Component {
    child: Child,
}

impl Component {
    /// Starts it. What it tells is appended to the file `log`.
    ///
    /// # Errors
    /// Where there is no such program.
    pub fn start(command: &mut Command, log: &PathBuf) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let command = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { child: command.spawn()? })
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// Those of waitpid(2).
    pub fn runs(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Lets it stand still, as a process that hangs does: what connects to it is taken and not served.
    ///
    /// # Errors
    /// Where it cannot be told so.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// Where it cannot be told so.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("kill: {status}"))) }
    }

    /// Ends it as `kill -9` does, and waits until it has ended.
    ///
    /// # Errors
    /// Where it had ended by itself.
    pub fn kill(mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => self.child.kill().and_then(|()| self.child.wait()).map(drop),
            Some(status) => Err(io::Error::other(format!("it had ended: {status}"))),
        }
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that a process can listen at, and again after it was killed. Others are unlikely to
/// take it meanwhile: it is on a loopback address that the system does not choose by itself.
///
/// # Errors
/// Where there is none.
pub fn address() -> io::Result<SocketAddr> {
    let [a, b, c] = std::array::from_fn(|_| fastrand::u8(1..255));
    let address = Ipv4Addr::new(127, a, b, c);
    TcpListener::bind((address, 0))?.local_addr()
}
