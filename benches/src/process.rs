//! A process under measurement: its core, its CPU time, its memory, its end.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::machine::{self, Cores};

/// Why a process is not there or tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("{name} does not start: {source}")]
    Start {
        /// What it is called.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It ended before it was of use.
    #[error("{name} ended at once: {status}")]
    Ended {
        /// What it is called.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
    },
    /// It runs and does not what it should.
    #[error("{name} gave no right answer within {limit} s; the last attempt: {reason}")]
    NotReady {
        /// What it is called.
        name: &'static str,
        /// How long it had, in seconds.
        limit: u64,
        /// What the last attempt came to.
        reason: String,
    },
    /// The kernel's account of it cannot be read.
    #[error("{file} of {name} cannot be read: {source}")]
    Account {
        /// What it is called.
        name: &'static str,
        /// The file below /proc/PID.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It takes no signals.
    #[error("{name} cannot be signalled: {source}")]
    Signal {
        /// What it is called.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// CPU time used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// In all.
    pub total: Duration,
    /// How often the clock's tick found the process in its own code, and in the kernel on its behalf.
    ticks: Ticks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    user: u64,
    system: u64,
}

impl Cpu {
    /// The part of it in the process's own code: as exact as ticks are, a hundred a second.
    pub fn user(&self) -> Duration {
        let all = self.ticks.user + self.ticks.system;
        if all == 0 {
            return Duration::ZERO;
        }
        self.total.mul_f64(self.ticks.user as f64 / all as f64)
    }
}

impl std::ops::Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            ticks: Ticks {
                user: self.ticks.user.saturating_sub(earlier.ticks.user),
                system: self.ticks.system.saturating_sub(earlier.ticks.system),
            },
        }
    }
}

/// A process that is killed when dropped.
#[derive(Debug)]
pub struct Process {
    /// What it is called in errors and reports.
    pub name: &'static str,
    child: Child,
}

/// How long a process has to end, each time that it is asked.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at whether it has.
const LOOK: Duration = Duration::from_millis(20);

impl Process {
    /// Starts it on `cores`. Its standard output is thrown away.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn start(
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

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error when it is no longer there.
    ///
    /// # Errors
    /// Then.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(ProcessError::Ended { name: self.name, status }),
            Err(source) => Err(ProcessError::Start { name: self.name, source }),
        }
    }

    /// CPU time used so far, by all threads that it has now.
    ///
    /// # Errors
    /// When it is gone, or the kernel was built without CONFIG_SCHED_INFO.
    pub fn cpu(&self) -> Result<Cpu, ProcessError> {
        let file = "task/*/schedstat";
        cpu_of(Path::new(&self.proc("task"))).map_err(|source| ProcessError::Account {
            name: self.name,
            file,
            source,
        })
    }

    /// Memory in bytes: its own pages, and its share of those that it shares (Pss, proc(5)).
    ///
    /// # Errors
    /// When it is gone.
    pub fn pss(&self) -> Result<u64, ProcessError> {
        let failed =
            |source| ProcessError::Account { name: self.name, file: "smaps_rollup", source };
        let text = fs::read_to_string(self.proc("smaps_rollup")).map_err(failed)?;
        parse_pss(&text).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let failed = |source| ProcessError::Signal { name: self.name, source };
        let id = i32::try_from(self.child.id()).map_err(io::Error::other).map_err(failed)?;
        kill(Pid::from_raw(id), signal).map_err(|errno| failed(errno.into()))
    }

    /// Asks it to end (SIGINT, then SIGTERM), and waits until it has.
    ///
    /// # Errors
    /// When it is gone, or does not end.
    pub fn interrupt(&mut self) -> Result<(), ProcessError> {
        let name = self.name;
        let failed = |source| ProcessError::Signal { name, source };
        // What a shell runs in the background ignores SIGINT, and so does what that starts.
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            self.signal(signal)?;
            let asked = Instant::now();
            while asked.elapsed() < PATIENCE {
                if self.child.try_wait().map_err(failed)?.is_some() {
                    return Ok(());
                }
                thread::sleep(LOOK);
            }
        }
        Err(failed(io::ErrorKind::TimedOut.into()))
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time that this process has used so far.
///
/// # Errors
/// When the kernel was built without CONFIG_SCHED_INFO.
pub fn own_cpu() -> io::Result<Cpu> {
    cpu_of(Path::new("/proc/self/task"))
}

fn cpu_of(tasks: &Path) -> io::Result<Cpu> {
    let mut cpu = Cpu::default();
    for task in fs::read_dir(tasks)? {
        let task = task?.path();
        // A thread may have ended since.
        let Ok(schedstat) = fs::read_to_string(task.join("schedstat")) else { continue };
        let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
        cpu.total += parse_schedstat(&schedstat).unwrap_or_default();
        let ticks = parse_ticks(&stat).unwrap_or_default();
        cpu.ticks.user += ticks.user;
        cpu.ticks.system += ticks.system;
    }
    if cpu.total.is_zero() { Err(io::ErrorKind::NotFound.into()) } else { Ok(cpu) }
}

/// Nanoseconds on a core: the first field (Documentation/scheduler/sched-stats.rst of Linux).
fn parse_schedstat(text: &str) -> Option<Duration> {
    Some(Duration::from_nanos(text.split(' ').next()?.parse().ok()?))
}

/// Fields 14 (user) and 15 (system) of /proc/PID/stat (proc(5)); the name in field 2 may hold
/// spaces and brackets.
fn parse_ticks(stat: &str) -> Option<Ticks> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map(|field| field.parse().ok());
    Some(Ticks { user: ticks.next()??, system: ticks.next()?? })
}

fn parse_pss(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_behind_a_name_with_brackets() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 30 10 0 0 20 0 1 0 100 200 300";
        assert_eq!(parse_ticks(stat), Some(Ticks { user: 30, system: 10 }));
        assert_eq!(parse_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn the_user_part_is_that_of_the_time_between() {
        let at = |millis, user, system| Cpu {
            total: Duration::from_millis(millis),
            ticks: Ticks { user, system },
        };
        assert_eq!((at(1_000, 100, 0) - at(600, 60, 0)).user(), Duration::from_millis(400));
        assert_eq!((at(1_000, 60, 40) - at(600, 60, 0)).user(), Duration::ZERO);
        assert_eq!((at(1_000, 50, 50) - at(600, 40, 20)).user(), Duration::from_millis(100));
    }

    #[test]
    fn cpu_time_and_memory_are_read_with_their_units() {
        assert_eq!(parse_schedstat("1500 20 3\n"), Some(Duration::from_nanos(1500)));
        let rollup =
            "00400000-7fff [rollup]\nRss:  2000 kB\nPss:                1500 kB\nPss_Dirty: 7 kB\n";
        assert_eq!(parse_pss(rollup), Some(1_536_000));
    }
}
