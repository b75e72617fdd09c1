//! Files that appear, grow, are rotated and go away.

use fairlead_wire::message::GapReason;

use crate::support::{Logd, Manner, Node, State, WEB, metric, until_metric};

#[tokio::test]
async fn lines_of_a_new_container_are_sent_as_they_are_written() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one", "two"]);
    logd.lines(&["one", "two"]).await;
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    shipper.shutdown().await;
    assert!(logd.look(|state| state.faults.clone()).is_empty());
}

/// Directories are looked at when the shipper begins, and from then on once a minute.
#[tokio::test]
async fn what_is_new_is_told_by_inotify_and_not_found_by_looking_around() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let watches = "fairlead_shipper_inotify_watches";
    until_metric(shipper.admin_addr(), watches, |count| count == 1).await;
    // A pod, another container of it, and its next file.
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    node.container(WEB, "side").write(&["two"]);
    logd.lines(&["one", "two"]).await;
    web.restart = 1;
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    // One whose first line comes when its file is idle.
    let mut late = node.container("shop_late-1_9c1e", "web");
    late.bytes(b"");
    let idle = 1 + 2 + 3 + 3;
    until_metric(shipper.admin_addr(), watches, |count| count >= idle).await;
    late.write(&["four"]);
    logd.lines(&["one", "two", "three", "four"]).await;
    assert_eq!(metric(shipper.admin_addr(), "fairlead_shipper_rescans_total").await, 1);
}

#[tokio::test]
async fn rotation_loses_and_repeats_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    web.rotate(1);
    // The runtime goes on writing to the renamed file until it opens the new one.
    std::fs::hard_link(web.rotated(1), web.live()).unwrap();
    web.write(&["two"]);
    std::fs::remove_file(web.live()).unwrap();
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    web.compress(1);
    web.rotate(2);
    web.write(&["four"]);
    logd.lines(&["one", "two", "three", "four"]).await;
    logd.until("the first file is closed", |state| state.with("one")?.closed.then_some(())).await;
    assert!(logd.look(|state| state.faults.clone()).is_empty());
    assert!(logd.look(|state| state.gaps.clone()).is_empty());
}

#[tokio::test]
async fn a_line_that_rotation_cuts_is_sent_before_its_rest() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    web.raw("stdout", "P", b"begun, ");
    logd.lines(&["one"]).await;
    web.rotate(1);
    web.write(&["ended"]);
    let begun = logd
        .until("the rest has come", |state| {
            state.with("ended").map(|_| state.with("begun, ").is_some())
        })
        .await;
    assert!(begun);
}

#[tokio::test]
async fn after_downtime_reading_goes_on_inside_rotated_and_compressed_files() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one", "two"]);
    logd.lines(&["one", "two"]).await;
    shipper.shutdown().await;
    web.write(&["three"]);
    web.rotate(1);
    web.write(&["four"]);
    web.compress(1);
    web.rotate(2);
    web.write(&["five"]);
    let _shipper = node.ship(&logd);
    logd.lines(&["one", "two", "three", "four", "five"]).await;
    assert!(logd.look(|state| state.faults.clone()).is_empty());
    assert!(logd.look(|state| state.gaps.clone()).is_empty());
}

#[tokio::test]
async fn what_was_deleted_during_downtime_is_one_gap() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    let read = std::fs::metadata(web.live()).unwrap().len();
    shipper.shutdown().await;
    web.write(&["lost"]);
    web.rotate(1);
    web.write(&["lost, too"]);
    web.rotate(2);
    web.write(&["five"]);
    web.delete(1);
    web.delete(2);
    let _shipper = node.ship(&logd);
    logd.lines(&["one", "five"]).await;
    let gaps = logd.look(|state| state.gaps.clone());
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert_eq!(gap.before.as_ref().unwrap().offset, read);
    let after = gap.after.as_ref().unwrap();
    assert_eq!((after.offset, gap.bytes), (0, None));
    assert_ne!(after.incarnation, gap.before.as_ref().unwrap().incarnation);
    assert!(logd.look(|state| state.faults.clone()).is_empty());
}

/// It may have been written to until it was deleted, but nothing says so.
#[tokio::test]
async fn a_file_that_was_read_to_its_end_is_no_gap_where_it_was_deleted_during_downtime() {
    for instance in [None, Some("another")] {
        let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
        let shipper = node.ship(&logd);
        let mut web = node.container(WEB, "web");
        web.write(&["one"]);
        web.rotate(1);
        web.write(&["two"]);
        logd.lines(&["one", "two"]).await;
        shipper.shutdown().await;
        web.delete(1);
        web.write(&["three"]);
        if let Some(name) = instance {
            logd.restart(name);
        }
        let _shipper = node.ship(&logd);
        let gone = |state: &State| state.with("three").map(|_| state.gaps.clone());
        let gaps = logd.until("the last line has come", gone).await;
        assert!(gaps.is_empty(), "{gaps:?}");
    }
}

#[tokio::test]
async fn a_new_instance_gets_history_as_far_as_its_ring_reaches() {
    let manner = Manner { history: 1 << 20, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    web.rotate(1);
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    logd.restart("another");
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    let history = logd.look(|state| {
        let lines = state.order.iter().flat_map(|key| state.files[key].lines.clone());
        lines.map(|line| line.history).collect::<Vec<_>>()
    });
    assert_eq!(history, [true, true, false]);
    assert!(logd.look(|state| state.faults.clone()).is_empty());
}

#[tokio::test]
async fn a_restarted_container_goes_on_in_its_next_file() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    web.restart = 1;
    web.write(&["two"]);
    web.restart = 2;
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    let restarts = logd.look(|state| state.order.iter().map(|key| key.2).collect::<Vec<_>>());
    assert_eq!(restarts, [0, 1, 2]);
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn what_a_pod_wrote_before_its_directory_went_away_is_sent() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    web.write(&["two"]);
    std::fs::remove_dir_all(node.pods().join(WEB)).unwrap();
    logd.lines(&["one", "two"]).await;
    logd.until("the file is closed", |state| state.with("one")?.closed.then_some(())).await;
    let containers = "fairlead_shipper_containers";
    until_metric(shipper.admin_addr(), containers, |count| count == 0).await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn a_pod_that_went_away_during_downtime_leaves_a_gap() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    shipper.shutdown().await;
    web.write(&["lost"]);
    std::fs::remove_dir_all(node.pods().join(WEB)).unwrap();
    let _shipper = node.ship(&logd);
    let gap = logd.until("the gap", |state| state.gaps.first().cloned()).await;
    assert!(gap.before.is_some() && gap.after.is_none() && gap.bytes.is_none());
    logd.until("the file is closed", |state| state.with("one")?.closed.then_some(())).await;
}

#[tokio::test]
async fn a_gap_is_told_until_it_is_acknowledged() {
    let manner = Manner { acknowledges_gaps: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    shipper.shutdown().await;
    web.write(&["lost"]);
    web.rotate(1);
    web.write(&["three"]);
    web.delete(1);
    let shipper = node.ship(&logd);
    logd.lines(&["one", "three"]).await;
    // It may come after the line.
    logd.until("the gap", |state| (state.gaps.len() == 1).then_some(())).await;
    shipper.shutdown().await;
    let shipper = node.ship(&logd);
    logd.until("the gap again", |state| (state.gaps.len() == 2).then_some(())).await;
    let ids = logd.look(|state| state.gaps.iter().map(|gap| gap.id).collect::<Vec<_>>());
    assert_eq!(ids[0], ids[1]);
    logd.be(|manner| manner.acknowledges_gaps = true);
    logd.cut();
    logd.until("the gap once more", |state| (state.gaps.len() == 3).then_some(())).await;
    // The acknowledgement comes before that of the next line.
    web.write(&["four"]);
    logd.lines(&["one", "three", "four"]).await;
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
    shipper.shutdown().await;
    let _shipper = node.ship(&logd);
    web.write(&["five"]);
    logd.lines(&["one", "three", "four", "five"]).await;
    assert_eq!(logd.look(|state| state.gaps.len()), 3);
}

/// As after a loss of power: what was rotated has a name and no content.
#[tokio::test]
async fn a_compressed_file_that_holds_nothing_is_a_gap() {
    for content in [&b""[..], b"\x1f\x8b\x08", b"no gzip at all"] {
        let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
        let mut log = node.container(WEB, "web");
        log.write(&["one"]);
        log.rotate(1);
        log.write(&["two"]);
        log.rotate(2);
        log.compress(2);
        let path = log.rotated(2).with_added_extension("gz");
        std::fs::write(&path, content).unwrap();
        log.write(&["three"]);
        let _shipper = node.ship(&logd);
        let gap = logd.until("the gap", |state| state.gaps.first().cloned()).await;
        assert_eq!(gap.reason(), GapReason::Unreadable);
        assert!(gap.after.is_some() && gap.bytes.is_none(), "{gap:?}");
        logd.lines(&["one", "three"]).await;
        assert_eq!(logd.look(|state| state.gaps.len()), 1);
    }
}
