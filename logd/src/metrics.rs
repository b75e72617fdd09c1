//! What `/metrics` shows. Everything is read from where it is counted, at scrape time.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use fairlead_wire::message::LossReason;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Registry,
};

use crate::{
    drain::{
        Drains, Running, State,
        totals::{FAILURES, Totals},
    },
    http::Reading,
    store::{
        Store,
        counters::{Cause, Counters, Pair},
    },
    syslog::{self, Transport},
};

/// Where the numbers are counted.
struct Sources {
    store: Store,
    reading: Arc<Reading>,
    messages: Arc<syslog::Counters>,
    drains: Drains,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

/// All metrics of one logd.
pub(crate) fn registry(
    store: Store,
    reading: Arc<Reading>,
    messages: Arc<syslog::Counters>,
    drains: Drains,
) -> Registry {
    let mut registry = Registry::with_prefix("fairlead_logd");
    registry.register_collector(Box::new(Sources { store, reading, messages, drains }));
    registry
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.ingest(&mut encoder)?;
        self.ring(&mut encoder)?;
        self.reading(&mut encoder)?;
        self.syslog(&mut encoder)?;
        self.drains(&mut encoder)
    }
}

impl Sources {
    fn sum(&self, of: impl Fn(&Counters) -> u64) -> u64 {
        self.store.shared.counters.iter().map(of).sum()
    }

    fn ingest(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Batches taken from senders";
        one_counter(encoder, "batches", help, self.sum(|c| c.batches.get()))?;
        let accepted = |of: fn(&Pair) -> u64| self.sum(|c| of(&c.accepted));
        let help = "Records taken into the ring, notices included";
        one_counter(encoder, "accepted_records", help, accepted(|pair| pair.records.get()))?;
        let help = "Bytes of their payloads";
        one_counter(encoder, "accepted_bytes", help, accepted(|pair| pair.bytes.get()))?;
        let help = "Notices about losses and gaps in apps' streams";
        one_counter(encoder, "notices", help, self.sum(|c| c.notices.get()))?;
        let help = "Records that came again and were not taken again";
        let duplicates = self.sum(|c| c.duplicates.records.get());
        one_counter(encoder, "duplicate_records", help, duplicates)?;
        let help = "Parts of files that were gone before they could be read";
        one_counter(encoder, "gaps", help, self.sum(|c| c.gaps.get()))?;
        let help = "Bytes of these, where they are known";
        one_counter(encoder, "gap_bytes", help, self.sum(|c| c.gap_bytes.get()))?;
        let reasons = [
            ("rate_limited", LossReason::RateLimited),
            ("oversize", LossReason::Oversize),
            ("queue_full", LossReason::QueueFull),
        ];
        let help = "Records that senders read and did not send";
        let mut metric = counters(encoder, "lost_records", help)?;
        for (name, reason) in reasons {
            let value = self.sum(|c| c.loss(reason).records.get());
            counter(&mut metric, &[("reason", name)], value)?;
        }
        let help = "Bytes that senders read and did not send";
        let mut metric = counters(encoder, "lost_bytes", help)?;
        for (name, reason) in reasons {
            let value = self.sum(|c| c.loss(reason).bytes.get());
            counter(&mut metric, &[("reason", name)], value)?;
        }
        let help = "Files whose positions are known";
        one_gauge(encoder, "files", help, self.sum(|c| c.files.load(Relaxed)))
    }

    fn ring(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let causes = [
            ("limit", Cause::Limit),
            ("age", Cause::Age),
            ("budget", Cause::Budget),
            ("deleted", Cause::Deleted),
        ];
        let help = "Records that left the ring";
        let mut metric = counters(encoder, "evicted_records", help)?;
        for (name, cause) in causes {
            let value = self.sum(|c| c.evicted(cause).records.get());
            counter(&mut metric, &[("cause", name)], value)?;
        }
        let help = "Bytes of their payloads";
        let mut metric = counters(encoder, "evicted_bytes", help)?;
        for (name, cause) in causes {
            let value = self.sum(|c| c.evicted(cause).bytes.get());
            counter(&mut metric, &[("cause", name)], value)?;
        }
        let shared = &self.store.shared;
        one_gauge(encoder, "apps", "Apps with a log", shared.apps.len() as u64)?;
        let help = "Bytes of memory that logs take";
        one_gauge(encoder, "memory_bytes", help, shared.budget.used() as u64)?;
        let help = "Bytes of memory that logs may take";
        one_gauge(encoder, "memory_limit_bytes", help, shared.budget.limit() as u64)
    }

    fn reading(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Reading { missed, followed, unfollowed, tails, forwarded, unanswered } = &*self.reading;
        one_counter(encoder, "tails", "Requests for the newest lines", tails.get())?;
        let gone = unfollowed.get();
        let here = followed.get().saturating_sub(gone);
        one_gauge(encoder, "followers", "Requests that follow a log now", here)?;
        let help = "Records that followers were told to have missed";
        one_counter(encoder, "follower_missed_records", help, missed.get())?;
        let help = "Requests that the logd was asked that has the app";
        one_counter(encoder, "forwarded_requests", help, forwarded.get())?;
        let help = "Requests that it did not answer";
        one_counter(encoder, "unanswered_requests", help, unanswered.get())
    }

    fn syslog(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counts = &*self.messages;
        let help = "Messages that came by syslog";
        let mut metric = counters(encoder, "syslog_messages", help)?;
        let transports =
            [("udp", Transport::Udp), ("tcp", Transport::Tcp), ("tls", Transport::Tls)];
        for (name, transport) in transports {
            counter(&mut metric, &[("transport", name)], counts.messages(transport).get())?;
        }
        let help =
            "Messages that came by syslog and were dropped, since no rule says whose they are";
        one_counter(encoder, "syslog_unmatched_messages", help, counts.unmatched.get())?;
        let help = "Messages that came by syslog without a header that can be read";
        one_counter(encoder, "syslog_headless_messages", help, counts.without_header.get())?;
        let help = "Datagrams of syslog senders that the system dropped, since they came too fast";
        one_counter(encoder, "syslog_dropped_datagrams", help, counts.dropped())?;
        let went = counts.went.get();
        let here = counts.came.get().saturating_sub(went);
        one_gauge(encoder, "syslog_connections", "Connections of syslog senders now", here)?;
        let help = "Connections of syslog senders that TLS refused";
        one_counter(encoder, "syslog_refused_connections", help, counts.refused.get())
    }
}

impl Sources {
    fn drains(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kinds = self.drains.kinds.all();
        let mut of_kinds = |name: &str, help: &str, of: fn(&Totals) -> u64| {
            let mut metric = counters(encoder, name, help)?;
            let mut kinds = kinds.iter();
            kinds
                .try_for_each(|(kind, totals)| counter(&mut metric, &[("kind", *kind)], of(totals)))
        };
        let help = "Lines that drains were for";
        of_kinds("drain_matched_records", help, |totals| totals.matched.get())?;
        let help = "Lines that drains' receivers have confirmed";
        of_kinds("drain_delivered_records", help, |totals| totals.delivered.get())?;
        let help = "Lines that have left for receivers that confirm nothing";
        of_kinds("drain_sent_records", help, |totals| totals.sent.get())?;
        let help = "Sendings of lines that were sent before";
        of_kinds("drain_resent_records", help, |totals| totals.resent.get())?;
        let help = "Lines that drains' receivers did not get";
        let mut metric = counters(encoder, "drain_lost_records", help)?;
        for (kind, totals) in &kinds {
            for (reason, total) in [
                ("lag", &totals.lost_lag),
                ("expired", &totals.lost_expired),
                ("rejected", &totals.lost_rejected),
            ] {
                counter(&mut metric, &[("kind", *kind), ("reason", reason)], total.get())?;
            }
        }
        let help = "Attempts of drains to send that failed";
        let mut metric = counters(encoder, "drain_failures", help)?;
        for (kind, totals) in &kinds {
            for (failure, reason) in FAILURES {
                let labels = [("kind", *kind), ("reason", reason)];
                counter(&mut metric, &labels, totals.failures(failure))?;
            }
        }
        let seen = self.drains.seen();
        let help = "Drains now, by what their breakers let pass";
        let mut metric = encoder.encode_descriptor("drains", help, None, MetricType::Gauge)?;
        for (kind, _) in &kinds {
            let of_kind = |one: &&Running| one.declared.shown.kind == *kind;
            for (name, state) in
                [("closed", State::Closed), ("open", State::Open), ("half_open", State::HalfOpen)]
            {
                let are = |one: &Running| one.status.doing().breaker == state;
                let count = seen.running.iter().filter(of_kind).filter(|one| are(one)).count();
                let labels = [("kind", *kind), ("breaker", name)];
                metric.encode_family(&labels)?.encode_gauge(&(count as u64))?;
            }
        }
        let pending = seen.running.iter().map(|one| one.status.doing().ledger.pending).sum();
        let help = "Lines of drains that are under way or go again";
        one_gauge(encoder, "drain_pending_records", help, pending)?;
        let help = "Drains that cannot be as they are declared now";
        one_gauge(encoder, "drains_refused", help, seen.refused.len() as u64)?;
        let help = "Whether it is known which drains there are: 0 or 1";
        one_gauge(encoder, "drains_known", help, seen.complete.into())
    }
}

fn counters<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &'e str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn one_counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> fmt::Result {
    counters(encoder, name, help)?.encode_counter::<NoLabelSet, u64, f64>(&value, None)
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
    value: u64,
) -> fmt::Result {
    metric.encode_family(labels)?.encode_counter::<NoLabelSet, u64, f64>(&value, None)
}
