//! A drain, from the ring to a sink that does as it is told.

use fairlead_drain::{
    FailureKind::{Busy, Certificate, Connect, Denied},
    Reason,
};

use super::*;
use crate::{
    app::AppId,
    drain::{
        Scope, State,
        testing::{Log, Rig, drain, drain_with, within},
    },
    options::AppLimits,
};

fn web() -> Scope {
    Scope::App("shop/web".parse::<AppId>().unwrap())
}

#[tokio::test]
async fn a_file_is_settled_when_its_lines_have_arrived_and_not_before() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two"]).await;
    assert_eq!((log.ack().await.stored, rig.doing().ledger.delivered), (to, 0));
    let call = script.call().await;
    assert_eq!(call.lines, ["one", "two"]);
    // The rest of the first batch has its verdict later, without a call.
    call.answer(vec![Verdict::Delivered]);
    rig.until("the first", |doing| doing.ledger.delivered == 1).await;
    script.confirm(vec![Verdict::Sent]);
    log.settled(to).await;
    let ledger = rig.doing().ledger;
    assert_eq!((ledger.matched, ledger.delivered, ledger.sent, ledger.pending), (2, 1, 1, 0));
}

#[tokio::test]
async fn a_file_without_drains_is_settled_with_what_is_stored() {
    let rig = Rig::start(0, AppLimits::default());
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one"]).await;
    let ack = log.ack().await;
    assert_eq!((ack.stored, ack.settled), (to, to));
}

#[tokio::test]
async fn nothing_is_settled_before_all_drains_are_known_and_they_get_what_is_there() {
    let rig = Rig::start(2, AppLimits::default());
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one"]).await;
    assert_eq!(log.ack().await.settled, 0);
    let (first, mut script) = drain("shop/first", web());
    rig.set(0, vec![first]).await;
    assert_eq!(script.take(1).await, ["one"]);
    rig.until("it has arrived", |doing| doing.ledger.delivered == 1).await;
    rig.store.settle().await.unwrap();
    let further = log.write(&["two"]).await;
    assert_eq!(script.take(1).await, ["two"]);
    let ack = log.ack().await;
    assert_eq!((ack.stored, ack.settled), (further, 0));
    let (second, mut other) = drain("shop/second", web());
    rig.set(1, vec![second]).await;
    assert_eq!(other.take(2).await, ["one", "two"]);
    log.settled(further).await;
    assert!(further > to);
}

#[tokio::test]
async fn a_drain_that_is_added_later_gets_what_comes_and_one_that_is_removed_is_not_waited_for() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["old"]).await;
    assert_eq!(script.take(1).await, ["old"]);
    let (added, mut late) = drain("shop/late", web());
    rig.set(0, vec![added]).await;
    rig.until("it is the only one", |_| &*rig.drains.seen().running[0].declared.id == "shop/late")
        .await;
    let to = log.write(&["new"]).await;
    assert_eq!(late.take(1).await, ["new"]);
    log.settled(to).await;
    // What it has not taken is nobody's.
    let to = log.write(&["last"]).await;
    let _call = late.call().await;
    rig.set(0, vec![]).await;
    log.settled(to).await;
}

#[tokio::test]
async fn after_a_failure_the_same_lines_go_again_over_a_new_sink_and_are_counted() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two"]).await;
    let call = script.call().await;
    call.answer(vec![Verdict::Delivered]);
    let further = log.write(&["three"]).await;
    script.call().await.fail(Connect);
    assert_eq!(script.take(2).await, ["two", "three"]);
    log.settled(further).await;
    assert!(to < further);
    let doing = rig.until("all", |doing| doing.ledger.delivered == 3).await;
    assert_eq!((doing.ledger.resent, doing.ledger.matched, script.opened()), (2, 3, 2));
    let error = doing.last_error.unwrap();
    assert_eq!((error.kind, error.message.as_str()), ("connect", "as told"));
}

#[tokio::test]
async fn a_line_that_its_receiver_wants_again_goes_again_alone_and_one_that_is_rejected_never() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two", "too long", "three"]).await;
    let call = script.call().await;
    assert_eq!(call.lines, ["one", "two", "three"]);
    let refused = Verdict::Rejected(Reason::Refused);
    call.answer(vec![Verdict::Delivered, Verdict::Again, refused]);
    let call = script.call().await;
    assert_eq!(call.lines, ["two"]);
    rig.store.settle().await.unwrap();
    assert_eq!(log.ack().await.settled, 0);
    call.deliver();
    log.settled(to).await;
    let doing = rig.doing();
    let error = doing.last_error.unwrap();
    assert_eq!((error.kind, error.message.as_str()), ("rejected", "no, as told"));
    let ledger = doing.ledger;
    assert_eq!((ledger.delivered, ledger.lost_rejected, ledger.resent), (2, 2, 1));
    assert!(ledger.balances());
}

#[tokio::test]
async fn lines_of_other_apps_processes_and_earlier_logds_are_not_sent() {
    let rig = Rig::start(1, AppLimits::default());
    let filter = Filter { processes: vec!["web".to_owned()], ..Filter::default() };
    let (declared, mut script) = drain_with("shop/drain", web(), filter, Arc::default());
    rig.set(0, vec![declared]).await;
    let mut other = Log::open(&rig, "shop/other", "web").await;
    let mut worker = Log::open(&rig, "shop/web", "worker").await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let of_other = other.write(&["of another app"]).await;
    let of_worker = worker.write(&["of another process"]).await;
    let history = log.batch(&["drains had it"], true).await;
    let to = log.write(&["one"]).await;
    assert_eq!(script.take(1).await, ["one"]);
    other.settled(of_other).await;
    worker.settled(of_worker).await;
    log.settled(to).await;
    assert!(history < to);
    assert_eq!(rig.doing().ledger.matched, 1);
}

#[tokio::test]
async fn what_overruns_a_drain_is_counted_exactly_told_in_the_stream_and_before_the_next_line() {
    let limits = AppLimits { lines: 10, ..AppLimits::default() };
    let rig = Rig::start(1, limits);
    let (declared, mut script) = drain("shop/drain", web());
    rig.set(0, vec![declared]).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["0"]).await;
    let stalled = script.call().await;
    let lines: Vec<String> = (1..=100).map(|no| no.to_string()).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let to = log.write(&lines).await;
    // Nobody has to wait for it.
    while log.ack().await.stored < to {}
    stalled.deliver();
    let got = script.take(11).await;
    assert!(
        got[0].starts_with("Error L10 (output buffer overflow): 90 messages dropped"),
        "{got:?}"
    );
    assert_eq!(got[1..], lines[90..]);
    let told = rig.told("shop/web", "Error L10").await;
    assert!(
        told.starts_with("Error L10 (output buffer overflow): 90 messages dropped since "),
        "{told}"
    );
    assert!(told.ends_with(", for the drain shop/drain."), "{told}");
    log.settled(to).await;
    let doing = rig.until("the notice", |doing| doing.ledger.notices == 1).await;
    let ledger = doing.ledger;
    assert_eq!((ledger.matched, ledger.delivered, ledger.lost_lag), (101, 11, 90));
    assert!(ledger.balances() && script.is_quiet());
}

#[tokio::test]
async fn an_app_with_much_to_send_leaves_others_their_turn() {
    let (rig, mut script) = Rig::with(Scope::Namespace("shop".to_owned())).await;
    let mut busy = Log::open(&rig, "shop/busy", "web").await;
    busy.write(&["first"]).await;
    let first = script.call().await;
    let lines: Vec<String> = (0..3_000).map(|no| no.to_string()).collect();
    busy.write(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut quiet = Log::open(&rig, "shop/quiet", "web").await;
    let to = quiet.write(&["quiet"]).await;
    while quiet.ack().await.stored < to {}
    first.deliver();
    let before = async {
        for batches in 0.. {
            let call = script.call().await;
            let found = call.lines.iter().any(|line| line == "quiet");
            call.deliver();
            if found {
                return batches;
            }
        }
        unreachable!("batches end with the test's patience")
    };
    let batches = before.await;
    assert!(batches <= TURN / 100 + 1, "{batches}");
}

#[tokio::test]
async fn after_five_failures_a_single_line_is_tried_and_the_app_is_told_once() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two"]).await;
    for _ in 0..5 {
        let call = script.call().await;
        assert_eq!(call.lines, ["one", "two"]);
        call.fail(Denied);
    }
    let told = rig.told("shop/web", "Error L13").await;
    assert!(told.ends_with(" to send to the drain shop/drain: as told"), "{told}");
    let call = script.call().await;
    assert_eq!(call.lines, ["one"], "a probe");
    call.fail(Busy);
    script.call().await.deliver();
    assert_eq!(script.take(1).await, ["two"]);
    log.settled(to).await;
    // What is told of drains is for none of them.
    let doing = rig.until("all", |doing| doing.ledger.delivered == 2).await;
    assert_eq!((doing.ledger.matched, doing.failures), (2, 0));
    let told = rig.lines("shop/web").iter().filter(|line| line.contains("Error L13")).count();
    assert!(told == 1 && script.is_quiet());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_at_once_but_not_in_every_app_of_a_platform_drain()
 {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    script.call().await.fail(Certificate);
    let told = rig.told("shop/web", "Error L14").await;
    assert_eq!(told, "Error L14 (Certificate validation error): the drain shop/drain: as told");

    let (rig, mut script) = Rig::with(Scope::All).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    for _ in 0..6 {
        script.call().await.fail(Certificate);
    }
    assert_eq!(rig.lines("shop/web"), ["one"]);
}

#[tokio::test]
async fn a_changed_drain_goes_on_where_it_was_with_a_new_sink() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    script.take(1).await;
    log.write(&["two"]).await;
    script.call().await.fail(Connect);
    let (changed, mut new) = drain("shop/drain", web());
    rig.set(0, vec![changed]).await;
    let to = log.write(&["three"]).await;
    assert_eq!(new.take(2).await, ["two", "three"]);
    log.settled(to).await;
    assert_eq!(rig.until("all", |doing| doing.ledger.delivered == 3).await.ledger.matched, 3);
}

/// All of a batch refused by one status is most often a mistake of the set-up: nothing is given up.
#[tokio::test]
async fn what_is_refused_as_a_whole_goes_again_until_the_set_up_is_mended() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one", "two"]).await;
    let unread = Verdict::Rejected(Reason::Unread);
    script.call().await.answer(vec![unread; 2]);
    script.call().await.answer(vec![unread; 2]);
    let doing = rig.until("it is told", |doing| doing.failures == 2).await;
    assert_eq!((doing.ledger.lost_rejected, doing.ledger.pending), (0, 2));
    assert_eq!(doing.last_error.unwrap().kind, "denied");
    assert_eq!(script.take(2).await, ["one", "two"]);
    // Then a line that is refused by itself is the one that cannot be read.
    let to = log.write(&["bad"]).await;
    script.call().await.answer(vec![unread]);
    log.settled(to).await;
    let ledger = rig.doing().ledger;
    assert_eq!((ledger.delivered, ledger.lost_rejected), (2, 1));
}

/// What is refused of one app, again and again, holds up neither that app nor others without end.
#[tokio::test]
async fn refused_lines_of_an_app_are_given_up_while_others_are_taken() {
    let (rig, mut script) = Rig::with(Scope::Namespace("shop".to_owned())).await;
    // So long that what is full with one app's lines has no others.
    let long = "fine".to_owned() + &"x".repeat(10_000);
    let bad = "poison".to_owned() + &"x".repeat(2_500);
    let mut fine = Log::open(&rig, "shop/fine", "web").await;
    fine.write(&[&long]).await;
    let mut poison = Log::open(&rig, "shop/poison", "web").await;
    let first = script.call().await;
    let to = poison.write(&[&bad, &bad, &bad, &bad, "good"]).await;
    while poison.ack().await.stored < to {}
    first.deliver();
    let (mut refused, mut ended) = (0, false);
    while !ended {
        let call = script.call().await;
        ended = call.lines.iter().any(|line| line == "good");
        let is_bad: Vec<bool> = call.lines.iter().map(|line| line.starts_with("poison")).collect();
        let all = is_bad.iter().all(|bad| *bad);
        refused += usize::from(all);
        assert!(refused < 20, "the same lines again and again");
        // There is always more of others.
        fine.write(&[&long]).await;
        let reason = if all { Reason::Unread } else { Reason::Refused };
        let verdict = |bad| if bad { Verdict::Rejected(reason) } else { Verdict::Delivered };
        call.answer(is_bad.into_iter().map(verdict).collect());
    }
    poison.settled(to).await;
    assert_eq!(rig.doing().ledger.lost_rejected, 4);
}

/// What was mended once is no reason to give up lines at once when it is wrong again.
#[tokio::test]
async fn a_set_up_that_is_wrong_again_has_its_time_again() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let unread = Verdict::Rejected(Reason::Unread);
    for lines in [["one", "two"], ["three", "four"]] {
        log.write(&lines).await;
        script.call().await.answer(vec![unread; 2]);
        assert_eq!(script.take(2).await, lines);
    }
    let ledger = rig.until("all", |doing| doing.ledger.delivered == 4).await.ledger;
    assert_eq!(ledger.lost_rejected, 0);
}

#[tokio::test]
async fn lines_that_are_never_taken_are_named() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two", "three"]).await;
    let refused = Verdict::Rejected(Reason::Refused);
    let too_long = Verdict::Rejected(Reason::TooLong);
    script.call().await.answer(vec![Verdict::Delivered, refused, too_long]);
    log.settled(to).await;
    let named = || rig.drains.seen().running[0].status.rejected_lines();
    let lines = named();
    let names = lines.iter().map(|line| (line.name.as_deref().unwrap(), line.reason));
    let file = "shop/web-web/web/0/0000000000000001";
    let expected = [(format!("{file}:8"), "refused"), (format!("{file}:14"), "too_long")];
    assert_eq!(names.collect::<Vec<_>>(), expected.each_ref().map(|(name, why)| (&**name, *why)));
    assert!(lines.iter().all(|line| line.app == "shop/web"));
    // The newest ones.
    let many: Vec<String> = (0..100).map(|no| no.to_string()).collect();
    let to = log.write(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    script.call().await.answer(vec![refused; 100]);
    log.settled(to).await;
    let lines = named();
    assert_eq!((lines.len(), rig.doing().ledger.lost_rejected), (crate::drain::status::NAMED, 102));
    assert_eq!(lines.last().unwrap().name, Some(format!("{file}:{to}")));
    // Of a receiver that says how many, and not which.
    let to = log.write(&["four", "five"]).await;
    let unnamed = Verdict::Rejected(Reason::Unnamed);
    script.call().await.answer(vec![Verdict::Delivered, unnamed]);
    log.settled(to).await;
    let lines = named();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last.name, last.reason, rig.doing().ledger.lost_rejected),
        (&None, "refused", 103)
    );
}

/// A receiver that holds a batch keeps nobody from being changed: what it holds goes to the new one.
#[tokio::test]
async fn a_changed_drain_leaves_a_receiver_that_holds_a_batch() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    let held = script.call().await;
    let (changed, mut new) = drain("shop/drain", web());
    rig.set(0, vec![changed]).await;
    let to = log.write(&["two"]).await;
    assert_eq!(new.take(2).await, ["one", "two"]);
    log.settled(to).await;
    assert!(held.is_given_up());
    let ledger = rig.until("all", |doing| doing.ledger.delivered == 2).await.ledger;
    assert_eq!((ledger.matched, ledger.resent, ledger.pending), (2, 1, 0));
}

/// Neither what a receiver holds nor what has left without a verdict is missing in the account.
#[tokio::test]
async fn a_removed_drain_leaves_at_once_and_accounts_for_what_has_no_verdict() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one", "two"]).await;
    let call = script.call().await;
    let totals = rig.drains.seen().running[0].declared.settings.totals.clone();
    call.answer(vec![Verdict::Delivered]);
    let to = log.write(&["three", "four", "five"]).await;
    let mut held = script.call().await;
    assert_eq!(held.lines, ["three", "four", "five"]);
    rig.set(0, Vec::new()).await;
    held.given_up().await;
    log.settled(to).await;
    let count = || (totals.matched.get(), totals.delivered.get(), totals.lost_expired.get());
    let accounted = async {
        while count() != (5, 1, 4) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the account", accounted).await;
}

/// What never left is not sent again.
#[tokio::test]
async fn lines_that_have_not_left_are_not_counted_as_sent_again() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one", "two"]).await;
    for stage in [Stage::Own, Stage::Unreached, Stage::Reached] {
        script.call().await.fail_at(stage);
    }
    script.call().await.fail(Connect);
    assert_eq!(rig.doing().ledger.resent, 0);
    assert_eq!(script.take(2).await, ["one", "two"]);
    let doing = rig.until("all", |doing| doing.ledger.delivered == 2).await;
    assert_eq!(doing.ledger.resent, 2);
}

/// A drain for all apps tells none of them of its failures, also when it was for one before.
#[tokio::test]
async fn a_drain_s_new_scope_says_who_is_told() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    script.take(1).await;
    let (changed, mut script) = drain("shop/drain", Scope::All);
    rig.set(0, vec![changed]).await;
    log.write(&["two"]).await;
    for _ in 0..6 {
        script.call().await.fail(Certificate);
    }
    assert_eq!(rig.lines("shop/web"), ["one", "two"]);
}

#[tokio::test]
async fn at_the_end_what_is_there_is_sent_and_acknowledged_until_the_deadline() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    let call = script.call().await;
    let to = log.write(&["two"]).await;
    while log.ack().await.stored < to {}
    let flushed = tokio::spawn({
        let drains = rig.drains.clone();
        async move { drains.flush(Instant::now() + Duration::from_secs(20)).await }
    });
    call.deliver();
    assert_eq!(script.take(1).await, ["two"]);
    log.settled(to).await;
    flushed.await.unwrap();

    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["one"]).await;
    let _never = script.call().await;
    rig.drains.flush(Instant::now() + Duration::from_millis(10)).await;
}

#[tokio::test]
async fn drains_of_one_receiver_probe_it_one_at_a_time() {
    let rig = Rig::start(1, AppLimits::default());
    let host = Arc::<Host>::default();
    (0..5).for_each(|_| host.unreached(Instant::now()));
    let (a, mut of_a) = drain_with("shop/a", web(), Filter::default(), host.clone());
    let (b, mut of_b) = drain_with("shop/b", web(), Filter::default(), host);
    rig.set(0, vec![a, b]).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two"]).await;
    // A probe at a time is sent, whoever is first.
    let (probe, mut first, mut other) = tokio::select! {
        call = of_a.call() => (call, of_a, of_b),
        call = of_b.call() => (call, of_b, of_a),
    };
    assert_eq!(probe.lines, ["one"]);
    assert!(other.is_quiet());
    assert_eq!(rig.drains.seen().running[0].receiver(), State::HalfOpen);
    probe.fail_at(Stage::Unreached);
    let (probe, mut first, mut other) = tokio::select! {
        call = first.call() => (call, first, other),
        call = other.call() => (call, other, first),
    };
    assert_eq!(probe.lines, ["one"]);
    assert!(other.is_quiet());
    probe.deliver();
    assert_eq!(first.take(1).await, ["two"]);
    assert_eq!(other.take(2).await, ["one", "two"]);
    log.settled(to).await;
}

#[tokio::test]
async fn lines_that_are_for_no_drain_are_not_lost_to_one() {
    let limits = AppLimits { lines: 10, ..AppLimits::default() };
    let rig = Rig::start(1, limits);
    let (declared, mut script) = drain("shop/drain", web());
    rig.set(0, vec![declared]).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    log.write(&["first"]).await;
    let stalled = script.call().await;
    log.batch(&["drains had it"; 5], true).await;
    let app: AppId = "shop/web".parse().unwrap();
    rig.store.notice(&app, "Error L13".to_owned()).await.unwrap();
    let lines: Vec<String> = (0..24).map(|no| no.to_string()).collect();
    let to = log.write(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    while log.ack().await.stored < to {}
    stalled.deliver();
    let got = script.take(11).await;
    assert!(got[0].starts_with("Error L10 (output buffer overflow): 14 messages"), "{got:?}");
    assert_eq!(got[1..], lines[14..]);
    log.settled(to).await;
    let ledger = rig.until("all", |doing| doing.ledger.notices == 1).await.ledger;
    assert_eq!((ledger.matched, ledger.delivered, ledger.lost_lag), (25, 11, 14));
}

/// All who wait for what a drain has done would wait for ever.
#[tokio::test]
async fn a_drain_that_panics_goes_on_where_it_was() {
    let (rig, mut script) = Rig::with(Scope::Namespace("shop".to_owned())).await;
    let mut other = Log::open(&rig, "shop/other", "web").await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let of_other = other.write(&["other"]).await;
    assert_eq!(script.take(1).await, ["other"]);
    let to = log.write(&["one", "panic", "two"]).await;
    assert_eq!(script.take(3).await, ["one", "panic", "two"]);
    log.settled(to).await;
    other.settled(of_other).await;
    let further = other.write(&["more"]).await;
    assert_eq!(script.take(1).await, ["more"]);
    other.settled(further).await;
    let doing = rig.until("all", |doing| doing.ledger.delivered == 5).await;
    assert_eq!((doing.ledger.matched, doing.ledger.pending, script.opened()), (5, 0, 2));
}

#[tokio::test]
async fn a_probe_whose_verdict_comes_later_lets_the_rest_go_on() {
    let (rig, mut script) = Rig::with(web()).await;
    let mut log = Log::open(&rig, "shop/web", "web").await;
    let to = log.write(&["one", "two", "three"]).await;
    for _ in 0..5 {
        script.call().await.fail(Busy);
    }
    let probe = script.call().await;
    assert_eq!(probe.lines, ["one"]);
    probe.answer(vec![]);
    rig.until("it is tried", |doing| doing.breaker == State::HalfOpen).await;
    assert!(script.is_quiet());
    script.confirm(vec![Verdict::Sent]);
    assert_eq!(script.take(2).await, ["two", "three"]);
    log.settled(to).await;
}
