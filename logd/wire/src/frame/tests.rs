use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::check::{LABELS_CAP, NAME_CAP, PARTS_CAP};
use crate::message::*;

fn file() -> impl Strategy<Value = File> {
    (".{1,9}", ".{0,9}", any::<u32>(), any::<u64>()).prop_map(
        |(pod_uid, container, restart, first_line)| File {
            pod_uid,
            container,
            restart,
            first_line,
        },
    )
}

fn limits() -> impl Strategy<Value = Limits> {
    any::<(u64, u64, u64)>().prop_map(|(bytes, lines, age)| Limits { bytes, lines, age })
}

fn source() -> impl Strategy<Value = Source> {
    let names = (".{1,9}", ".{1,9}", ".{0,9}", ".{0,9}", ".{0,9}", ".{0,9}", ".{0,9}");
    (names, btree_map(".{0,9}", ".{0,9}", 0..4), option::of(limits())).prop_map(
        |((namespace, app, pod, process, release, node, container_id), labels, limits)| Source {
            namespace,
            app,
            pod,
            process,
            release,
            node,
            container_id,
            labels,
            limits,
        },
    )
}

fn loss() -> impl Strategy<Value = Loss> {
    (0..3, any::<u64>(), any::<u64>()).prop_map(|(reason, records, bytes)| Loss {
        reason,
        records,
        bytes,
    })
}

fn batch() -> impl Strategy<Value = Batch> {
    let range = (any::<u32>(), 0..=u64::MAX / 2, any::<u32>());
    let open = (option::of(any::<Index>()), option::of(any::<Index>()));
    let flags = any::<(bool, bool)>();
    (range, open, flags, any::<u32>(), vec(any::<u8>(), 0..300), vec(loss(), 0..3)).prop_map(
        |((file, from, length), (stdout, stderr), (history, lacking), fetch, records, losses)| {
            let to = from + u64::from(length);
            let open = |at: Index| to - at.index(1000).min(to as usize) as u64;
            Batch {
                file,
                from,
                to,
                open_stdout: stdout.map(open),
                open_stderr: stderr.map(open),
                history,
                fetch,
                records: records.into(),
                losses,
                lacking,
            }
        },
    )
}

fn edge() -> impl Strategy<Value = Edge> {
    (file(), any::<u64>(), any::<i64>()).prop_map(|(incarnation, offset, time)| Edge {
        incarnation,
        offset,
        time,
    })
}

fn gap() -> impl Strategy<Value = Gap> {
    let edges = (option::of(edge()), option::of(edge()));
    (any::<u32>(), any::<u64>(), 0..5, edges, option::of(any::<u64>())).prop_map(
        |(file, id, reason, (before, after), bytes)| Gap { file, id, reason, before, after, bytes },
    )
}

fn from_sender() -> impl Strategy<Value = FromSender> {
    prop_oneof![
        ".{0,9}".prop_map(|sender| FromSender::Hello(SenderHello { version: VERSION, sender })),
        (any::<u32>(), file(), source()).prop_map(|(file, incarnation, source)| FromSender::Open(
            Open { file, incarnation, source }
        )),
        vec(batch(), 0..4).prop_map(|batches| FromSender::Batches(Batches { batches })),
        gap().prop_map(FromSender::Gap),
        any::<u32>().prop_map(|file| FromSender::Close(Close { file })),
    ]
}

fn logd_says() -> impl Strategy<Value = FromLogd> {
    let position = (option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u64>()));
    let ack = any::<(u32, u64, u64, u64)>().prop_map(|(file, stored, settled, gap)| Ack {
        file,
        stored,
        settled,
        gap,
    });
    prop_oneof![
        (".{0,9}", any::<u64>()).prop_map(|(instance, history)| {
            FromLogd::Hello(LogdHello { version: VERSION, instance, history })
        }),
        (any::<u32>(), position, any::<u64>()).prop_map(
            |(file, (to, open_stdout, open_stderr), settled)| {
                FromLogd::Opened(Opened { file, to, open_stdout, open_stderr, settled })
            }
        ),
        vec(ack, 0..9).prop_map(|acks| FromLogd::Acks(Acks { acks })),
        (1..u32::MAX, any::<u32>(), any::<u32>(), 1..u32::MAX).prop_map(
            |(fetch, file, from, length)| {
                let from = u64::from(from);
                FromLogd::Fetch(Fetch { fetch, file, from, to: from + u64::from(length) })
            }
        ),
        ".{0,99}".prop_map(|reason| FromLogd::End(End { reason })),
    ]
}

/// Whatever the cuts, what comes out is what went in; a kind that nobody knows is in between.
fn survives<M: PartialEq + std::fmt::Debug>(
    messages: &[M],
    cuts: &[Index],
    mut encode: impl FnMut(&M) -> Result<Bytes, FrameError>,
    decode: impl Fn(&mut Decoder) -> Result<Option<M>, FrameError>,
) {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(&encode(message).unwrap());
        bytes.extend_from_slice(b"\x02\0\0\0\xff??");
    }
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    let (mut decoder, mut seen, mut at) = (Decoder::default(), Vec::new(), 0);
    for cut in cuts {
        decoder.push(&bytes[at..cut]);
        at = cut;
        while let Some(message) = decode(&mut decoder).unwrap() {
            seen.push(message);
        }
    }
    assert!(decoder.is_empty());
    assert_eq!(seen, messages);
}

proptest! {
    #[test]
    fn what_senders_say_is_heard_in_any_pieces(
        messages in vec(from_sender(), 0..9),
        cuts in vec(any::<Index>(), 0..99),
    ) {
        let mut encoder = Encoder::new().unwrap();
        survives(&messages, &cuts, |message| encoder.from_sender(message), Decoder::sender);
    }

    #[test]
    fn what_logd_says_is_heard_in_any_pieces(
        messages in vec(logd_says(), 0..9),
        cuts in vec(any::<Index>(), 0..99),
    ) {
        survives(&messages, &cuts, from_logd, Decoder::logd);
    }

    #[test]
    fn any_bytes_are_read_or_refused(kind in 0_u8..140, payload in vec(any::<u8>(), 0..200)) {
        let mut decoders = [Decoder::default(), Decoder::default()];
        decoders.iter_mut().for_each(|decoder| decoder.push(&frame(kind, &payload)));
        let [sender, logd] = &mut decoders;
        let _ = sender.sender();
        let _ = logd.logd();
    }
}

#[test]
fn what_is_unknown_is_skipped() {
    let mut decoder = Decoder::default();
    // A kind of the future, then a close with a field of the future.
    decoder.push(b"\x02\0\0\0\x63ab");
    decoder.push(b"\x04\0\0\0\x05\x08\x07\x78\x01");
    assert_eq!(decoder.sender().unwrap(), Some(FromSender::Close(Close { file: 7 })));
    assert_eq!(decoder.sender().unwrap(), None);
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&length.to_le_bytes()[..], &[kind], payload].concat()
}

fn refused(kind: u8, payload: &[u8]) -> FrameError {
    let mut decoder = Decoder::default();
    decoder.push(&frame(kind, payload));
    decoder.sender().unwrap_err()
}

/// The frame of batches that state `stated` bytes and have `plain`.
fn compressed(stated: u32, plain: &[u8]) -> Vec<u8> {
    [&stated.to_le_bytes()[..], &zstd::bulk::compress(plain, 1).unwrap()].concat()
}

#[test]
fn frames_and_messages_that_are_too_large_are_refused() {
    let mut decoder = Decoder::default();
    decoder.push(b"\xff\xff\xff\xff\x01");
    let error = decoder.sender().unwrap_err();
    assert_eq!(error.to_string(), "a frame of 4294967295 bytes is longer than 8388608");
    let error = refused(2, &vec![0; MESSAGE_CAP + 1]);
    assert_eq!(error.to_string(), "a message of 1048577 bytes is longer than 1048576");
    // Batches by the size that they state.
    let error = refused(3, &0x0080_0001_u32.to_le_bytes());
    assert_eq!(error.to_string(), "a frame of 8388609 bytes is longer than 8388608");
}

#[test]
fn batches_that_decompress_to_another_size_are_refused() {
    for payload in
        [compressed(99, &[0; 100]), compressed(101, &[0; 100]), vec![0; 3], vec![0, 1, 0, 0, 9]]
    {
        let error = refused(3, &payload);
        assert!(matches!(error, FrameError::Size | FrameError::Compression(_)), "{error}");
    }
    // A hundred MiB of zeros in a few KiB.
    let bomb = compressed(1000, &vec![0; 100 << 20]);
    assert!(bomb.len() < 20_000);
    assert!(matches!(refused(3, &bomb), FrameError::Compression(_)));
}

#[test]
fn messages_that_say_what_cannot_be_are_refused() {
    let invalid = |message: FromSender| {
        let bytes = Encoder::new().unwrap().from_sender(&message).unwrap();
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        match decoder.sender().unwrap_err() {
            FrameError::Invalid(invalid) => invalid,
            other => panic!("{other}"),
        }
    };
    let batch = |from, to, open_stdout| {
        let batch = Batch { file: 7, from, to, open_stdout, ..Batch::default() };
        FromSender::Batches(Batches { batches: vec![batch] })
    };
    assert_eq!(invalid(batch(2, 1, None)), Invalid::Range { file: 7, from: 2, to: 1 });
    assert_eq!(invalid(batch(0, 1 << 32, None)), Invalid::Range { file: 7, from: 0, to: 1 << 32 });
    assert_eq!(invalid(batch(0, 4, Some(5))), Invalid::OpenLater { file: 7, to: 4 });

    let open = |change: fn(&mut Open)| {
        let incarnation = File { pod_uid: "u".into(), ..File::default() };
        let source = Source { namespace: "shop".into(), app: "web".into(), ..Source::default() };
        let mut open = Open { file: 7, incarnation, source };
        change(&mut open);
        FromSender::Open(open)
    };
    let empty = |field| Invalid::Empty { file: 7, field };
    assert_eq!(invalid(open(|o| o.source.app.clear())), empty("app"));
    assert_eq!(invalid(open(|o| o.source.namespace.clear())), empty("namespace"));
    assert_eq!(invalid(open(|o| o.incarnation.pod_uid.clear())), empty("incarnation"));
    let labels =
        open(|o| o.source.labels.extend((0..=LABELS_CAP).map(|i| (i.to_string(), String::new()))));
    assert_eq!(invalid(labels), Invalid::Labels { file: 7 });
    let long = open(|o| o.source.node = "n".repeat(NAME_CAP + 1));
    assert_eq!(invalid(long), Invalid::TooLong { file: 7, field: "node" });

    let long = || "n".repeat(NAME_CAP + 1);
    for incarnation in
        [File { pod_uid: long(), ..File::default() }, File { container: long(), ..File::default() }]
    {
        let edge = Edge { incarnation, offset: 0, time: 0 };
        let before = Gap { file: 7, before: Some(edge.clone()), ..Gap::default() };
        let after = Gap { file: 7, after: Some(edge), ..Gap::default() };
        for gap in [before, after] {
            assert_eq!(invalid(FromSender::Gap(gap)), Invalid::Edge { file: 7 });
        }
    }
    let hello = SenderHello { version: VERSION, sender: long() };
    assert_eq!(invalid(FromSender::Hello(hello)), Invalid::Sender);
}

#[test]
fn a_message_of_too_many_parts_is_refused_before_it_is_decoded() {
    let batches = |count, losses| {
        let batch = Batch { losses: vec![Loss::default(); losses], ..Batch::default() };
        FromSender::Batches(Batches { batches: vec![batch; count] })
    };
    for (count, losses, taken) in [
        (PARTS_CAP, 0, true),
        (PARTS_CAP + 1, 0, false),
        (1, PARTS_CAP - 1, true),
        (1, PARTS_CAP, false),
    ] {
        let message = batches(count, losses);
        let mut decoder = Decoder::default();
        decoder.push(&Encoder::new().unwrap().from_sender(&message).unwrap());
        match decoder.sender() {
            Ok(decoded) => assert_eq!((decoded, taken), (Some(message), true)),
            Err(error) => {
                assert!(matches!(error, FrameError::Invalid(Invalid::Parts)), "{error}");
                assert!(!taken);
            }
        }
    }
}

#[test]
fn what_is_too_large_is_not_sent() {
    let mut encoder = Encoder::new().unwrap();
    let records = Bytes::from(vec![0; FRAME_CAP]);
    let batches = Batches { batches: vec![Batch { records, ..Batch::default() }] };
    let error = encoder.from_sender(&FromSender::Batches(batches)).unwrap_err();
    assert!(matches!(error, FrameError::TooLong(_)), "{error}");
    let end = FromLogd::End(End { reason: "x".repeat(MESSAGE_CAP) });
    assert!(matches!(from_logd(&end).unwrap_err(), FrameError::MessageTooLong(_)));
}

#[test]
fn reasons_keep_their_numbers() {
    assert_eq!(
        [LossReason::RateLimited, LossReason::Oversize, LossReason::QueueFull].map(|r| r as i32),
        [0, 1, 2]
    );
    let gaps = [
        GapReason::Deleted,
        GapReason::Truncated,
        GapReason::GivenUp,
        GapReason::RuntimeRotation,
        GapReason::Unreadable,
    ];
    assert_eq!(gaps.map(|reason| reason as i32), [0, 1, 2, 3, 4]);
}
