//! The account of an app: what came, what is held, what left, and what never came.

use std::collections::{BTreeMap, VecDeque, btree_map::Entry};

use fairlead_ring::Count;
use fairlead_wire::message::{Gap, GapReason, LossReason};
use serde::Serialize;

/// Sources that have losses of their own; those beyond share one account.
const SOURCES: usize = 1_000;
/// Gaps that are kept with their particulars, the newest.
const GAPS: usize = 256;

/// A number of records and of bytes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<Count> for Tally {
    fn from(Count { records, bytes }: Count) -> Self {
        Self { records, bytes }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }
}

/// The account of an app since this logd first heard of it. `accepted = held + evicted`, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// `NAMESPACE/NAME`.
    pub app: String,
    /// Since when: another one is another account.
    pub epoch: String,
    /// What came into the ring, notices included.
    pub accepted: Tally,
    /// What is in it.
    pub held: Tally,
    /// What has left it.
    pub evicted: Tally,
    /// How much of `accepted` is logd's own.
    pub notices: Tally,
    /// What was sent again and not taken again.
    pub duplicates: Tally,
    /// What senders read and did not send, by source and reason.
    pub losses: Vec<Loss>,
    /// How many gaps were recorded.
    pub gaps: u64,
    /// The newest gaps, oldest first: at most 256.
    pub newest_gaps: Vec<GapEntry>,
}

/// What a sender read and did not send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The pod; `_other` for those beyond the first 1,000 sources.
    pub pod: String,
    /// The container.
    pub container: String,
    /// `rate_limited`, `oversize` or `queue_full`.
    pub reason: &'static str,
    /// How much. No records where their beginnings were sent.
    #[serde(flatten)]
    pub tally: Tally,
}

/// What was deleted before it could be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GapEntry {
    /// Names it.
    pub id: String,
    /// `deleted`, `truncated`, `given_up`, `runtime_rotation`, `unreadable` or `skipped`.
    pub reason: &'static str,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The last that was read.
    pub before: Option<EdgeEntry>,
    /// The first that could be read again.
    pub after: Option<EdgeEntry>,
    /// How much, where it is known.
    pub bytes: Option<u64>,
}

impl GapEntry {
    /// Bytes of its texts.
    fn texts(&self) -> usize {
        let edge =
            |edge: &EdgeEntry| edge.incarnation.len() + edge.time.as_ref().map_or(0, String::len);
        let edges: usize = self.before.iter().chain(&self.after).map(edge).sum();
        self.id.len() + self.pod.len() + self.container.len() + edges
    }
}

/// An end of a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeEntry {
    /// The content, as in the names of records.
    pub incarnation: String,
    /// Where in it.
    pub offset: u64,
    /// Event time there, where it is known: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// A source as the ledger tells them apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LossKey {
    pub(crate) pod: String,
    pub(crate) container: String,
    pub(crate) reason: LossReason,
}

/// Losses of an app, and those that its stream does not tell yet.
#[derive(Default)]
pub(crate) struct Losses {
    total: BTreeMap<LossKey, Tally>,
    untold: BTreeMap<LossKey, (Tally, i64)>,
    /// Bytes of names in `total`; those in `untold` are no more, and not for long.
    names: usize,
}

impl Losses {
    /// Bytes that they take in memory, about.
    pub(crate) fn memory(&self) -> usize {
        self.total.len() * size_of::<(LossKey, Tally)>() + self.names
    }

    /// Counts a loss, noticed at `now`.
    pub(crate) fn add(&mut self, mut key: LossKey, records: u64, bytes: u64, now: i64) {
        if self.total.len() >= SOURCES && !self.total.contains_key(&key) {
            (key.pod, key.container) = ("_other".to_owned(), String::new());
        }
        self.untold
            .entry(key.clone())
            .or_insert_with(|| (Tally::default(), now))
            .0
            .add(records, bytes);
        let names = key.pod.len() + key.container.len();
        let total = self.total.entry(key);
        if matches!(total, Entry::Vacant(_)) {
            self.names += names;
        }
        total.or_default().add(records, bytes);
    }

    /// What is to be told: what, how much, and since when.
    pub(crate) fn take_untold(&mut self) -> BTreeMap<LossKey, (Tally, i64)> {
        std::mem::take(&mut self.untold)
    }

    pub(crate) fn entries(&self) -> Vec<Loss> {
        let entry = |(key, tally): (&LossKey, &Tally)| Loss {
            pod: key.pod.clone(),
            container: key.container.clone(),
            reason: loss_reason(key.reason),
            tally: *tally,
        };
        self.total.iter().map(entry).collect()
    }
}

/// Gaps of an app.
#[derive(Default)]
pub(crate) struct Gaps {
    count: u64,
    newest: VecDeque<(u64, GapEntry)>,
    /// Bytes of their texts.
    texts: usize,
}

impl Gaps {
    /// Bytes that they take in memory, about.
    pub(crate) fn memory(&self) -> usize {
        self.newest.capacity() * size_of::<(u64, GapEntry)>() + self.texts
    }

    /// Records a gap. False where it is known.
    pub(crate) fn add(&mut self, id: u64, entry: GapEntry) -> bool {
        if self.newest.iter().any(|(known, _)| *known == id) {
            return false;
        }
        self.texts += entry.texts();
        if self.newest.len() == GAPS
            && let Some((_, oldest)) = self.newest.pop_front()
        {
            self.texts -= oldest.texts();
        }
        self.newest.push_back((id, entry));
        self.count += 1;
        true
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn entries(&self) -> Vec<GapEntry> {
        self.newest.iter().map(|(_, entry)| entry.clone()).collect()
    }
}

pub(crate) fn loss_reason(reason: LossReason) -> &'static str {
    match reason {
        LossReason::RateLimited => "rate_limited",
        LossReason::Oversize => "oversize",
        LossReason::QueueFull => "queue_full",
    }
}

pub(crate) fn gap_reason(gap: &Gap) -> &'static str {
    match GapReason::try_from(gap.reason) {
        Ok(GapReason::Deleted) => "deleted",
        Ok(GapReason::Truncated) => "truncated",
        Ok(GapReason::GivenUp) => "given_up",
        Ok(GapReason::RuntimeRotation) => "runtime_rotation",
        Ok(GapReason::Unreadable) => "unreadable",
        Err(_) => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pod: usize) -> LossKey {
        let (pod, container) = (format!("web-{pod:04}"), "web".to_owned());
        LossKey { pod, container, reason: LossReason::RateLimited }
    }

    #[test]
    fn losses_are_kept_by_source_and_told_once() {
        let mut losses = Losses::default();
        losses.add(key(1), 2, 20, 100);
        losses.add(key(1), 3, 30, 200);
        let told = losses.take_untold();
        assert_eq!(told[&key(1)], (Tally { records: 5, bytes: 50 }, 100));
        assert!(losses.take_untold().is_empty());
        losses.add(key(1), 1, 1, 300);
        assert_eq!(losses.entries()[0].tally, Tally { records: 6, bytes: 51 });
    }

    #[test]
    fn sources_without_end_share_an_account_and_none_is_forgotten() {
        let mut losses = Losses::default();
        for pod in 0..3 * SOURCES {
            losses.add(key(pod), 1, 1, 0);
        }
        let entries = losses.entries();
        assert_eq!(entries.len(), SOURCES + 1);
        let sum: u64 = entries.iter().map(|entry| entry.tally.records).sum();
        assert_eq!(sum, 3 * SOURCES as u64);
    }

    #[test]
    fn a_gap_is_recorded_once_and_the_oldest_particulars_leave() {
        let mut gaps = Gaps::default();
        let entry = |id: u64| GapEntry {
            id: format!("{id}"),
            reason: "deleted",
            pod: String::new(),
            container: String::new(),
            before: None,
            after: None,
            bytes: None,
        };
        assert!(gaps.add(7, entry(7)));
        assert!(!gaps.add(7, entry(7)));
        for id in 10..10 + GAPS as u64 {
            assert!(gaps.add(id, entry(id)));
        }
        assert_eq!((gaps.count(), gaps.entries().len()), (1 + GAPS as u64, GAPS));
        assert_eq!(gaps.entries()[0].id, "10");
    }
}
