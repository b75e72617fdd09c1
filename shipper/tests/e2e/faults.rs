//! Input and circumstances that nobody wishes for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use fairlead_shipper::{Clock, Shipper};
use fairlead_wire::message::{GapReason, LossReason};
use fairlead_wire::record::Flags;

use crate::support::{Logd, Manner, Node, State, WEB, metric, until_metric};

#[tokio::test]
async fn bytes_stay_bytes() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    let payloads: [&[u8]; 4] = [b"a\0b", b"\xff\xfe invalid", b"", b"\r\x1b[31m red"];
    for payload in payloads {
        web.raw("stderr", "F", payload);
    }
    let lines = logd
        .until("four lines", |state| {
            let file = state.files.values().next()?;
            (file.lines.len() == 4).then(|| file.lines.clone())
        })
        .await;
    assert_eq!(lines.iter().map(|line| line.payload.as_slice()).collect::<Vec<_>>(), payloads);
    assert!(lines.iter().all(|line| line.flags == Flags::STDERR));
}

#[tokio::test]
async fn a_line_of_10_mb_is_truncated_and_told() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    let length = 10_000_000;
    web.raw("stdout", "F", &vec![b'x'; length]);
    web.write(&["next"]);
    let file = logd.until("the next line", |state| state.with("next").cloned()).await;
    assert_eq!(file.lines.len(), 2);
    assert_eq!((file.lines[0].payload.len(), file.lines[0].flags), (65_536, Flags::TRUNCATED));
    let [loss] = file.losses.as_slice() else { panic!("{:?}", file.losses) };
    let reason = i32::from(LossReason::Oversize);
    assert_eq!((loss.reason, loss.records, loss.bytes), (reason, 0, length as u64 - 65_536));
}

#[tokio::test]
async fn clocks_that_jump_change_no_order() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    web.bytes(b"1999-01-01T00:00:00.000000001Z stdout F two\n");
    web.bytes(b"2099-01-01T00:00:00.000000001Z stdout F three\n");
    web.write(&["four"]);
    logd.lines(&["one", "two", "three", "four"]).await;
    let times = logd.look(|state| {
        let file = state.with("one").unwrap();
        file.lines.iter().map(|line| line.time / 1_000_000_000).collect::<Vec<_>>()
    });
    assert_eq!(times, [1_475_713_029, 915_148_800, 4_070_908_800, 1_475_713_029]);
}

/// The machine's clock is set forward by an hour, then back by two.
#[tokio::test]
async fn a_machine_s_clock_that_jumps_loses_no_line_and_opens_no_limit() {
    const START: u64 = 1_475_713_029;
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let seconds = Arc::new(AtomicU64::new(START));
    let clock = seconds.clone();
    let mut options = node.options(&logd);
    options.clock =
        Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Relaxed)));
    options.rate = Some(1);
    let _shipper = Shipper::start(options, None).unwrap();
    // Of 100 lines of a moment ten pass, and another one with each second that passed since.
    let mut loud = node.container(WEB, "loud");
    let (mut passed, mut lost) = (0, 0);
    for (number, (time, passes)) in [
        (START, 10),
        (START + 3_600, 10),
        (START - 3_600, 0),
        (START - 3_598, 2),
        (START + 3_600, 10),
    ]
    .into_iter()
    .enumerate()
    {
        seconds.store(time, Relaxed);
        let at = jiff::Timestamp::from_second(i64::try_from(time).unwrap()).unwrap();
        let line = format!("{at:.9} stdout F loud\n");
        loud.bytes(line.repeat(100).as_bytes());
        (passed, lost) = (passed + passes, lost + 100 - passes as u64);
        logd.until(&format!("{passed} lines and {lost} lost"), |state| {
            let file = state.with("loud")?;
            let losses: u64 = file.losses.iter().map(|loss| loss.records).sum();
            ((file.lines.len(), losses) == (passed, lost)).then_some(())
        })
        .await;
        // A line without a time gets the clock's.
        let name = format!("no time {number}");
        node.container(WEB, &format!("quiet-{number}")).bytes(format!("{name}\n").as_bytes());
        let file = logd.until(&name, |state| state.with(&name).cloned()).await;
        assert_eq!(file.lines[0].time, i64::try_from(time).unwrap() * 1_000_000_000);
    }
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn a_truncated_file_begins_anew_and_leaves_no_gap_where_all_of_it_was_read() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let _shipper = node.ship(&logd);
    let mut web = node.container(WEB, "web");
    web.write(&["one", "two"]);
    logd.lines(&["one", "two"]).await;
    std::fs::File::create(web.live()).unwrap();
    web.write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    logd.look(|state| {
        assert_eq!(state.files.len(), 2);
        assert!(state.gaps.is_empty() && state.faults.is_empty(), "{state:?}");
    });
}

/// A machine lost its power, and with it the end of a file that logd has.
#[tokio::test]
async fn a_file_that_is_shorter_than_what_logd_has_lacks_nothing() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut web = node.container(WEB, "web");
    let first = web.raw("stdout", "F", b"one");
    web.write(&["two", "three"]);
    let shipper = node.ship(&logd);
    logd.lines(&["one", "two", "three"]).await;
    shipper.shutdown().await;
    // In the middle of its second line.
    let file = std::fs::File::options().append(true).open(web.live()).unwrap();
    file.set_len(first + 10).unwrap();
    let shipper = node.ship(&logd);
    let connections = "fairlead_shipper_connections";
    until_metric(shipper.admin_addr(), connections, |count| count == 1).await;
    // The container is started again.
    web.restart = 1;
    web.write(&["four"]);
    logd.lines(&["one", "two", "three", "four"]).await;
    logd.until("the first file is done with", |state| state.with("one")?.closed.then_some(()))
        .await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

/// It is written to after all: what stands where logd has something else nobody gets.
#[tokio::test]
async fn a_file_that_was_shorter_than_what_logd_has_and_grows_is_a_gap() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut web = node.container(WEB, "web");
    let first = web.raw("stdout", "F", b"one");
    web.raw("stdout", "F", &[b'x'; 60_000]);
    let shipper = node.ship(&logd);
    let two = |state: &State| (state.with("one")?.lines.len() == 2).then_some(());
    logd.until("two lines", two).await;
    shipper.shutdown().await;
    let file = std::fs::File::options().append(true).open(web.live()).unwrap();
    file.set_len(first).unwrap();
    let _shipper = node.ship(&logd);
    let gap = async {
        loop {
            // Of the other one it is told, before and after it was found to be cut.
            let live = web.restart;
            web.restart = 0;
            web.write(&["more"]);
            web.restart = 1;
            if live == 0 {
                web.write(&["of the next one"]);
            }
            if let Some(gap) = logd.look(|state| state.gaps.first().cloned()) {
                break gap;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let gap = tokio::time::timeout(Duration::from_secs(20), gap).await.unwrap();
    assert_eq!(gap.reason, i32::from(GapReason::Truncated));
}

#[tokio::test]
async fn what_was_truncated_before_it_was_read_is_a_gap() {
    let manner = Manner { acknowledges: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let mut options = node.options(&logd);
    options.window = 1 << 20;
    let mut web = node.container(WEB, "web");
    let payload = vec![b'x'; 10_000];
    for _ in 0..800 {
        web.raw("stdout", "F", &payload);
    }
    let shipper = Shipper::start(options, None).unwrap();
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes >= 1 << 20).await;
    std::fs::File::create(web.live()).unwrap();
    web.write(&["after"]);
    logd.be(|manner| manner.acknowledges = true);
    logd.acknowledge().await;
    logd.until("the next line", |state| state.with("after").map(drop)).await;
    logd.until("the gap", |state| (!state.gaps.is_empty()).then_some(())).await;
    logd.look(|state| {
        let [gap] = state.gaps.as_slice() else { panic!("{:?}", state.gaps) };
        // Nobody knows how much it was.
        assert_eq!((gap.reason, gap.bytes), (i32::from(GapReason::Truncated), None));
        let cut = &state.files[&state.order[0]];
        assert_eq!(gap.before.as_ref().map(|edge| edge.offset), cut.to);
        assert!((1..800).contains(&cut.lines.len()));
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
}

/// One that can be opened and not read, and one that cannot be opened.
const BROKEN: [(&str, i32); 2] = [("/proc/self/mem", 5), ("/proc/sys/vm/compact_memory", 13)];

#[tokio::test]
async fn a_rotated_file_that_cannot_be_read_is_a_gap_told_before_the_next_one() {
    let check = async |(broken, errno): (&str, i32)| {
        assert_eq!(std::fs::read(broken).unwrap_err().raw_os_error(), Some(errno), "{broken}");
        let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
        let mut web = node.container(WEB, "web");
        web.write(&["one"]);
        web.rotate(1);
        std::os::unix::fs::symlink(broken, web.rotated(2)).unwrap();
        web.write(&["three"]);
        let shipper = node.ship(&logd);
        logd.lines(&["one", "three"]).await;
        logd.look(|state| {
            let [gap] = state.gaps.as_slice() else { panic!("{:?}", state.gaps) };
            assert_eq!((gap.reason, gap.bytes), (i32::from(GapReason::Unreadable), None));
            let hash = |line: &str| {
                let has = |key: &&_| state.files[*key].lines[0].payload == line.as_bytes();
                state.order.iter().find(has).map(|key| key.3)
            };
            let edges = [&gap.before, &gap.after].map(|edge| edge.as_ref());
            let hashes = edges.map(|edge| edge.map(|edge| edge.incarnation.first_line));
            assert_eq!(hashes, [hash("one"), hash("three")]);
            assert!(state.faults.is_empty(), "{:?}", state.faults);
        });
        // It holds up nothing for ever.
        std::fs::remove_dir_all(node.pods().join(WEB)).unwrap();
        until_metric(shipper.admin_addr(), "fairlead_shipper_containers", |count| count == 0).await;
        assert_eq!(logd.look(|state| state.gaps.len()), 1);
    };
    tokio::join!(check(BROKEN[0]), check(BROKEN[1]));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_and_has_none_after_it_is_a_gap_when_its_container_is_gone() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let web = node.container(WEB, "web");
    std::os::unix::fs::symlink(BROKEN[0].0, web.live()).unwrap();
    let shipper = node.ship(&logd);
    let containers = "fairlead_shipper_containers";
    until_metric(shipper.admin_addr(), containers, |count| count == 1).await;
    std::fs::remove_dir_all(node.pods().join(WEB)).unwrap();
    let gap = logd.until("the gap", |state| state.gaps.first().cloned()).await;
    assert_eq!(gap.reason, i32::from(GapReason::Unreadable));
    assert_eq!((&gap.before, &gap.after), (&None, &None));
    until_metric(shipper.admin_addr(), containers, |count| count == 0).await;
    logd.look(|state| {
        assert_eq!(state.gaps.len(), 1);
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
}

#[tokio::test]
async fn what_is_not_acknowledged_is_not_read_on() {
    let manner = Manner { acknowledges: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let mut options = node.options(&logd);
    options.window = 1 << 20;
    let mut web = node.container(WEB, "web");
    let payload = vec![b'x'; 10_000];
    for _ in 0..800 {
        web.raw("stdout", "F", &payload);
    }
    let shipper = Shipper::start(options, None).unwrap();
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes >= 1 << 20).await;
    // Another look finds the same.
    let first = metric(shipper.admin_addr(), unacknowledged).await;
    let (sent, read) = logd.look(|state| {
        let file = state.files.values().next().unwrap();
        (file.lines.len(), file.to.unwrap())
    });
    assert!(sent < 800 && read <= first, "{sent} lines, {read} bytes");
    assert!(first < (1 << 20) + 256 * 1024, "{first}");
    logd.be(|manner| manner.acknowledges = true);
    logd.acknowledge().await;
    logd.until("the rest", |state| (state.files.values().next()?.lines.len() == 800).then_some(()))
        .await;
}

#[tokio::test]
async fn a_file_between_two_names_is_not_given_up() {
    let manner = Manner { acknowledges: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let mut options = node.options(&logd);
    options.held = 0;
    let shipper = Shipper::start(options, None).unwrap();
    let mut web = node.container(WEB, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    let away = web.directory.join("away");
    std::fs::rename(web.live(), &away).unwrap();
    let held = "fairlead_shipper_held_bytes";
    until_metric(shipper.admin_addr(), held, |bytes| bytes > 0).await;
    std::fs::rename(&away, web.live()).unwrap();
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    assert!(logd.look(|state| state.gaps.is_empty()));
}

#[tokio::test]
async fn deleted_files_are_held_only_so_far_and_what_is_given_up_is_a_gap() {
    let manner = Manner { acknowledges: false, ..Manner::default() };
    let (node, logd) = (Node::new(), Logd::start(manner).await);
    let mut options = node.options(&logd);
    (options.window, options.held) = (1, 0);
    let shipper = Shipper::start(options, None).unwrap();
    let mut web = node.container(WEB, "web");
    let read = web.raw("stdout", "F", b"one");
    logd.lines(&["one"]).await;
    let lost = web.raw("stdout", "F", b"two") + web.raw("stdout", "F", b"three");
    web.rotate(1);
    let also = web.raw("stdout", "F", b"four");
    web.rotate(2);
    web.write(&["five"]);
    let containers = "fairlead_shipper_containers";
    until_metric(shipper.admin_addr(), containers, |count| count == 1).await;
    // It has seen all of them before they go.
    let directory = web.directory.clone();
    tokio::task::spawn_blocking(move || {
        let open = || {
            let links = std::fs::read_dir("/proc/self/fd").unwrap();
            let links = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
            links.filter(|link| link.starts_with(&directory)).count()
        };
        while open() < 3 {
            std::thread::sleep(Duration::from_millis(10));
        }
    })
    .await
    .unwrap();
    web.delete(1);
    web.delete(2);
    let held = "fairlead_shipper_held_bytes";
    until_metric(shipper.admin_addr(), held, |bytes| bytes > 0).await;
    until_metric(shipper.admin_addr(), held, |bytes| bytes == 0).await;
    logd.be(|manner| manner.acknowledges = true);
    loop {
        logd.acknowledge().await;
        if logd.look(|state| state.with("five").is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let gaps = logd.look(|state| state.gaps.clone());
    let [gap] = gaps.as_slice() else { panic!("{gaps:?}") };
    assert_eq!(gap.reason, i32::from(GapReason::GivenUp));
    assert!(gap.before.as_ref().is_none_or(|edge| edge.offset <= read), "{gap:?}");
    assert!(gap.bytes.is_some_and(|bytes| bytes >= lost + also), "{gap:?}, {lost}, {also}");
}

#[tokio::test]
async fn five_thousand_idle_containers_are_watched_and_each_is_heard() {
    let (node, logd) = (Node::new(), Logd::start(Manner::default()).await);
    let mut last = None;
    for number in 0..5_000 {
        let mut log = node.container(&format!("shop_idle-{number}_u{number}"), "web");
        log.write(&["hello"]);
        last = Some(log);
    }
    let shipper = node.ship(&logd);
    logd.until("all first lines", |state| {
        let lines: usize = state.files.values().map(|file| file.lines.len()).sum();
        (lines == 5_000).then_some(())
    })
    .await;
    last.unwrap().write(&["again"]);
    logd.until("the next line", |state| state.with("again").map(drop)).await;
    assert_eq!(metric(shipper.admin_addr(), "fairlead_shipper_containers").await, 5_000);
    assert!(logd.look(|state| state.faults.is_empty()));
}
