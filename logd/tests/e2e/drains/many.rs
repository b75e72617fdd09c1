//! Many drains at once.

use std::{collections::HashMap, time::Duration};

use axum::response::IntoResponse as _;
use fairlead_test_support::{figure, soaking};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    balances,
    written::{Written, number, of},
};
use crate::support::{Answer, Api, Certificates, Pace, Process, Receiver, Web};

const APPS: usize = 5;

/// What came of them.
struct Drained {
    /// Lines that the lame ones are done with, or that are on their way to them.
    to_lame: usize,
    /// Kilobytes of logd's memory.
    resident: u64,
}

/// Declares a drain of one of the apps: eight of ten by syslog over TCP, one over TLS and one by HTTP.
fn declare(api: &Api, name: &str, number: usize, [plain, secure, web]: [&str; 3], ca: &str) {
    let app = format!("shop/app-{}", number % APPS);
    let data = match number % 10 {
        0 => json!({"url": format!("syslog+tls://{secure}"), "app": app, "ca.crt": ca}),
        1 => json!({"url": format!("json+http://{web}/{number}"), "app": app}),
        _ => json!({"url": format!("syslog+tcp://{plain}"), "app": app}),
    };
    api.drain("fairlead", &format!("{name}-{number}"), data);
}

/// Each of so many drains gets all lines of its app, once and in order, while as many others as `lame`
/// lead nowhere or to slow receivers, each to one of its own.
async fn drained(well: usize, lame: usize, lines: usize) -> Drained {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::new(folder.path());
    let ca = std::fs::read_to_string(&certificates.authority).unwrap();
    let mut plain = Receiver::start().await;
    let mut secure = Receiver::secure(&certificates.identity("receiver")).await;
    let mut web = Web::with(|_| StatusCode::OK.into_response()).await;
    let slowly = Pace::Slowly(1_000, Duration::from_secs(1));
    let receivers: Vec<Receiver> = (0..lame)
        .map(|number| Receiver::narrow(if number % 2 == 0 { Pace::Never } else { slowly }))
        .collect();
    let api = Api::start().await;
    let of_well = [plain.address, secure.address, web.address].map(|address| address.to_string());
    for number in 0..well {
        declare(&api, "well", number, of_well.each_ref().map(String::as_str), &ca);
    }
    for (number, receiver) in receivers.iter().enumerate() {
        let address = receiver.address.to_string();
        declare(&api, "lame", number, [&address; 3], &ca);
    }
    let args = ["--namespace=fairlead", "--log=info"];
    let logd = Process::with(&api, "logd", folder.path(), &args);
    for number in 0..APPS {
        Written::at(logd.wire, &format!("shop/app-{number}")).await.write(lines).await;
    }
    let count = |of: usize| (0..well).filter(|number| number % 10 == of).count();
    let (by_tls, by_http) = (count(0), count(1));
    by_syslog(&mut plain, well - by_tls - by_http, lines).await;
    by_syslog(&mut secure, by_tls, lines).await;
    by_requests(&mut web, by_http, lines).await;
    let client = logd.client();
    let is_done = |drain: &Value| of(drain, "sent") + of(drain, "delivered") == lines;
    let all = client.until("/drains", |answer: &Answer| {
        let all = answer.json();
        let drains = all["drains"].as_array().unwrap();
        assert!(drains.iter().all(balances));
        let is_well = |drain: &&Value| drain["id"].as_str().unwrap().starts_with("fairlead/well-");
        drains.len() == well + lame && drains.iter().filter(is_well).all(is_done)
    });
    let all = all.await.json();
    let to_lame = all["drains"].as_array().unwrap().iter().map(|drain| of(drain, "matched"));
    Drained { to_lame: to_lame.sum::<usize>() - well * lines, resident: logd.resident() }
}

/// So many drains bring all lines, each over a connection of its own.
async fn by_syslog(receiver: &mut Receiver, drains: usize, lines: usize) {
    let mut next: HashMap<usize, usize> = HashMap::new();
    for _ in 0..drains * lines {
        let (connection, text) = receiver.numbered().await;
        let next = next.entry(connection).or_default();
        assert_eq!(number(&text), Some(*next), "in order, and once");
        *next += 1;
    }
    assert_eq!(next.len(), drains);
    assert!(receiver.is_quiet());
}

/// So many drains bring all lines, each with a path of its own.
async fn by_requests(receiver: &mut Web, drains: usize, lines: usize) {
    let mut next: HashMap<String, usize> = HashMap::new();
    while next.len() < drains || next.values().any(|next| *next < lines) {
        let (path, body) = receiver.request().await;
        let next = next.entry(path).or_default();
        for line in body.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(
                number(line["message"].as_str().unwrap()),
                Some(*next),
                "in order, and once"
            );
            *next += 1;
        }
    }
    assert!(receiver.is_quiet() && next.values().all(|next| *next == lines));
}

/// Many drains of several apps, of which a tenth lead nowhere and a tenth take 1 KB/s. How much slower
/// the others are for it is measured by the benchmark `drains`.
#[tokio::test]
async fn drains_that_lead_nowhere_or_are_slow_hold_no_other_up() {
    let test = "drains_that_lead_nowhere_or_are_slow_hold_no_other_up";
    let (drains, lines) = if soaking() { (1_000, 5_000) } else { (50, 1_000) };
    let (well, lame) = (drains * 8 / 10, drains * 2 / 10);
    if soaking() {
        let Drained { resident, .. } = drained(well, 0, lines).await;
        figure(
            test,
            &format!(
                "{well} drains alone: {lines} lines each, all once and in order; {resident} kB resident"
            ),
        );
    }
    let Drained { to_lame, resident } = drained(well, lame, lines).await;
    figure(
        test,
        &format!(
            "the same beside {lame} lame ones, which took {to_lame} in all: {lines} lines each, all once and in order; {resident} kB resident"
        ),
    );
}
