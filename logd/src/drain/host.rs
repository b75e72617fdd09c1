//! Receivers that several drains share: one that cannot be reached is probed once, not by all.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use fairlead_drain::Stage;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::breaker::{Breaker, Pass, State, THRESHOLD};

/// All receivers, by scheme, host and port.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Weak<Host>>>);

/// A receiver.
#[derive(Debug)]
pub(super) struct Host {
    breaker: Mutex<Breaker>,
    /// It cannot be reached, as far as is known.
    failing: AtomicBool,
}

impl Default for Host {
    fn default() -> Self {
        let breaker = Mutex::new(Breaker::new(THRESHOLD - 1));
        Self { breaker, failing: AtomicBool::new(false) }
    }
}

impl Hosts {
    /// The receiver at `SCHEME://HOST:PORT`.
    pub(super) fn host(&self, address: &str) -> Arc<Host> {
        let mut hosts = self.0.lock();
        hosts.retain(|_, host| host.strong_count() > 0);
        let known = hosts.get(address).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let host = Arc::<Host>::default();
            hosts.insert(address.to_owned(), Arc::downgrade(&host));
            host
        })
    }
}

/// A receiver as one drain knows it. A probe that it may make is given up where it does not tell what
/// came of it: when it is removed, changed or cut off in the midst of it.
#[derive(Debug)]
pub(super) struct Caller {
    host: Arc<Host>,
    probing: bool,
}

impl Caller {
    pub(super) fn new(host: Arc<Host>) -> Self {
        Self { host, probing: false }
    }

    /// Whether to try now.
    pub(super) fn pass(&mut self, now: Instant) -> Pass {
        let pass = self.host.pass(now);
        self.probing |= pass == Pass::Probe;
        pass
    }

    /// There was a connection to it.
    pub(super) fn succeeded(&mut self) {
        self.probing = false;
        self.host.succeeded();
    }

    /// An attempt failed, and came so far. Only what every drain would see says something about the
    /// receiver: that there is no connection to it.
    pub(super) fn failed(&mut self, stage: Stage, now: Instant) {
        match stage {
            Stage::Own => self.given_up(),
            Stage::Unreached => {
                self.probing = false;
                self.host.unreached(now);
            }
            Stage::Reached | Stage::Sent => self.succeeded(),
        }
    }

    /// An attempt came to nothing.
    pub(super) fn given_up(&mut self) {
        if std::mem::take(&mut self.probing) {
            self.host.given_up();
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.given_up();
    }
}

impl Host {
    /// Whether to try now.
    fn pass(&self, now: Instant) -> Pass {
        if self.failing.load(Relaxed) { self.breaker.lock().pass(now) } else { Pass::Go }
    }

    /// There was a connection to it.
    fn succeeded(&self) {
        if self.failing.load(Relaxed) {
            self.breaker.lock().succeeded();
            self.failing.store(false, Relaxed);
        }
    }

    /// Whether it is tried, for all drains that lead to it.
    pub(super) fn state(&self, now: Instant) -> State {
        if self.failing.load(Relaxed) { self.breaker.lock().state(now) } else { State::Closed }
    }

    /// There is no connection to it.
    pub(super) fn unreached(&self, now: Instant) {
        self.breaker.lock().failed(now, fastrand::f64(), None);
        self.failing.store(true, Relaxed);
    }

    /// A probe came to nothing.
    fn given_up(&self) {
        if self.failing.load(Relaxed) {
            self.breaker.lock().given_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn drains_with_one_receiver_share_its_breaker_and_others_do_not() {
        let hosts = Hosts::default();
        let (a, b, other) =
            (hosts.host("gelf+tcp://a:1"), hosts.host("gelf+tcp://a:1"), hosts.host("http://a:1"));
        let now = Instant::now();
        (0..THRESHOLD).for_each(|_| a.unreached(now));
        assert!(matches!(b.pass(now), Pass::Wait(_) | Pass::Probe));
        assert_eq!(other.pass(now), Pass::Go);
        let later = now + Duration::from_secs(60);
        assert_eq!(a.pass(later), Pass::Probe);
        assert!(matches!(b.pass(later), Pass::Wait(_)), "one probe at a time");
        a.succeeded();
        assert_eq!(b.pass(now), Pass::Go);
    }

    #[test]
    fn a_probe_ends_with_whoever_makes_it_and_with_nobody_else() {
        let host = Arc::<Host>::default();
        let now = Instant::now();
        (0..THRESHOLD).for_each(|_| host.unreached(now));
        let later = now + Duration::from_secs(60);
        let [mut a, mut b, mut c] = [(); 3].map(|()| Caller::new(host.clone()));
        assert_eq!(a.pass(later), Pass::Probe);
        b.given_up();
        b.failed(Stage::Own, later);
        assert!(matches!(b.pass(later), Pass::Wait(_)), "it is not theirs");
        drop(a);
        assert_eq!(b.pass(later), Pass::Probe);
        b.failed(Stage::Own, later);
        assert_eq!(c.pass(later), Pass::Probe);
    }

    #[test]
    fn what_comes_of_a_connection_is_not_the_receiver_s_failure() {
        let host = Arc::<Host>::default();
        let mut drain = Caller::new(host.clone());
        let now = Instant::now();
        for stage in [Stage::Own, Stage::Reached, Stage::Sent] {
            (0..3 * THRESHOLD).for_each(|_| drain.failed(stage, now));
            assert_eq!(host.pass(now), Pass::Go);
        }
        (0..THRESHOLD).for_each(|_| drain.failed(Stage::Unreached, now));
        assert_ne!(host.pass(now), Pass::Go);
        drain.failed(Stage::Own, now);
        assert_ne!(host.pass(now), Pass::Go, "that says nothing");
        drain.failed(Stage::Reached, now);
        assert_eq!(host.pass(now), Pass::Go);
    }
}
