//! The directory that logs and volumes are kept in.

use std::fs;
use std::io;
use std::path::Path;

use super::volumes::private_directory;

/// Logs, and everything else of pods.
const PARTS: [&str; 2] = ["pods", "run"];

/// Marks a directory as this kubelet's: nothing is removed from one that has no mark.
const MARK: &str = ".fairlead-cluster";

/// Takes the directory: what a former run left in it is removed.
///
/// # Errors
/// When it holds directories of these names that no cluster has made, or cannot be written.
pub(super) fn take(state: &Path) -> io::Result<()> {
    private_directory(state)?;
    let mark = state.join(MARK);
    let marked = mark.exists();
    for part in PARTS.map(|part| state.join(part)) {
        if marked {
            match fs::remove_dir_all(&part) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        } else if part.exists() {
            let part = part.display();
            let why =
                format!("{part} is there and was not made by a cluster: use another directory");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
    }
    fs::write(mark, "Logs and volumes of pods. Removed when the next cluster starts here.\n")?;
    PARTS.iter().try_for_each(|part| private_directory(&state.join(part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_cluster_has_left_is_removed() {
        let state = tempfile::tempdir().expect("a directory");
        take(state.path()).expect("empty");
        let left = state.path().join("pods/left");
        fs::write(&left, "").expect("written");
        fs::write(state.path().join("other"), "").expect("written");
        take(state.path()).expect("its own");
        assert!(!left.exists() && state.path().join("other").exists());
        assert!(state.path().join("run").is_dir());

        let foreign = tempfile::tempdir().expect("a directory");
        let data = foreign.path().join("run/data");
        fs::create_dir_all(&data).expect("made");
        let refused = take(foreign.path()).expect_err("not its own");
        assert!(
            refused
                .to_string()
                .ends_with("/run is there and was not made by a cluster: use another directory")
        );
        assert!(data.exists());
    }
}
