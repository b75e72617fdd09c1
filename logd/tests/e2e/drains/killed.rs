//! logds that are killed, and whose clock jumps.

use std::{fs, path::PathBuf, time::Duration};

use fairlead_test_support::{figure, peer, soaking};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    shown,
    written::{Got, Written, account, number, of},
};
use crate::support::{Api, Pace, Process, Receiver, Web, web::json as as_json};

/// Takes every item of bulk requests, and tells the numbers of their lines.
async fn store() -> (Web, mpsc::UnboundedReceiver<Vec<usize>>) {
    let (taken, got) = mpsc::unbounded_channel();
    let web = Web::with(move |body| {
        let text = std::str::from_utf8(body).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let numbers: Vec<usize> =
            lines.filter_map(|line| number(line["message"].as_str()?)).collect();
        let items = vec![json!({"create": {"status": 201}}); numbers.len()];
        taken.send(numbers).unwrap();
        as_json(json!({"errors": false, "items": items}).to_string())
    });
    (web.await, got)
}

fn all_of(got: &mut mpsc::UnboundedReceiver<Vec<usize>>) -> Got {
    let mut all = Got::default();
    while let Ok(numbers) = got.try_recv() {
        all.0.extend(numbers);
    }
    all
}

/// Each time in the midst of it: before its drains are known, while they send, and when some of it is
/// settled.
#[tokio::test]
async fn a_logd_that_is_killed_often_leaves_no_line_out_and_repeats_only_what_was_not_settled() {
    let test =
        "a_logd_that_is_killed_often_leaves_no_line_out_and_repeats_only_what_was_not_settled";
    let (kills, lines) = if soaking() { (20, 3_000) } else { (5, 1_500) };
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let (mut steady, (store, mut stored)) = (Receiver::start().await, store().await);
    let mut slow = Receiver::narrow(Pace::Slowly(16 << 10, Duration::from_millis(10)));
    api.drain("fairlead", "steady", json!({"url": steady.url()}));
    api.drain("fairlead", "slow", json!({"url": slow.url()}));
    let url = format!("elasticsearch+http://{}", store.address);
    api.drain("shop", "store", json!({"url": url, "app": "web"}));
    let args =
        ["--namespace=fairlead", "--drain-namespaces=shop", "--drain-allow-cidr=127.0.0.0/8"];
    let start = |name: usize| Process::with(&api, &name.to_string(), folder.path(), &args);

    let mut logd = start(0);
    let mut web = Written::at(logd.wire, "shop/web").await;
    let (mut unsettled, mut given) = (0, 0);
    for kill in 1..=kills {
        let before = web.count();
        web.write(lines / 2).await;
        match kill % 3 {
            0 => {}
            1 => {
                shown(&logd.client(), "fairlead/steady", |drain| of(drain, "sent") > 0).await;
            }
            _ => web.until_settled(before + lines / 4).await,
        }
        web.write(lines / 2).await;
        logd.kill();
        web.hears_the_rest().await;
        unsettled += web.count() - web.settled();
        logd = start(kill);
        given = web.go_on(logd.wire, "shop/web").await;
    }
    // The account is that of the last logd: of what it was given.
    let client = logd.client();
    web.all_settled().await;
    for id in ["fairlead/steady", "fairlead/slow", "shop/store"] {
        let drain = account(&client, id, given).await;
        assert_eq!(of(&drain, "sent") + of(&drain, "delivered"), given, "{drain}");
    }
    logd.kill();
    let mut again = Vec::new();
    for receiver in [&mut steady, &mut slow] {
        receiver.reads(Pace::All);
        receiver.left().await;
        let mut got = Got::default();
        got.rest(receiver);
        again.push(got.again(web.count()));
    }
    again.push(all_of(&mut stored).again(web.count()));
    assert!(again.iter().all(|again| *again <= unsettled), "{again:?} of {unsettled}");
    let lines = web.count();
    figure(
        test,
        &format!(
            "{kills} kills, {lines} lines to 3 drains: none missing, {again:?} again of {unsettled} that were not settled"
        ),
    );
}

/// libfaketime, as it was fetched or is installed.
fn faketime(test: &str) -> Option<PathBuf> {
    let program = peer(test, "faketime")?;
    let peers = program.parent()?.parent()?;
    let folders = [peers.join("faketime/usr/lib"), peers.join("lib")];
    let folders = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    libraries.find(|library| library.is_file())
}

/// The machine's clock is set forward by a month, which is longer than lines are kept, then back by
/// more.
#[tokio::test]
async fn a_machine_s_clock_that_jumps_costs_no_drain_a_line() {
    let test = "a_machine_s_clock_that_jumps_costs_no_drain_a_line";
    let Some(library) = faketime(test) else { return };
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let (mut steady, (store, mut stored)) = (Receiver::start().await, store().await);
    let mut slow = Receiver::narrow(Pace::Slowly(16 << 10, Duration::from_millis(10)));
    api.drain("fairlead", "steady", json!({"url": steady.url()}));
    api.drain("fairlead", "slow", json!({"url": slow.url()}));
    let url = format!("elasticsearch+http://{}", store.address);
    api.drain("fairlead", "store", json!({"url": url}));
    let clock = folder.path().join("clock");
    let set = |jump: &str| {
        let new = folder.path().join("new");
        fs::write(&new, jump).unwrap();
        fs::rename(new, &clock).unwrap();
    };
    set("+0h");
    let yes = PathBuf::from("1");
    let logd = Process::within(
        &api,
        "logd",
        folder.path(),
        &["--namespace=fairlead"],
        &[
            ("LD_PRELOAD", &library),
            ("FAKETIME_TIMESTAMP_FILE", &clock),
            ("FAKETIME_NO_CACHE", &yes),
            ("FAKETIME_DONT_FAKE_MONOTONIC", &yes),
        ],
    );
    let client = logd.client();
    let mut web = Written::at(logd.wire, "shop/web").await;
    for hours in [30 * 24, -60 * 24, 1, -1, 3_650 * 24] {
        web.write(500).await;
        set(&format!("{hours:+}h"));
        web.write(500).await;
        // It did jump.
        shown(&client, "fairlead/steady", |drain| {
            let Some(last) = drain["last_success"].as_str() else { return false };
            let ahead = last.parse::<Timestamp>().unwrap().duration_since(Timestamp::now());
            (ahead.as_secs() - hours * 3_600).abs() < 1_200
        })
        .await;
    }
    web.all_settled().await;
    for id in ["fairlead/steady", "fairlead/slow", "fairlead/store"] {
        let drain = account(&client, id, web.count()).await;
        assert_eq!(of(&drain, "sent") + of(&drain, "delivered"), web.count(), "{drain}");
    }
    drop(logd);
    for receiver in [&mut steady, &mut slow] {
        receiver.reads(Pace::All);
        receiver.left().await;
        let mut got = Got::default();
        got.rest(receiver);
        assert_eq!(got.again(web.count()), 0);
    }
    assert_eq!(all_of(&mut stored).again(web.count()), 0);
}
