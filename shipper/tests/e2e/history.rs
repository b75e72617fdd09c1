//! What of an app another instance of logd is sent that drains had: the newest, as much as its ring holds.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::pods::start;
use crate::support::{Api, ContainerLog, Logd, Manner, Node, State, until_metric};

/// What a container writes in a second, as it stands in its file.
const BUSY: usize = 10_000;
const QUIET: usize = 100;
const SECONDS: usize = 300;

/// A line a second, and the file was written when its last line was.
fn fill(log: &mut ContainerLog, payload: usize) {
    let payload = vec![b'x'; payload - "2016-10-06T00:17:09.669794202Z stdout F \n".len()];
    for second in 0..SECONDS {
        log.raw("stdout", "F", &payload);
        log.pass(Duration::from_secs(1));
        // Most of it is in files that were rotated, some of them compressed.
        if second % 50 == 49 && second < 250 {
            log.rotate(second as u32 / 50);
        }
    }
    log.compress(0);
    log.compress(2);
    let end = jiff::Timestamp::from_second(1_475_713_029 + SECONDS as i64).unwrap();
    let live = std::fs::File::options().append(true).open(log.live()).unwrap();
    live.set_modified(SystemTime::from(end)).unwrap();
}

/// How many of its lines each container is sent once more.
async fn again(history: u64, metadata: [Value; 3]) -> [usize; 3] {
    let manner = Manner { history, ..Manner::default() };
    let (node, logd, api) = (Node::new(), Logd::start(manner).await, Api::start().await);
    let sent = metadata.iter().filter(|of| of["annotations"]["fairlead.dev/log-exclude"].is_null());
    let (sent, mut number) = (sent.count(), 0);
    let pods = metadata.map(|metadata| {
        number += 1;
        api.pod(&format!("web-{number}"), metadata)
    });
    let mut logs = pods.each_ref().map(|directory| node.container(directory, "web"));
    let [busy, quiet, other] = &mut logs;
    fill(busy, BUSY);
    fill(quiet, QUIET);
    fill(other, QUIET);
    let shipper = start(&node, &logd, &api).await;
    let all = |state: &State| (state.texts().len() == sent * SECONDS).then_some(());
    logd.until("all lines", all).await;
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
    logd.restart("another");
    for log in &mut logs {
        log.write(&["last"]);
    }
    let uids = pods.each_ref().map(|directory| directory.rsplit('_').next().unwrap());
    let lines = |state: &State| {
        let last = state.texts().iter().filter(|text| *text == "last").count();
        (last == sent).then(|| {
            uids.map(|uid| {
                let files = state.order.iter().filter(|key| key.0 == uid);
                let lines = files.flat_map(|key| &state.files[key].lines);
                lines.filter(|line| line.history).count()
            })
        })
    };
    let lines = logd.until("the last lines", lines).await;
    assert!(logd.look(|state| state.faults.is_empty() && state.gaps.is_empty()));
    lines
}

fn of(app: &str) -> Value {
    json!({"labels": {"app": app}})
}

#[tokio::test]
async fn of_all_containers_of_an_app_the_newest_are_sent_as_many_as_its_ring_holds() {
    // As much as both wrote in a hundred seconds.
    let limit = 100 * (BUSY + QUIET);
    let [busy, quiet, other] = again(limit as u64, [of("store"), of("store"), of("other")]).await;
    assert!((98..=100).contains(&busy) && (98..=101).contains(&quiet), "{busy} and {quiet}");
    assert_eq!(other, SECONDS, "another app has a ring of its own");
}

#[tokio::test]
async fn an_app_s_own_limit_says_how_many() {
    let limit = (200 * (BUSY + QUIET)).to_string();
    let mut own = of("store");
    own["annotations"] = json!({"fairlead.dev/log-bytes": limit});
    let [busy, quiet, other] = again(50 * QUIET as u64, [of("store"), own, of("other")]).await;
    assert!((198..=200).contains(&busy) && (198..=201).contains(&quiet), "{busy} and {quiet}");
    assert!((48..=50).contains(&other), "{other}");
}

#[tokio::test]
async fn what_is_excluded_takes_no_part_of_its_app() {
    let limit = 100 * (BUSY + QUIET);
    let mut excluded = of("store");
    excluded["annotations"] = json!({"fairlead.dev/log-exclude": "true"});
    let [busy, quiet, other] = again(limit as u64, [excluded, of("store"), of("other")]).await;
    assert_eq!([busy, quiet, other], [0, SECONDS, SECONDS]);
}
