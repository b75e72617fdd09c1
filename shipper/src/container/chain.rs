//! What a container's directory holds, and what that makes of the files that were known.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use super::{Container, LogFile, Place};
use crate::file::{Content, Inode, read_head};
use crate::path::{LogName, RotatedAt};

/// A log file in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What its name says.
    pub name: LogName,
    /// Which file it is; behind a symbolic link, the one it leads to.
    pub inode: Inode,
    /// Whether nothing is in it.
    pub empty: bool,
}

impl Entry {
    const fn place(&self) -> Place {
        match self.name.rotated {
            None => Place::Live,
            Some(at) => Place::Rotated(at, self.name.compressed),
        }
    }

    const fn order(&self) -> (u32, bool, Option<RotatedAt>) {
        (self.name.restart, self.name.rotated.is_none(), self.name.rotated)
    }
}

/// The log files of a container, oldest first. Where a file is being compressed only one of its two
/// forms is among them.
///
/// # Errors
/// Where the directory cannot be read.
pub fn list(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().and_then(LogName::parse) else { continue };
        // It may be gone by now.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if metadata.is_file() {
            entries.push(Entry { name, inode: Inode::of(&metadata), empty: metadata.len() == 0 });
        }
    }
    entries.sort_by_key(|entry| (entry.order(), entry.name.compressed));
    entries.dedup_by_key(|entry| entry.order());
    Ok(entries)
}

impl Container {
    /// Takes what its directory holds now. New files get numbers from `ids`.
    pub fn reconcile(&mut self, entries: &[Entry], ids: &mut u64, now: Instant) {
        let mut found = vec![false; self.files.len()];
        let mut new = Vec::new();
        let live = self.files.iter().filter(|file| file.place == Place::Live);
        let live: Vec<u64> = live.map(|file| file.id).collect();
        for entry in entries {
            let known = self.known(entry, &found);
            if let Some(index) = known {
                found[index] = true;
                self.files[index].place = entry.place();
                continue;
            }
            let Some(file) = self.discover(entry, now) else { continue };
            // Renamed or compressed while nobody looked.
            let same = |old: &LogFile| {
                old.head.is_some() && old.head == file.head && old.restart == file.restart
            };
            match self.files.iter().position(same).filter(|index| !found[*index]) {
                Some(index) => {
                    found[index] = true;
                    let old = &mut self.files[index];
                    old.place = file.place;
                    if old.content.is_none() && !old.is_done() {
                        (old.content, old.inode) = (file.content, file.inode);
                    }
                }
                None => new.push(file),
            }
        }
        for mut file in chronological(new) {
            file.id = *ids;
            *ids += 1;
            // One that was renamed while the directory was listed last was not in that list, and what was
            // written by then is newer.
            let missed = |known: &LogFile| live.contains(&known.id) && is_older(&file, known);
            let index = self.files.iter().position(missed).unwrap_or(self.files.len());
            self.files.insert(index, file);
            found.insert(index, true);
        }
        for (file, found) in self.files.iter_mut().zip(found) {
            if found {
                file.gone = None;
            } else {
                file.place = Place::Gone;
                file.gone.get_or_insert(now);
            }
        }
        self.order(now);
    }

    fn known(&self, entry: &Entry, found: &[bool]) -> Option<usize> {
        let free = |index: &usize| !found[*index];
        let by_inode = |open: bool| {
            self.files
                .iter()
                .position(|file| file.inode == Some(entry.inode) && file.content.is_some() == open)
        };
        let by_name = || {
            self.files.iter().position(|file| {
                let same = match (file.place, entry.name.rotated) {
                    (Place::Live, None) => file.inode.is_none() && file.complete.is_some(),
                    (Place::Rotated(old, _), Some(new)) => old == new,
                    _ => false,
                };
                same && file.restart == entry.name.restart
            })
        };
        // The number of one that is not open may be another file's by now.
        let open = by_inode(true).filter(free).or_else(|| by_name().filter(free));
        open.or_else(|| by_inode(false).filter(free))
    }

    fn discover(&self, entry: &Entry, now: Instant) -> Option<LogFile> {
        let path = self.directory.join(entry.name.to_string());
        let mut file = LogFile::new(0, entry.name.restart, entry.place(), now);
        match Content::open(&path, entry.name.compressed) {
            Ok(mut content) => {
                // By now it may be another one than was listed.
                file.inode = content.inode().ok().map(|(inode, _)| inode);
                // What cannot be read is tried again when it is its turn.
                file.head = read_head(&mut content, false).ok().flatten();
                file.content = Some(content);
            }
            // What was being written has another name by now.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && entry.name.rotated.is_none() =>
            {
                return None;
            }
            // Opened when it is its turn, or else missing.
            Err(_) => (file.inode, file.trouble.unread) = (Some(entry.inode), !entry.empty),
        }
        Some(file)
    }

    /// Puts files in order: what was found earlier is older, but for what was written then, which is the newest.
    /// Names tell the local time, which is set back in autumn.
    fn order(&mut self, now: Instant) {
        self.files.sort_by_key(|file| (file.restart, file.place == Place::Live));
        let last = self.files.len().saturating_sub(1);
        for (index, file) in self.files.iter_mut().enumerate() {
            let ends = index < last || file.place == Place::Gone;
            file.ending = if ends { file.ending.or(Some(now)) } else { None };
        }
        self.settle_tails();
    }
}

/// Whether a file was rotated before another one, by their names, and where both are known not against their first lines.
fn is_older(file: &LogFile, other: &LogFile) -> bool {
    let (Place::Rotated(name, _), Place::Rotated(other_name, _)) = (file.place, other.place) else {
        return false;
    };
    let time = |file: &LogFile| file.head.map(|head| head.time).filter(|time| *time != 0);
    let times = time(file).zip(time(other));
    file.restart == other.restart
        && name < other_name
        && times.is_none_or(|(time, other)| time <= other)
}

/// Puts files that were found at one look, in the order of their names, in that of their first lines.
fn chronological(files: Vec<LogFile>) -> impl Iterator<Item = LogFile> {
    let mut last = (0, i64::MIN);
    let key = |file: LogFile| {
        let time = file.head.map(|head| head.time).filter(|time| *time != 0);
        // One of which that is not known stays behind the one before it.
        let before = if last.0 == file.restart { last.1 } else { i64::MIN };
        last = (file.restart, time.unwrap_or(before));
        ((file.restart, file.place == Place::Live, last.1), file)
    };
    let mut keyed: Vec<_> = files.into_iter().map(key).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, file)| file)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::Arc;

    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::container::ContainerKey;
    use crate::path::PodPath;

    struct Directory {
        path: PathBuf,
        container: Container,
        ids: u64,
        _temporary: tempfile::TempDir,
    }

    impl Directory {
        fn new() -> Self {
            let temporary = tempfile::tempdir().unwrap();
            let path = temporary.path().to_owned();
            let pod = PodPath { namespace: "n".into(), pod: "p".into(), uid: "u".into() };
            let key = ContainerKey { pod: Arc::from("n_p_u"), name: Arc::from("c") };
            let container = Container::new(key, pod, path.clone(), Instant::now());
            Self { path, container, ids: 1, _temporary: temporary }
        }

        fn write(&self, name: &str, line: &str) {
            let line = format!("2016-10-06T00:17:09.669794202Z stdout F {line}\n");
            std::fs::write(self.path.join(name), line).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            std::fs::rename(self.path.join(from), self.path.join(to)).unwrap();
        }

        fn compress(&self, name: &str) {
            let bytes = std::fs::read(self.path.join(name)).unwrap();
            let file = File::create(self.path.join(format!("{name}.gz"))).unwrap();
            let mut encoder = GzEncoder::new(file, Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap();
            std::fs::remove_file(self.path.join(name)).unwrap();
        }

        /// Ids and names after a look.
        fn look(&mut self) -> Vec<(u64, String)> {
            let entries = list(&self.path).unwrap();
            self.container.reconcile(&entries, &mut self.ids, Instant::now());
            let name = |file: &LogFile| match file.path(&self.path) {
                Some(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
                None => "gone".to_owned(),
            };
            self.container.files.iter().map(|file| (file.id, name(file))).collect()
        }
    }

    fn named(names: &[(u64, &str)]) -> Vec<(u64, String)> {
        names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
    }

    #[test]
    fn a_file_is_known_by_whatever_name_it_gets() {
        let mut directory = Directory::new();
        directory.write("0.log", "first");
        assert_eq!(directory.look(), named(&[(1, "0.log")]));
        directory.rename("0.log", "0.log.20260101-000000");
        assert_eq!(directory.look(), named(&[(1, "0.log.20260101-000000")]));
        directory.write("0.log", "second");
        directory.compress("0.log.20260101-000000");
        assert_eq!(directory.look(), named(&[(1, "0.log.20260101-000000.gz"), (2, "0.log")]));
        // Renamed and compressed between two looks.
        directory.rename("0.log", "0.log.20260101-000001");
        directory.compress("0.log.20260101-000001");
        directory.write("0.log", "third");
        directory.write("1.log", "fourth");
        std::fs::remove_file(directory.path.join("0.log.20260101-000000.gz")).unwrap();
        assert_eq!(
            directory.look(),
            named(&[(1, "gone"), (2, "0.log.20260101-000001.gz"), (3, "0.log"), (4, "1.log")])
        );
        let ending = directory.container.files.iter().map(|file| file.ending.is_some());
        assert_eq!(ending.collect::<Vec<_>>(), [true, true, true, false]);
    }

    #[test]
    fn an_hour_that_comes_twice_changes_no_order() {
        let at = |hour: u8, directory: &Directory, name: &str| {
            let line = format!("2026-10-25T{hour:02}:30:00.000000000Z stdout F {hour}\n");
            std::fs::write(directory.path.join(name), line).unwrap();
        };
        // Two were rotated before anybody looked, in the order of these times.
        let mut directory = Directory::new();
        at(0, &directory, "0.log.20261025-025900");
        at(1, &directory, "0.log.20261025-020100");
        std::fs::write(directory.path.join("0.log.20261025-030000"), "").unwrap();
        at(2, &directory, "0.log");
        let [first, second, empty] =
            ["0.log.20261025-025900", "0.log.20261025-020100", "0.log.20261025-030000"];
        let found = directory.look();
        assert_eq!(found, named(&[(1, first), (2, empty), (3, second), (4, "0.log")]));
        // And one while somebody did.
        let mut directory = Directory::new();
        at(0, &directory, "0.log");
        directory.look();
        directory.rename("0.log", first);
        at(1, &directory, "0.log");
        directory.look();
        directory.rename("0.log", second);
        at(2, &directory, "0.log");
        assert_eq!(directory.look(), named(&[(1, first), (2, second), (3, "0.log")]));
        // And one between two looks.
        let mut directory = Directory::new();
        at(0, &directory, "0.log");
        directory.look();
        directory.rename("0.log", first);
        at(1, &directory, second);
        at(2, &directory, "0.log");
        assert_eq!(directory.look(), named(&[(1, first), (2, second), (3, "0.log")]));
    }

    #[test]
    fn what_is_found_behind_the_file_that_is_written_is_older_and_stays_so() {
        let mut directory = Directory::new();
        // The other one was renamed while the directory was listed.
        directory.write("0.log", "second");
        directory.look();
        let [first, second] = ["0.log.20260101-000001", "0.log.20260101-000002"];
        directory.write(first, "first");
        assert_eq!(directory.look(), named(&[(2, first), (1, "0.log")]));
        directory.rename("0.log", second);
        directory.write("0.log", "third");
        assert_eq!(directory.look(), named(&[(2, first), (1, second), (3, "0.log")]));
        // Or renamed as well by the next look.
        let mut directory = Directory::new();
        directory.write("0.log", "second");
        directory.look();
        directory.write(first, "first");
        directory.rename("0.log", second);
        directory.write("0.log", "third");
        assert_eq!(directory.look(), named(&[(2, first), (1, second), (3, "0.log")]));
    }

    #[test]
    fn a_rotation_that_is_taken_back_ends_nothing() {
        let mut directory = Directory::new();
        directory.write("0.log", "first");
        directory.look();
        directory.rename("0.log", "0.log.20260101-000000");
        directory.look();
        directory.rename("0.log.20260101-000000", "0.log");
        assert_eq!(directory.look(), named(&[(1, "0.log")]));
        assert_eq!(directory.container.files[0].ending, None);
    }

    #[test]
    fn a_file_that_is_gone_before_it_is_opened_was_there() {
        let mut directory = Directory::new();
        for name in ["0.log.20260101-000001", "0.log.20260101-000002", "0.log.20260101-000003"] {
            directory.write(name, name);
        }
        directory.write("0.log", "live");
        std::fs::write(directory.path.join("0.log.20260101-000002"), "").unwrap();
        let listed = list(&directory.path).unwrap();
        for name in ["0.log.20260101-000001", "0.log.20260101-000002", "0.log"] {
            std::fs::remove_file(directory.path.join(name)).unwrap();
        }
        // Compressed meanwhile.
        directory.compress("0.log.20260101-000003");
        directory.container.reconcile(&listed, &mut directory.ids, Instant::now());
        directory.look();
        let files = directory.container.files.iter();
        let found: Vec<_> = files.map(|file| (file.place, file.trouble.unread)).collect();
        let compressed = LogName::parse("0.log.20260101-000003.gz").unwrap();
        let rotated = Place::Rotated(compressed.rotated.unwrap(), true);
        assert_eq!(found, [(Place::Gone, true), (Place::Gone, false), (rotated, true)]);
    }

    #[test]
    fn a_file_being_compressed_is_one_file() {
        let mut directory = Directory::new();
        directory.write("0.log.20260101-000000", "first");
        directory.write("0.log.20260101-000000.tmp", "fi");
        directory.write("0.log", "second");
        std::fs::copy(
            directory.path.join("0.log.20260101-000000"),
            directory.path.join("0.log.20260101-000000.gz"),
        )
        .unwrap();
        assert_eq!(directory.look(), named(&[(1, "0.log.20260101-000000"), (2, "0.log")]));
    }
}
