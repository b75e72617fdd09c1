//! A logd, senders and readers in one process, over real sockets.

mod api;
mod certificates;
mod client;
mod node;
mod process;
mod receiver;
pub(crate) mod sender;
pub(crate) mod web;

use std::{num::NonZeroUsize, time::Duration};

use fairlead_logd::{Auth, Logd, LogdOptions};

pub(crate) use self::{
    api::{Api, NODE, SERVICE, app_of, logd_name},
    certificates::Certificates,
    client::{Answer, Client},
    node::{Container, Node, metric, until_metric},
    process::Process,
    receiver::{Pace, Receiver, nobody},
    sender::{FileName, Sender, source},
    web::Web,
};

/// Long enough for anything that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// 2026-11-20T10:00:00Z.
pub(crate) const TEN: i64 = 1_795_168_800_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;

/// What `future` gives, which has to come.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not in time: {what}"),
    }
}

/// A logd that asks nobody for a token.
pub(crate) fn start() -> Logd {
    with(|_| {})
}

/// One that is set up by `adjust`.
pub(crate) fn with(adjust: impl FnOnce(&mut LogdOptions)) -> Logd {
    let mut options = LogdOptions::new(Auth::Off);
    let any = "127.0.0.1:0".parse().unwrap();
    (options.http, options.wire) = (any, any);
    options.shards = NonZeroUsize::new(2).unwrap();
    // Lines of tests have fixed times.
    options.limits.age = Duration::from_secs(100 * 365 * 24 * 3_600);
    adjust(&mut options);
    Logd::start(options).unwrap()
}
