//! A periodic timer with the kernel's precision: tokio's own rounds to a millisecond, which is more
//! than the time between two requests.

use std::{io, os::fd::OwnedFd, time::Duration};

use nix::{
    sys::{
        time::TimeSpec,
        timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
    },
    unistd,
};
use tokio::io::{Interest, unix::AsyncFd};

/// Ticks at a fixed interval.
#[derive(Debug)]
pub struct Ticker(AsyncFd<OwnedFd>);

impl Ticker {
    /// A timer that ticks every `interval` from now on. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of timerfd_create(2).
    #[allow(
        deprecated,
        reason = "its replacement is an unsafe function that wants an owned, open, unchanging \
                  descriptor: this is one"
    )]
    pub fn new(interval: Duration) -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        timer.set(
            Expiration::Interval(TimeSpec::from_duration(interval)),
            TimerSetTimeFlags::empty(),
        )?;
        Ok(Self(AsyncFd::with_interest(timer.into(), Interest::READABLE)?))
    }

    /// Waits for the next tick; returns at once when one or more were missed.
    ///
    /// # Errors
    /// Those of read(2).
    pub async fn tick(&self) -> io::Result<()> {
        let read = |timer: &OwnedFd| Ok(unistd::read(timer, &mut [0; 8])?);
        self.0.async_io(Interest::READABLE, read).await?;
        Ok(())
    }
}
