//! How fast one client may ask.

use std::{fmt, time::Duration};

/// What time is counted in: fine enough for 10,000 requests per second.
pub const TICK: Duration = Duration::from_micros(16);

/// Whole ticks.
pub(crate) fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_micros() / TICK.as_micros()).unwrap_or(u64::MAX)
}

/// So many requests in so much time, evenly, and a few at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RateLimit {
    /// Between two requests, in ticks.
    pub(crate) interval: u64,
    /// How far ahead of an even pace a client may be, in ticks.
    pub(crate) window: u64,
    burst: u32,
}

impl RateLimit {
    /// `requests` in `time`, of which `burst` may come at once; both at least one.
    pub fn new(requests: u32, time: Duration, burst: u32) -> Self {
        let (interval, burst) = ((ticks(time) / u64::from(requests.max(1))).max(1), burst.max(1));
        // Far beyond what anybody wants, and below what the table of clients can hold.
        let window = interval.saturating_mul(burst.into()).min(1 << 42);
        Self { interval, window, burst }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interval = TICK * u32::try_from(self.interval).unwrap_or(u32::MAX);
        write!(f, "rate-limit every {interval:?} burst {}", self.burst)
    }
}

/// A rate as it is written: the burst comes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many requests.
    pub requests: u32,
    /// In which time.
    pub time: Duration,
}

impl Rate {
    /// The least that still lets everybody in.
    pub(crate) const STRICTEST: Self = Self { requests: 1, time: Duration::from_secs(1) };

    /// The limit with `burst`, else as many at once as the rate names.
    pub fn limit(self, burst: Option<u32>) -> RateLimit {
        RateLimit::new(self.requests, self.time, burst.unwrap_or(self.requests))
    }
}
