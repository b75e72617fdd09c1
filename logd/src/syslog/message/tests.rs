use proptest::prelude::*;

use super::*;

/// 2026-11-20T10:00:00Z.
const NOW: i64 = 1_795_168_800 * SECOND;

fn parse(message: &[u8]) -> Message<'_> {
    Message::parse(message, NOW)
}

/// `TIME HOST PROCESS PAYLOAD`.
fn shown(message: &[u8]) -> String {
    let Message { error, time, host, process, payload } = parse(message);
    let time = time.map(|time| Timestamp::from_nanosecond(time.into()).unwrap().to_string());
    let [time, host, process] =
        [time.as_deref(), host, process].map(|part| part.unwrap_or("-").to_owned());
    let error = if error { "error " } else { "" };
    format!("{error}{time} {host} {process} |{}|", payload.escape_ascii())
}

/// The examples of RFC 5424, section 6.5.
#[test]
fn examples_of_rfc_5424() {
    for (message, expected) in [
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8",
            "error 2003-10-11T22:14:15.003Z mymachine.example.com su |\\'su root\\' failed for lonvick on /dev/pts/8|",
        ),
        (
            "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
            "2003-08-24T12:14:15.000003Z 192.0.2.1 myproc |%% It\\'s time to make the do-nuts.|",
        ),
        (
            r#"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventID="1011"] An event"#,
            r#"2003-10-11T22:14:15.003Z mymachine.example.com evntslog |[exampleSDID@32473 iut=\"3\" eventID=\"1011\"] An event|"#,
        ),
        (
            r#"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [a@1 iut="3"][b@2 c="d"]"#,
            r#"2003-10-11T22:14:15.003Z mymachine.example.com evntslog |[a@1 iut=\"3\"][b@2 c=\"d\"]|"#,
        ),
    ] {
        assert_eq!(shown(message.as_bytes()), expected);
    }
}

/// The examples of RFC 3164, section 5.4.
#[test]
fn examples_of_rfc_3164() {
    for (message, expected) in [
        (
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
            "error 2026-10-11T22:14:15Z mymachine su |\\'su root\\' failed for lonvick on /dev/pts/8|",
        ),
        ("Use the BFG!", "- - - |Use the BFG!|"),
        (
            "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
            "2026-02-05T17:32:18Z 10.0.0.99 - |Use the BFG!|",
        ),
        (
            "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.",
            "2026-08-24T05:34:00Z CST - |1987 mymachine myproc[10]: %% It\\'s time to make the do-nuts.|",
        ),
        (
            "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
            "error - - - |1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That\\'s All Folks!|",
        ),
    ] {
        assert_eq!(shown(message.as_bytes()), expected);
    }
}

#[test]
fn forms_that_senders_use() {
    for (message, expected) in [
        // Process ids, a day with a zero, no space after the tag.
        ("<13>Nov 05 10:00:00 h sshd[9]: a", "2026-11-05T10:00:00Z h sshd |a|"),
        ("<13>Nov 20 10:00:00 h postfix/smtpd[9]:a", "2026-11-20T10:00:00Z h postfix/smtpd |a|"),
        ("<13>Nov 20 10:00:00 h a.b[]: ", "2026-11-20T10:00:00Z h a.b ||"),
        // rsyslog's more exact form.
        (
            "<13>2026-11-20T10:00:00.123456+01:00 h app[1]: a",
            "2026-11-20T09:00:00.123456Z h app |a|",
        ),
        // The C library's: no host.
        ("<13>Nov 20 10:00:00 app[1]: a", "2026-11-20T10:00:00Z - app |a|"),
        ("<13>Nov 20 10:00:00 app: a", "2026-11-20T10:00:00Z - app |a|"),
        // Nothing but a priority.
        ("<11>a: b", "error - - - |a: b|"),
        ("<191>", "- - - ||"),
        // Parts that say nothing, or are left out.
        ("<14>1 - - - - - - a", "- - - |a|"),
        ("<14>1 - h p - - -", "- h p ||"),
        ("<14>1 - h p - -  a", "- h p | a|"),
    ] {
        assert_eq!(shown(message.as_bytes()), expected, "{message}");
    }
}

#[test]
fn what_is_no_header_is_text() {
    for message in [
        "<192>1 - h p - - - a",
        "<1234>a",
        "<x>a",
        "<+1>a",
        "<",
        "<>a",
        "13>a",
        "Okt 20 10:00:00 h p: a",
        "Nov 31 10:00:00 h p: a",
        "Nov 20 25:00:00 h p: a",
        "2026-11-20T10:00:00 h p: a",
    ] {
        assert_eq!(shown(message.as_bytes()), format!("- - - |{message}|"));
    }
    for rest in ["1 yesterday h p - - - a", "1 - h\u{e9} p - - - a", "2 - h p - - - a", "1 - h"] {
        let parsed = parse(format!("<13>{rest}").leak().as_bytes());
        assert!(!parsed.has_header());
        assert_eq!(parsed.payload, rest.as_bytes());
    }
    let long = format!("<13>1 - {} p - - - a", "h".repeat(NAME_CAP + 1));
    assert!(!parse(long.as_bytes()).has_header());
}

#[test]
fn bytes_stay_bytes() {
    assert_eq!(parse(b"<13>1 - h p - - - a\0\xff\n").payload, b"a\0\xff\n");
    assert_eq!(parse(b"<13>Nov 20 10:00:00 h p: \xff").payload, b"\xff");
}

#[test]
fn a_time_without_a_year_is_the_last_one() {
    let time = |message: &str, now: &str| {
        let now: Timestamp = now.parse().unwrap();
        let now = i64::try_from(now.as_nanosecond()).unwrap();
        let time = Message::parse(message.as_bytes(), now).time.unwrap();
        Timestamp::from_nanosecond(time.into()).unwrap().to_string()
    };
    assert_eq!(time("Dec 31 23:59:59 h p: a", "2027-01-01T00:00:01Z"), "2026-12-31T23:59:59Z");
    assert_eq!(time("Jan  1 00:00:01 h p: a", "2026-12-31T23:59:59Z"), "2027-01-01T00:00:01Z");
    assert_eq!(time("Jan  2 00:00:01 h p: a", "2026-12-31T23:59:59Z"), "2026-01-02T00:00:01Z");
    assert_eq!(time("Feb 29 00:00:00 h p: a", "2029-01-01T00:00:00Z"), "2028-02-29T00:00:00Z");
}

proptest! {
    /// Whatever comes, its text is its end, and names are names.
    #[test]
    fn any_bytes_are_a_message(message: Vec<u8>, now: i64) {
        check(&message, now);
    }

    /// Likewise, for what looks like a header.
    #[test]
    fn near_messages_are_messages(
        message in "(<[0-9]{0,4}>)?(1 )?([A-Z][a-z]{2} [ 0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]|-|2026-1[0-9]-[0-9]{2}T10:00:00Z)? ?[a-z:\\[\\] -]{0,20}",
        now: i64,
    ) {
        check(message.as_bytes(), now);
    }

    #[test]
    fn what_is_well_formed_is_read_as_it_was_written(
        priority in 0_u8..=191,
        host in "[!-,.-~][!-~]{0,40}",
        process in "[!-,.-~][!-~]{0,40}",
        text: Vec<u8>,
    ) {
        prop_assume!(!text.starts_with(b"\xef\xbb\xbf"));
        let mut message =
            format!("<{priority}>1 2026-11-20T10:00:00Z {host} {process} 1 ID - ").into_bytes();
        message.extend_from_slice(&text);
        let expected = Message {
            error: priority % 8 <= 3,
            time: Some(NOW),
            host: Some(&host),
            process: Some(&process),
            payload: &text,
        };
        prop_assert_eq!(parse(&message), expected);
    }
}

fn check(message: &[u8], now: i64) {
    let parsed = Message::parse(message, now);
    assert!(message.ends_with(parsed.payload));
    for name in [parsed.host, parsed.process].into_iter().flatten() {
        assert!((1..=NAME_CAP).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()));
    }
    if !parsed.has_header() {
        assert!(message.len() - parsed.payload.len() <= "<191>".len());
    }
}
