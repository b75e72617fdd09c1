//! What `/metrics` shows. Everything is read from where it is counted, at scrape time.

mod apps;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use fairlead_router_core::Severity;
use fairlead_router_engine::{EngineMetrics, LATENCY_BOUNDS};
use fairlead_router_listen::Counters;
use fairlead_wire::Source;
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
        NoLabelSet,
    },
    metrics::MetricType,
    registry::Registry,
};

use crate::{access_log::Dropped, publish::State, watch::Watches};

/// Where the numbers are counted.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) state: Arc<State>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) engine: Arc<EngineMetrics>,
    pub(crate) connections: Arc<Counters>,
    pub(crate) dropped: Arc<Dropped>,
    /// Lines for logd, where there is one.
    pub(crate) source: Option<Source>,
    /// How many apps have series of their own.
    pub(crate) apps: usize,
}

/// All metrics of one router.
pub(crate) fn registry(sources: Sources) -> Registry {
    let mut registry = Registry::with_prefix("fairlead_router");
    registry.register_collector(Box::new(sources));
    registry
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.connections(&mut encoder)?;
        self.control(&mut encoder)
    }
}

impl Sources {
    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = self.engine.snapshot();
        // The encoder shows the last bound as +Inf.
        let bounds = LATENCY_BOUNDS.into_iter().chain([f64::MAX]);
        let buckets: Vec<_> = bounds.zip(snapshot.latency).collect();
        encoder
            .encode_descriptor(
                "request_duration_seconds",
                "From the end of a request's head to the end of its answer; upgraded connections apart",
                None,
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(
                snapshot.latency_sum.as_secs_f64(),
                snapshot.latency.iter().sum(),
                &buckets,
                None,
            )?;
        let help = "Requests for which there is no application";
        one_counter(encoder, "unrouted_requests", help, snapshot.unrouted)?;
        let help = "Requests refused because they were malformed or ambiguous";
        one_counter(encoder, "refused_requests", help, snapshot.refused)?;
        let help = "Further attempts to get an answer after one that failed";
        one_counter(encoder, "upstream_retries", help, snapshot.retries)?;
        let apps = {
            let compiler = self.state.compiler.lock();
            compiler.apps().map(|app| (app.id.as_str().to_owned(), app.counts())).collect()
        };
        apps::encode(&apps::busiest(apps, self.apps), encoder)
    }

    fn connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let c = &self.connections;
        one_gauge(encoder, "connections", "Connections open now", c.open.get())?;
        for (name, help, value) in [
            ("connections_accepted", "Connections accepted, refused ones included", &c.accepted),
            ("accept_errors", "Failures to accept a connection", &c.accept_errors),
            ("tls_handshake_failures", "TLS handshakes that failed", &c.handshake_failures),
            (
                "proxy_protocol_failures",
                "Peers that are trusted with the PROXY protocol and did not speak it",
                &c.proxy_failures,
            ),
            ("request_heads_too_large", "Requests answered 431", &c.heads_too_large),
        ] {
            one_counter(encoder, name, help, value.get())?;
        }
        let mut metric = encoder.encode_descriptor(
            "connections_refused",
            "Connections closed at once because of a limit",
            None,
            MetricType::Counter,
        )?;
        counter(&mut metric, &[("limit", "total")], c.refused_total.get())?;
        counter(&mut metric, &[("limit", "client")], c.refused_client.get())?;
        let mut metric = encoder.encode_descriptor(
            "connection_timeouts",
            "Connections closed by a deadline",
            None,
            MetricType::Counter,
        )?;
        let t = &c.timeouts;
        for (deadline, value) in [
            ("proxy", &t.proxy),
            ("handshake", &t.handshake),
            ("first_byte", &t.first_byte),
            ("head", &t.head),
            ("idle", &t.idle),
            ("write", &t.write),
            ("tunnel", &t.tunnel),
        ] {
            counter(&mut metric, &[("deadline", deadline)], value.get())?;
        }
        let help = "Lines of the access log that were dropped because nothing read them";
        one_counter(encoder, "access_log_dropped_lines", help, self.dropped.get())?;
        let logd = |count: fn(&Source) -> u64| self.source.as_ref().map_or(0, count);
        let help = "Lines of the access log that logd has stored";
        one_counter(encoder, "logd_stored_lines", help, logd(Source::stored))?;
        let help =
            "Lines of the access log for logd that were dropped because it did not take them";
        one_counter(encoder, "logd_dropped_lines", help, logd(Source::dropped))
    }

    fn control(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counts = &self.state.counts;
        let ready = u64::from(self.state.is_synced());
        one_gauge(encoder, "synced", "1 once the first complete state is served", ready)?;
        let (generation, hosts) = {
            let table = self.state.table.load();
            (table.generation, table.len() as u64)
        };
        one_gauge(encoder, "table_generation", "Number of the table in use", generation)?;
        one_gauge(encoder, "table_hosts", "Hosts in the table in use", hosts)?;
        let help = "The resourceVersion up to which everything is in effect";
        let mut metric = encoder.encode_descriptor("revision", help, None, MetricType::Gauge)?;
        for kind in self.watches.kinds() {
            let revision = counts.revisions.get(kind);
            gauge(&mut metric, &[("kind", kind.to_string().as_str())], revision)?;
        }
        for (name, help, value) in [
            ("changes", "Changes of objects taken", &counts.changes),
            ("publications", "Tables published", &counts.publications),
            ("compiled_hosts", "Hosts compiled for these tables", &counts.compiled),
        ] {
            one_counter(encoder, name, help, value.load(Relaxed))?;
        }
        let seconds = counts.nanoseconds.load(Relaxed) as f64 / 1e9;
        encoder
            .encode_descriptor(
                "compile_seconds",
                "Time spent on compiling and publishing",
                None,
                MetricType::Counter,
            )?
            .encode_counter::<NoLabelSet, f64, f64>(&seconds, None)?;
        let help = "How old what the watch has shown may be: 0 while it follows changes";
        let mut metric =
            encoder.encode_descriptor("watch_age_seconds", help, None, MetricType::Gauge)?;
        for kind in self.watches.kinds() {
            let age = self.watches.age(kind).as_secs_f64();
            gauge(&mut metric, &[("kind", kind.to_string().as_str())], age)?;
        }
        let diagnostics = self.state.compiler.lock().diagnostics();
        let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count() as u64;
        let mut metric = encoder.encode_descriptor(
            "diagnostics",
            "Findings about objects as they are now",
            None,
            MetricType::Gauge,
        )?;
        gauge(&mut metric, &[("severity", "warning")], count(Severity::Warning))?;
        gauge(&mut metric, &[("severity", "error")], count(Severity::Error))
    }
}

fn one_counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    encoder
        .encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, u64, f64>(&value, None)
}

fn one_gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
}

fn counter<S: EncodeLabelSet>(
    metric: &mut MetricEncoder<'_>,
    labels: &S,
    value: impl EncodeCounterValue,
) -> fmt::Result {
    metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn gauge<S: EncodeLabelSet>(
    metric: &mut MetricEncoder<'_>,
    labels: &S,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    metric.encode_family(labels)?.encode_gauge(&value)
}
