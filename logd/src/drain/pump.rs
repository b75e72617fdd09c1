//! Sends what a drain is for: a task per drain.
//!
//! It reads from the rings when the sink takes lines, and keeps none of them. While nothing can be
//! sent it costs its cursors.

mod told;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    future::pending,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use fairlead_drain::{Batch, Failure, FailureKind, Limits, Sink, Stage, Verdict};
use futures::FutureExt as _;
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{
    breaker::{Breaker, Pass},
    feed::{Scope, Subscription},
    flight::{Flight, Key},
    host::{Caller, Host},
    pace::Pace,
    reading::{self, Turn},
    refusals::Refusals,
    status::Status,
    totals::Totals,
};
use crate::{read::filter::Filter, store::Store};

/// Lines that have been sent and have no verdict, at most.
const UNDER_WAY: usize = 16 << 10;
/// Records of one app that are looked at while others wait, and how many bytes of them.
const TURN: usize = 1_024;
const TURN_BYTES: usize = 256 << 10;
/// So many of these turns are taken before others than this drain have theirs.
const TURNS: usize = 16;
/// Bytes of memory that a drain keeps for its next batch while there is none.
const IDLE: usize = 16 << 10;
/// How often a drain that waits looks for what it loses meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// How long a batch may still take that would be for nobody then, or for somebody else.
const RECALL: Duration = Duration::from_millis(500);
/// How long a drain that is removed waits for the verdicts of what has left.
const LAST: Duration = Duration::from_secs(1);

/// Makes sinks.
pub(super) trait Open: Send + Sync {
    /// A sink that is not connected yet.
    fn open(&self) -> Box<dyn Sink>;
}

/// What is sent where.
pub(super) struct Settings {
    pub(super) filter: Filter,
    pub(super) sinks: Box<dyn Open>,
    pub(super) host: Arc<Host>,
    pub(super) totals: Arc<Totals>,
}

/// What a pump is to do.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) settings: Arc<Settings>,
    pub(super) scope: Scope,
    pub(super) phase: Phase,
}

/// How long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Until another order comes.
    Run,
    /// Until all is sent that is there.
    Flush,
    /// No longer.
    Stop,
}

/// Sends what a drain is for.
pub(super) struct Pump {
    id: Arc<str>,
    store: Store,
    news: UnboundedReceiver<Arc<Subscription>>,
    orders: watch::Receiver<Order>,
    order: Order,
    receiver: Caller,
    status: Arc<Status>,
    apps: HashMap<Key, Fed>,
    /// Apps with something to read, each once.
    ready: VecDeque<Key>,
    flight: Flight,
    sink: Option<Box<dyn Sink>>,
    batch: Batch,
    /// When the batch has to be sent.
    due: Option<Instant>,
    breaker: Breaker,
    refusals: Refusals,
    pace: Pace,
    /// When the failures began, and when they were told.
    failing_since: Option<i64>,
    failure_told: Option<Instant>,
    /// When losses are to be told, and when they were.
    tell_at: Option<Instant>,
    losses_told: Option<Instant>,
    /// How many lines were rejected that are not told, and when that was told last.
    rejected: u64,
    rejected_told: Option<Instant>,
    touched: Vec<Key>,
}

/// An app that is read.
struct Fed {
    subscription: Arc<Subscription>,
    ready: bool,
    /// What is not told in the app's stream: how many lines, since when.
    untold: Option<(u64, i64)>,
}

/// What a pump waits for.
enum Event {
    News(Arc<Subscription>),
    Verdicts(Result<Vec<Verdict>, Failure>),
    Order,
    Time,
    End,
}

impl Pump {
    pub(super) fn new(
        id: Arc<str>,
        store: Store,
        news: UnboundedReceiver<Arc<Subscription>>,
        mut orders: watch::Receiver<Order>,
        status: Arc<Status>,
    ) -> Self {
        let order = orders.borrow_and_update().clone();
        Self {
            id,
            store,
            news,
            orders,
            receiver: Caller::new(order.settings.host.clone()),
            order,
            status,
            apps: HashMap::new(),
            ready: VecDeque::new(),
            flight: Flight::default(),
            sink: None,
            batch: Batch::default(),
            due: None,
            breaker: Breaker::new(0),
            refusals: Refusals::default(),
            pace: Pace::default(),
            failing_since: None,
            failure_told: None,
            tell_at: None,
            losses_told: None,
            rejected: 0,
            rejected_told: None,
            touched: Vec::new(),
        }
    }

    /// Sends until it is told to stop, or all is sent where it is told to flush.
    pub(super) async fn run(mut self) {
        // What cannot be is looked at again after a while: others wait for what this drain has done.
        while AssertUnwindSafe(self.pump()).catch_unwind().await.is_err() {
            tracing::error!(
                drain = &*self.id,
                "a drain's task has panicked: it goes on where it was"
            );
            self.sink = None;
            self.rewind(true);
            self.ready.clear();
            for (key, fed) in &mut self.apps {
                fed.ready = true;
                self.ready.push_back(*key);
            }
            self.breaker.failed(Instant::now(), fastrand::f64(), None);
        }
    }

    async fn pump(&mut self) {
        loop {
            if !self.take_orders() {
                return;
            }
            while let Ok(subscription) = self.news.try_recv() {
                self.take(subscription);
            }
            let ends = match self.order.phase {
                Phase::Run => false,
                Phase::Flush => self.is_dry(),
                Phase::Stop => true,
            };
            if ends {
                return self.close().await;
            }
            self.tell_losses().await;
            let mut probe = false;
            if self.batch.is_empty() && !self.ready.is_empty() {
                match self.pass() {
                    Pass::Wait(until) => {
                        self.wait(until).await;
                        continue;
                    }
                    pass => probe = pass == Pass::Probe,
                }
            }
            let full = self.fill(probe);
            if self.is_due(full || probe) {
                self.send().await;
                // A sink that never waits leaves others their turn.
                tokio::task::yield_now().await;
                continue;
            }
            if probe {
                // Nothing was wanted.
                self.breaker.given_up();
                self.receiver.given_up();
            }
            if !full && !self.ready.is_empty() {
                // There is more to look at, and others are to have their turn.
                tokio::task::yield_now().await;
                continue;
            }
            if self.batch.is_empty() && self.batch.bytes.capacity() > IDLE {
                self.batch = Batch::default();
            }
            match self.event().await {
                Event::News(subscription) => self.take(subscription),
                Event::Verdicts(Ok(verdicts)) => self.decided(&verdicts),
                Event::Verdicts(Err(failure)) => self.failed(&failure).await,
                Event::Order | Event::Time => {}
                Event::End => return,
            }
        }
    }

    async fn event(&mut self) -> Event {
        let waiting = self.flight.under_way() > self.batch.len();
        let Self { sink, news, orders, due, tell_at, .. } = self;
        let time = async {
            match due.iter().chain(&*tell_at).min() {
                Some(time) => sleep_until(*time).await,
                None => pending().await,
            }
        };
        tokio::select! {
            subscription = news.recv() => subscription.map_or(Event::End, Event::News),
            verdicts = confirmed(sink, waiting) => Event::Verdicts(verdicts),
            changed = orders.changed() => if changed.is_ok() { Event::Order } else { Event::End },
            () = time => Event::Time,
        }
    }

    /// Takes new orders. False where nobody is left to give any.
    fn take_orders(&mut self) -> bool {
        if self.orders.has_changed().is_err() {
            return false;
        }
        let new = {
            let new = self.orders.borrow_and_update();
            let Order { settings, scope, phase } = &self.order;
            if Arc::ptr_eq(settings, &new.settings) && *scope == new.scope && *phase == new.phase {
                return true;
            }
            new.clone()
        };
        let before = std::mem::replace(&mut self.order, new);
        // Whatever is new, it is tried at once.
        self.breaker = Breaker::new(0);
        if !Arc::ptr_eq(&before.settings, &self.order.settings) {
            self.receiver = Caller::new(self.order.settings.host.clone());
            (self.refusals, self.pace) = (Refusals::default(), Pace::default());
            self.sink = None;
            self.rewind(true);
        }
        true
    }

    /// An app has news.
    fn take(&mut self, subscription: Arc<Subscription>) {
        subscription.taken();
        let key = subscription.key;
        if subscription.has_ended() {
            self.flight.leave(key);
            self.apps.remove(&key);
            return;
        }
        let fed = match self.apps.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                self.flight.join(key, subscription.start);
                place.insert(Fed { subscription, ready: false, untold: None })
            }
        };
        if !std::mem::replace(&mut fed.ready, true) {
            self.ready.push_back(key);
        }
    }

    /// Whether all is sent that is there, also of what nobody has told of yet.
    fn is_dry(&mut self) -> bool {
        for (key, fed) in &mut self.apps {
            let more = self.flight.done(*key) < fed.subscription.app.log.end();
            if more && self.flight.under_way() == 0 && !std::mem::replace(&mut fed.ready, true) {
                self.ready.push_back(*key);
            }
        }
        self.ready.is_empty() && self.flight.under_way() == 0
    }

    /// Whether to try to send now.
    fn pass(&mut self) -> Pass {
        let now = Instant::now();
        let own = self.breaker.pass(now);
        self.status.breaker(self.breaker.state(now), self.breaker.failures());
        if let Pass::Wait(_) = own {
            return own;
        }
        match self.receiver.pass(now) {
            Pass::Wait(until) => {
                self.breaker.given_up();
                Pass::Wait(until)
            }
            Pass::Go => own,
            Pass::Probe => Pass::Probe,
        }
    }

    /// Waits, though not for long, and counts what is lost meanwhile. What is under way still gets its
    /// verdicts: a probe's tell whether it goes on.
    async fn wait(&mut self, until: Instant) {
        let until = until.min(Instant::now() + LOOK);
        let waiting = self.flight.under_way() > 0;
        let Self { sink, orders, .. } = self;
        let verdicts = tokio::select! {
            verdicts = confirmed(sink, waiting) => Some(verdicts),
            () = sleep_until(until) => None,
            _ = orders.changed() => None,
        };
        match verdicts {
            Some(Ok(verdicts)) => self.decided(&verdicts),
            Some(Err(failure)) => self.failed(&failure).await,
            None => {}
        }
        let keys: Vec<Key> = self.ready.iter().copied().collect();
        for key in keys {
            self.overrun(key);
            self.done(key);
        }
        self.status.ledger(self.flight.ledger(), &self.order.settings.totals);
    }

    /// Adds lines to the batch until it is full, or no app has any. True where it is full.
    fn fill(&mut self, probe: bool) -> bool {
        let sink = self.sink.get_or_insert_with(|| self.order.settings.sinks.open());
        let mut limits = self.pace.limits(sink.limits());
        if probe {
            limits.lines = 1;
        }
        let before = self.batch.len();
        let mut turns = 0;
        while !is_full(&self.batch, limits)
            && turns < TURNS
            && self.flight.under_way() < UNDER_WAY
            && let Some(key) = self.ready.pop_front()
        {
            turns += 1;
            self.overrun(key);
            let Some(fed) = self.apps.get_mut(&key) else { continue };
            fed.ready = false;
            let turn = Turn {
                id: &self.id,
                key,
                app: &fed.subscription.app,
                filter: &self.order.settings.filter,
                records: TURN,
                bytes: TURN_BYTES,
                limits,
            };
            let sink = self.sink.as_deref_mut().expect("it was just opened");
            let more = reading::turn(&turn, &mut self.flight, sink, &mut self.batch);
            if more {
                fed.ready = true;
                self.ready.push_back(key);
            }
            self.done(key);
        }
        if before == 0 && !self.batch.is_empty() {
            self.due = Some(Instant::now() + limits.linger);
        }
        is_full(&self.batch, limits) || self.flight.under_way() >= UNDER_WAY
    }

    fn is_due(&self, full: bool) -> bool {
        let due = || self.due.is_some_and(|due| due <= Instant::now());
        !self.batch.is_empty() && (full || self.order.phase == Phase::Flush || due())
    }

    /// Sends the batch, unless it is wanted no more before that is done.
    async fn send(&mut self) {
        self.due = None;
        let Self { sink, batch, flight, orders, order, .. } = self;
        let Some(sink) = sink else { return };
        let (lines, bytes, begin) = (batch.len(), batch.bytes.len(), Instant::now());
        let recalled = async {
            recalled(orders, order).await;
            // It ends on the border of a message where its receiver keeps up.
            sleep(RECALL).await;
        };
        let mut sent = tokio::select! {
            sent = sink.send(batch) => Some(sent),
            () = recalled => None,
        };
        if let Some(Ok(verdicts)) = &sent {
            self.pace.sent(lines, bytes, begin.elapsed(), verdicts.len());
        }
        flight.repeated(batch.repeated);
        if matches!(sent, Some(Ok(_))) || batch.left {
            batch.clear();
        }
        let go_again = match &mut sent {
            Some(Ok(verdicts)) => self.refusals.go_again(verdicts, Instant::now()),
            _ => false,
        };
        match sent {
            Some(Ok(_)) if go_again => {
                let said = self.sink.as_mut().and_then(|sink| sink.complaint());
                let text = "all lines are refused, and none of them by itself";
                let failure = Failure::new(FailureKind::Denied, text);
                self.failed(&failure.answered(said.unwrap_or_default())).await;
            }
            Some(Ok(verdicts)) => {
                self.decided(&verdicts);
                if self.refusals.wait() && self.flight.going_again().next().is_none() {
                    self.refusals.are_over();
                }
            }
            Some(Err(failure)) => self.failed(&failure).await,
            // It is not gone on with: some of it may have left.
            None => {
                self.sink = None;
                self.rewind(true);
            }
        }
    }

    /// Ends the connection, once what has left has its verdicts or takes too long.
    async fn close(&mut self) {
        let end = Instant::now() + LAST;
        while self.flight.under_way() > self.batch.len() {
            match timeout_at(end, confirmed(&mut self.sink, true)).await {
                Ok(Ok(verdicts)) => self.decided(&verdicts),
                // It is not waited for.
                Ok(Err(_)) | Err(_) => return,
            }
        }
        if let Some(sink) = &mut self.sink {
            sink.close().await;
        }
    }

    fn decided(&mut self, verdicts: &[Verdict]) {
        let Self { flight, touched, .. } = self;
        let mut rejected = Vec::new();
        flight.verdicts(verdicts, |key, lines, verdict| {
            touched.push(key);
            if let Verdict::Rejected(reason) = verdict {
                rejected.push((key, lines, reason));
            }
        });
        let said = self.sink.as_mut().and_then(|sink| sink.complaint());
        if !rejected.is_empty() {
            self.tell_rejected(&rejected, said.as_deref());
        }
        if let Some(said) = said {
            self.status.rejected(said);
        }
        self.tell_done();
        if verdicts.contains(&Verdict::Again) {
            // Its receiver takes some, and asks for a break.
            self.pace.failed();
            let wait = self.breaker.failed(Instant::now(), fastrand::f64(), None);
            tracing::debug!(drain = &*self.id, ?wait, "a receiver took only some lines");
            self.rewind(true);
        } else if !verdicts.is_empty() {
            if self.breaker.succeeded() {
                (self.failing_since, self.failure_told) = (None, None);
                tracing::info!(drain = &*self.id, "lines arrive again");
            }
            self.pace.confirmed(verdicts.len());
            self.receiver.succeeded();
            self.status.succeeded();
        }
        self.status.breaker(self.breaker.state(Instant::now()), self.breaker.failures());
    }

    /// Tells the store how far the touched apps are.
    fn tell_done(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        touched.dedup();
        for key in touched.drain(..) {
            self.done(key);
        }
        self.touched = touched;
        self.status.ledger(self.flight.ledger(), &self.order.settings.totals);
    }

    fn done(&self, key: Key) {
        if let Some(fed) = self.apps.get(&key) {
            fed.subscription.set_done(self.flight.done(key));
        }
    }

    async fn failed(&mut self, failure: &Failure) {
        self.sink = None;
        self.pace.failed();
        self.rewind(failure.stage == Stage::Sent);
        let now = Instant::now();
        self.receiver.failed(failure.stage, now);
        let wait = self.breaker.failed(now, fastrand::f64(), failure.retry_after);
        self.status.failed(failure);
        self.order.settings.totals.failed(failure.kind);
        self.status.breaker(self.breaker.state(now), self.breaker.failures());
        self.status.ledger(self.flight.ledger(), &self.order.settings.totals);
        let failures = self.breaker.failures();
        tracing::debug!(drain = &*self.id, error = %failure, failures, ?wait, "lines do not arrive");
        self.tell_failure(failure, failures).await;
    }

    /// All that has no verdict goes again, from the ring. `sent` says whether what is not in the batch
    /// may have left.
    fn rewind(&mut self, sent: bool) {
        if self.sink.is_none() {
            self.flight.failed(self.batch.len(), sent);
            (self.batch, self.due) = (Batch::default(), None);
        }
        for key in self.flight.going_again() {
            if let Some(fed) = self.apps.get_mut(&key)
                && !std::mem::replace(&mut fed.ready, true)
            {
                self.ready.push_back(key);
            }
        }
    }
}

/// What has no verdict is not lost track of, also where the pump is cut off: it is in the account of
/// what was lost. At logd's end it is not: then it was not settled, and the next logd gets it.
impl Drop for Pump {
    fn drop(&mut self) {
        if self.orders.borrow().phase == Phase::Stop {
            self.flight.end();
        }
        self.status.ledger(self.flight.ledger(), &self.order.settings.totals);
    }
}

/// Waits until a batch that is sent now would be for nobody, or for somebody else.
async fn recalled(orders: &mut watch::Receiver<Order>, order: &Order) {
    let recalls =
        |new: &Order| new.phase == Phase::Stop || !Arc::ptr_eq(&new.settings, &order.settings);
    // An error tells that the process ends.
    let _ = orders.wait_for(recalls).await;
}

/// Verdicts of what is under way, once there are some.
async fn confirmed(
    sink: &mut Option<Box<dyn Sink>>,
    waiting: bool,
) -> Result<Vec<Verdict>, Failure> {
    match sink {
        Some(sink) if waiting => sink.confirm().await,
        _ => pending().await,
    }
}

fn is_full(batch: &Batch, limits: Limits) -> bool {
    batch.len() >= limits.lines || batch.bytes.len() >= limits.bytes
}

#[cfg(test)]
mod tests;
