//! Counting instructions with valgrind's callgrind: unlike time, they do not depend on what else the
//! machine does. The kernel's are not counted.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Why there is no count.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
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

/// `command` under callgrind, which writes to `out` when it ends.
pub fn wrap(valgrind: &Path, command: &Command, out: &Path) -> Command {
    let mut wrapped = Command::new(valgrind);
    wrapped
        // Some programs are scripts that end in the program itself.
        .args(["--tool=callgrind", "--quiet", "--trace-children=yes"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            wrapped.env(key, value);
        }
    }
    wrapped
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
