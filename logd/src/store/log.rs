//! The log of an app as its shard writes it.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use fairlead_ring::{Count, Limits, Record, Writer, ring};
use fairlead_wire::{
    Incarnation, Records,
    message::{self, Ack, Batch, Gap, LossReason, Opened, Source},
    record::Flags,
};

use super::{
    arrivals::{Arrivals, nanos},
    counters::{Cause, Counters},
    files::Files,
    ledger::{self, EdgeEntry, GapEntry, Gaps, Ledger, LossKey, Losses, Tally},
    message::OpenFile,
    notice,
};
use crate::{
    app::{App, AppId},
    drain::{Feeds, Subscription},
    options::AppLimits,
    origin::{self, Account, HISTORY, LACKING, OF_DRAIN, Origin},
    time,
};

/// What an app takes beside its ring, about: part of the budget.
const APP: usize = 1_024;
/// What a drain takes for an app, about.
const DRAIN: usize = 512;

/// The log of an app.
pub(super) struct AppLog {
    pub(super) app: Arc<App>,
    writer: Writer<Origin>,
    arrivals: Arrivals,
    /// What `arrivals` counts from.
    begin: Instant,
    files: Files,
    /// What their origins take, and those that only records still have.
    origins: Account,
    losses: Losses,
    gaps: Gaps,
    duplicates: Tally,
    notices: Notices,
    drains: Vec<Arc<Subscription>>,
    /// Whether these are all.
    drains_known: bool,
    defaults: AppLimits,
    limits: AppLimits,
    /// What of `writer.evicted()` is counted.
    counted: Count,
}

/// logd's own lines in the app's stream.
struct Notices {
    /// Made with the first one: few apps have any.
    origin: Option<Arc<Origin>>,
    instance: Arc<str>,
    end: u64,
    tally: Tally,
}

impl AppLog {
    pub(super) fn new(id: AppId, instance: Arc<str>, epoch: u64, defaults: AppLimits) -> Self {
        let limits = Limits { bytes: defaults.bytes, lines: defaults.lines };
        let (writer, log) = ring(limits);
        let notices = Notices { origin: None, instance, end: 0, tally: Tally::default() };
        Self {
            app: Arc::new(App::new(id, epoch, log)),
            writer,
            arrivals: Arrivals::default(),
            begin: Instant::now(),
            files: Files::default(),
            origins: Account::default(),
            losses: Losses::default(),
            gaps: Gaps::default(),
            duplicates: Tally::default(),
            notices,
            drains: Vec::new(),
            drains_known: false,
            defaults,
            limits: defaults,
            counted: Count::default(),
        }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn memory(&self) -> usize {
        let files = self.files.memory() + self.origins.bytes();
        let told = self.losses.memory() + self.gaps.memory();
        let drains = self.drains.len() * DRAIN;
        APP + files + told + drains + self.arrivals.memory() + self.writer.memory()
    }

    pub(super) fn open(
        &mut self,
        file: &Arc<OpenFile>,
        source: Source,
        counters: &Counters,
    ) -> Opened {
        let known = self.files.open(file, source, &self.origins, Instant::now());
        let opened = known.position.opened(file.number, known.settled.to());
        let limits = self.defaults.with(self.files.limits());
        if limits != self.limits {
            self.limits = limits;
            let AppLimits { bytes, lines, .. } = limits;
            self.writer.set_limits(Limits { bytes, lines });
            if self.writer.held().records > 0 {
                self.publish(counters);
            }
        }
        opened
    }

    /// Takes what is new of a batch; none where the file is not known.
    pub(super) fn take(
        &mut self,
        file: &OpenFile,
        batch: &Batch,
        records: &Records,
        counters: &Counters,
    ) -> Option<Ack> {
        let known = self.files.get_mut(&file.incarnation)?;
        known.used = Instant::now();
        // Answers to what was asked for are for whoever asked.
        if batch.fetch != 0 {
            return Some(known.ack(file.number));
        }
        counters.batches.add(1);
        let Some(advance) = known.position.advance(batch) else {
            let ack = known.ack(file.number);
            records.iter().for_each(|record| self.duplicates.add(1, record.payload.len() as u64));
            counters.duplicates.add(
                records.iter().count() as u64,
                records.iter().map(|record| record.payload.len() as u64).sum(),
            );
            return Some(ack);
        };
        let origin = known.origin.clone();
        let mut lacking = std::mem::take(&mut known.lacking) || batch.lacking;
        if let Some(gap) = advance.gap {
            self.skipped(&origin, gap, counters);
        }
        let history = if batch.history { HISTORY } else { 0 };
        let (now, wall, age) = (self.now(), time::now(), nanos(self.limits.age));
        let before = self.writer.accepted();
        for record in records.iter() {
            let end = batch.from + u64::from(record.end);
            if end <= advance.known {
                self.duplicates.add(1, record.payload.len() as u64);
                counters.duplicates.add(1, record.payload.len() as u64);
                continue;
            }
            self.writer.append(
                &origin,
                &Record {
                    end,
                    time: record.time,
                    flags: u16::from(record.flags.bits())
                        | history
                        | if std::mem::take(&mut lacking) { LACKING } else { 0 },
                    payload: record.payload,
                },
            );
            if batch.history {
                // An earlier logd had it since about then.
                let since = wall.saturating_sub(record.time).clamp(0, age);
                self.arrivals.note(self.writer.accepted().records, now.saturating_sub(since), age);
            }
        }
        let after = self.writer.accepted();
        if batch.history {
            self.undrained(before.records);
        }
        counters.accepted.add(after.records - before.records, after.bytes - before.bytes);
        self.publish(counters);
        self.count_losses(&origin, &batch.losses, counters);
        let done = self.done();
        let known = self.files.get_mut(&file.incarnation)?;
        known.lacking = lacking;
        known.settled.stored(after.records, known.position.stored());
        known.settled.settle(done);
        Some(known.ack(file.number))
    }

    /// Records a gap that a sender tells of. Told again it is the same gap.
    pub(super) fn gap(&mut self, file: &OpenFile, gap: &Gap, counters: &Counters) -> Option<Ack> {
        let known = self.files.get(&file.incarnation)?;
        let ack = Ack { gap: gap.id, ..known.ack(file.number) };
        let entry = GapEntry {
            id: format!("{:016x}", gap.id),
            reason: ledger::gap_reason(gap),
            pod: known.origin.source.pod.clone(),
            container: known.origin.incarnation.container.to_string(),
            before: gap.before.as_ref().map(edge),
            after: gap.after.as_ref().map(edge),
            bytes: gap.bytes,
        };
        self.record_gap(gap.id, entry, counters);
        Some(ack)
    }

    /// The file was read to its end.
    pub(super) fn close(&mut self, file: &OpenFile) {
        self.files.close(file, Instant::now());
    }

    /// Forgets all records.
    pub(super) fn clear(&mut self, counters: &Counters) {
        self.app.set_expired(self.writer.accepted().records);
        self.writer.clear();
        self.count_evicted(Cause::Deleted, counters);
    }

    /// Gives back the oldest memory. False where there is none.
    pub(super) fn give_back(&mut self, counters: &Counters) -> bool {
        let any = self.writer.evict();
        self.count_evicted(Cause::Budget, counters);
        any
    }

    /// Bytes for what nobody sends: where it has no lines either, it is there for that alone.
    pub(super) fn remembered(&self) -> usize {
        let unused = self.files.unused();
        let app = if self.writer.held().records == 0 { APP } else { 0 };
        if unused == 0 { 0 } else { unused + app }
    }

    /// What time alone does; files that were read to their ends are remembered for `closed`. True where there is
    /// something new to read.
    pub(super) fn tick(&mut self, closed: Duration, counters: &Counters) -> bool {
        let since = self.now().saturating_sub(nanos(self.limits.age));
        if let Some(next) = self.arrivals.before(since) {
            self.app.set_expired(next);
            self.writer.expire(next);
        }
        self.count_evicted(Cause::Age, counters);
        // What a pod says of its lines says nothing of how long its node has them.
        let keep = self.limits.age.max(self.defaults.age);
        self.files.forget(keep, closed, Instant::now());
        self.settle();
        let lost_to_drains = self.writer.held().records == 0 && !self.is_done();
        self.tell_losses(counters) || lost_to_drains
    }

    /// Whether nothing of it is needed any more.
    pub(super) fn is_idle(&self) -> bool {
        self.files.is_empty()
            && self.writer.held().records == 0
            && !self.app.has_followers()
            && self.is_done()
    }

    /// These drains are concerned with the app, as far as it is in their scope. Those that come
    /// begin with what comes; or with what is there, unless all were `known` before.
    pub(super) fn set_drains(&mut self, drains: &Feeds, known: bool) {
        let start = if known { self.writer.accepted().records } else { 0 };
        let mut before = std::mem::take(&mut self.drains);
        for feed in drains.of(&self.app.id) {
            let is_its = |subscription: &Arc<Subscription>| subscription.feed.run == feed.run;
            let subscription = match before.iter().position(is_its) {
                Some(index) => before.swap_remove(index),
                None => Subscription::new(self.app.clone(), feed.clone(), start),
            };
            self.drains.push(subscription);
        }
        self.drains_known = drains.complete;
        self.app.set_drains(self.drains.clone());
        before.iter().for_each(Subscription::end);
        // What was published before is not announced again.
        self.drains.iter().for_each(Subscription::announce);
    }

    /// The app is forgotten.
    pub(super) fn end(&mut self) {
        self.app.set_drains(Vec::new());
        self.drains.drain(..).for_each(|subscription| subscription.end());
    }

    /// Tells those who send files how far they are settled, where that is news.
    pub(super) fn settle(&mut self) {
        let done = self.done();
        for file in self.files.values_mut().filter(|file| file.settled.is_behind()) {
            if file.settled.settle(done)
                && let Some(open) = file.opened.upgrade()
            {
                open.answer(Some(file.ack(open.number)));
            }
        }
    }

    /// Adds a line about a drain, which is for no drain.
    pub(super) fn tell_of_drain(&mut self, text: &str, counters: &Counters) {
        let before = self.writer.accepted().records;
        self.append_notice(text, OF_DRAIN, counters);
        self.undrained(before);
        self.publish(counters);
    }

    /// The records from `from` on are for no drain.
    fn undrained(&self, from: u64) {
        if !self.drains.is_empty() || !self.drains_known {
            self.app.undrained(from..self.writer.accepted().records, self.done());
        }
    }

    /// All records below are done with by all drains.
    fn done(&self) -> u64 {
        let done = self.drains.iter().map(|subscription| subscription.done()).min();
        if self.drains_known { done.unwrap_or(u64::MAX) } else { 0 }
    }

    /// Whether all drains that are known are done with all.
    fn is_done(&self) -> bool {
        self.drains.iter().all(|drain| drain.done() >= self.writer.accepted().records)
    }

    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    pub(super) fn ledger(&self) -> Ledger {
        Ledger {
            app: self.app.id.to_string(),
            epoch: format!("{:x}", self.app.epoch),
            accepted: self.writer.accepted().into(),
            held: self.writer.held().into(),
            evicted: self.writer.evicted().into(),
            notices: self.notices.tally,
            duplicates: self.duplicates,
            losses: self.losses.entries(),
            gaps: self.gaps.count(),
            newest_gaps: self.gaps.entries(),
        }
    }

    /// A batch begins after the end of the one before it.
    fn skipped(&mut self, origin: &Origin, gap: Range<u64>, counters: &Counters) {
        let edge = |offset| {
            let incarnation = origin.incarnation.to_string();
            Some(EdgeEntry { incarnation, offset, time: None })
        };
        let entry = GapEntry {
            id: format!("{}:{}", origin.incarnation, gap.start),
            reason: "skipped",
            pod: origin.source.pod.clone(),
            container: origin.incarnation.container.to_string(),
            before: edge(gap.start),
            after: edge(gap.end),
            bytes: Some(gap.end - gap.start),
        };
        let id = fairlead_wire::incarnation::first_line_hash(entry.id.as_bytes());
        self.record_gap(id, entry, counters);
    }

    fn record_gap(&mut self, id: u64, entry: GapEntry, counters: &Counters) {
        let (text, bytes) = (notice::gap(&entry), entry.bytes);
        if self.gaps.add(id, entry) {
            counters.gaps.add(1);
            counters.gap_bytes.add(bytes.unwrap_or_default());
            self.tell(&text, counters);
            self.publish(counters);
        }
    }

    fn count_losses(&mut self, origin: &Origin, losses: &[message::Loss], counters: &Counters) {
        for loss in losses {
            // A reason that is not known is at least counted.
            let reason = LossReason::try_from(loss.reason).unwrap_or(LossReason::QueueFull);
            let key = LossKey {
                pod: origin.source.pod.clone(),
                container: origin.incarnation.container.to_string(),
                reason,
            };
            self.losses.add(key, loss.records, loss.bytes, time::now());
            counters.loss(reason).add(loss.records, loss.bytes);
        }
    }

    fn tell_losses(&mut self, counters: &Counters) -> bool {
        let untold = self.losses.take_untold();
        for (key, (tally, since)) in &untold {
            self.tell(&notice::loss(&key.pod, key.reason, *tally, *since), counters);
        }
        if !untold.is_empty() {
            self.publish(counters);
        }
        !untold.is_empty()
    }

    /// Adds a line of logd's own.
    fn tell(&mut self, text: &str, counters: &Counters) {
        self.append_notice(text, 0, counters);
    }

    fn append_notice(&mut self, text: &str, flags: u16, counters: &Counters) {
        let Notices { origin, instance, end, tally } = &mut self.notices;
        let App { id, epoch, .. } = &*self.app;
        let origin = origin.get_or_insert_with(|| {
            let source = origin::of_logd(id);
            let incarnation = Incarnation {
                pod_uid: format!("{instance}-{epoch:x}").into(),
                container: "logd".into(),
                restart: 0,
                first_line: 0,
            };
            Arc::new(Origin::new(incarnation, source, &self.origins))
        });
        *end += text.len() as u64 + 1;
        tally.add(1, text.len() as u64);
        counters.notices.add(1);
        counters.accepted.add(1, text.len() as u64);
        let flags = u16::from(Flags::NOTICE.bits()) | flags;
        let record = Record { end: *end, time: time::now(), flags, payload: text.as_bytes() };
        self.writer.append(origin, &record);
    }

    /// Nanoseconds on the clock of `arrivals`.
    fn now(&self) -> i64 {
        nanos(self.begin.elapsed())
    }

    fn publish(&mut self, counters: &Counters) {
        let (next, now) = (self.writer.accepted().records, self.now());
        self.arrivals.note(next, now, nanos(self.limits.age));
        self.writer.publish();
        self.count_evicted(Cause::Limit, counters);
    }

    fn count_evicted(&mut self, cause: Cause, counters: &Counters) {
        let evicted = self.writer.evicted();
        counters.evicted(cause).count(Count {
            records: evicted.records - self.counted.records,
            bytes: evicted.bytes - self.counted.bytes,
        });
        self.counted = evicted;
    }
}

fn edge(edge: &message::Edge) -> EdgeEntry {
    let file = &edge.incarnation;
    let incarnation = Incarnation {
        pod_uid: file.pod_uid.as_str().into(),
        container: file.container.as_str().into(),
        restart: file.restart,
        first_line: file.first_line,
    };
    EdgeEntry {
        incarnation: incarnation.to_string(),
        offset: edge.offset,
        time: (edge.time != 0).then(|| time::show(edge.time)),
    }
}
