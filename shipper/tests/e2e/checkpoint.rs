//! What is remembered, and what happens where it is not.

use std::fs;

use crate::support::{Logd, Manner, Node, WEB, until_metric};

/// As Linux numbers it.
const EIO: i32 = 5;

#[tokio::test]
async fn row_35_goes_on_after_a_restart_without_loss_or_duplicates() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut web = node.container(WEB, "web");
    let mut expected = Vec::new();
    for round in 0..5 {
        let shipper = node.ship(&logd);
        for line in 0..20 {
            expected.push(format!("{round}.{line}"));
            web.write(&[expected.last().unwrap()]);
        }
        let lines: Vec<_> = expected.iter().map(String::as_str).collect();
        logd.lines(&lines).await;
        shipper.shutdown().await;
        expected.push(format!("{round} while it was away"));
        web.write(&[expected.last().unwrap()]);
        web.rotate(round);
    }
    web.write(&["last"]);
    expected.push("last".to_owned());
    let _shipper = node.ship(&logd);
    let lines: Vec<_> = expected.iter().map(String::as_str).collect();
    logd.lines(&lines).await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn a_damaged_checkpoint_costs_a_rewind_that_logd_discards() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    web.rotate(1);
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    shipper.shutdown().await;
    // Both names of the last one are of one file.
    let checkpoint = node.state().join("checkpoint");
    let mut bytes = fs::read(&checkpoint).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&checkpoint, bytes).unwrap();
    web.write(&["three"]);
    let shipper = node.ship(&logd);
    logd.lines(&["one", "two", "three"]).await;
    until_metric(shipper.admin_addr(), "fairlead_shipper_checkpoint_errors_total", |n| n == 2)
        .await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn where_the_newest_checkpoint_is_lost_an_older_one_is_used() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
    shipper.shutdown().await;
    // As a machine that lost its power may leave it.
    fs::remove_file(node.state().join("checkpoint")).unwrap();
    fs::write(node.state().join("checkpoint"), "").unwrap();
    // It has nothing in its memory: what it is sent tells what is known to be settled.
    logd.restart("another");
    web.write(&["two"]);
    let shipper = node.ship(&logd);
    logd.lines(&["two"]).await;
    until_metric(shipper.admin_addr(), "fairlead_shipper_checkpoint_errors_total", |n| n == 1)
        .await;
}

#[tokio::test]
async fn a_full_disk_under_the_checkpoint_is_told_and_stops_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    fs::create_dir(node.state()).unwrap();
    // Every write to it fails with ENOSPC.
    let new = node.state().join("checkpoint.tmp");
    std::os::unix::fs::symlink("/dev/full", &new).unwrap();
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    let errors = "fairlead_shipper_checkpoint_errors_total";
    until_metric(shipper.admin_addr(), errors, |count| count > 0).await;
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    fs::remove_file(&new).unwrap();
    let written = "fairlead_shipper_checkpoints_total";
    until_metric(shipper.admin_addr(), written, |count| count > 0).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_told_and_stops_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    fs::write(node.state(), "not a directory").unwrap();
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    let errors = "fairlead_shipper_checkpoint_errors_total";
    until_metric(shipper.admin_addr(), errors, |count| count > 1).await;
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
}

#[tokio::test]
async fn errors_of_the_disk_under_the_checkpoint_are_told_and_stop_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    fs::create_dir(node.state()).unwrap();
    // Reading and writing it at its beginning fails with EIO.
    let broken = "/proc/self/mem";
    assert_eq!(fs::read(broken).unwrap_err().raw_os_error(), Some(EIO));
    let (old, new) = (node.state().join("checkpoint"), node.state().join("checkpoint.tmp"));
    std::os::unix::fs::symlink(broken, &old).unwrap();
    std::os::unix::fs::symlink(broken, &new).unwrap();
    let shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    let errors = "fairlead_shipper_checkpoint_errors_total";
    until_metric(shipper.admin_addr(), errors, |count| count > 1).await;
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    fs::remove_file(&new).unwrap();
    let written = "fairlead_shipper_checkpoints_total";
    until_metric(shipper.admin_addr(), written, |count| count > 0).await;
    shipper.shutdown().await;
    assert!(fs::symlink_metadata(&old).unwrap().is_file());
    web.write(&["three"]);
    let _shipper = node.ship(&logd);
    logd.lines(&["one", "two", "three"]).await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}
