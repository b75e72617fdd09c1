//! What is read in pieces and by turns is what is read at once.

use std::time::Duration;

use bytes::Bytes;
use fairlead_wire::Records;
use fairlead_wire::record::Flags;
use proptest::prelude::*;

use super::*;

/// A record as it was taken: its end, flags, payload.
type Taken = (u64, Flags, Vec<u8>);

fn taken(from: u64, to: u64, records: Vec<u8>, into: &mut Vec<Taken>) {
    let records = Records::check(Bytes::from(records), to - from).expect("well-formed");
    into.extend(records.iter().map(|r| (from + u64::from(r.end), r.flags, r.payload.to_vec())));
}

/// Everything at once.
fn all(file: &[u8], multiline: bool) -> Vec<Taken> {
    let now = Instant::now();
    let (mut records, mut into) = (Vec::new(), Vec::new());
    let mut pack = Pack::new(0, &mut records, Rule::Send);
    let mut decoder = Decoder::resume(Position::default(), multiline);
    let fed = decoder.feed(file, now, &mut pack);
    decoder.finish(&file[fed..], now, &mut pack);
    assert_eq!(decoder.position(), Position::at(file.len() as u64));
    taken(0, file.len() as u64, records, &mut into);
    into
}

fn text(file: &str) -> Vec<(u64, u8, String)> {
    let readable = |(end, flags, payload): Taken| {
        (end, flags.bits(), String::from_utf8_lossy(&payload).into_owned())
    };
    all(file.as_bytes(), false).into_iter().map(readable).collect()
}

const T: &str = "2016-10-06T00:17:09.669794202Z";

#[test]
fn pieces_are_joined_per_stream_and_put_out_in_order_of_their_ends() {
    let file = format!(
        "{T} stdout P one \n{T} stderr F two\n{T} stdout P three \n{T} stdout F four\n{T} stderr F five\n"
    );
    let stderr = Flags::STDERR.bits();
    assert_eq!(
        text(&file),
        [
            (89, stderr, "two".to_owned()),
            (181, 0, "one three four".to_owned()),
            (226, stderr, "five".to_owned()),
        ]
    );
}

#[test]
fn the_rest_of_a_partial_line_is_cut_at_the_end_of_the_file() {
    let cut = Flags::CUT.bits();
    let file = format!("{T} stdout P one\n{T} stderr F two\n");
    let stderr = Flags::STDERR.bits();
    assert_eq!(text(&file), [(44, cut, "one".to_owned()), (88, stderr, "two".to_owned())]);
}

#[test]
fn a_cut_ends_what_is_open_and_nothing_else() {
    let now = Instant::now();
    let (mut records, mut lines) = (Vec::new(), Vec::new());
    let mut pack = Pack::new(0, &mut records, Rule::Send);
    let mut decoder = Decoder::resume(Position::default(), false);
    let file = format!("{T} stdout P one\n{T} stderr F two\n{T} std");
    let fed = decoder.feed(file.as_bytes(), now, &mut pack);
    decoder.cut(&mut pack);
    assert_eq!(decoder.position(), Position::at(fed as u64));
    let rest = format!("{T} stdout F three\n");
    decoder.feed(rest.as_bytes(), now, &mut pack);
    taken(0, decoder.position().to, records, &mut lines);
    assert_eq!(
        lines,
        [
            (44, Flags::CUT, b"one".to_vec()),
            (88, Flags::STDERR, b"two".to_vec()),
            (134, Flags::default(), b"three".to_vec()),
        ]
    );
}

#[test]
fn what_is_not_understood_is_shipped_as_it_is() {
    let file = format!("garbage\n{T} stdout F a\nmore \u{1F600}\n{{\"log\":1}}\nlast");
    let lines: Vec<_> = text(&file).into_iter().map(|(.., text)| text).collect();
    assert_eq!(lines, ["garbage", "a", "more \u{1F600}", "{\"log\":1}", "last"]);
}

#[test]
fn a_line_that_is_too_long_is_truncated_and_the_rest_counted() {
    for length in [PAYLOAD_CAP, PAYLOAD_CAP + 1, LONG_LINE, LONG_LINE + 1, 10 << 20] {
        let payload = vec![b'x'; length];
        let mut file = format!("{T} stdout F ").into_bytes();
        file.extend_from_slice(&payload);
        file.extend_from_slice(format!("\n{T} stdout F next\n").as_bytes());
        let (mut records, mut into) = (Vec::new(), Vec::new());
        let mut pack = Pack::new(0, &mut records, Rule::Send);
        let mut decoder = Decoder::resume(Position::default(), false);
        let (mut at, now) = (0, Instant::now());
        while at < file.len() {
            at += decoder.feed(&file[at..(at + 2 * LONG_LINE).min(file.len())], now, &mut pack);
        }
        let tally = pack.tally;
        taken(0, file.len() as u64, records, &mut into);
        assert_eq!(tally.sent.records, 2);
        assert_eq!(tally.oversize, (length - length.min(PAYLOAD_CAP)) as u64);
        assert_eq!(tally.read().bytes, length as u64 + 4);
        let truncated = if length > PAYLOAD_CAP { Flags::TRUNCATED } else { Flags::default() };
        assert_eq!(into[0].1, truncated);
        assert_eq!(into[0].2, payload[..length.min(PAYLOAD_CAP)]);
        assert_eq!(into[1], (file.len() as u64, Flags::default(), b"next".to_vec()));
        assert_eq!(decoder.position(), Position::at(file.len() as u64));
    }
}

#[test]
fn pieces_that_do_not_fit_are_cut_between_lines() {
    let piece = "x".repeat(16 * 1024);
    let mut file = String::new();
    for _ in 0..5 {
        file.push_str(&format!("{T} stdout P {piece}\n"));
    }
    file.push_str(&format!("{T} stdout F end\n"));
    let lengths: Vec<_> = all(file.as_bytes(), false)
        .into_iter()
        .map(|(_, flags, text)| (flags, text.len()))
        .collect();
    assert_eq!(lengths, [(Flags::CUT, 64 * 1024), (Flags::default(), 16 * 1024 + 3)]);
}

#[test]
fn a_partial_line_waits_for_its_end_and_less_long_where_it_holds_up_others() {
    let file = format!("{T} stdout P one\n{T} stderr F two\n");
    let (one, now) = (44, Instant::now());
    let mut records = Vec::new();
    let mut pack = Pack::new(0, &mut records, Rule::Send);
    let mut decoder = Decoder::resume(Position::default(), false);
    decoder.feed(&file.as_bytes()[..one], now, &mut pack);
    assert_eq!(decoder.deadline(), Some(now + Duration::from_secs(30)));
    decoder.feed(&file.as_bytes()[one..], now, &mut pack);
    assert_eq!(decoder.position(), Position::at(0));
    let deadline = decoder.deadline().expect("holds up the other stream");
    assert_eq!(deadline, now + Duration::from_secs(1));
    decoder.tick(deadline, &mut pack);
    assert_eq!(pack.tally.sent.records, 2);
    assert_eq!(decoder.position(), Position::at(88));
}

#[test]
fn limits_and_exclusion_are_counted() {
    let file = format!("{T} stdout F a\n").repeat(50);
    let now = Instant::now();
    let mut bucket = Bucket::new(2);
    for (rule, expected) in [
        (Rule::Exclude, (0, 50, 0)),
        (Rule::Limit(&mut bucket, i64::MAX), (20, 0, 30)),
        (Rule::Send, (50, 0, 0)),
    ] {
        let mut records = Vec::new();
        let mut pack = Pack::new(0, &mut records, rule);
        Decoder::resume(Position::default(), false).feed(file.as_bytes(), now, &mut pack);
        let Tally { sent, excluded, rate_limited, .. } = pack.tally;
        assert_eq!((sent.records, excluded.records, rate_limited.records), expected);
        assert_eq!(pack.tally.read(), Count { records: 50, bytes: 50 });
    }
}

#[test]
fn a_record_begun_under_other_rules_is_read_to_its_end() {
    let file = format!("{T} stdout F a\n{T} stdout F  b\n{T} stdout F c\n");
    let bytes = file.as_bytes();
    let now = Instant::now();
    let mut records = Vec::new();
    let mut pack = Pack::new(0, &mut records, Rule::Send);
    let mut joining = Decoder::resume(Position::default(), true);
    joining.feed(&bytes[..85], now, &mut pack);
    let position = joining.position();
    assert_eq!(position, Position { to: 42, open_stdout: Some(0), open_stderr: None });
    let mut plain = Decoder::resume(position, false);
    let mut pack = Pack::new(42, &mut records, Rule::Send);
    plain.feed(bytes, now, &mut pack);
    let mut into = Vec::new();
    taken(42, bytes.len() as u64, records, &mut into);
    let lines: Vec<_> = into.into_iter().map(|(.., text)| text).collect();
    assert_eq!(lines, [b"a\n b".to_vec(), b"c".to_vec()]);
}

/// What a container writes: lines, whole or in pieces of which those of two streams interleave.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![8 => 0..40usize, 1 => 10_000..20_000usize, 1 => 60_000..140_000usize];
    let head = prop_oneof![
        Just(""),
        Just("\t"),
        Just("Caused by: "),
        Just("Traceback (most recent call last):"),
    ];
    let piece = (any::<bool>(), any::<bool>(), head, length, any::<u8>());
    let line = prop_oneof![
        12 => piece.prop_map(|(stderr, partial, head, length, fill)| {
            let (stream, tag) = (if stderr { "stderr" } else { "stdout" }, if partial { "P" } else { "F" });
            let mut line = format!("{T} {stream} {tag} {head}").into_bytes();
            let fill = if fill == b'\n' { b' ' } else { fill };
            line.resize(line.len() + length, fill);
            line
        }),
        1 => "[a-z{ ]{0,20}".prop_map(String::into_bytes),
    ];
    (proptest::collection::vec(line, 1..40), any::<bool>()).prop_map(|(lines, torn)| {
        let mut file = lines.join(&b'\n');
        if !torn {
            file.push(b'\n');
        }
        file
    })
}

/// How reading goes: how much at a time, whether a batch is made then, whether logd gets it, and
/// whether all begins again.
#[derive(Debug, Clone, Copy)]
struct Step {
    read: usize,
    flush: bool,
    taken: bool,
    crash: bool,
    wait: bool,
}

fn steps(waits: bool) -> impl Strategy<Value = Vec<Step>> {
    let read = prop_oneof![1..200usize, 1_000..200_000usize];
    let step = (
        read,
        any::<bool>(),
        proptest::bool::weighted(0.7),
        proptest::bool::weighted(0.2),
        any::<bool>(),
    );
    let step = step.prop_map(move |(read, flush, taken, crash, wait)| Step {
        read,
        flush,
        taken,
        crash,
        wait: wait && waits,
    });
    proptest::collection::vec(step, 1..40)
}

/// Reads by these steps, and what is left without further ado. Where batches were lost all begins
/// again at logd's position.
fn interrupted(file: &[u8], multiline: bool, steps: &[Step]) -> Vec<Taken> {
    let mut now = Instant::now();
    let mut into = Vec::new();
    let mut stored = Position::default();
    let mut steps = steps.iter().copied();
    let last = Step { read: 1 << 20, flush: true, taken: true, crash: false, wait: false };
    'life: loop {
        let mut decoder = Decoder::resume(stored, multiline);
        let mut sent = stored;
        let mut records = Vec::new();
        let mut lost = false;
        let mut read = 0;
        loop {
            let step = steps.next().unwrap_or(last);
            let at = decoder.at() as usize;
            // A read sees what was not taken again, and something new.
            read += step.read;
            let end = (at + read).min(file.len());
            let mut pack = Pack::new(sent.to, &mut records, Rule::Send);
            let fed = decoder.feed(&file[at..end], now, &mut pack);
            if fed > 0 {
                read = 0;
            }
            let done = end == file.len();
            if done {
                decoder.finish(&file[at + fed..], now, &mut pack);
            } else if step.wait {
                now += Duration::from_secs(31);
                decoder.tick(now, &mut pack);
            }
            let position = decoder.position();
            if step.flush || done {
                if step.taken && !lost {
                    taken(sent.to, position.to, std::mem::take(&mut records), &mut into);
                    stored = position;
                } else {
                    // What comes behind a lost batch on the same connection does not arrive either.
                    lost = true;
                }
                records.clear();
                sent = position;
            }
            if done && !lost {
                return into;
            }
            if done || step.crash {
                continue 'life;
            }
        }
    }
}

/// What was written to each stream, whatever its records.
fn written(records: &[Taken]) -> [Vec<u8>; 2] {
    let mut streams = [Vec::new(), Vec::new()];
    for (_, flags, payload) in records {
        let stream = &mut streams[flags.stream() as usize];
        stream.extend_from_slice(payload);
        if !flags.contains(Flags::CUT) {
            stream.push(b'\n');
        }
    }
    streams
}

fn outline(records: &[Taken]) -> Vec<(u64, u8, usize)> {
    records.iter().map(|(end, flags, payload)| (*end, flags.bits(), payload.len())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_with_interruptions_is_what_is_read_at_once(
        file in file(), multiline: bool, steps in steps(false),
    ) {
        let (read, expected) = (interrupted(&file, multiline, &steps), all(&file, multiline));
        // What differs is easier to see without payloads.
        prop_assert_eq!(outline(&read), outline(&expected));
        prop_assert!(read == expected);
    }

    #[test]
    fn what_was_cut_by_time_is_lost_nowhere(
        file in file(), multiline: bool, steps in steps(true),
    ) {
        let (read, expected) = (interrupted(&file, multiline, &steps), all(&file, multiline));
        prop_assert!(
            written(&read) == written(&expected),
            "{:?} {:?}", outline(&read), outline(&expected)
        );
    }

    #[test]
    fn reading_from_before_an_offset_gives_the_records_behind_it(
        file in file(), multiline: bool, at in any::<prop::sample::Index>(),
    ) {
        let expected = all(&file, multiline);
        let ends: Vec<u64> = expected.iter().map(|record| record.0).collect();
        let to = ends[at.index(ends.len())];
        let mut into = Vec::new();
        let mut records = Vec::new();
        let mut pack = Pack::new(to, &mut records, Rule::Send);
        let mut decoder = Decoder::begin(0, to, multiline);
        let now = Instant::now();
        let fed = decoder.feed(&file, now, &mut pack);
        decoder.finish(&file[fed..], now, &mut pack);
        taken(to, file.len() as u64, records, &mut into);
        let behind: Vec<_> = expected.into_iter().filter(|record| record.0 > to).collect();
        prop_assert_eq!(into, behind);
    }
}
