//! What is said to logd, and what becomes of what it answers.

use fairlead_shipper::{Shipper, ShipperOptions};
use fairlead_wire::Records;

use crate::support::{Logd, Manner, Node, WEB, metric, until_metric};

#[tokio::test]
async fn a_range_that_is_asked_for_again_is_answered_exactly() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    let one = web.raw("stdout", "F", b"one");
    let two = one + web.raw("stdout", "F", b"two");
    let three = two + web.raw("stderr", "F", b"three");
    web.write(&["four"]);
    logd.lines(&["one", "two", "three", "four"]).await;
    logd.fetch(7, "one", one, three).await;
    let fetched = |state: &crate::support::State| {
        let batches = &state.fetched;
        batches.last().is_some_and(|batch| batch.to == three).then(|| batches.clone())
    };
    let batches = logd.until("the answer", fetched).await;
    let mut at = one;
    let mut lines = Vec::new();
    for batch in batches {
        assert_eq!((batch.from, batch.fetch), (at, 7));
        at = batch.to;
        let records = Records::check(batch.records, batch.to - batch.from).unwrap();
        lines.extend(records.iter().map(|r| (batch.from + u64::from(r.end), r.payload.to_vec())));
    }
    assert_eq!(lines, [(two, b"two".to_vec()), (three, b"three".to_vec())]);
    // Beyond the file's end there is nothing to answer with.
    logd.fetch(8, "one", three, three + 1_000_000).await;
    logd.until("an answer", |state| state.unanswered.iter().find(|gap| gap.id == 8).cloned()).await;
}

#[tokio::test]
async fn a_range_of_a_file_that_was_rotated_and_compressed_is_found_again() {
    // What is not settled may still be asked for.
    let manner = Manner { settles: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    let one = web.raw("stdout", "F", b"one");
    let two = one + web.raw("stderr", "F", b"two");
    web.rotate(1);
    web.write(&["three"]);
    web.rotate(2);
    web.compress(1);
    web.write(&["four"]);
    logd.lines(&["one", "two", "three", "four"]).await;
    logd.fetch(9, "one", one, two).await;
    let batch = logd.until("the answer", |state| state.fetched.first().cloned()).await;
    assert_eq!((batch.fetch, batch.from, batch.to), (9, one, two));
    let records = Records::check(batch.records, two - one).unwrap();
    let lines: Vec<_> = records.iter().map(|record| record.payload.to_vec()).collect();
    assert_eq!(lines, [b"two"]);
}

#[tokio::test]
async fn what_is_asked_for_again_waits_in_its_file_while_logd_does_not_read() {
    const WINDOW: u64 = 1 << 20;
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let options = ShipperOptions { window: WINDOW, ..node.options(&logd) };
    let shipper = Shipper::start(options, None).unwrap();
    let mut web = node.container(WEB, "web");
    let mut size = web.raw("stdout", "F", b"first");
    for _ in 0..500 {
        // It does not become smaller on its way.
        let payload: Vec<u8> =
            std::iter::repeat_with(|| fastrand::u8(b' '..=b'~')).take(8_000).collect();
        size += web.raw("stdout", "F", &payload);
    }
    size += web.raw("stdout", "F", b"last");
    logd.ends("shop/web-1", "last").await;
    let waiting = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), waiting, |bytes| bytes == 0).await;
    logd.be(|manner| manner.reads = false);
    for number in 1..=16 {
        logd.fetch(number, "first", 0, size).await;
    }
    until_metric(shipper.admin_addr(), waiting, |bytes| bytes >= WINDOW).await;
    // Another look finds the same.
    let bytes = metric(shipper.admin_addr(), waiting).await;
    assert!(bytes < WINDOW + 256 * 1024, "{bytes}");
    // What is new goes on behind it.
    web.write(&["another"]);
    logd.be(|manner| manner.reads = true);
    logd.ends("shop/web-1", "another").await;
    logd.until("all answers", |state| {
        let ends = state.fetched.iter().filter(|batch| batch.to == size).map(|batch| batch.fetch);
        ends.eq(1..=16).then_some(())
    })
    .await;
    logd.look(|state| {
        let mut at = 0;
        let mut records = 0;
        for batch in &state.fetched {
            assert_eq!(batch.from, at);
            at = if batch.to == size { 0 } else { batch.to };
            records += batch.records().unwrap().iter().count();
        }
        assert_eq!((records, state.faults.len()), (16 * 502, 0), "{:?}", state.faults);
    });
    until_metric(shipper.admin_addr(), waiting, |bytes| bytes == 0).await;
}

#[tokio::test]
async fn what_is_stored_and_not_settled_is_sent_to_a_new_instance_and_is_no_history() {
    let manner = Manner { settles: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    logd.acknowledge().await;
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    logd.restart("another");
    logd.lines(&["two", "three"]).await;
    let history = logd.look(|state| {
        let lines = state.files.values().flat_map(|file| file.lines.clone());
        lines.map(|line| line.history).collect::<Vec<_>>()
    });
    assert_eq!(history, [false, false]);
}

#[tokio::test]
async fn a_broken_connection_loses_and_repeats_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    let mut expected = Vec::new();
    for number in 0..20 {
        expected.push(format!("line {number}"));
        web.write(&[expected.last().unwrap()]);
        if number % 5 == 0 {
            logd.cut();
        }
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        logd.lines(&expected).await;
    }
    assert!(logd.look(|state| state.faults.clone()).is_empty());
}

#[tokio::test]
async fn a_noisy_container_delays_no_other() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut noisy = node.container("shop_noisy-1_a", "web");
    let payload = vec![b'x'; 16_000];
    let size: u64 = (0..2_000).map(|_| noisy.raw("stdout", "F", &payload)).sum();
    // Found after it, whichever is found first: a turn is 256 KiB.
    let quiet = ["shop_quiet-1_b", "shop_aquiet-1_c"].map(|pod| {
        let mut log = node.container(pod, "web");
        log.write(&[pod]);
        pod
    });
    let _shipper = node.ship(&logd);
    let read = logd
        .until("the quiet lines", |state| {
            quiet.iter().all(|line| state.with(line).is_some()).then(|| {
                let noisy = state.files.iter().find(|(key, _)| key.0 == "a");
                noisy.and_then(|(_, file)| file.to).unwrap_or_default()
            })
        })
        .await;
    assert!(read < size / 2, "{read} of {size} bytes came before");
    logd.until("all lines", |state| {
        (state.files.values().map(|file| file.lines.len()).sum::<usize>() == 2_002).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_logd_that_forgot_a_file_is_sent_it_again() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let options = ShipperOptions { window: 64 << 10, ..node.options(&logd) };
    let shipper = Shipper::start(options, None).unwrap();
    let mut web = node.container(WEB, "web");
    for _ in 0..20 {
        web.raw("stdout", "F", &[b'x'; 16_000]);
    }
    web.write(&["one"]);
    logd.ends("shop/web-1", "one").await;
    logd.forget();
    logd.ends("shop/web-1", "one").await;
    web.write(&["two"]);
    logd.ends("shop/web-1", "two").await;
    assert_eq!(logd.look(|state| state.texts().len()), 22);
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
}
