//! Syslog in, over real sockets.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use fairlead_logd::{
    Auth, Logd, LogdOptions, StartError,
    syslog::{SyslogOptions, SyslogTls},
};
use fairlead_wire::tls;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};
use tokio_rustls::TlsConnector;

use crate::support::{Certificates, Client, PATIENCE, with, within};

fn options(rules: &[&str]) -> SyslogOptions {
    let plain = Some("127.0.0.1:0".parse().unwrap());
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    SyslogOptions { plain, tls: None, rules }
}

fn logd(rules: &[&str]) -> Logd {
    with(|logd| logd.syslog = options(rules))
}

async fn connect(logd: &Logd) -> TcpStream {
    TcpStream::connect(logd.syslog_addr().unwrap()).await.unwrap()
}

/// The app's lines in the order in which they came, once there are so many.
async fn lines(logd: &Logd, app: &str, count: usize) -> Vec<Value> {
    let mut follow = Client::of(logd)
        .follow(&format!("/logs/{app}?follow=true&log_lines=10000&format=json"))
        .await;
    follow.json(count).await
}

fn parts(lines: &[Value]) -> Vec<Value> {
    let names = ["time", "pod", "process", "stream", "message"];
    lines.iter().map(|line| names.map(|name| line[name].clone()).into()).collect()
}

async fn metric(logd: &Logd, series: &str) -> u64 {
    let metrics = Client::of(logd).get("/metrics").await.body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{metrics}")).parse().unwrap()
}

async fn until_metric(logd: &Logd, series: &str, value: u64) {
    let wait = async {
        while metric(logd, series).await != value {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(series, wait).await;
}

/// What came is held or has left, and is named once.
async fn accounts(logd: &Logd, app: &str, records: u64) {
    let ledger = Client::of(logd).get(&format!("/ledger/{app}")).await.json();
    let of = |name: &str| ledger[name]["records"].as_u64().unwrap();
    assert_eq!(of("accepted"), of("held") + of("evicted"));
    assert_eq!(of("accepted") - of("notices"), records);
    assert_eq!((of("duplicates"), &ledger["gaps"]), (0, &json!(0)));
}

const ONE: &str = "<11>1 2026-11-20T10:00:00Z db-1 postgres 7 - - one";
const TWO: &str = "<14>1 2026-11-20T10:00:01Z db-1 postgres 7 - [a@1 b=\"c\"] two";

fn one_and_two() -> Value {
    json!([
        ["2026-11-20T10:00:00.000000000Z", "db-1", "postgres", "stderr", "one"],
        ["2026-11-20T10:00:01.000000000Z", "db-1", "postgres", "stdout", "[a@1 b=\"c\"] two"],
    ])
}

#[tokio::test]
async fn messages_by_udp_are_lines_of_the_app_that_a_rule_says() {
    let logd = logd(&["db-1/postgres=shop/db", "*=ops/hosts"]);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for message in [ONE, TWO, "<14>1 - db-1 sshd - - - three\n", "four"] {
        socket.send_to(message.as_bytes(), logd.syslog_addr().unwrap()).await.unwrap();
    }
    assert_eq!(json!(parts(&lines(&logd, "shop/db", 2).await)), one_and_two());
    for (stream, expected) in [("stderr", "one"), ("stdout", "two")] {
        let answer = Client::of(&logd).get(&format!("/logs/shop/db?stream={stream}")).await;
        let [line] = answer.lines()[..] else { panic!("{answer:?}") };
        assert!(line.ends_with(expected), "{line}");
    }
    let hosts = lines(&logd, "ops/hosts", 2).await;
    let names = |line: &Value| json!([line["pod"], line["process"], line["message"]]);
    assert_eq!(names(&hosts[0]), json!(["db-1", "sshd", "three"]));
    // What cannot be read is there as it came, from where it came.
    assert_eq!(names(&hosts[1]), json!(["127.0.0.1", "syslog", "four"]));
    accounts(&logd, "shop/db", 2).await;
    accounts(&logd, "ops/hosts", 2).await;
    assert_eq!(metric(&logd, "fairlead_logd_syslog_messages_total{transport=\"udp\"}").await, 4);
    assert_eq!(metric(&logd, "fairlead_logd_syslog_headless_messages_total").await, 1);
    assert_eq!(metric(&logd, "fairlead_logd_syslog_dropped_datagrams_total").await, 0);
}

#[tokio::test]
async fn messages_by_tcp_are_framed_in_both_ways() {
    let logd = logd(&["db-1=shop/db"]);
    let mut stream = connect(&logd).await;
    let counted = format!("{} {ONE}", ONE.len());
    let three = TWO.replace("10:00:01Z", "10:00:02Z").replace("[a@1 b=\"c\"] two", "- three");
    // Cut anywhere.
    for piece in [&counted[..20], &counted[20..], TWO, "\r\n", &three] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
    // A last line needs no line feed.
    stream.shutdown().await.unwrap();
    let all = lines(&logd, "shop/db", 3).await;
    assert_eq!(json!(parts(&all[..2])), one_and_two());
    assert_eq!(all[2]["message"], "three");
    accounts(&logd, "shop/db", 3).await;
    until_metric(&logd, "fairlead_logd_syslog_connections", 0).await;
    // Nothing of a sender that has gone is remembered.
    until_metric(&logd, "fairlead_logd_files", 0).await;
}

#[tokio::test]
async fn bytes_stay_bytes_and_long_messages_are_truncated_and_told() {
    let logd = logd(&["*=shop/db"]);
    let mut stream = connect(&logd).await;
    let long = format!("<13>1 - h p - - - {}", "x".repeat(100_000));
    stream.write_all(format!("{} {long}", long.len()).as_bytes()).await.unwrap();
    stream.write_all(b"<13>1 - h p - - - a\0\xff\n").await.unwrap();
    let all = lines(&logd, "shop/db", 2).await;
    let header = long.len() - 100_000;
    assert_eq!(all[0]["message"].as_str().unwrap().len(), 65_536 - header);
    assert_eq!(all[0]["truncated"], true);
    assert_eq!((&all[1]["message"], &all[1]["base64"]), (&json!("a\0\u{fffd}"), &json!("YQD/")));
    let ledger = Client::of(&logd).get("/ledger/shop/db").await.json();
    let lost = json!({
        "pod": "h", "container": "p", "reason": "oversize", "records": 0, "bytes": long.len() - 65_536,
    });
    assert_eq!(ledger["losses"], json!([lost]));
    accounts(&logd, "shop/db", 2).await;
}

#[tokio::test]
async fn messages_that_no_rule_takes_are_dropped_and_counted() {
    let logd = logd(&["db-1/postgres=shop/db"]);
    let mut stream = connect(&logd).await;
    stream
        .write_all(format!("{}\n{ONE}\nnothing\n", ONE.replace("postgres", "sshd")).as_bytes())
        .await
        .unwrap();
    assert_eq!(lines(&logd, "shop/db", 1).await[0]["message"], "one");
    until_metric(&logd, "fairlead_logd_syslog_unmatched_messages_total", 2).await;
    accounts(&logd, "shop/db", 1).await;
}

/// Senders that come again, or many at once, are not taken for one another.
#[tokio::test]
async fn every_message_of_many_connections_is_there_once() {
    let logd = Arc::new(logd(&["*=shop/db"]));
    let senders: Vec<_> = (0..8)
        .map(|sender| {
            let logd = logd.clone();
            tokio::spawn(async move {
                for connection in 0..5 {
                    let mut stream = connect(&logd).await;
                    for message in 0..50 {
                        let message =
                            format!("<13>1 - h p - - - {sender}.{connection}.{message}\n");
                        stream.write_all(message.as_bytes()).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let mut got: Vec<_> = lines(&logd, "shop/db", 2_000)
        .await
        .iter()
        .map(|line| line["message"].as_str().unwrap().to_owned())
        .collect();
    let by_sender = |message: &String| {
        let numbers: Vec<u32> = message.split('.').map(|n| n.parse().unwrap()).collect();
        (numbers[0], numbers[1], numbers[2])
    };
    got.sort_by_key(by_sender);
    got.dedup();
    assert_eq!(got.len(), 2_000);
    accounts(&logd, "shop/db", 2_000).await;
}

/// A host that claims to be ever another one takes bounded memory, and loses nothing.
#[tokio::test]
async fn hosts_without_end_are_forgotten_and_their_messages_kept() {
    let logd = logd(&["*=shop/db"]);
    let mut stream = connect(&logd).await;
    let messages: String = (0..5_000).map(|n| format!("<13>1 - h-{n} p - - - {n}\n")).collect();
    stream.write_all(messages.as_bytes()).await.unwrap();
    let all = lines(&logd, "shop/db", 5_000).await;
    for (n, line) in all.iter().enumerate() {
        assert_eq!(
            (&line["pod"], &line["message"]),
            (&json!(format!("h-{n}")), &json!(n.to_string()))
        );
    }
    accounts(&logd, "shop/db", 5_000).await;
    drop(stream);
    until_metric(&logd, "fairlead_logd_files", 0).await;
}

#[tokio::test]
async fn by_tls_a_sender_shows_a_certificate_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(folder.path());
    let own = certificates.identity("logd");
    let authority = &certificates.authority;
    for certificates_needed in [false, true] {
        let trusted = certificates_needed.then_some(authority.as_path());
        let logd = with(|logd| {
            logd.syslog = SyslogOptions {
                plain: None,
                tls: Some(SyslogTls {
                    address: "127.0.0.1:0".parse().unwrap(),
                    config: tls::server_config(&own, trusted).unwrap(),
                    certificates: certificates_needed,
                }),
                rules: vec!["*=shop/db".parse().unwrap()],
            };
        });
        let connect = async |identity: Option<&tls::Identity>| {
            let mut config = Arc::unwrap_or_clone(tls::client_config(authority, identity).unwrap());
            // Senders of syslog name no protocol.
            config.alpn_protocols.clear();
            let stream = TcpStream::connect(logd.syslog_tls_addr().unwrap()).await.unwrap();
            let name = ServerName::try_from("127.0.0.1").unwrap();
            TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
        };
        let mut with = connect(Some(&certificates.identity("sender"))).await;
        with.write_all(format!("{} {ONE}", ONE.len()).as_bytes()).await.unwrap();
        assert_eq!(lines(&logd, "shop/db", 1).await[0]["message"], "one");
        let mut without = connect(None).await;
        if certificates_needed {
            let mut nothing = [0];
            assert!(!matches!(within("the end", without.read(&mut nothing)).await, Ok(1..)));
            until_metric(&logd, "fairlead_logd_syslog_refused_connections_total", 1).await;
        } else {
            without.write_all(format!("{TWO}\n").as_bytes()).await.unwrap();
            lines(&logd, "shop/db", 2).await;
        }
        let by_tls = if certificates_needed { 1 } else { 2 };
        let series = "fairlead_logd_syslog_messages_total{transport=\"tls\"}";
        until_metric(&logd, series, by_tls).await;
    }
}

#[tokio::test]
async fn syslog_is_off_by_default_and_without_tokens_for_this_machine_alone() {
    let logd = with(|_| {});
    assert_eq!((logd.syslog_addr(), logd.syslog_tls_addr()), (None, None));
    let mut options = LogdOptions::new(Auth::Off);
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    (options.http, options.wire) = (any, any);
    options.syslog.plain = Some("[::]:0".parse().unwrap());
    let error = Logd::start(options).err().unwrap();
    assert!(matches!(error, StartError::NoAuth { flag: "--syslog", .. }), "{error}");
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// rsyslog, which follows the file of each tag and sends its lines in one of three ways.
fn rsyslog(program: &Path, folder: &Path, port: u16) -> Killed {
    let ways = [
        ("udp", "protocol=\"udp\" template=\"RSYSLOG_SyslogProtocol23Format\""),
        (
            "counted",
            "protocol=\"tcp\" TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\"",
        ),
        ("lines", "protocol=\"tcp\" template=\"RSYSLOG_TraditionalForwardFormat\""),
    ];
    let mut config = format!(
        "global(workDirectory=\"{0}\" localHostname=\"db-1\")\nmodule(load=\"imfile\" mode=\"inotify\")\n",
        folder.display()
    );
    for (tag, how) in ways {
        config.push_str(&format!(
            "input(type=\"imfile\" File=\"{0}/{tag}.log\" Tag=\"{tag}:\" Severity=\"error\" ruleset=\"{tag}\")\n\
             ruleset(name=\"{tag}\") {{ action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" {how}) }}\n",
            folder.display()
        ));
    }
    let file = folder.join("rsyslog.conf");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(program);
    command.arg("-n").arg("-f").arg(file).arg("-i").arg(folder.join("pid")).stdin(Stdio::null());
    // One that was unpacked does not find its modules.
    let unpacked = program.parent().unwrap().parent().unwrap().join("rsyslog/usr/lib");
    let modules = unpacked.read_dir().ok().and_then(|folders| {
        folders.flatten().map(|folder| folder.path().join("rsyslog")).find(|path| path.is_dir())
    });
    if let Some(modules) = modules {
        command.arg("-M").arg(modules);
    }
    Killed(command.spawn().unwrap())
}

#[tokio::test]
async fn what_rsyslog_sends_by_udp_and_in_both_framings_is_there() {
    let test = "what_rsyslog_sends_by_udp_and_in_both_framings_is_there";
    let Some(program) = fairlead_test_support::peer(test, "rsyslogd") else { return };
    let logd = logd(&["db-1/udp=a/udp", "db-1/counted=a/counted", "db-1/lines=a/lines"]);
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..100).map(|n| format!("{n} [x] says: \"y\"\n")).collect();
    for tag in ["udp", "counted", "lines"] {
        std::fs::write(folder.path().join(format!("{tag}.log")), &text).unwrap();
    }
    let _rsyslog = rsyslog(&program, folder.path(), logd.syslog_addr().unwrap().port());
    for tag in ["udp", "counted", "lines"] {
        let app = format!("a/{tag}");
        let all = tokio::time::timeout(2 * PATIENCE, lines(&logd, &app, 100)).await.unwrap();
        let got: String =
            all.iter().map(|line| format!("{}\n", line["message"].as_str().unwrap())).collect();
        assert_eq!(got, text, "{tag}");
        assert!(all.iter().all(|line| line["stream"] == "stderr" && line["pod"] == "db-1"));
        accounts(&logd, &app, 100).await;
    }
    assert_eq!(metric(&logd, "fairlead_logd_syslog_headless_messages_total").await, 0);
}
