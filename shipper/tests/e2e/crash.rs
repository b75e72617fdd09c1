//! Containers write, their files are rotated and compressed, and the shipper and logd are ended in the
//! middle of it, wherever that is: the records that logd has in the end are those of a run that nobody
//! interrupted.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fairlead_shipper::{Shipper, ShipperOptions};
use fairlead_test_support::{figure, soaking};
use fairlead_wire::record::Flags;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::process::Program;
use crate::support::{Api, ContainerLog, Line as Record, Logd, Manner, NODE, Node, State};

/// A line as the runtime writes it.
#[derive(Debug, Clone)]
struct Line {
    stderr: bool,
    partial: bool,
    payload: Vec<u8>,
}

/// What happens between two pieces of what is written.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The container's file is renamed, at the end of a line.
    Rotate,
    /// Its oldest renamed file is compressed.
    Compress,
    /// `kill -9` of the shipper; or it is started again.
    Shipper,
    /// Another instance of logd, with nothing in its memory.
    Logd,
    /// The connection between both breaks.
    Cut,
    /// Time passes.
    Pause(u8),
}

#[derive(Debug, Clone)]
struct Script {
    /// Of each container of a pod.
    containers: Vec<Vec<Line>>,
    multiline: bool,
    /// Which of them writes how much, and what happens then.
    steps: Vec<(usize, usize, Event)>,
}

fn script() -> impl Strategy<Value = Script> {
    let heads = prop_oneof![4 => Just(""), 1 => Just("\tat a.b"), 1 => Just("Caused by: x")];
    let length = prop_oneof![9 => 0..200_usize, 1 => 2_000..6_000_usize];
    let line = (any::<bool>(), any::<bool>(), heads, length, any::<u8>()).prop_map(
        |(stderr, partial, head, length, fill)| {
            let mut payload = head.as_bytes().to_vec();
            payload.resize(payload.len() + length, if fill == b'\n' { 0 } else { fill });
            Line { stderr, partial, payload }
        },
    );
    let event = prop_oneof![
        3 => Just(Event::Rotate),
        2 => Just(Event::Compress),
        3 => Just(Event::Shipper),
        1 => Just(Event::Logd),
        1 => Just(Event::Cut),
        3 => (0..100_u8).prop_map(Event::Pause),
    ];
    // Any byte may be the last that was written: of a line's time, its tag, its text.
    let length = prop_oneof![1 => 1..60_usize, 2 => 60..3_000_usize];
    let steps = proptest::collection::vec((0..3_usize, length, event), 4..30);
    let lines = proptest::collection::vec(line, 10..80).prop_map(|mut lines| {
        // Each stream ends its last line.
        for stderr in [false, true] {
            lines.push(Line { stderr, partial: false, payload: b"end".to_vec() });
        }
        lines
    });
    (proptest::collection::vec(lines, 1..=3), any::<bool>(), steps)
        .prop_map(|(containers, multiline, steps)| Script { containers, multiline, steps })
}

/// A container, and how far it is.
struct Writer {
    log: ContainerLog,
    bytes: Vec<u8>,
    at: usize,
    rotated: u32,
    compressed: u32,
}

impl Writer {
    fn new(node: &Node, pod: &str, number: usize, lines: &[Line]) -> Self {
        let log = node.container(pod, &name(number));
        Self { log, bytes: content(lines), at: 0, rotated: 0, compressed: 0 }
    }

    /// Writes so many bytes, or as many more as its line has.
    fn write(&mut self, length: usize, line: bool) {
        let mut end = (self.at + length).min(self.bytes.len());
        if line {
            let rest = self.bytes[end..].iter().position(|byte| *byte == b'\n');
            end = rest.map_or(self.bytes.len(), |rest| end + rest + 1);
        }
        if self.at < end {
            self.log.bytes(&self.bytes[self.at..end]);
            self.at = end;
        }
    }
}

/// The name of a container.
fn name(number: usize) -> String {
    format!("web-{number}")
}

/// The bytes of the file, in which no two lines are the same.
fn content(lines: &[Line]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, Line { stderr, partial, payload }) in lines.iter().enumerate() {
        let stream = if *stderr { "stderr" } else { "stdout" };
        let tag = if *partial { "P" } else { "F" };
        let head = format!("2026-11-20T10:00:00.{number:09}Z {stream} {tag} ");
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(payload);
        bytes.push(b'\n');
    }
    bytes
}

/// What the application wrote to each stream.
fn written(lines: &[Line]) -> [Vec<u8>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    for Line { stderr, partial, payload } in lines {
        let stream = &mut streams[usize::from(*stderr)];
        stream.extend_from_slice(payload);
        if !partial {
            stream.push(b'\n');
        }
    }
    streams
}

/// What logd has of each stream of a container.
fn received(state: &State, container: &str) -> [Vec<u8>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    let files = state.order.iter().filter(|key| key.1 == container);
    for line in files.flat_map(|key| &state.files[key].lines) {
        let stream = &mut streams[line.flags.stream() as usize];
        stream.extend_from_slice(&line.payload);
        if !line.flags.contains(Flags::CUT) {
            stream.push(b'\n');
        }
    }
    streams
}

/// What keeps a shipper from reading on for so long may end a record: a line whose end is missing, or a
/// stack trace that may go on.
const HOLD: Duration = Duration::from_secs(1);

/// Whether the records are these, in name, time, flags and payload. Where `time` passed while they were
/// read, one may have been cut; then its parts, up to where both are cut, are the same text.
fn compare(state: &State, expected: &State, time: bool) -> Result<(), TestCaseError> {
    prop_assert!(state.files.keys().eq(expected.files.keys()), "{state:#?}");
    for (key, file) in &expected.files {
        for stderr in [Flags::default(), Flags::STDERR] {
            let of = |state: &State| {
                let lines = state.files[key].lines.clone();
                let lines = lines.into_iter().filter(|line| line.flags.stream() == stderr.stream());
                // Whoever comes later is sent it as history.
                lines.map(|line| Record { history: false, ..line }).collect::<Vec<_>>()
            };
            let (mut has, mut wanted) = (of(state), of(expected));
            if time {
                align(&mut has, &mut wanted);
            }
            prop_assert_eq!(has, wanted, "of {:?}, of which {} lines", key, file.lines.len());
        }
    }
    Ok(())
}

/// Joins records that are not cut where those of the other are.
fn align(one: &mut Vec<Record>, other: &mut Vec<Record>) {
    let ends = |records: &[Record]| records.iter().map(|r| r.end).collect::<BTreeSet<_>>();
    let common: BTreeSet<_> = ends(one).intersection(&ends(other)).copied().collect();
    for records in [one, other] {
        let mut joined: Vec<Record> = Vec::new();
        for record in records.drain(..) {
            match joined.last_mut().filter(|last| !common.contains(&last.end)) {
                Some(last) => {
                    if !last.flags.contains(Flags::CUT) {
                        last.payload.push(b'\n');
                    }
                    last.payload.extend_from_slice(&record.payload);
                    (last.end, last.flags) = (record.end, record.flags);
                }
                None => joined.push(record),
            }
        }
        *records = joined;
    }
}

/// Bytes that logd has of all files.
fn stored(state: &State) -> u64 {
    state.files.values().filter_map(|file| file.to).sum()
}

/// Waits until logd has more than it had, so that what happens next happens in the middle of the
/// work. Where nothing is left to be sent now, not for long.
async fn more(logd: &Logd, than: u64) -> u64 {
    let more = logd.until("more", |state| (stored(state) > than).then_some(()));
    let _ = tokio::time::timeout(HOLD / 4, more).await;
    logd.look(stored)
}

async fn play(api: &Api, case: u32, script: &Script) -> Result<(), TestCaseError> {
    let node = Node::new();
    let kubeconfig = node.pods().with_file_name("kubeconfig");
    std::fs::write(&kubeconfig, api.cluster.kubeconfig(&api.cluster.mint("shipper"))).unwrap();
    let multiline = if script.multiline { "true" } else { "false" };
    let annotations = json!({"annotations": {"fairlead.dev/log-multiline": multiline}});
    let pod = api.pod(&format!("web-{case}"), annotations);
    let containers = script.containers.iter().enumerate();
    let mut writers: Vec<_> =
        containers.map(|(number, lines)| Writer::new(&node, &pod, number, lines)).collect();
    let logd = Logd::start(Manner { history: 1 << 30, ..Manner::default() }).await;
    let start = || {
        Program::start_with(&node, &logd, |command| {
            command.env("KUBECONFIG", &kubeconfig).arg(format!("--node={NODE}"))
        })
    };
    let mut shipper = Some((start(), Instant::now()));
    // No shipper ran for so long that it could have cut a record.
    let mut quick = true;
    let mut had = 0;
    for (number, (which, length, event)) in script.steps.iter().enumerate() {
        let count = writers.len();
        let writer = &mut writers[which % count];
        writer.write(*length, matches!(event, Event::Rotate));
        if matches!(event, Event::Shipper | Event::Logd | Event::Cut) && shipper.is_some() {
            had = more(&logd, had).await;
        }
        match event {
            Event::Rotate if writer.log.live().exists() => {
                writer.log.rotate(writer.rotated);
                writer.rotated += 1;
            }
            // The kubelet leaves the newest as it is.
            Event::Compress if writer.compressed + 1 < writer.rotated => {
                writer.log.compress(writer.compressed);
                writer.compressed += 1;
            }
            Event::Rotate | Event::Compress => {}
            Event::Shipper => match shipper.take() {
                Some((_running, since)) => quick &= since.elapsed() < HOLD,
                None => shipper = Some((start(), Instant::now())),
            },
            Event::Logd => {
                logd.restart(&format!("instance {number}"));
                had = 0;
            }
            Event::Cut => logd.cut(),
            Event::Pause(time) => tokio::time::sleep(Duration::from_millis(u64::from(*time))).await,
        }
    }
    writers.iter_mut().for_each(|writer| writer.write(usize::MAX / 2, false));
    let (shipper, since) = shipper.unwrap_or_else(|| (start(), Instant::now()));
    quick &= since.elapsed() < HOLD;
    let expected: Vec<_> = script.containers.iter().map(|lines| written(lines)).collect();
    let has = |state: &State| {
        let received = (0..expected.len()).map(|number| received(state, &name(number)));
        received.collect::<Vec<_>>()
    };
    let all = |state: &State| {
        let has = has(state);
        let streams = has.iter().flatten().zip(expected.iter().flatten());
        { streams }.all(|(has, all)| has.len() >= all.len()).then_some(())
    };
    logd.until("all that was written", all).await;
    drop(shipper);

    let calm = Logd::start(Manner::default()).await;
    let options = ShipperOptions {
        node: NODE.to_owned(),
        state: node.state().with_file_name("calm"),
        ..node.options(&calm)
    };
    let _calm = Shipper::start(options, Some(api.client().await)).unwrap();
    calm.until("all that was written, once more", all).await;
    logd.look(|state| {
        prop_assert!(has(state) == expected, "{state:#?}");
        prop_assert!(state.gaps.is_empty(), "{:?}", state.gaps);
        prop_assert!(state.faults.is_empty(), "{:?}", state.faults);
        calm.look(|calm| compare(state, calm, !quick))
    })
}

#[test]
fn whoever_is_ended_whenever_the_records_are_those_of_an_uninterrupted_run() {
    let runtime = Runtime::new().unwrap();
    let api = runtime.block_on(Api::start());
    let cases = if soaking() { 300 } else { 16 };
    let mut runner = TestRunner::new(Config { cases, max_shrink_iters: 30, ..Config::default() });
    let case = std::cell::Cell::new(0);
    let run = runner.run(&script(), |script| {
        case.set(case.get() + 1);
        runtime.block_on(play(&api, case.get(), &script))
    });
    run.unwrap();
    figure(
        "whoever_is_ended_whenever_the_records_are_those_of_an_uninterrupted_run",
        &format!(
            "{cases} random scripts of up to three containers, cut at any byte: the same records"
        ),
    );
}
