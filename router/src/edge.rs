//! What a table has that concerns listeners, handed to them.

use std::sync::Arc;

use fairlead_router_core::{Settings, Table};
use fairlead_router_listen::{
    Limits, Workers,
    tls::{Offer, Tls},
};
use tokio::sync::watch;

use crate::streams::Wanted;

/// The listeners, and what they were told at the start.
pub(crate) struct Edge {
    pub(crate) workers: Arc<Workers>,
    pub(crate) tls: Tls,
    pub(crate) limits: Limits,
    pub(crate) streams: watch::Sender<Wanted>,
}

impl Edge {
    /// Takes what is new in `table`, after `old`.
    pub(crate) fn take(&self, old: &Table, table: &Table) {
        if !Arc::ptr_eq(&old.settings, &table.settings) {
            self.configure(&table.settings);
        }
        if !Arc::ptr_eq(old.streams(), table.streams()) {
            self.streams.send_replace(table.streams().clone());
        }
    }

    /// Makes `settings` hold for the connections to come.
    pub(crate) fn configure(&self, settings: &Settings) {
        let limits = Limits { idle: settings.idle_timeout, ..self.limits.clone() };
        self.workers.configure(limits, &settings.trusted, settings.proxy_protocol);
        let (tls12, tls13) = settings.tls.versions;
        let offer = Offer {
            http2: settings.tls.http2,
            tls12,
            tls13,
            suites: settings.tls.suites.clone(),
            tickets: settings.tls.tickets,
        };
        if let Err(error) = self.tls.offer(&offer) {
            tracing::error!(%error, "the TLS settings cannot be offered; those before stand");
        }
    }
}
