//! Compares what a reader got with what was written.
//!
//! A bitmap per stream tells which lines came: missing, duplicated, torn, misjoined and out of order
//! are counted apart, so that none hides another. Every line that is missing has to lie in exactly one
//! gap that the pipeline recorded, unless it is among the losses that it counted.

use std::fmt;
use std::ops::Range;

use fairlead_wire::Stream;

use super::lines::{Lines, StreamId};
use super::truth::{Position, PositionError, Truth};

/// A record as a reader gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// What the container wrote to.
    pub stream: Stream,
    /// Name of the pod that it is said to be of.
    pub pod: &'a str,
    /// Name of the container.
    pub container: &'a str,
    /// Whether it says that the stream's next record continues it.
    pub cut: bool,
    /// What was written.
    pub payload: &'a [u8],
}

/// A part of a container's log that the pipeline says is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Where it begins; `None`: with the container.
    pub before: Option<Position>,
    /// Where it ends; `None`: with the container.
    pub after: Option<Position>,
    /// How many bytes are said to be missing.
    pub bytes: Option<u64>,
}

/// Things that a verdict tells in words, at most.
const NOTES: usize = 16;

/// Takes records, then gives a verdict.
#[derive(Debug)]
pub struct Checker {
    lines: Lines,
    streams: Vec<Lane>,
    tally: Tally,
    /// Pod, container and stream of records, by the stream id in them.
    claims: Vec<Option<(String, String, Stream)>>,
    claimed_by_two: u64,
    /// The first things that were wrong, in words.
    wrong: Vec<String>,
}

/// What came of a stream.
#[derive(Debug, Default)]
struct Lane {
    /// A bit per line.
    bitmap: Vec<u64>,
    highest: Option<u64>,
}

/// How many records and lines came, and what was wrong with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// Different lines.
    pub lines: u64,
    /// Lines that came before.
    pub duplicated: u64,
    /// Records that are not whole lines as they were written.
    pub torn: u64,
    /// Records that end within a line of several pieces without saying so, or go beyond its end.
    pub misjoined: u64,
    /// Lines that came after a later one of their stream.
    pub out_of_order: u64,
}

/// What a reader's records and the pipeline's gaps amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What came.
    pub tally: Tally,
    /// Lines that were written.
    pub written: u64,
    /// Lines that did not come.
    pub missing: u64,
    /// Those of them whose file is still there.
    pub missing_on_disk: u64,
    /// Those of them that lie in no gap.
    pub unexplained: u64,
    /// Those of them that lie in more than one gap.
    pub explained_twice: u64,
    /// Lines that were never written, or are said to be of another container or stream.
    pub foreign: u64,
    /// What is wrong with gaps.
    pub faults: Vec<GapFault>,
    /// The first things that were wrong with what came, and the first lines that did not, in words.
    pub notes: Vec<String>,
}

/// What is wrong with a gap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GapFault {
    /// It is nowhere.
    #[error("{0:?}: {1}")]
    Nowhere(Gap, PositionError),
    /// All of its lines came.
    #[error("{0:?} is not missing")]
    Empty(Gap),
    /// It is of another length.
    #[error("{0:?} is of {1} bytes")]
    Bytes(Gap, u64),
}

impl Checker {
    /// Expects lines of this run.
    #[must_use]
    pub fn new(lines: Lines) -> Self {
        Self {
            lines,
            streams: Vec::new(),
            tally: Tally::default(),
            claims: Vec::new(),
            claimed_by_two: 0,
            wrong: Vec::new(),
        }
    }

    /// Takes the next record.
    pub fn record(&mut self, seen: &Seen<'_>) {
        self.tally.records += 1;
        let mut rest = seen.payload;
        let mut last: Option<(StreamId, u64)> = None;
        // An empty record is not a line either.
        while !rest.is_empty() || last.is_none() {
            let Ok((stream, number, behind)) = self.lines.read(rest) else {
                self.tally.torn += 1;
                let shown = rest[..rest.len().min(80)].escape_ascii();
                return self.note(|| format!("torn after {last:?}: {shown}"));
            };
            // What continues a line is the stream's next one.
            let joined = last.is_none_or(|(of, before)| {
                (of, before + 1) == (stream, number) && self.lines.partial(of, before)
            });
            if !joined {
                self.tally.misjoined += 1;
                self.note(|| format!("{stream}:{number} joined to {last:?}"));
            }
            self.line(stream, number);
            self.claim(stream, seen);
            last = Some((stream, number));
            rest = behind;
        }
        if let Some((stream, number)) = last
            && self.lines.partial(stream, number) != seen.cut
        {
            self.tally.misjoined += 1;
            self.note(|| format!("{stream}:{number} came with cut = {}", seen.cut));
        }
    }

    /// What came so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many different lines came so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.tally.lines
    }

    fn line(&mut self, stream: StreamId, number: u64) {
        let place = stream as usize;
        if place >= self.streams.len() {
            self.streams.resize_with(place + 1, Lane::default);
        }
        let lane = &mut self.streams[place];
        if !lane.insert(number) {
            self.tally.duplicated += 1;
            return self.note(|| format!("{stream}:{number} came twice"));
        }
        self.tally.lines += 1;
        let highest = lane.highest;
        lane.highest = highest.max(Some(number));
        if let Some(highest) = highest.filter(|highest| *highest > number) {
            self.tally.out_of_order += 1;
            self.note(|| format!("{stream}:{number} came after {highest}"));
        }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.wrong.len() < NOTES {
            self.wrong.push(text());
        }
    }

    /// Whose the record is said to be, is said of all records of the stream.
    fn claim(&mut self, stream: StreamId, seen: &Seen<'_>) {
        let place = stream as usize;
        if place >= self.claims.len() {
            self.claims.resize(place + 1, None);
        }
        match &self.claims[place] {
            None => {
                let claim = (seen.pod.to_owned(), seen.container.to_owned(), seen.stream);
                self.claims[place] = Some(claim);
            }
            Some((pod, container, of)) => {
                let same = pod == seen.pod && container == seen.container && *of == seen.stream;
                self.claimed_by_two += u64::from(!same);
            }
        }
    }

    /// Compares with what was written, once all is there.
    #[must_use]
    pub fn verdict(&self, truth: &Truth, gaps: &[Gap]) -> Verdict {
        let mut faults = Vec::new();
        let mut excused: Vec<Vec<Range<u64>>> = Vec::new();
        excused.resize_with(truth.containers().len() * 2, Vec::new);
        for gap in gaps {
            match truth.between(gap.before.as_ref(), gap.after.as_ref()) {
                Err(error) => faults.push(GapFault::Nowhere(gap.clone(), error)),
                Ok(between) => {
                    let all_came = |(stream, range): &(StreamId, Range<u64>)| {
                        range.clone().all(|number| self.came(*stream, number))
                    };
                    if between.lines.iter().all(all_came) {
                        faults.push(GapFault::Empty(gap.clone()));
                    }
                    if gap.bytes.is_some_and(|bytes| bytes != between.bytes) {
                        faults.push(GapFault::Bytes(gap.clone(), between.bytes));
                    }
                    for (stream, range) in between.lines {
                        excused[stream as usize].push(range);
                    }
                }
            }
        }

        let (mut missing, mut missing_on_disk) = (0, 0);
        let (mut unexplained, mut explained_twice) = (0, 0);
        let mut came_of_written = 0;
        let mut notes = self.wrong.clone();
        for (stream, lines) in truth.streams() {
            for number in 0..lines {
                if self.came(stream, number) {
                    came_of_written += 1;
                    continue;
                }
                missing += 1;
                let on_disk = truth.file_of(stream, number).is_some_and(|file| !file.deleted);
                missing_on_disk += u64::from(on_disk);
                let gaps = &excused[stream as usize];
                match gaps.iter().filter(|range| range.contains(&number)).count() {
                    0 => {
                        unexplained += 1;
                        if unexplained <= NOTES as u64 {
                            notes.push(format!("{stream}:{number} did not come"));
                        }
                    }
                    1 => {}
                    _ => explained_twice += 1,
                }
            }
        }
        Verdict {
            tally: self.tally,
            written: truth.lines(),
            missing,
            missing_on_disk,
            unexplained,
            explained_twice,
            foreign: self.tally.lines - came_of_written + self.claimed_wrongly(truth),
            faults,
            notes,
        }
    }

    fn came(&self, stream: StreamId, number: u64) -> bool {
        self.streams.get(stream as usize).is_some_and(|lane| lane.contains(number))
    }

    fn claimed_wrongly(&self, truth: &Truth) -> u64 {
        let wrong = |(stream, claim): (StreamId, &Option<(String, String, Stream)>)| {
            claim.as_ref().is_some_and(|(pod, container, of)| {
                truth.owner(stream).is_none_or(|(name, stream)| {
                    (&name.pod, &name.container, stream) != (pod, container, *of)
                })
            })
        };
        let wrong = (0..).zip(&self.claims).filter(|claim| wrong(*claim)).count();
        self.claimed_by_two + wrong as u64
    }
}

impl Lane {
    /// Whether it was not there.
    fn insert(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        if word >= self.bitmap.len() {
            self.bitmap.resize(word + 1, 0);
        }
        let new = self.bitmap[word] & bit == 0;
        self.bitmap[word] |= bit;
        new
    }

    fn contains(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.bitmap.get(word).is_some_and(|word| word & bit != 0)
    }
}

fn place(number: u64) -> (usize, u64) {
    (usize::try_from(number / 64).expect("64 bits"), 1 << (number % 64))
}

impl Verdict {
    /// Whether every line came once, whole and in order, and nothing else.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.accounted(0) && self.missing == 0
    }

    /// Whether no line came twice, torn or out of order, and every line that did not come lies in
    /// exactly one gap, but for those that were counted as lost; files that are there are read.
    #[must_use]
    pub fn accounted(&self, counted: u64) -> bool {
        let Tally { records: _, lines: _, duplicated, torn, misjoined, out_of_order } = self.tally;
        let wrong = [duplicated, torn, misjoined, out_of_order, self.foreign, self.explained_twice];
        wrong == [0; 6]
            && self.unexplained == counted
            && self.missing_on_disk <= counted
            && self.faults.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { records, lines, duplicated, torn, misjoined, out_of_order } = self.tally;
        let Self {
            written, missing, missing_on_disk, unexplained, explained_twice, foreign, ..
        } = self;
        write!(
            f,
            "{written} lines written, {lines} came in {records} records; {missing} missing \
             ({missing_on_disk} of them on disk, {unexplained} in no gap, {explained_twice} in several), \
             {duplicated} duplicated, {torn} torn, {misjoined} misjoined, {out_of_order} out of order, \
             {foreign} foreign"
        )?;
        self.faults.iter().try_for_each(|fault| write!(f, "; {fault}"))?;
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

#[cfg(test)]
mod tests;
