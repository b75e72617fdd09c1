//! rsyslog and syslog-ng as receivers.

use fairlead_drain::{Keys, Timeouts};
use fairlead_test_support::syslog::{Kind, Program, Received, Transport};

use crate::support::pump::Pump;
use crate::support::{number, sink_with, text};

const LINES: usize = 2_000;

fn url(program: &Program, transport: Transport, options: &str) -> String {
    let scheme = match transport {
        Transport::Udp => "syslog",
        Transport::Tcp => "syslog+tcp",
        Transport::Tls => "syslog+tls",
    };
    format!("{scheme}://127.0.0.1:{}?{options}", program.port)
}

fn pump(program: &Program, url: &str, lines: usize) -> Pump {
    let ca = program.ca();
    let tls = url.starts_with("syslog+tls");
    let keys = Keys { ca: tls.then_some(ca.as_bytes()), ..Keys::default() };
    Pump::new(sink_with(url, keys, Timeouts::default()), lines)
}

/// Fields of RFC 5424 as both programs show them.
fn check(kind: Kind, received: &Received) {
    let fields = [&received.priority, &received.host, &received.app, &received.process];
    assert_eq!(fields, ["14", "front.shop", "web", "web.v2.x7k2p"], "{received:?}");
    assert!(received.time.starts_with("2026-11-20T10:00:00"), "{received:?}");
    for value in ["release=\"v2\"", "pod=\"front-web-6f7c-x7k2p\"", "node=\"node-1\""] {
        assert!(received.data.contains(value), "{kind:?}: {received:?}");
    }
    assert!(received.data.starts_with("[fairlead@32473 "), "{received:?}");
}

async fn every_line_is_there_once(test: &str, kind: Kind) {
    for (transport, framing) in [
        (Transport::Tcp, "octet-counting"),
        (Transport::Tcp, "lf"),
        (Transport::Tls, "octet-counting"),
        (Transport::Tls, "lf"),
    ] {
        let Some(program) = Program::start(test, kind, transport, framing == "lf").await else {
            return;
        };
        let url = url(&program, transport, &format!("framing={framing}"));
        let mut pump = pump(&program, &url, LINES);
        pump.run().await;
        pump.sink.close().await;
        assert_eq!((pump.sent.len(), pump.resent), (LINES, 0));
        let received = program.until(LINES).await;
        let texts: Vec<&str> = received.iter().map(|it| it.text.as_str()).collect();
        let expected: Vec<String> = (0..LINES).map(text).collect();
        assert!(texts == expected, "{kind:?} {url}: {:?}", &texts[..3]);
        received.iter().for_each(|received| check(kind, received));
    }
}

#[tokio::test]
async fn row_77_rsyslog_has_every_line_once_over_tcp_and_tls_in_both_framings() {
    let test = "row_77_rsyslog_has_every_line_once_over_tcp_and_tls_in_both_framings";
    every_line_is_there_once(test, Kind::Rsyslog).await;
}

#[tokio::test]
async fn row_77_syslog_ng_has_every_line_once_over_tcp_and_tls_in_both_framings() {
    let test = "row_77_syslog_ng_has_every_line_once_over_tcp_and_tls_in_both_framings";
    every_line_is_there_once(test, Kind::SyslogNg).await;
}

#[tokio::test]
async fn both_understand_datagrams() {
    let test = "both_understand_datagrams";
    for kind in [Kind::Rsyslog, Kind::SyslogNg] {
        let Some(program) = Program::start(test, kind, Transport::Udp, false).await else {
            continue;
        };
        // So few fit into the receiver's buffer.
        let mut pump = pump(&program, &url(&program, Transport::Udp, ""), 20);
        pump.run().await;
        let received = program.until(20).await;
        assert_eq!((pump.sent.len(), received.len()), (20, 20));
        for (number, received) in received.iter().enumerate() {
            check(kind, received);
            assert_eq!(received.text, text(number));
        }
    }
}

#[tokio::test]
async fn rsyslog_understands_the_older_format() {
    let test = "rsyslog_understands_the_older_format";
    for (transport, framing) in
        [(Transport::Udp, "lf"), (Transport::Tcp, "lf"), (Transport::Tcp, "octet-counting")]
    {
        let Some(program) = Program::start(test, Kind::Rsyslog, transport, true).await else {
            return;
        };
        let options = format!("format=rfc3164&facility=local7&framing={framing}");
        let mut pump = pump(&program, &url(&program, transport, &options), 20);
        pump.run().await;
        for (number, received) in program.until(20).await.iter().enumerate() {
            let fields = [&received.priority, &received.host, &received.app, &received.process];
            assert_eq!(fields, ["190", "front.shop", "web", "web.v2.x7k2p"], "{received:?}");
            assert_eq!(received.text, text(number));
        }
    }
}

/// A receiver that is killed loses what its system had acknowledged and it had not read; whoever
/// sends cannot know. Nothing else is missing, and nothing comes twice but what was sent twice.
async fn a_killed_receiver_misses_nothing_else(test: &str, kind: Kind, transport: Transport) {
    let lines = 20_000;
    let Some(mut program) = Program::start(test, kind, transport, false).await else { return };
    let url = url(&program, transport, "");
    let mut pump = pump(&program, &url, lines);
    let mut kills = 0;
    let mut acknowledged = Vec::new();
    while pump.step().await {
        if kills < 3 && lines - pump.waiting() > (kills + 1) * 4_000 {
            program.kill();
            kills += 1;
            // Some more come to nobody.
            let before = pump.failures.len();
            while pump.failures.len() == before && pump.step().await {}
            acknowledged = pump.sent.clone();
            assert!(program.restart().await);
        }
    }
    pump.sink.close().await;
    assert_eq!((kills, pump.sent.len()), (3, lines));
    assert!(pump.failures.len() >= 3);
    // The last one is not killed: when it has the last line, it has all that it will have.
    let mut received = program.received();
    while received.last().is_none_or(|last| number(&last.text) != lines - 1) {
        received = program.until(received.len() + 1).await;
    }
    let mut counts = vec![0_usize; lines];
    received.iter().for_each(|received| {
        assert_eq!(received.text, text(number(&received.text)), "no line is cut or mixed");
        counts[number(&received.text)] += 1;
    });
    let acknowledged: std::collections::HashSet<usize> = acknowledged.into_iter().collect();
    let missing: Vec<usize> = (0..lines).filter(|number| counts[*number] == 0).collect();
    assert!(missing.iter().all(|number| acknowledged.contains(number)), "{missing:?}");
    let twice: usize = counts.iter().map(|count| count.saturating_sub(1)).sum();
    assert!(twice <= pump.resent, "{twice} twice, {} resent", pump.resent);
}

#[tokio::test]
async fn a_killed_rsyslog_misses_nothing_that_its_system_had_not_acknowledged() {
    let test = "a_killed_rsyslog_misses_nothing_that_its_system_had_not_acknowledged";
    a_killed_receiver_misses_nothing_else(test, Kind::Rsyslog, Transport::Tcp).await;
    a_killed_receiver_misses_nothing_else(test, Kind::Rsyslog, Transport::Tls).await;
}

#[tokio::test]
async fn a_killed_syslog_ng_misses_nothing_that_its_system_had_not_acknowledged() {
    let test = "a_killed_syslog_ng_misses_nothing_that_its_system_had_not_acknowledged";
    a_killed_receiver_misses_nothing_else(test, Kind::SyslogNg, Transport::Tcp).await;
    a_killed_receiver_misses_nothing_else(test, Kind::SyslogNg, Transport::Tls).await;
}
