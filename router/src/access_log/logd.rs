//! Each app's requests in the app's own log: process `router`, the line of [`super::deis`].

use std::{
    fs,
    time::{Duration, SystemTime},
};

use fairlead_router_engine::AccessEntry;
use fairlead_wire::{
    Logds, Source, Stream,
    members::{Port, WIRE},
    source::{Credentials, SourceOptions, Task},
};
use kube::Client;

use super::deis;

/// How long the last lines may take to be stored.
const END: Duration = Duration::from_secs(1);

/// What is sent to logd, and where that is.
pub(crate) struct ToLogd {
    pub(crate) source: Source,
    pub(crate) logds: Logds,
    pub(crate) credentials: Credentials,
}

impl ToLogd {
    /// Starts to send on the runtime that this is called on.
    pub(crate) fn start(self, client: Client) -> Sending {
        // Kubernetes gives a container its pod's name.
        let pod = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let pod = match pod.trim() {
            "" => "router".to_owned(),
            pod => pod.to_owned(),
        };
        let wire = Port { name: WIRE, secure: self.credentials.tls.is_some() };
        let options = SourceOptions {
            name: format!("router/{pod}"),
            process: "router".to_owned(),
            pod,
            credentials: self.credentials,
        };
        let members = self.logds.follow(wire, Some(client)).expect("there is a client");
        Sending(self.source.start(options, members))
    }
}

/// Ends when dropped.
pub(crate) struct Sending(Task);

impl Sending {
    /// Ends once the last lines are stored, after a second at most.
    pub(crate) async fn finish(self) {
        self.0.finish(END).await;
    }
}

/// Logs a request of an app. Those of no app are nobody's.
pub(super) fn record(source: &Source, worker: usize, entry: &AccessEntry<'_>) {
    let Some(app) = entry.app else { return };
    let time = entry.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    source.log(worker, app.as_str(), Stream::Stdout, time, |payload| {
        deis::write(payload, entry);
        // The line feed.
        payload.pop();
    });
}
