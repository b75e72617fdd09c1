//! What was written, into which file, and what became of the file.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use fairlead_wire::{Incarnation, Stream};

use super::lines::StreamId;

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerName {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid.
    pub uid: String,
    /// The container's name.
    pub container: String,
}

/// All lines of a run, by where they stand.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    containers: Vec<ContainerTruth>,
}

/// The files of a container, over its restarts.
#[derive(Debug, Clone)]
pub struct ContainerTruth {
    /// Which container.
    pub name: ContainerName,
    /// In the order in which they were begun.
    pub files: Vec<FileTruth>,
    /// How many lines were written to standard output and standard error.
    pub written: [u64; 2],
}

/// One file, whatever it was renamed to.
#[derive(Debug, Clone, Default)]
pub struct FileTruth {
    /// How often the container had been restarted.
    pub restart: u32,
    /// Hash of the first line; `None` before there is one.
    pub first_line: Option<u64>,
    /// Bytes written, uncompressed.
    pub size: u64,
    /// Whether it is no longer there, under no name.
    pub deleted: bool,
    /// Number of the first line of standard output and of standard error in it.
    first: [u64; 2],
    /// Where its lines end.
    ends: [Vec<u32>; 2],
}

/// A place in a container's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// In which content.
    pub incarnation: Incarnation,
    /// How far into it.
    pub offset: u64,
}

/// What stands between two positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// The lines that end there, by stream.
    pub lines: [(StreamId, Range<u64>); 2],
    /// The bytes that stand there.
    pub bytes: u64,
}

/// Why positions do not enclose anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PositionError {
    /// No such content was written.
    #[error("{0} was never written")]
    Unknown(Incarnation),
    /// Beyond the end.
    #[error("offset {1} in {0} is beyond its end")]
    Beyond(Incarnation, u64),
    /// They are in the wrong order, or of two containers.
    #[error("the positions are not in order")]
    Order,
    /// There is no position at all.
    #[error("neither end is known")]
    Unbounded,
}

/// A record's name: content, and the offset of its end.
pub type Name = (Incarnation, u64);

impl Truth {
    /// What these containers wrote. Their order numbers the streams.
    #[must_use]
    pub fn new(containers: Vec<ContainerTruth>) -> Self {
        Self { containers }
    }

    /// In the order that numbers the streams.
    #[must_use]
    pub fn containers(&self) -> &[ContainerTruth] {
        &self.containers
    }

    /// How many lines each stream has, by its id.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, u64)> {
        let streams = |(number, container): (usize, &ContainerTruth)| {
            let [out, err] = stream_ids(number);
            [(out, container.written[0]), (err, container.written[1])]
        };
        self.containers.iter().enumerate().flat_map(streams)
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.streams().map(|(_, lines)| lines).sum()
    }

    /// The container that writes a stream, and which of its two it is.
    #[must_use]
    pub fn owner(&self, stream: StreamId) -> Option<(&ContainerName, Stream)> {
        let container = self.containers.get(usize::try_from(stream / 2).ok()?)?;
        let stream = if stream.is_multiple_of(2) { Stream::Stdout } else { Stream::Stderr };
        Some((&container.name, stream))
    }

    /// The file that holds a line.
    #[must_use]
    pub fn file_of(&self, stream: StreamId, number: u64) -> Option<&FileTruth> {
        let container = self.containers.get(usize::try_from(stream / 2).ok()?)?;
        let which = usize::try_from(stream % 2).ok()?;
        let after = container.files.partition_point(|file| file.first[which] <= number);
        container.files[..after].iter().rev().find(|file| file.lines(which).contains(&number))
    }

    /// What stands between two positions of a container; `None` is its beginning or its end.
    ///
    /// # Errors
    /// Where that is nowhere.
    pub fn between(
        &self,
        before: Option<&Position>,
        after: Option<&Position>,
    ) -> Result<Between, PositionError> {
        let before = before.map(|position| self.find(position)).transpose()?;
        let after = after.map(|position| self.find(position)).transpose()?;
        let number = match (before, after) {
            (Some((a, ..)), Some((b, ..))) if a != b => return Err(PositionError::Order),
            (Some((number, ..)), _) | (_, Some((number, ..))) => number,
            (None, None) => return Err(PositionError::Unbounded),
        };
        let container = &self.containers[number];
        let last = container.files.len() - 1;
        let (first, from) = before.map_or((0, 0), |(_, file, offset)| (file, offset));
        let (last, to) =
            after.map_or((last, container.files[last].size), |(_, file, offset)| (file, offset));
        if (first, from) > (last, to) {
            return Err(PositionError::Order);
        }
        let whole: u64 = container.files[first..last].iter().map(|file| file.size).sum();
        let ids = stream_ids(number);
        let lines = [0, 1].map(|which| {
            let start = container.files[first].after(which, from);
            (ids[which], start..container.files[last].after(which, to))
        });
        Ok(Between { lines, bytes: whole + to - from })
    }

    fn find(&self, position: &Position) -> Result<(usize, usize, u64), PositionError> {
        let Position { incarnation, offset } = position;
        let files = self.containers.iter().enumerate().flat_map(|(number, container)| {
            container.files.iter().enumerate().map(move |file| (number, container, file))
        });
        for (number, container, (place, file)) in files {
            if container.incarnation(file).as_ref() == Some(incarnation) {
                return if *offset <= file.size {
                    Ok((number, place, *offset))
                } else {
                    Err(PositionError::Beyond(incarnation.clone(), *offset))
                };
            }
        }
        Err(PositionError::Unknown(incarnation.clone()))
    }

    /// The lines in files that are still there, and where they end, by stream and number.
    #[must_use]
    pub fn held(&self) -> BTreeMap<(StreamId, u64), Name> {
        let mut held = BTreeMap::new();
        for (number, container) in self.containers.iter().enumerate() {
            let ids = stream_ids(number);
            for file in container.files.iter().filter(|file| !file.deleted) {
                let Some(incarnation) = container.incarnation(file) else { continue };
                for (which, stream) in ids.into_iter().enumerate() {
                    for (line, end) in file.lines(which).zip(&file.ends[which]) {
                        held.insert((stream, line), (incarnation.clone(), u64::from(*end)));
                    }
                }
            }
        }
        held
    }

    /// Every name that a record may have, and the line that ends there.
    #[must_use]
    pub fn names(&self) -> HashMap<Name, (StreamId, u64)> {
        let mut all = self.clone();
        all.containers.iter_mut().flat_map(|c| &mut c.files).for_each(|file| file.deleted = false);
        all.held().into_iter().map(|(line, name)| (name, line)).collect()
    }
}

impl ContainerTruth {
    /// A container that has written nothing yet.
    #[must_use]
    pub fn new(name: ContainerName) -> Self {
        Self { name, files: Vec::new(), written: [0; 2] }
    }

    /// A new file is written from now on.
    pub fn begin(&mut self, restart: u32) {
        self.files.push(FileTruth { restart, first: self.written, ..FileTruth::default() });
    }

    /// A line was written to the file that was begun last. `first_line` is what its hash would be.
    ///
    /// # Panics
    /// Where no file was begun, or it has 4 GiB.
    pub fn line(&mut self, stream: Stream, length: usize, first_line: impl FnOnce() -> u64) {
        let file = self.files.last_mut().expect("a file was begun");
        file.first_line.get_or_insert_with(first_line);
        file.size += length as u64;
        let which = stream as usize;
        file.ends[which].push(u32::try_from(file.size).expect("files are rotated before 4 GiB"));
        self.written[which] += 1;
    }

    /// The name of a file's content; `None` of an empty one.
    #[must_use]
    pub fn incarnation(&self, file: &FileTruth) -> Option<Incarnation> {
        Some(Incarnation {
            pod_uid: self.name.uid.as_str().into(),
            container: self.name.container.as_str().into(),
            restart: file.restart,
            first_line: file.first_line?,
        })
    }
}

impl FileTruth {
    fn lines(&self, which: usize) -> Range<u64> {
        self.first[which]..self.first[which] + self.ends[which].len() as u64
    }

    /// The first line that ends beyond an offset.
    fn after(&self, which: usize, offset: u64) -> u64 {
        let up_to = self.ends[which].partition_point(|end| u64::from(*end) <= offset);
        self.first[which] + up_to as u64
    }
}

/// The ids of a container's standard output and standard error.
#[must_use]
pub fn stream_ids(container: usize) -> [StreamId; 2] {
    let first = StreamId::try_from(container * 2).expect("a run has few containers");
    [first, first + 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(pod: &str) -> ContainerName {
        ContainerName {
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            uid: format!("uid-{pod}"),
            container: "web".to_owned(),
        }
    }

    /// Two files of a container that is numbered behind another one.
    fn truth() -> Truth {
        let mut container = ContainerTruth::new(name("b"));
        container.begin(0);
        container.line(Stream::Stdout, 10, || 1);
        container.line(Stream::Stderr, 5, || 1);
        container.line(Stream::Stdout, 10, || 1);
        container.begin(1);
        container.line(Stream::Stdout, 7, || 2);
        container.line(Stream::Stderr, 3, || 2);
        Truth::new(vec![ContainerTruth::new(name("a")), container])
    }

    fn at(restart: u32, first_line: u64, offset: u64) -> Position {
        let (pod_uid, container) = ("uid-b".into(), "web".into());
        Position { incarnation: Incarnation { pod_uid, container, restart, first_line }, offset }
    }

    #[test]
    fn what_stands_between_positions_is_counted_over_files() {
        let truth = truth();
        assert_eq!(
            truth.between(Some(&at(0, 1, 10)), Some(&at(1, 2, 7))),
            Ok(Between { lines: [(2, 1..3), (3, 0..1)], bytes: 22 })
        );
        assert_eq!(
            truth.between(None, Some(&at(1, 2, 0))),
            Ok(Between { lines: [(2, 0..2), (3, 0..1)], bytes: 25 })
        );
        assert_eq!(
            truth.between(Some(&at(1, 2, 7)), None),
            Ok(Between { lines: [(2, 3..3), (3, 1..2)], bytes: 3 })
        );
    }

    #[test]
    fn positions_that_enclose_nothing_are_told() {
        let truth = truth();
        let unknown = at(0, 9, 0);
        assert_eq!(truth.between(None, None), Err(PositionError::Unbounded));
        assert_eq!(
            truth.between(Some(&unknown), None),
            Err(PositionError::Unknown(unknown.incarnation.clone()))
        );
        let beyond = at(0, 1, 26);
        assert_eq!(
            truth.between(None, Some(&beyond)),
            Err(PositionError::Beyond(beyond.incarnation.clone(), 26))
        );
        assert_eq!(
            truth.between(Some(&at(1, 2, 0)), Some(&at(0, 1, 10))),
            Err(PositionError::Order)
        );
    }

    #[test]
    fn a_line_is_found_in_its_file() {
        let mut truth = truth();
        truth.containers[1].files[0].deleted = true;
        assert!(truth.file_of(2, 1).is_some_and(|file| file.deleted));
        assert!(truth.file_of(3, 1).is_some_and(|file| !file.deleted));
        assert!(truth.file_of(2, 3).is_none() && truth.file_of(9, 0).is_none());
        let held: Vec<_> = truth.held().into_iter().map(|(line, (_, end))| (line, end)).collect();
        assert_eq!(held, [((2, 2), 7), ((3, 1), 10)]);
        assert_eq!(truth.names().len(), 5);
        assert_eq!(truth.owner(3), Some((&name("b"), Stream::Stderr)));
    }
}
