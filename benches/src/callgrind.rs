//! Counting instructions with valgrind's callgrind: unlike time, they do not depend on what else the
//! machine does. The kernel's are not counted.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use fairlead_test_support::find_peer;

use crate::Process;

/// Why there is no count.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The program could not be told to begin or to end.
    #[error("vgdb does not reach {name}: {reason}")]
    Switch {
        /// What it is called.
        name: &'static str,
        /// What vgdb says.
        reason: String,
    },
    /// The program did not leave one.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file that callgrind was to write.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not as expected.
    #[error("{} has no line `totals:`", .0.display())]
    Totals(PathBuf),
}

/// Which instructions count.
#[derive(Clone, Copy, Debug)]
pub enum Counted<'a> {
    /// Those of functions whose name is like this, and of what they call.
    Within(&'a str),
    /// Those between [`Callgrind::begin`] and [`Callgrind::end`].
    OnDemand,
}

/// valgrind, and what talks to a program that runs in it.
#[derive(Clone, Debug)]
pub struct Callgrind {
    valgrind: PathBuf,
    vgdb: PathBuf,
}

impl Callgrind {
    /// Where both are there.
    pub fn find() -> Option<Self> {
        Some(Self { valgrind: find_peer("valgrind")?, vgdb: find_peer("vgdb")? })
    }

    /// `command` under callgrind, which writes to `out` when it ends.
    pub fn wrap(&self, command: &Command, counted: Counted<'_>, out: &Path) -> Command {
        let mut wrapped = Command::new(&self.valgrind);
        wrapped
            // Some programs are scripts that end in the program itself.
            .args(["--tool=callgrind", "--quiet", "--trace-children=yes"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(match counted {
                Counted::Within(function) => format!("--toggle-collect={function}"),
                Counted::OnDemand => "--instr-atstart=no".to_owned(),
            })
            .arg(command.get_program())
            .args(command.get_args());
        let set = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
        wrapped.envs(set);
        wrapped
    }

    /// What `process` does counts from now on.
    ///
    /// # Errors
    /// When it does not run under callgrind.
    pub fn begin(&self, process: &Process) -> Result<(), CountError> {
        self.switch(process, "on")
    }

    /// What it does no longer counts.
    ///
    /// # Errors
    /// As [`Callgrind::begin`].
    pub fn end(&self, process: &Process) -> Result<(), CountError> {
        self.switch(process, "off")
    }

    fn switch(&self, process: &Process, to: &str) -> Result<(), CountError> {
        let failed = |reason| CountError::Switch { name: process.name, reason };
        let output = Command::new(&self.vgdb)
            .arg(format!("--pid={}", process.id()))
            .args(["instrumentation", to])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// The instructions in the file `out`.
///
/// # Errors
/// When it is not there or holds no count.
pub fn instructions(out: &Path) -> Result<f64, CountError> {
    let path = out.to_owned();
    let text = fs::read_to_string(out)
        .map_err(|source| CountError::Read { path: path.clone(), source })?;
    totals(&text).ok_or(CountError::Totals(path))
}

/// The line `totals:` (Callgrind Format Specification).
fn totals(text: &str) -> Option<f64> {
    text.lines().rev().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_total() {
        let text = "# callgrind format\nevents: Ir\nsummary: 7\n\nfn=(1)\n3 4\n\ntotals: 1234567\n";
        assert_eq!(totals(text), Some(1_234_567.0));
        assert_eq!(totals("events: Ir\n"), None);
    }
}
