//! Against a model that keeps every line.

use std::collections::BTreeMap;

use fairlead_drain::Reason;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Unread,
    Unwanted,
    UnderWay,
    Again,
    Delivered,
    Sent,
    Rejected,
    Lag,
    Expired,
}

#[derive(Debug, Clone)]
enum Step {
    /// Lines are written.
    Write(Key, u64),
    /// Lines leave the ring, so many of them by age.
    Evict(Key, u64, u64),
    /// So many are read, of which those whose number has a remainder by three are wanted.
    Read(Key, u64),
    /// The sink decides the next one by itself.
    Decide(Key),
    Verdicts(Vec<Verdict>),
    /// So many of the newest have not left, and the others may have or not.
    Fail(usize, bool),
    End,
    Overrun(Key),
    Tell(Key),
    Leave(Key),
}

#[derive(Debug, Default)]
struct Model {
    apps: BTreeMap<Key, App>,
    resent: u64,
    under_way: VecDeque<(Key, Option<u64>)>,
}

#[derive(Debug, Default)]
struct App {
    lines: Vec<Line>,
    /// How often each was sent.
    sent: BTreeMap<u64, u64>,
    first: u64,
    expired: u64,
    gone: bool,
}

impl App {
    fn next(&self) -> Option<(u64, bool)> {
        let find = |wanted| self.lines.iter().position(|line| *line == wanted);
        let again = find(Line::Again).map(|no| (no as u64, true));
        again.or_else(|| find(Line::Unread).map(|no| (no as u64, false)))
    }

    fn done(&self) -> u64 {
        let undecided = |line: &Line| matches!(line, Line::Unread | Line::UnderWay | Line::Again);
        self.lines.iter().position(undecided).unwrap_or(self.lines.len()) as u64
    }

    fn overrun(&mut self) -> u64 {
        let mut lost = 0;
        for (no, line) in self.lines.iter_mut().enumerate().take(self.first as usize) {
            if *line == Line::Unread && is_undrained(no as u64) {
                *line = Line::Unwanted;
            } else if matches!(line, Line::Unread | Line::Again) {
                *line = if (no as u64) < self.expired { Line::Expired } else { Line::Lag };
                lost += 1;
            }
        }
        lost
    }
}

/// Records that are for no drain.
fn is_undrained(no: u64) -> bool {
    no.is_multiple_of(6)
}

fn for_drains(records: std::ops::Range<u64>) -> u64 {
    records.filter(|no| !is_undrained(*no)).count() as u64
}

impl Model {
    fn verdict(&mut self, verdict: Verdict, sent: bool) {
        let Some((key, no)) = self.under_way.pop_front() else { return };
        let Some(no) = no else { return };
        let app = self.apps.get_mut(&key).unwrap();
        if sent && !app.gone {
            let times = app.sent.entry(no).or_default();
            self.resent += u64::from(*times > 0);
            *times += 1;
        }
        app.lines[no as usize] = match verdict {
            Verdict::Delivered => Line::Delivered,
            Verdict::Sent => Line::Sent,
            Verdict::Rejected(_) => Line::Rejected,
            Verdict::Again if app.gone => Line::Expired,
            Verdict::Again => Line::Again,
        };
    }

    fn count(&self, wanted: Line) -> u64 {
        let lines = self.apps.values().flat_map(|app| &app.lines);
        lines.filter(|line| **line == wanted).count() as u64
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Delivered),
        2 => Just(Verdict::Sent),
        2 => Just(Verdict::Again),
        1 => Just(Verdict::Rejected(Reason::Refused)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..3u64;
    prop_oneof![
        4 => (key(), 1..9u64).prop_map(|(key, count)| Step::Write(key, count)),
        2 => (key(), 0..9u64, 0..9u64).prop_map(|(key, n, aged)| Step::Evict(key, n, aged)),
        6 => (key(), 1..9u64).prop_map(|(key, count)| Step::Read(key, count)),
        1 => key().prop_map(Step::Decide),
        6 => prop::collection::vec(verdict(), 0..9).prop_map(Step::Verdicts),
        1 => (0..5usize, any::<bool>()).prop_map(|(unsent, sent)| Step::Fail(unsent, sent)),
        1 => prop_oneof![19 => Just(Step::Tell(9)), 1 => Just(Step::End)],
        3 => key().prop_map(Step::Overrun),
        1 => key().prop_map(Step::Tell),
        1 => prop_oneof![19 => Just(9), 1 => key()].prop_map(Step::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_line_is_lost_track_of(steps in prop::collection::vec(step(), 1..120)) {
        let (mut flight, mut model) = (Flight::default(), Model::default());
        for key in 0..3 {
            flight.join(key, 0);
            model.apps.insert(key, App::default());
        }
        let mut settled = [0; 3];
        for step in steps {
            match step {
                Step::Write(key, count) => {
                    let app = model.apps.get_mut(&key).unwrap();
                    app.lines.extend((0..count).map(|_| Line::Unread));
                }
                Step::Evict(key, count, aged) => {
                    let app = model.apps.get_mut(&key).unwrap();
                    let before = app.first;
                    app.first = (before + count).min(app.lines.len() as u64);
                    if aged > 4 {
                        app.expired = app.first;
                    }
                }
                Step::Read(key, count) => {
                    let app = model.apps.get_mut(&key).unwrap();
                    for _ in 0..count {
                        // As the ring tells whoever reads.
                        prop_assert_eq!(
                            flight.overrun(key, app.first, app.expired, 7, for_drains),
                            if app.gone { 0 } else { app.overrun() }
                        );
                        let Some((no, again)) = app.next().filter(|_| !app.gone) else { break };
                        let (wanted, is_again) = flight.wanted(key).unwrap();
                        prop_assert_eq!((wanted.start, is_again), (no, again));
                        if again || no % 3 != 0 {
                            flight.send(key, no..no + 1);
                            app.lines[no as usize] = Line::UnderWay;
                            model.under_way.push_back((key, Some(no)));
                        } else {
                            flight.skip(key, no + 1);
                            app.lines[no as usize] = Line::Unwanted;
                        }
                    }
                }
                Step::Decide(key) => {
                    let app = model.apps.get_mut(&key).unwrap();
                    let wanted = |(no, again): &(u64, bool)| *again || !is_undrained(*no);
                    if let Some((no, _)) = app.next().filter(|_| !app.gone).filter(wanted) {
                        flight.decide(key, no, Verdict::Rejected(Reason::TooLong));
                        app.lines[no as usize] = Line::Rejected;
                    }
                }
                Step::Verdicts(verdicts) => {
                    flight.verdicts(&verdicts, |_, _, _| ());
                    verdicts.into_iter().for_each(|verdict| model.verdict(verdict, true));
                }
                Step::Fail(unsent, sent) => {
                    flight.failed(unsent, sent);
                    let older = model.under_way.len().saturating_sub(unsent);
                    (0..model.under_way.len())
                        .for_each(|at| model.verdict(Verdict::Again, sent && at < older));
                }
                Step::End => {
                    flight.end();
                    let ledger = flight.ledger();
                    prop_assert!(ledger.balances(), "{ledger:?}");
                    let pending = model.count(Line::UnderWay) + model.count(Line::Again);
                    let expired = model.count(Line::Expired) + pending;
                    prop_assert_eq!((ledger.pending, ledger.lost_expired), (0, expired));
                    prop_assert_eq!(flight.under_way(), 0);
                    return Ok(());
                }
                Step::Overrun(key) => {
                    let app = model.apps.get_mut(&key).unwrap();
                    let lost = if app.gone { 0 } else { app.overrun() };
                    prop_assert_eq!(flight.overrun(key, app.first, app.expired, 7, for_drains), lost);
                }
                Step::Tell(key) => {
                    if flight.tell(key).is_some() {
                        model.under_way.push_back((key, None));
                    }
                }
                Step::Leave(key) => if let Some(app) = model.apps.get_mut(&key) {
                    flight.leave(key);
                    app.gone = true;
                    let again = app.lines.iter_mut().filter(|line| **line == Line::Again);
                    again.for_each(|line| *line = Line::Expired);
                },
            }
            let ledger = flight.ledger();
            prop_assert!(ledger.balances(), "{ledger:?}");
            prop_assert_eq!(flight.under_way(), model.under_way.len());
            let pending = model.count(Line::UnderWay) + model.count(Line::Again);
            prop_assert_eq!(ledger.pending, pending);
            prop_assert_eq!(ledger.delivered, model.count(Line::Delivered));
            prop_assert_eq!(ledger.sent, model.count(Line::Sent));
            prop_assert_eq!(ledger.lost_rejected, model.count(Line::Rejected));
            prop_assert_eq!(ledger.lost_lag, model.count(Line::Lag));
            prop_assert_eq!(ledger.lost_expired, model.count(Line::Expired));
            prop_assert_eq!(ledger.resent, model.resent);
            for (key, app) in model.apps.iter().filter(|(_, app)| !app.gone) {
                let done = flight.done(*key);
                prop_assert_eq!(done, app.done());
                prop_assert!(done >= settled[*key as usize], "what is settled stays so");
                settled[*key as usize] = done;
            }
        }
    }
}

#[test]
fn a_stalled_drain_costs_as_much_for_a_million_lines_as_for_one() {
    let mut flight = Flight::default();
    flight.join(1, 0);
    for no in 0..1_000 {
        flight.send(1, no * 1_000..(no + 1) * 1_000);
    }
    assert_eq!((flight.under_way.len(), flight.under_way()), (1, 1_000_000));
    flight.failed(0, true);
    assert_eq!(flight.wanted(1), Some((0..1_000_000, true)));
    assert!(flight.under_way.is_empty());
}

#[test]
fn a_loss_is_told_until_it_has_arrived() {
    let mut flight = Flight::default();
    flight.join(1, 0);
    assert_eq!(flight.overrun(1, 5, 0, 70, |unread| unread.end - unread.start), 5);
    assert_eq!(flight.tell(1), Some(Lost { lines: 5, since: 70 }));
    assert_eq!(flight.tell(1), None);
    assert_eq!(flight.overrun(1, 7, 0, 90, |unread| unread.end - unread.start), 2);
    flight.failed(0, true);
    assert_eq!(flight.tell(1), Some(Lost { lines: 7, since: 70 }));
    flight.verdicts(&[Verdict::Sent], |_, _, _| ());
    assert_eq!((flight.tell(1), flight.ledger().notices), (None, 1));
}
