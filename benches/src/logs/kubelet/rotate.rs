//! What a kubelet does to a container's log that has become large, step by step
//! (pkg/kubelet/logs/container_log_manager.go).
//!
//! 1. What an earlier compression left unfinished is removed.
//! 2. The oldest rotated files are removed, so that the files that will be there are not too many.
//! 3. The other rotated files are compressed: into `.tmp`, renamed to `.gz`, the plain one removed.
//! 4. The log is renamed to the time. The runtime is then told to reopen it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

const COMPRESSED: &str = "gz";
const UNFINISHED: &str = "tmp";

/// What a rotation did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rotated {
    /// The name that the log has now.
    pub(super) renamed: PathBuf,
    /// Names, without `.gz`, of the files that are no longer there.
    pub(super) removed: Vec<PathBuf>,
}

/// Steps 1 to 4.
pub(super) fn rotate(log: &Path, max_files: usize) -> io::Result<Rotated> {
    let mut files = rotated(log)?;
    let stale = |file: &PathBuf| has(file, UNFINISHED) || with(file, COMPRESSED).exists();
    for file in files.extract_if(.., |file| stale(file)) {
        fs::remove_file(file)?;
    }
    // The log itself and the file that it is about to become.
    let surplus = files.len().saturating_sub(max_files.saturating_sub(2));
    let mut removed = Vec::new();
    for file in files.drain(..surplus) {
        fs::remove_file(&file)?;
        removed.push(if has(&file, COMPRESSED) { file.with_extension("") } else { file });
    }
    for file in files.iter().filter(|file| !has(file, COMPRESSED)) {
        compress(file)?;
    }
    let renamed = with(log, &Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string());
    if renamed.exists() || with(&renamed, COMPRESSED).exists() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "two rotations in a second"));
    }
    fs::rename(log, &renamed)?;
    Ok(Rotated { renamed, removed })
}

/// Files renamed before, oldest first.
fn rotated(log: &Path) -> io::Result<Vec<PathBuf>> {
    let prefix = format!("{}.", log.file_name().unwrap_or_default().to_string_lossy());
    let mut files = Vec::new();
    for entry in fs::read_dir(log.parent().unwrap_or(log))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn compress(file: &Path) -> io::Result<()> {
    let unfinished = with(file, UNFINISHED);
    let mut encoder = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(file)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(&unfinished, with(file, COMPRESSED))?;
    fs::remove_file(file)
}

fn has(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|end| end == extension)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_rotation_removes_compresses_and_renames() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        for name in ["0.log", "1.log", "0.log.20260101-000004", "0.log.20260101-000004.tmp"] {
            fs::write(file(name), name).unwrap();
        }
        // One that was compressed, but is not yet removed; and those that are too many.
        fs::write(file("0.log.20260101-000003"), "plain").unwrap();
        for name in ["0.log.20260101-000003.gz", "0.log.20260101-000002.gz"] {
            fs::write(file(name), "gz").unwrap();
        }
        fs::write(file("0.log.20260101-000001"), "old").unwrap();

        let Rotated { renamed, removed } = rotate(&file("0.log"), 5).unwrap();
        assert_eq!(removed, [file("0.log.20260101-000001")]);
        assert_eq!(fs::read_to_string(&renamed).unwrap(), "0.log");
        let newest = renamed.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            names(directory.path()),
            [
                "0.log.20260101-000002.gz",
                "0.log.20260101-000003.gz",
                "0.log.20260101-000004.gz",
                newest,
                "1.log"
            ]
        );
        let mut text = String::new();
        let compressed = File::open(file("0.log.20260101-000004.gz")).unwrap();
        GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
        assert_eq!(text, "0.log.20260101-000004");
    }

    #[test]
    fn names_have_seconds() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("0.log");
        let mut refused = false;
        for _ in 0..3 {
            fs::write(&log, "").unwrap();
            refused |=
                rotate(&log, 9).is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists);
        }
        assert!(refused);
    }
}
