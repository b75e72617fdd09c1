//! A process under measurement: its core, its CPU time, its end.

use std::{
    fs, io,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;

use crate::machine::{self, Cores};

/// Why a process is not there or tells nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("{name} does not start: {source}")]
    Start { name: &'static str, source: io::Error },
    #[error("{name} ended at once: {status}")]
    Ended { name: &'static str, status: String },
    #[error("{name} gave no right answer within {limit} s; the last attempt: {reason}")]
    NotReady { name: &'static str, limit: u64, reason: String },
    #[error("the CPU time of {name} cannot be read: {source}")]
    Cpu { name: &'static str, source: io::Error },
}

/// CPU time used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cpu {
    /// In the process's own code.
    pub(crate) user: Duration,
    /// In the kernel on its behalf.
    pub(crate) system: Duration,
}

/// A process that is killed when dropped.
pub(crate) struct Process {
    /// What it is called in errors and reports.
    pub(crate) name: &'static str,
    child: Child,
}

impl Process {
    /// Starts it on `cores`.
    pub(crate) fn start(
        name: &'static str,
        command: &mut Command,
        cores: &Cores,
    ) -> Result<Self, ProcessError> {
        let failed = |source| ProcessError::Start { name, source };
        // A child starts on the cores of the thread that starts it.
        let child =
            machine::on(cores, || command.stdin(Stdio::null()).stdout(Stdio::null()).spawn());
        Ok(Self { name, child: child.and_then(|spawned| spawned).map_err(failed)? })
    }

    /// An error when it is no longer there.
    pub(crate) fn check(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                Err(ProcessError::Ended { name: self.name, status: status.to_string() })
            }
            Err(source) => Err(ProcessError::Start { name: self.name, source }),
        }
    }

    /// CPU time used so far, by all its threads.
    pub(crate) fn cpu(&self) -> Result<Cpu, ProcessError> {
        let failed = |source| ProcessError::Cpu { name: self.name, source };
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).map_err(failed)?;
        let ticks =
            sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|ticks| u32::try_from(ticks).ok());
        parse_stat(&stat, ticks.unwrap_or(100))
            .ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fields 14 and 15 of /proc/PID/stat (proc(5)); the name in field 2 may hold spaces and brackets.
fn parse_stat(stat: &str, ticks_per_second: u32) -> Option<Cpu> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map(|field| field.parse::<u32>().ok());
    let mut next = || Some(Duration::from_secs(1) * ticks.next()?? / ticks_per_second);
    Some(Cpu { user: next()?, system: next()? })
}

impl std::ops::Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_name_with_brackets() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 123 45 0 0 20 0 1 0 100 200 300";
        let cpu = Cpu { user: Duration::from_millis(1230), system: Duration::from_millis(450) };
        assert_eq!(parse_stat(stat, 100), Some(cpu));
        assert_eq!(parse_stat("7 (a) S 1", 100), None);
    }
}
