//! Drains: cursors on apps' rings that send what comes to somebody else.
//!
//! ```text
//! store -> feed (apps with news) -> pump -> sink
//!   ^                                |
//!   +------- done per app -----------+
//! ```

mod breaker;
mod deis;
mod feed;
mod flight;
mod host;
pub(crate) mod lag;
mod ledger;
mod manager;
mod notice;
mod options;
mod pace;
mod pump;
mod ranges;
mod reading;
mod refusals;
mod spec;
mod status;
#[cfg(test)]
mod testing;
pub(crate) mod totals;
pub(crate) mod trial;
mod watch;

pub(crate) use self::{
    breaker::State,
    feed::{Feeds, Scope, Subscription},
    lag::Lag,
    ledger::Ledger,
    manager::{Drains, Running},
    ranges::Ranges,
    spec::SpecError,
    status::{Doing, LastError, RejectedLine},
};
pub use self::{
    deis::drains_of_deis,
    options::{DrainError, DrainOptions, PlatformDrain},
};
