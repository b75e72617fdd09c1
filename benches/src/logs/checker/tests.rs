//! The checker passes what is right and fails what is not.

use proptest::prelude::*;

use super::*;
use crate::logs::truth::{ContainerName, ContainerTruth};

/// A record with what it is made of.
#[derive(Debug, Clone)]
struct Sent {
    container: usize,
    stream: Stream,
    cut: bool,
    payload: Vec<u8>,
    lines: Vec<u64>,
    /// File of the container.
    file: usize,
    from: u64,
    to: u64,
}

/// What two containers wrote into some files each, and the records that a reader gets of it.
#[derive(Debug, Clone)]
struct Run {
    lines: Lines,
    truth: Truth,
    records: Vec<Sent>,
}

fn name(number: usize) -> ContainerName {
    ContainerName {
        namespace: "shop".to_owned(),
        pod: format!("pod-{number}"),
        uid: format!("uid-{number}"),
        container: "web".to_owned(),
    }
}

impl Run {
    /// `choices` decides which stream a line is written to.
    fn new(files: usize, lines_per_file: usize, choices: &[bool]) -> Self {
        let lines = Lines::new(5);
        let mut records = Vec::new();
        let mut choices = choices.iter().cycle();
        let containers = (0..2).map(|container| {
            let mut truth = ContainerTruth::new(name(container));
            for file in 0..files {
                truth.begin(0);
                let mut open: [Option<Sent>; 2] = [None, None];
                for _ in 0..lines_per_file {
                    let stream =
                        if *choices.next().unwrap() { Stream::Stderr } else { Stream::Stdout };
                    let which = stream as usize;
                    let id = crate::logs::truth::stream_ids(container)[which];
                    let number = truth.written[which];
                    let from = truth.files[file].size;
                    let mut sent = open[which].take().unwrap_or(Sent {
                        container,
                        stream,
                        cut: false,
                        payload: Vec::new(),
                        lines: Vec::new(),
                        file,
                        from,
                        to: 0,
                    });
                    let before = sent.payload.len();
                    lines.write(id, number, &mut sent.payload);
                    sent.lines.push(number);
                    truth.line(stream, sent.payload.len() - before, || 1 + file as u64);
                    sent.to = truth.files[file].size;
                    if lines.partial(id, number) {
                        open[which] = Some(sent);
                    } else {
                        records.push(sent);
                    }
                }
                // A line does not go on in another file.
                records.extend(open.into_iter().flatten().map(|sent| Sent { cut: true, ..sent }));
            }
            truth
        });
        let truth = Truth::new(containers.collect());
        Self { lines, truth, records }
    }

    fn verdict(&self, records: &[Sent], gaps: &[Gap]) -> Verdict {
        let mut checker = Checker::new(self.lines.clone());
        for sent in records {
            checker.record(&Seen {
                stream: sent.stream,
                pod: &name(sent.container).pod,
                container: "web",
                cut: sent.cut,
                payload: &sent.payload,
            });
        }
        checker.verdict(&self.truth, gaps)
    }

    fn position(&self, container: usize, file: usize, offset: u64) -> Position {
        let container = &self.truth.containers()[container];
        let incarnation = container.incarnation(&container.files[file]).unwrap();
        Position { incarnation, offset }
    }

    /// Takes away what was written behind a record up to the end of another one, and its files.
    fn lose(&mut self, first: usize, last: usize) -> Gap {
        let (a, b) = (self.records[first].clone(), self.records[last].clone());
        let (before, after) = ((a.file, a.to), (b.file, b.to));
        self.records.retain(|sent| {
            sent.container != a.container
                || !((sent.file, sent.to) > before && (sent.file, sent.to) <= after)
        });
        self.delete();
        let before = self.position(a.container, a.file, a.to);
        let after = self.position(b.container, b.file, b.to);
        let bytes = self.truth.between(Some(&before), Some(&after)).unwrap().bytes;
        Gap { before: Some(before), after: Some(after), bytes: Some(bytes) }
    }

    fn delete(&mut self) {
        let containers = self.truth.containers().iter().cloned().map(|mut container| {
            container.files.iter_mut().for_each(|file| file.deleted = true);
            container
        });
        self.truth = Truth::new(containers.collect());
    }
}

/// A run, and two records of one container with records between them. The second does not continue
/// across the gap's end, nor the first across its beginning.
fn run_with_gap() -> impl Strategy<Value = (Run, usize, usize)> {
    let choices = proptest::collection::vec(any::<bool>(), 1..40);
    (1..4usize, 20..120usize, choices, any::<prop::sample::Index>(), 1..60usize).prop_filter_map(
        "no gap there",
        |(files, lines, choices, first, length)| {
            let run = Run::new(files, lines, &choices);
            let first = first.index(run.records.len());
            let last = (first + length).min(run.records.len() - 1);
            let (a, b) = (&run.records[first], &run.records[last]);
            // Where a record is open at an end of the gap, its lines before it are missing, too.
            let clean = |sent: &Sent| {
                !run.records.iter().any(|other| {
                    other.container == sent.container
                        && other.file == sent.file
                        && other.from < sent.to
                        && other.to > sent.to
                })
            };
            let usable = a.container == b.container
                && (a.file, a.to) < (b.file, b.to)
                && clean(a)
                && clean(b);
            usable.then(|| (run.clone(), first, last))
        },
    )
}

#[test]
fn what_is_complete_passes() {
    let run = Run::new(60, 250, &[false, true, false]);
    let verdict = run.verdict(&run.records, &[]);
    assert!(verdict.complete() && verdict.accounted(0), "{verdict}");
    assert_eq!(verdict.written, 30_000);
    assert!(run.records.iter().any(|sent| sent.cut) && run.records.len() < 30_000);
}

#[test]
fn the_end_and_the_whole_of_a_stream_may_not_be_missing() {
    let run = Run::new(1, 100, &[false]);
    let verdict = run.verdict(&run.records[..run.records.len() - 1], &[]);
    assert_eq!((verdict.missing, verdict.unexplained), (1, 1));
    let other: Vec<_> = run.records.iter().filter(|sent| sent.container == 0).cloned().collect();
    let verdict = run.verdict(&other, &[]);
    assert_eq!((verdict.missing, verdict.missing_on_disk), (100, 100));
    assert!(!verdict.complete() && !verdict.accounted(0) && !verdict.accounted(99));
}

#[test]
fn losses_are_as_many_as_were_counted() {
    let mut run = Run::new(1, 100, &[false]);
    let single = run.records.iter().position(|sent| sent.lines.len() == 1).unwrap();
    run.records.remove(single);
    run.delete();
    let verdict = run.verdict(&run.records, &[]);
    assert!(verdict.accounted(1) && !verdict.accounted(0) && !verdict.accounted(2), "{verdict}");
}

#[test]
fn a_record_of_another_is_foreign() {
    let run = Run::new(1, 50, &[false, true]);
    let mut wrong = run.records.clone();
    wrong[7].stream =
        if wrong[7].stream == Stream::Stdout { Stream::Stderr } else { Stream::Stdout };
    assert_eq!(run.verdict(&wrong, &[]).foreign, 1);
    // All of a container under the name of another one: both of its streams.
    let mut wrong = run.records.clone();
    wrong.iter_mut().filter(|sent| sent.container == 1).for_each(|sent| sent.container = 0);
    let verdict = run.verdict(&wrong, &[]);
    assert_eq!(verdict.foreign, 2);
    assert!(!verdict.complete());
}

#[test]
fn a_line_that_was_never_written_is_foreign() {
    let run = Run::new(1, 50, &[false]);
    let mut wrong = run.records.clone();
    let mut payload = Vec::new();
    run.lines.write(0, 777, &mut payload);
    wrong.push(Sent { payload, cut: run.lines.partial(0, 777), ..wrong[0].clone() });
    assert_eq!(run.verdict(&wrong, &[]).foreign, 1);
}

proptest! {
    #[test]
    fn what_lies_in_a_gap_is_accounted_for((mut run, first, last) in run_with_gap()) {
        let gap = run.lose(first, last);
        let verdict = run.verdict(&run.records, &[gap]);
        prop_assert!(verdict.accounted(0) && !verdict.complete(), "{verdict}");
    }

    #[test]
    fn a_gap_must_be_told_once_and_rightly((mut run, first, last) in run_with_gap()) {
        let gap = run.lose(first, last);
        let untold = run.verdict(&run.records, &[]);
        prop_assert_eq!(untold.unexplained, untold.missing);
        prop_assert!(!untold.accounted(0));
        let twice = run.verdict(&run.records, &[gap.clone(), gap.clone()]);
        prop_assert_eq!(twice.explained_twice, twice.missing);
        prop_assert!(!twice.accounted(0));
        let bytes = gap.bytes.map(|bytes| bytes + 1);
        let longer = run.verdict(&run.records, &[Gap { bytes, ..gap.clone() }]);
        prop_assert!(matches!(longer.faults[..], [GapFault::Bytes(..)]) && !longer.accounted(0));
        let unknown = run.verdict(&run.records, &[Gap { bytes: None, ..gap }]);
        prop_assert!(unknown.accounted(0));
    }

    #[test]
    fn a_gap_of_what_came_is_a_fault((run, first, last) in run_with_gap()) {
        let gap = run.clone().lose(first, last);
        let verdict = run.verdict(&run.records, &[gap]);
        prop_assert!(matches!(verdict.faults[..], [GapFault::Empty(_)]) && !verdict.accounted(0));
    }

    #[test]
    fn one_more_missing_record_fails(
        (mut run, first, last) in run_with_gap(),
        one in any::<prop::sample::Index>(),
    ) {
        let gap = run.lose(first, last);
        if !run.records.is_empty() {
            let lost = run.records.remove(one.index(run.records.len()));
            let verdict = run.verdict(&run.records, &[gap]);
            prop_assert_eq!(verdict.unexplained, lost.lines.len() as u64);
        }
    }

    #[test]
    fn one_wrong_record_fails(
        choices in proptest::collection::vec(any::<bool>(), 1..40),
        one in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
    ) {
        let run = Run::new(2, 100, &choices);
        let place = one.index(run.records.len());
        let sent = run.records[place].clone();

        let mut twice = run.records.clone();
        twice.push(sent.clone());
        let verdict = run.verdict(&twice, &[]);
        prop_assert_eq!(verdict.tally.duplicated, sent.lines.len() as u64);
        prop_assert!(!verdict.complete());

        let mut late = run.records.clone();
        late.remove(place);
        late.push(sent.clone());
        let verdict = run.verdict(&late, &[]);
        let behind = |other: &Sent| other.container == sent.container && other.stream == sent.stream;
        let is_late = run.records[place + 1..].iter().any(behind);
        prop_assert_eq!(verdict.tally.out_of_order > 0, is_late);

        let mut cut = run.records.clone();
        cut[place].cut ^= true;
        prop_assert_eq!(run.verdict(&cut, &[]).tally.misjoined, 1);

        let mut torn = run.records.clone();
        let byte = byte.index(sent.payload.len());
        torn[place].payload.remove(byte);
        prop_assert!(!run.verdict(&torn, &[]).complete());
        torn[place].payload.truncate(byte);
        prop_assert!(!run.verdict(&torn, &[]).complete());

        let mut joined = run.records.clone();
        let next = joined[place + 1..].iter().position(|other| behind(other) && !sent.cut);
        if let Some(next) = next {
            let next = joined.remove(place + 1 + next);
            joined[place].payload.extend(next.payload);
            joined[place].cut = next.cut;
            prop_assert_eq!(run.verdict(&joined, &[]).tally.misjoined, 1);
        }
    }
}
