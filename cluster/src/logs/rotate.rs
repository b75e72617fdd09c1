//! Rotation, as a kubelet does it: the file is renamed and a new one begun; files renamed before are
//! compressed; the oldest beyond the limit are removed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

const COMPRESSED: &str = "gz";
const UNFINISHED: &str = "tmp";

/// Renames the log. Returns what is to be done next, which takes as long as compressing one file.
///
/// # Errors
/// When the log cannot be renamed.
pub(super) fn rotate(log: &Path, max_files: usize) -> io::Result<Settlement> {
    let older = rotated(log)?;
    fs::rename(log, next_name(log, older.last()))?;
    // The file being written and the newest rotated one are counted, too.
    Ok(Settlement { older, keep: max_files.saturating_sub(2) })
}

/// Files that were renamed before the last: to be compressed, or removed.
#[derive(Debug)]
pub(super) struct Settlement {
    /// Oldest first.
    older: Vec<PathBuf>,
    keep: usize,
}

/// A name that sorts behind those of the files renamed before: its time, in the kubelet's form.
fn next_name(log: &Path, newest: Option<&PathBuf>) -> PathBuf {
    let mut time = Timestamp::now();
    loop {
        let name = suffixed(log, &time.strftime("%Y%m%d-%H%M%S").to_string());
        // The newest may have been compressed.
        if newest.is_none_or(|newest| *newest < name && *newest != suffixed(&name, COMPRESSED)) {
            return name;
        }
        // More than one rotation in a second.
        time += jiff::SignedDuration::from_secs(1);
    }
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

impl Settlement {
    /// Compresses and removes. Blocks.
    pub(super) fn settle(self) {
        // Left by a compression that did not end; the file itself is still there.
        let unfinished = |file: &PathBuf| file.extension().is_some_and(|end| end == UNFINISHED);
        let (unfinished, complete): (Vec<_>, Vec<_>) = self.older.into_iter().partition(unfinished);
        let surplus = complete.len().saturating_sub(self.keep);
        let (old, kept) = complete.split_at(surplus);
        for file in unfinished.iter().chain(old) {
            report(fs::remove_file(file), file);
        }
        for file in kept.iter().filter(|file| file.extension().is_none_or(|e| e != COMPRESSED)) {
            report(compress(file), file);
        }
    }
}

fn report(result: io::Result<()>, file: &Path) {
    match result {
        // The pod may have been removed meanwhile.
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, file = %file.display(), "rotated log not settled");
        }
        _ => {}
    }
}

/// Replaces a file by its compressed form, which appears whole or not at all.
fn compress(file: &Path) -> io::Result<()> {
    let unfinished = suffixed(file, UNFINISHED);
    let mut encoder = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(file)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&unfinished, suffixed(file, COMPRESSED))?;
    fs::remove_file(file)
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
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

    #[test]
    fn all_but_the_newest_are_compressed_and_the_oldest_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("0.log");
        for number in 0..7 {
            fs::write(&log, format!("file {number}")).expect("written");
            rotate(&log, 4).expect("rotated").settle();
        }
        fs::write(&log, "file 7").expect("written");
        let files = rotated(&log).expect("listed");
        // With the one being written: four.
        assert_eq!(files.len(), 3, "{files:?}");
        let content: Vec<String> = files
            .iter()
            .map(|path| {
                let mut text = String::new();
                let mut file = File::open(path).expect("opened");
                match path.extension().is_some_and(|e| e == COMPRESSED) {
                    true => GzDecoder::new(file).read_to_string(&mut text).expect("gzip"),
                    false => file.read_to_string(&mut text).expect("text"),
                };
                text
            })
            .collect();
        assert_eq!(content, ["file 4", "file 5", "file 6"]);
        let compressed: Vec<bool> =
            files.iter().map(|file| file.extension().is_some_and(|e| e == COMPRESSED)).collect();
        assert_eq!(compressed, [true, true, false]);
    }

    #[test]
    fn an_unfinished_compression_is_begun_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let log = directory.path().join("0.log");
        let old = directory.path().join("0.log.20260101-000000");
        fs::write(&old, "old").expect("written");
        fs::write(suffixed(&old, UNFINISHED), "hal").expect("written");
        fs::write(&log, "new").expect("written");
        rotate(&log, 5).expect("rotated").settle();
        assert!(!old.exists() && !suffixed(&old, UNFINISHED).exists());
        assert!(suffixed(&old, COMPRESSED).exists());
    }
}
