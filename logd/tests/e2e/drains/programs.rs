//! rsyslog and syslog-ng behind a logd.

use fairlead_logd::Logd;
use fairlead_test_support::syslog::{Kind, Program, Transport};
use serde_json::json;

use super::{
    balances, shown,
    written::{Got, Written, account, number, of, text},
};
use crate::support::{Api, Client, within};

/// A logd with a drain `shop/program` that leads to a program.
async fn led(program: &Program, transport: Transport, framing: &str) -> (Api, Logd, Client) {
    let api = Api::start().await;
    let scheme = if transport == Transport::Tls { "syslog+tls" } else { "syslog+tcp" };
    let url = format!("{scheme}://127.0.0.1:{}?framing={framing}", program.port);
    let mut data = json!({"url": url, "app": "web"});
    if transport == Transport::Tls {
        data["ca.crt"] = json!(program.ca());
    }
    api.drain("shop", "program", data);
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    shown(&client, "shop/program", |_| true).await;
    (api, logd, client)
}

/// The numbers of the lines that it has received.
fn numbers(program: &Program) -> Vec<usize> {
    let received = program.received();
    received.iter().map(|received| number(&received.text).unwrap()).collect()
}

async fn every_line_is_there_once(test: &str, kind: Kind) {
    const LINES: usize = 5_000;
    for (transport, framing) in [
        (Transport::Tcp, "octet-counting"),
        (Transport::Tcp, "lf"),
        (Transport::Tls, "octet-counting"),
        (Transport::Tls, "lf"),
    ] {
        let lf = framing == "lf";
        let Some(program) = Program::start(test, kind, transport, lf).await else { return };
        let (_api, logd, client) = led(&program, transport, framing).await;
        let mut web = Written::at(logd.wire_addr(), "shop/web").await;
        web.write(LINES).await;
        web.all_settled().await;
        let drain = account(&client, "shop/program", LINES).await;
        assert_eq!((of(&drain, "sent"), of(&drain, "resent")), (LINES, 0), "{drain}");
        program.until(LINES).await;
        let got = numbers(&program);
        assert!(got.iter().copied().eq(0..LINES), "in order, and once");
    }
}

#[tokio::test]
async fn rsyslog_gets_every_line_once_and_in_order_from_a_logd() {
    let test = "rsyslog_gets_every_line_once_and_in_order_from_a_logd";
    every_line_is_there_once(test, Kind::Rsyslog).await;
}

#[tokio::test]
async fn syslog_ng_gets_every_line_once_and_in_order_from_a_logd() {
    let test = "syslog_ng_gets_every_line_once_and_in_order_from_a_logd";
    every_line_is_there_once(test, Kind::SyslogNg).await;
}

/// One that is killed loses what its system had acknowledged and it had not written; whoever sends
/// cannot know. Nothing else is missing, and nothing comes again but what was sent again.
async fn a_killed_one_misses_nothing_else(test: &str, kind: Kind) {
    const LINES: usize = 3_000;
    for (transport, framing) in
        [(Transport::Tcp, "lf"), (Transport::Tls, "octet-counting"), (Transport::Tls, "lf")]
    {
        let lf = framing == "lf";
        let Some(mut program) = Program::start(test, kind, transport, lf).await else { return };
        let (_api, logd, client) = led(&program, transport, framing).await;
        let mut web = Written::at(logd.wire_addr(), "shop/web").await;
        // Of these lines the program's system may have had some that the program had not.
        let mut unknown = Vec::new();
        for _ in 0..3 {
            let before = program.received().len();
            web.write(LINES).await;
            program.until(before + LINES / 10).await;
            program.kill();
            let written = numbers(&program).into_iter().max().unwrap_or_default();
            // Some more come to nobody.
            web.write(LINES).await;
            let drain = shown(&client, "shop/program", |drain| {
                assert!(balances(drain), "{drain}");
                drain["failures"].as_u64() >= Some(1)
            })
            .await;
            // It sends in order, so that these are the first ones.
            unknown.push(written..of(&drain, "sent"));
            assert!(program.restart().await);
        }
        web.write(1).await;
        web.all_settled().await;
        let last = web.count() - 1;
        let drain = account(&client, "shop/program", web.count()).await;
        assert_eq!(of(&drain, "sent"), web.count(), "{drain}");
        let there = async {
            while program.received().last().is_none_or(|line| line.text != text(last)) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        within("the last line", there).await;
        let mut got = Got(numbers(&program));
        let missing = got.missing(web.count());
        assert!(
            missing.iter().all(|line| unknown.iter().any(|unknown| unknown.contains(line))),
            "{kind:?} {transport:?} {framing}: {missing:?}, not only of {unknown:?}"
        );
        got.0.extend(missing);
        let again = got.again(web.count());
        assert!(again <= of(&drain, "resent"), "{again} again: {drain}");
    }
}

#[tokio::test]
async fn a_killed_rsyslog_misses_nothing_of_a_logd_that_its_system_had_not_acknowledged() {
    let test = "a_killed_rsyslog_misses_nothing_of_a_logd_that_its_system_had_not_acknowledged";
    a_killed_one_misses_nothing_else(test, Kind::Rsyslog).await;
}

#[tokio::test]
async fn a_killed_syslog_ng_misses_nothing_of_a_logd_that_its_system_had_not_acknowledged() {
    let test = "a_killed_syslog_ng_misses_nothing_of_a_logd_that_its_system_had_not_acknowledged";
    a_killed_one_misses_nothing_else(test, Kind::SyslogNg).await;
}
