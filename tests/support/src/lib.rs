//! What tests and benchmarks of every room share: finding the programs they compare with, and
//! telling `./dev` what was skipped and what was measured.
#![forbid(unsafe_code)]
#![cfg_attr(
    feature = "syslog",
    allow(clippy::unwrap_used, reason = "a test that cannot go on panics")
)]

#[cfg(feature = "syslog")]
pub mod authority;
#[cfg(feature = "syslog")]
pub mod syslog;

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where `./dev test-deps` puts programs.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers/bin");

/// The program `name`: the one that `./dev test-deps` fetched, else the one on `PATH`.
#[must_use]
pub fn find_peer(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from(PEERS))
        .chain(env::split_paths(&path))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// The program `name` for the test `test`. Where it is missing the skip is recorded, and the
/// test is to return.
#[must_use]
pub fn peer(test: &str, name: &str) -> Option<PathBuf> {
    let found = find_peer(name);
    if found.is_none() {
        skip(test, &format!("{name} is not installed"));
    }
    found
}

/// Records that `test` did not check its promise. `./dev test` lists skips at its end;
/// `.ci/run` fails on one that `tests/expected-skips.txt` does not name.
pub fn skip(test: &str, reason: &str) {
    record("FAIRLEAD_SKIPS", &format!("SKIP {test}: {reason}"));
}

/// Whether tests shall run with their full numbers (`./dev soak`).
#[must_use]
pub fn soaking() -> bool {
    env::var_os("FAIRLEAD_SOAK").is_some()
}

/// Records what `test` measured, for the page that `./dev soak` writes.
pub fn figure(test: &str, figures: &str) {
    record("FAIRLEAD_FIGURES", &format!("{test}: {figures}"));
}

/// Appends a line to the file that the variable names, and shows it either way.
///
/// # Panics
/// Where the file cannot be written: a skip must not go unseen.
fn record(variable: &str, line: &str) {
    eprintln!("{line}");
    if let Some(file) = env::var_os(variable) {
        // One write in append mode, so that lines of tests in parallel do not mix.
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(Path::new(&file))
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .expect("./dev names a file that can be written");
    }
}
