//! Those that read container logs and send them on, each with the receiver that it needs.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fairlead_benches::{
    Process,
    logs::{Arrivals, Lines, Receiver, rsyslog::Rsyslog, server::Server, sink},
    machine::Cores,
};

use crate::BenchError;

/// One of those compared.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// Fairlead's shipper.
    Shipper(Program),
    Rsyslog(Rsyslog),
}

/// A program, and what it is told before anything else.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    path: PathBuf,
    role: Option<&'static str>,
}

impl Program {
    /// The one that is given; else the one called `name` beside this program; else this program, in
    /// a role.
    pub(crate) fn find(
        given: Option<&PathBuf>,
        name: &str,
        role: &'static str,
    ) -> io::Result<Self> {
        if let Some(path) = given {
            return Ok(Self { path: path.clone(), role: None });
        }
        let own = std::env::current_exe()?;
        let beside = own.with_file_name(name);
        Ok(match beside.is_file() {
            true => Self { path: beside, role: None },
            false => Self { path: own, role: Some(role) },
        })
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(self.role);
        command
    }
}

/// A peer that runs.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) receiving: Receiving,
}

/// What takes a peer's lines.
pub(crate) struct Receiving {
    pub(crate) arrivals: Arrivals,
    kind: Kind,
}

enum Kind {
    Wire(Receiver),
    Lines(Server),
}

impl Receiving {
    /// What the sender says is missing.
    pub(crate) fn gaps(&self) -> Vec<fairlead_benches::logs::checker::Gap> {
        match &self.kind {
            Kind::Wire(receiver) => receiver.gaps(),
            Kind::Lines(_) => Vec::new(),
        }
    }
}

impl Peer {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Shipper(_) => "Fairlead",
            Self::Rsyslog(_) => "rsyslog",
        }
    }

    /// Starts what takes its lines.
    pub(crate) async fn receive(&self, lines: &Lines) -> Result<Receiving, BenchError> {
        let arrivals = Arrivals::new(lines.clone());
        let kind = match self {
            Self::Shipper(_) => Kind::Wire(Receiver::start(arrivals.clone()).await?),
            Self::Rsyslog(_) => Kind::Lines(sink::start(arrivals.clone()).await?),
        };
        Ok(Receiving { arrivals, kind })
    }

    /// Starts it on `cores`, to go on where the state in `folder` says.
    pub(crate) fn start(
        &self,
        pods: &Path,
        folder: &Path,
        receiving: &Receiving,
        cores: &Cores,
    ) -> Result<Process, BenchError> {
        let mut command = match (self, &receiving.kind) {
            (Self::Shipper(program), Kind::Wire(receiver)) => {
                let mut command = program.command();
                command.args(["--no-api", "--admin", "127.0.0.1:0", "--log", "error"]);
                command.arg("--logd").arg(format!("http://{}", receiver.address));
                command.arg("--pods").arg(pods).arg("--state").arg(folder);
                command
            }
            (Self::Rsyslog(rsyslog), Kind::Lines(sink)) => {
                rsyslog.command(pods, folder, sink.address)?
            }
            _ => unreachable!("a peer is started with what it made"),
        };
        Ok(Process::start(self.name(), &mut command, cores)?)
    }

    /// Starts both.
    pub(crate) async fn run(
        &self,
        lines: &Lines,
        pods: &Path,
        folder: &Path,
        cores: &Cores,
    ) -> Result<Running, BenchError> {
        let receiving = self.receive(lines).await?;
        let process = self.start(pods, folder, &receiving, cores)?;
        Ok(Running { process, receiving })
    }
}

impl Running {
    /// Waits until so many lines have arrived.
    pub(crate) async fn wait(&mut self, lines: u64) -> Result<(), BenchError> {
        const PATIENCE: Duration = Duration::from_secs(20);
        if self.receiving.arrivals.wait(lines, PATIENCE).await {
            return Ok(());
        }
        self.process.check()?;
        let arrived = self.receiving.arrivals.lines();
        Err(BenchError::Stalled { peer: self.process.name, arrived, lines })
    }
}
