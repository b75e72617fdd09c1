use proptest::prelude::*;
use syslog_loose::{ProcId, Protocol, Variant};
use syslog_rfc5424::{SyslogFacility, SyslogSeverity};

use super::*;
use crate::target::Target;
use crate::test::{line, source};

fn messages(url: &str, token: Option<&str>, lines: &[Line<'_>]) -> Vec<Vec<u8>> {
    let Ok(Target::Syslog(syslog)) = Target::parse(url) else { panic!("{url}") };
    let mut encoder = Encoder::new(&syslog, token.map(Secret::new).as_ref()).unwrap();
    let mut batch = Batch::default();
    for line in lines {
        assert_eq!(encoder.encode(line, &mut batch), None);
    }
    let starts = std::iter::once(0).chain(batch.ends.iter().copied());
    let ends = batch.ends.iter().copied();
    starts.zip(ends).map(|(start, end)| batch.bytes[start..end].to_vec()).collect()
}

fn message(url: &str, line: &Line<'_>) -> String {
    String::from_utf8(messages(url, None, &[*line]).remove(0)).unwrap()
}

#[test]
fn a_line_has_its_fields() {
    assert_eq!(
        message("syslog://h", &line(b"GET /")),
        "<14>1 2026-11-20T10:00:00.123456+00:00 front.shop web web.v2.x7k2p - \
         [fairlead@32473 release=\"v2\" pod=\"front-web-6f7c-x7k2p\" node=\"node-1\"] GET /"
    );
    assert_eq!(
        message("syslog://h?format=rfc3164&facility=local7", &line(b"GET /")),
        "<190>Nov 20 10:00:00 front.shop web[web.v2.x7k2p]: GET /"
    );
}

/// Papertrail: RFC 5424 behind its length, over TLS; at most 100,000 bytes, a host of at most 120.
#[test]
fn row_77_papertrail_takes_counted_frames_of_rfc_5424_over_tls() {
    let url = "papertrail://logs7.papertrailapp.com:12345";
    assert_eq!(Target::parse(url).unwrap().transport(), Transport::Tls);
    assert_eq!(
        message(url, &line("päper".as_bytes())),
        "146 <14>1 2026-11-20T10:00:00.123456+00:00 front.shop web web.v2.x7k2p - \
         [fairlead@32473 release=\"v2\" pod=\"front-web-6f7c-x7k2p\" node=\"node-1\"] päper"
    );
    let longest = vec![b'x'; fairlead_wire::record::PAYLOAD_CAP];
    let names = Source { app: "a".repeat(63), namespace: "n".repeat(63), ..source() };
    let text = message(url, &Line { source: &names, ..line(&longest) });
    assert!(text.len() < 100_000 && text.ends_with("xxx"));
    assert_eq!(text.split(' ').nth(3).map(str::len), Some(120));
}

#[test]
fn the_stream_tells_how_severe_it_is() {
    for (flags, user, local7) in
        [(Flags::default(), 14, 190), (Flags::STDERR, 11, 187), (Flags::NOTICE, 12, 188)]
    {
        let line = Line { flags, ..line(b"x") };
        let start = |url| message(url, &line)[..4].to_owned();
        assert_eq!(start("syslog://h"), format!("<{user}>"));
        assert_eq!(start("syslog://h?facility=local7"), format!("<{local7}"));
    }
    assert!(message("syslog://h?facility=kern", &line(b"x")).starts_with("<6>1 "));
}

#[test]
fn streams_have_frames() {
    let text = message("syslog+tcp://h:1", &line(b"a\nb"));
    let (length, rest) = text.split_once(' ').unwrap();
    assert_eq!(length, rest.len().to_string());
    assert!(rest.ends_with("] a\nb"), "{rest}");
    let text = message("syslog+tls://h?framing=lf", &line(b"a\nb"));
    assert!(text.starts_with("<14>1 ") && text.ends_with("] a#012b\n"), "{text}");
}

#[test]
fn datagrams_and_the_older_format_are_cut() {
    let long = "ä".repeat(2_000);
    for (url, cap) in [
        ("syslog://h", 1_400),
        ("syslog://h?format=rfc3164", 1_024),
        ("syslog+tcp://h:1?format=rfc3164&framing=lf", 1_025),
    ] {
        let length = message(url, &line(long.as_bytes())).len();
        assert!(length == cap || length == cap - 1, "{url}: {length}");
    }
    assert!(message("syslog+tcp://h:1", &line(long.as_bytes())).len() > 4_000);
}

#[test]
fn a_token_is_an_element_of_its_own() {
    let shown = |token| messages("syslog+tls://h", Some(token), &[line(b"x")]).remove(0);
    let text = String::from_utf8(shown("a1B2-c3_d4")).unwrap();
    assert!(text.contains(" - [a1B2-c3_d4@41058][fairlead@32473 release="), "{text}");
    let error = |url, token| {
        let Ok(Target::Syslog(syslog)) = Target::parse(url) else { panic!("{url}") };
        Encoder::new(&syslog, Some(&Secret::new(token))).err()
    };
    assert_eq!(error("syslog+tls://h", "a=b"), Some(OpenError::TokenAsElement));
    assert_eq!(error("syslog+tls://h?format=rfc3164", "a"), Some(OpenError::NoToken("rfc3164")));
}

#[test]
fn what_is_unknown_is_a_dash() {
    let source = Source { app: "a b\u{7}é".into(), ..Source::default() };
    let line = Line { source: &source, ..line(b"") };
    let (head, _) = message("syslog://h", &line)
        .split_once("+00:00")
        .map(|(a, b)| (b.to_owned(), a.to_owned()))
        .unwrap();
    assert_eq!(head, " a_b__ - - - - ");
    assert_eq!(message("syslog://h?format=rfc3164", &line), "<14>Nov 20 10:00:00 a_b__ app[-]: ");
}

#[test]
fn days_below_ten_have_a_space() {
    let line = Line { time: 1_793_750_400_000_000_000, ..line(b"x") };
    assert!(message("syslog://h?format=rfc3164", &line).starts_with("<14>Nov  4 00:00:00 "));
}

/// An app's names as Kubernetes allows them, and others.
fn any_source() -> impl Strategy<Value = Source> {
    let name = || prop_oneof!["[a-z0-9-]{0,63}", "[ -~é\\PC]{0,300}"];
    (name(), name(), name(), name(), name(), name()).prop_map(
        |(namespace, app, pod, process, release, node)| Source {
            namespace,
            app,
            pod,
            process,
            release,
            node,
            ..source()
        },
    )
}

proptest! {
    /// Read by a strict parser that is not ours.
    #[test]
    fn what_is_made_is_rfc_5424(
        source in any_source(), text in "\\PC{0,200}", time in any::<i64>(), flags in 0_u8..16,
    ) {
        let payload = text.as_bytes();
        let line = Line {
            source: &source, time, flags: Flags::from_bits(flags), ..line(payload)
        };
        let made = message("syslog+tcp://h:1?framing=lf&facility=local3", &line);
        let read = syslog_rfc5424::parse_message(made.trim_end_matches('\n')).unwrap();
        prop_assert_eq!(read.facility, SyslogFacility::LOG_LOCAL3);
        prop_assert_eq!(read.severity, match severity(line.flags) {
            3 => SyslogSeverity::SEV_ERR,
            4 => SyslogSeverity::SEV_WARNING,
            _ => SyslogSeverity::SEV_INFO,
        });
        prop_assert_eq!(read.version, 1);
        prop_assert_eq!(read.timestamp, Some(time.div_euclid(1_000_000_000)));
        prop_assert_eq!(
            read.timestamp_nanos.unwrap() / 1_000,
            time.rem_euclid(1_000_000_000) as u32 / 1_000
        );
        if !text.is_empty() {
            prop_assert_eq!(read.msg, text.clone());
        }
        let dash = |text: String| (text != "-").then_some(text);
        prop_assert_eq!(read.hostname, dash(word(&host(&source), 120)));
        prop_assert_eq!(read.appname, dash(word(&source.process, 48)));
        let ours = read.sd.find_sdid("fairlead@32473");
        for (name, value) in [("release", &source.release), ("pod", &source.pod)] {
            let value = &value[..value.floor_char_boundary(253)];
            let found = ours.and_then(|ours| ours.get(name)).map(String::as_str);
            prop_assert_eq!(found.unwrap_or_default(), value);
        }
    }

    #[test]
    fn the_older_format_is_read_as_well(text in "[a-zA-Z]([ -~]{0,200}[!-~])?", time in any::<u32>()) {
        let line = Line { time: i64::from(time) * 1_000_000_000, ..line(text.as_bytes()) };
        let made = message("syslog://h?format=rfc3164", &line);
        // There is no year, and the reader's own may not have this day.
        prop_assume!(!made.contains("Feb 29"));
        let read = syslog_loose::parse_message(&made, Variant::RFC3164);
        prop_assert_eq!(read.protocol, Protocol::RFC3164);
        prop_assert_eq!(read.hostname, Some("front.shop"));
        prop_assert_eq!(read.appname, Some("web"));
        prop_assert_eq!(read.procid, Some(ProcId::Name("web.v2.x7k2p")));
        prop_assert_eq!(read.msg, text);
    }

    /// Any bytes: frames are told apart by their lengths.
    #[test]
    fn counted_frames_are_whole(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..10),
    ) {
        let lines: Vec<Line<'_>> = payloads.iter().map(|payload| line(payload)).collect();
        let frames = messages("syslog+tcp://h:1", None, &lines).concat();
        let mut rest = frames.as_slice();
        for payload in &payloads {
            let space = rest.iter().position(|byte| *byte == b' ').unwrap();
            let length: usize = str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
            let (frame, more) = rest[space + 1..].split_at(length);
            prop_assert!(frame.starts_with(b"<14>1 "));
            if !payload.contains(&0) && !payload.ends_with(b"\r") {
                prop_assert!(frame.ends_with(payload));
            }
            rest = more;
        }
        prop_assert!(rest.is_empty());
    }
}
