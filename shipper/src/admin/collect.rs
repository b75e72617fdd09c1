//! What `/metrics` shows. Everything is read from where it is counted, at scrape time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::metrics::{Counted, GAP_REASONS, Metrics};

/// Where the numbers are counted.
#[derive(Debug)]
pub(super) struct Source(pub(super) Arc<Metrics>);

impl Collector for Source {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.ledger(&mut encoder)?;
        self.state(&mut encoder)
    }
}

impl Source {
    /// `read = sent + excluded + rate_limited + oversize`.
    fn ledger(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let m = &self.0;
        let fates: [(&str, &Counted); 4] = [
            ("read", &m.read),
            ("sent", &m.sent),
            ("excluded", &m.excluded),
            ("rate_limited", &m.rate_limited),
        ];
        let help = "Records that were read, and what became of them";
        let mut metric = encoder.encode_descriptor("records", help, None, MetricType::Counter)?;
        for (fate, counted) in fates {
            counter(&mut metric, &[("fate", fate)], &counted.records)?;
        }
        let help = "Bytes of payload that were read, and what became of them";
        let mut metric = encoder.encode_descriptor("bytes", help, None, MetricType::Counter)?;
        for (fate, counted) in fates {
            counter(&mut metric, &[("fate", fate)], &counted.bytes)?;
        }
        counter(&mut metric, &[("fate", "oversize")], &m.oversize_bytes)?;
        let help = "Parts of logs that were deleted before they could be read";
        let mut metric = encoder.encode_descriptor("gaps", help, None, MetricType::Counter)?;
        for (reason, count) in GAP_REASONS.into_iter().zip(&m.gaps) {
            counter(&mut metric, &[("reason", reason)], count)?;
        }
        Ok(())
    }

    fn state(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let m = &self.0;
        for (name, help, value) in [
            ("containers", "Containers whose logs are known", &m.containers),
            ("inotify_watches", "Files and directories that are watched", &m.watches),
            ("held_bytes", "Bytes of deleted files that are open to be read", &m.held),
            ("connections", "Connections to logds", &m.connections),
            (
                "unacknowledged_bytes",
                "Bytes of files that were sent and are not reported as stored, or wait to be sent once more",
                &m.unacknowledged_bytes,
            ),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Gauge)?
                .encode_gauge(&value.load(Relaxed))?;
        }
        for (name, help, value) in [
            ("connects", "Connections to logds that were made", &m.connects),
            (
                "connect_failures",
                "Attempts to connect that failed, and connections that broke",
                &m.connect_failures,
            ),
            ("messages", "Messages with batches that were sent", &m.batches),
            ("checkpoints", "Checkpoints that were written", &m.checkpoints),
            ("checkpoint_errors", "Checkpoints that failed", &m.checkpoint_errors),
            ("rescans", "Looks at all directories", &m.rescans),
        ] {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, u64, f64>(&value.load(Relaxed), None)?;
        }
        Ok(())
    }
}

fn counter(
    metric: &mut MetricEncoder<'_>,
    labels: &impl EncodeLabelSet,
    value: &AtomicU64,
) -> fmt::Result {
    metric.encode_family(labels)?.encode_counter::<NoLabelSet, u64, f64>(&value.load(Relaxed), None)
}
