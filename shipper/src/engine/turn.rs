//! A container's turn: its files are read one after the other, each from where logd has it.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fairlead_wire::message::{
    Batch, FromSender, GapReason, Loss, LossReason, Open, Opened, Source,
};

use super::Settings;
use super::links::Up;
use crate::container::{Begin, Container, Edge, Gap, Identity, LogFile, Place, Reading, Stage};
use crate::decode::{Decoder, Pack, Position, Rule, SPAN, Tally};
use crate::file::{Content, read_head};
use crate::metrics::Metrics;
use crate::pods::{Pods, from_path};

/// Bytes that a container's turn reads of a file, at most.
pub(super) const TURN: usize = 256 * 1024;

/// How long a file that grew is looked at again before its next change is waited for.
const WARM: Duration = Duration::from_millis(50);

/// How long a file that was renamed or deleted may still be written to.
const LINGER: Duration = Duration::from_secs(5);

/// How long a file must have been gone: between two names it seems to be.
pub(super) const GONE: Duration = Duration::from_secs(1);

/// How long until a file that could not be read is tried again.
const UNREADABLE: Duration = Duration::from_secs(30);

/// How long a new file waits for its container's id.
const CONTAINER_ID: Duration = Duration::from_millis(150);

/// When to give the container its next turn.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Next {
    /// There is more to read.
    pub(super) now: bool,
    /// Then, at the latest.
    pub(super) at: Option<Instant>,
    /// When its logd can take more.
    pub(super) blocked: bool,
    /// When its last file changes.
    pub(super) changed: bool,
    /// Its directory has to be looked at again.
    pub(super) rescan: bool,
    /// Something of its state is new to the checkpoint.
    pub(super) dirty: bool,
}

impl Next {
    fn at(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |earlier| earlier.min(at)));
    }
}

/// Whether the files after one may be read.
enum Step {
    Pass,
    Stop,
}

/// What a turn works with.
pub(super) struct Turn<'a> {
    pub(super) id: u32,
    pub(super) now: Instant,
    pub(super) buffer: &'a mut [u8],
    pub(super) settings: &'a Settings,
    pub(super) pods: &'a Pods,
    /// `None`: the container is not to be shipped.
    pub(super) up: Option<&'a mut Up>,
    pub(super) metrics: &'a Metrics,
    pub(super) next: Next,
}

impl Turn<'_> {
    /// Reads and sends what the turn allows.
    pub(super) fn run(&mut self, container: &mut Container) {
        if let Some(up) = &self.up
            && container.instance.as_ref() != Some(&up.instance)
        {
            container.disconnected();
            container.rewind(&up.instance, up.history);
            self.next.dirty = true;
        }
        for index in 0..container.files.len() {
            match self.file(container, index) {
                Step::Pass => {}
                Step::Stop => break,
            }
        }
        let before = container.files.len();
        container.files.retain(|file| {
            !(file.place == Place::Gone && file.is_done() && file.number().is_none())
        });
        self.next.dirty |= container.files.len() != before;
    }

    fn file(&mut self, container: &mut Container, index: usize) -> Step {
        let file = &mut container.files[index];
        match &file.stage {
            Stage::Waiting if file.is_done() => {
                (file.content, file.inode) = (None, None);
                Step::Pass
            }
            Stage::Waiting => self.open(container, index),
            Stage::Opening(_) => Step::Stop,
            Stage::Reading(..) => self.read(container, index),
            Stage::Ending(_) => {
                self.end(container, index);
                Step::Pass
            }
        }
    }

    /// Begins with a file, if what is needed for it is there.
    fn open(&mut self, container: &mut Container, index: usize) -> Step {
        let last = index + 1 == container.files.len();
        let file = &mut container.files[index];
        let gone = file.place == Place::Gone;
        if file.content.is_none() {
            match file.path(&container.directory) {
                Some(path) => {
                    match Content::open(&path, matches!(file.place, Place::Rotated(_, true))) {
                        Ok(content) => {
                            file.inode = content.inode().ok().map(|(inode, _)| inode);
                            file.content = Some(content);
                        }
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {
                            self.next.rescan = true;
                            self.next.at(self.now + GONE);
                            return Step::Stop;
                        }
                        Err(error) => {
                            tracing::warn!(%error, file = %path.display(), "log file cannot be opened");
                            self.next.at(self.now + GONE);
                            return Step::Stop;
                        }
                    }
                }
                None => {
                    let since = file.gone.unwrap_or(self.now);
                    if self.now < since + GONE {
                        self.next.rescan = true;
                        self.next.at(since + GONE);
                        return Step::Stop;
                    }
                    if file.complete.is_none() && file.drained.is_some() {
                        file.complete = file.drained;
                        if file.settled.to >= file.drained.unwrap_or_default() {
                            file.stored = Some(file.settled);
                        }
                        self.next.dirty = true;
                        if file.is_done() {
                            return Step::Pass;
                        }
                    }
                }
            }
        }
        let lingered = file.ending.is_some_and(|since| since + LINGER <= self.now);
        if file.head.is_none() {
            let Some(content) = &mut file.content else {
                // Nothing was ever known of it.
                file.complete = Some(0);
                (file.stored, file.settled) = (Some(Position::at(0)), Position::at(0));
                return Step::Pass;
            };
            match read_head(content, lingered || content.is_complete()) {
                Ok(Some(head)) => file.head = Some(head),
                Ok(None) => {
                    if lingered {
                        file.complete = Some(0);
                        file.stored = Some(Position::at(0));
                    } else if let Some(since) = file.ending {
                        self.next.at(since + LINGER);
                    } else {
                        self.next.changed = last;
                    }
                    return if file.ending.is_some() { Step::Pass } else { Step::Stop };
                }
                Err(error) => {
                    tracing::warn!(%error, container = %container.directory.display(), "log file cannot be read");
                    self.next.at(self.now + UNREADABLE);
                    return if last { Step::Stop } else { Step::Pass };
                }
            }
            self.next.dirty = true;
        }
        let Some(incarnation) = container.incarnation(&container.files[index]) else {
            return Step::Stop;
        };
        let Some(identity) = &container.identity else { return Step::Stop };
        let file = &mut container.files[index];
        let Some(up) = &mut self.up else {
            let position = file.settled;
            file.stored = Some(position);
            let mut decoder = Decoder::resume(position, identity.multiline);
            decoder.assume(now());
            let reading = Reading { decoder, sent: position, at_end: false };
            file.stage = Stage::Reading(0, reading.into());
            return self.read(container, index);
        };
        let id = self
            .pods
            .get(&container.path.uid)
            .map(|meta| meta.container_id(&container.key.name, file.restart));
        if id == Some(None) && !gone && self.now < file.since + CONTAINER_ID {
            self.next.at(file.since + CONTAINER_ID);
            return Step::Stop;
        }
        let container_id = id.flatten().unwrap_or_default().to_owned();
        let source = Source { container_id, ..identity.source.as_ref().clone() };
        let number = up.number(self.id, file.id);
        up.say(FromSender::Open(Open { file: number, incarnation, source }), self.metrics);
        file.stage = Stage::Opening(number);
        Step::Stop
    }

    /// logd told how far it has a file.
    pub(super) fn opened(&mut self, container: &mut Container, index: usize, opened: &Opened) {
        let multiline = container.identity.as_ref().is_some_and(|identity| identity.multiline);
        let file = &mut container.files[index];
        let Stage::Opening(number) = file.stage else { return };
        let known = opened.to.map(|to| Position {
            to,
            open_stdout: opened.open_stdout,
            open_stderr: opened.open_stderr,
        });
        if let Some(position) = known {
            file.reopened(position, opened.settled);
            file.gap = file.gap.filter(|gap| gap.certain);
        } else {
            file.unknown();
            if let Some(gap) = &mut file.gap
                && !std::mem::replace(&mut gap.certain, true)
            {
                tracing::warn!(container = %container.directory.display(), reason = ?gap.reason, "log lines are missing");
                self.metrics.gaps[gap.reason as usize].fetch_add(1, Relaxed);
            }
        }
        self.next.dirty = true;
        let begin = known.map_or(file.begin, Begin::At).not_before(file.floor);
        if let (Some(position), Some(up)) = (known, &mut self.up)
            && position.to < file.floor.to
        {
            // What was excluded meanwhile is no gap.
            let mut from = position.to;
            while from < file.floor.to {
                let to = file.floor.to.min(from + u64::from(u32::MAX));
                let position = if to == file.floor.to { file.floor } else { Position::at(to) };
                let tally = Tally::default();
                up.push(batch(number, from, position, true, Vec::new(), tally), self.metrics);
                from = to;
            }
            file.sent(file.floor);
            file.stored = Some(file.floor);
        }
        let at = match begin {
            Begin::At(position) => position.to,
            Begin::Near(offset) => offset,
        };
        let ended = file.complete.is_some_and(|size| size <= at);
        if file.content.is_none() && !ended && file.tail.is_none() {
            self.lose(container, index, at, GapReason::Deleted, None);
            container.files[index].stage = Stage::Ending(number);
        } else {
            let decoding = match (begin, &mut file.content) {
                (Begin::Near(offset), Some(content)) => {
                    near(content, offset, self.buffer, multiline)
                }
                (Begin::Near(offset), None) => {
                    Ok((Decoder::begin(offset, offset, multiline), offset))
                }
                (Begin::At(position), _) => Ok((Decoder::resume(position, multiline), position.to)),
            };
            let (mut decoder, to) =
                decoding.unwrap_or_else(|_| (Decoder::begin(0, 0, multiline), 0));
            decoder.assume(now());
            let sent = match begin {
                Begin::At(position) => position,
                Begin::Near(_) => Position::at(to),
            };
            file.stored.get_or_insert(sent);
            file.stage = if file.complete.is_some_and(|size| size <= sent.to) {
                Stage::Ending(number)
            } else {
                Stage::Reading(number, Reading { decoder, sent, at_end: false }.into())
            };
        }
        self.tell_gap(container, index);
        self.next.now = true;
    }

    /// Tells logd what is missing before a file, and behind it.
    fn tell_gap(&mut self, container: &Container, index: usize) {
        let file = &container.files[index];
        let (Some(up), Some(number)) = (&mut self.up, file.number()) else { return };
        if let Some(gap) = &file.gap {
            let gap = message(gap, number, container, after(file));
            up.say(FromSender::Gap(gap), self.metrics);
        }
        if let Some(gap) = file.tail.filter(|gap| gap.certain) {
            up.say(FromSender::Gap(message(&gap, number, container, None)), self.metrics);
        }
    }

    /// A file's content from an offset on is lost.
    fn lose(
        &mut self,
        container: &mut Container,
        index: usize,
        offset: u64,
        reason: GapReason,
        bytes: Option<u64>,
    ) {
        let file = &container.files[index];
        // Behind a symbolic link the runtime rotates files where nobody can tell them apart.
        let live = container.directory.join(format!("{}.log", file.restart));
        let reason = match reason {
            GapReason::Deleted if live.is_symlink() => GapReason::RuntimeRotation,
            reason => reason,
        };
        let before = container.before(index, offset);
        if let Some(up) = &mut self.up {
            up.forget(container.files[index].unacknowledged());
        }
        container.lose(index, offset, Gap { reason, before, bytes, certain: false });
        self.next.dirty = true;
    }

    fn read(&mut self, container: &mut Container, index: usize) -> Step {
        let full = self.up.as_ref().is_some_and(|up| up.unacknowledged >= self.settings.window);
        let followed = container.files[index + 1..]
            .iter()
            .find(|file| file.place != Place::Gone || file.content.is_some());
        let followed = followed.is_some_and(|next| next.head.is_some());
        let last = index + 1 == container.files.len();
        let excluded = self.up.is_none();
        let file = &mut container.files[index];
        let Stage::Reading(number, reading) = &mut file.stage else { return Step::Pass };
        let Some(content) = &mut file.content else { return Step::Pass };
        if full {
            // What is there and not read may be cut off before it is.
            let all = |size| size <= reading.decoder.at();
            reading.at_end &= content.size().is_ok_and(all);
            self.next.blocked = true;
            return Step::Stop;
        }
        let at = reading.decoder.at();
        // A batch is either history or not.
        let history = file.settled.to.checked_sub(at).filter(|left| *left > 0 && !excluded);
        let want = history.and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let want = want.min(self.buffer.len());
        let read = match content.read_at(at, &mut self.buffer[..want]) {
            Ok(read) => read,
            Err(error) => {
                tracing::warn!(%error, container = %container.directory.display(), "log file cannot be read");
                let (number, sent) = (*number, reading.sent.to);
                self.lose(container, index, sent, GapReason::Unreadable, None);
                container.files[index].stage = Stage::Ending(number);
                self.next.now = true;
                return Step::Pass;
            }
        };
        let at_end = read < want;
        if read == 0 && content.size().is_ok_and(|size| size < at) && !content.is_complete() {
            return self.truncated(container, index);
        }
        let rule = match (&mut container.bucket, excluded) {
            (_, true) => Rule::Exclude,
            (Some(bucket), false) => Rule::Limit(bucket, now()),
            (None, false) => Rule::Send,
        };
        let mut records = self.up.as_mut().map(|up| up.buffer()).unwrap_or_default();
        let mut pack = Pack::new(reading.sent.to, &mut records, rule);
        let fed = reading.decoder.feed(&self.buffer[..read], self.now, &mut pack);
        reading.decoder.tick(self.now, &mut pack);
        let lingered = file.ending.is_some_and(|since| since + LINGER <= self.now);
        let gone = file.place == Place::Gone;
        let ended = at_end && (content.is_complete() || (lingered && (followed || gone)));
        if ended {
            reading.decoder.finish(&self.buffer[fed..read], self.now, &mut pack);
        } else if at_end && followed {
            // Lines go on in the next file, which is about to be read.
            reading.decoder.cut(&mut pack);
        }
        let tally = pack.tally;
        let (from, position) = (reading.sent, reading.decoder.position());
        let drained = at_end && followed && fed == read && position.to == reading.decoder.at();
        let drained = drained.then_some(position.to);
        self.next.dirty |= file.drained != drained;
        file.drained = drained;
        reading.at_end = at_end;
        reading.sent = position;
        let (number, deadline) = (*number, reading.decoder.deadline());
        self.metrics.add(tally);
        if position.to > from.to {
            let history = position.to <= file.settled.to;
            match &mut self.up {
                Some(up) => {
                    file.sent(position);
                    up.unacknowledged += position.to - from.to;
                    let batch = batch(number, from.to, position, history, records, tally);
                    up.push(batch, self.metrics);
                }
                None => {
                    file.excluded(position);
                    self.next.dirty = true;
                }
            }
        } else if let Some(up) = &mut self.up {
            up.give_back(records);
        }
        if ended {
            file.complete = Some(position.to);
            file.stage = Stage::Ending(number);
            self.next.dirty = true;
            self.end(container, index);
            return Step::Pass;
        }
        if let Some(deadline) = deadline {
            self.next.at(deadline);
        }
        if !at_end {
            self.next.now = true;
            return Step::Stop;
        }
        if file.ending.is_some() {
            self.next.at(self.now + WARM);
            return Step::Pass;
        }
        if fed > 0 {
            self.next.at(self.now + WARM);
        } else {
            self.next.changed |= last;
        }
        Step::Stop
    }

    /// A file was cut in place: what comes is another content under the same name.
    fn truncated(&mut self, container: &mut Container, index: usize) -> Step {
        let file = &mut container.files[index];
        let Some(number) = file.number() else { return Step::Stop };
        let Stage::Reading(_, reading) = &file.stage else { return Step::Stop };
        let sent = reading.sent.to;
        tracing::warn!(container = %container.directory.display(), "log file was truncated");
        // Where more was there when it was last looked at, nobody knows how much there was in the end.
        let missing = reading.at_end.then(|| reading.decoder.at() - sent);
        (file.place, file.inode) = (Place::Gone, None);
        file.gone = Some(self.now);
        if missing == Some(0) {
            file.complete = Some(sent);
            file.content = None;
        } else {
            self.lose(container, index, sent, GapReason::Truncated, missing);
        }
        container.files[index].stage = Stage::Ending(number);
        self.next.rescan = true;
        self.next.now = true;
        Step::Pass
    }

    /// All of a file was sent: once logd has it, that is remembered and the file is closed.
    fn end(&mut self, container: &mut Container, index: usize) {
        let present = container.present;
        let file = &mut container.files[index];
        let Stage::Ending(number) = file.stage else { return };
        if let Some(gap) = &mut file.tail
            && !present
            && !std::mem::replace(&mut gap.certain, true)
        {
            self.metrics.gaps[gap.reason as usize].fetch_add(1, Relaxed);
            let gap = *gap;
            if let Some(up) = &mut self.up {
                up.say(FromSender::Gap(message(&gap, number, container, None)), self.metrics);
            }
            return;
        }
        if !file.is_done() {
            return;
        }
        file.stage = Stage::Waiting;
        (file.content, file.inode) = (None, None);
        self.next.dirty = true;
        if let Some(up) = &mut self.up {
            up.done(number);
        }
    }

    /// Finds out whose lines these are; false where that has to wait.
    pub(super) fn identify(&mut self, container: &mut Container) -> bool {
        if container.identity.is_some() {
            return true;
        }
        let settings = self.settings;
        let identity = match identity(container, self.pods, settings) {
            Some(identity) => identity,
            None => {
                let patience = settings.pod_wait;
                let remembered = container.remembered.as_ref();
                let until = container.since + remembered.map_or(patience, |_| patience / 10);
                if self.now < until {
                    self.next.at(until);
                    return false;
                }
                let mut identity = remembered.cloned().unwrap_or_else(|| Identity {
                    source: from_path(&container.path, &container.key.name, &settings.node).into(),
                    excluded: false,
                    multiline: false,
                    rate: settings.rate,
                });
                identity.excluded |=
                    settings.excluded_namespaces.contains(&container.path.namespace);
                identity
            }
        };
        container.identify(identity);
        self.next.dirty = true;
        true
    }
}

/// Whose a container's lines are, where its pod is known.
pub(super) fn identity(
    container: &Container,
    pods: &Pods,
    settings: &Settings,
) -> Option<Identity> {
    let meta = pods.get(&container.path.uid)?;
    let mut identity = meta.identity(&container.key.name, &settings.node, settings.rate);
    identity.excluded |= settings.excluded_namespaces.contains(&container.path.namespace);
    Some(identity)
}

/// The wall clock, in nanoseconds since 1970-01-01 UTC.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn after(file: &LogFile) -> Option<Edge> {
    let head = file.head?;
    let (restart, first_line, time) = (file.restart, head.hash, head.time);
    Some(Edge { restart, first_line, offset: 0, time })
}

fn message(
    gap: &Gap,
    file: u32,
    container: &Container,
    after: Option<Edge>,
) -> fairlead_wire::message::Gap {
    let (uid, name) = (&container.path.uid, &container.key.name);
    fairlead_wire::message::Gap {
        file,
        id: gap.id(uid, name, after),
        reason: gap.reason.into(),
        before: gap.before.map(|edge| edge.message(uid, name)),
        after: after.map(|edge| edge.message(uid, name)),
        bytes: gap.bytes,
    }
}

/// The gap that a file tells, by the name under which it is acknowledged.
pub(super) fn gap_id(gap: &Gap, container: &Container, after_file: Option<&LogFile>) -> u64 {
    gap.id(&container.path.uid, &container.key.name, after_file.and_then(after))
}

fn batch(
    file: u32,
    from: u64,
    position: Position,
    history: bool,
    records: Vec<u8>,
    tally: Tally,
) -> Batch {
    let mut losses = Vec::new();
    let limited = tally.rate_limited;
    if limited.records > 0 {
        let reason = LossReason::RateLimited.into();
        losses.push(Loss { reason, records: limited.records, bytes: limited.bytes });
    }
    if tally.oversize > 0 {
        let reason = LossReason::Oversize.into();
        losses.push(Loss { reason, records: 0, bytes: tally.oversize });
    }
    let Position { to, open_stdout, open_stderr } = position;
    let records = records.into();
    Batch { file, from, to, open_stdout, open_stderr, history, fetch: 0, records, losses }
}

/// A decoder for the records that end behind about this offset, and where exactly.
fn near(
    content: &mut Content,
    offset: u64,
    buffer: &mut [u8],
    multiline: bool,
) -> io::Result<(Decoder, u64)> {
    let from = line_start(content, offset.saturating_sub(SPAN), buffer)?.unwrap_or_default();
    let to = line_start(content, offset, buffer)?.unwrap_or(from);
    Ok((Decoder::begin(from, to, multiline), to))
}

/// The first start of a line at or behind an offset.
pub(super) fn line_start(
    content: &mut Content,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<Option<u64>> {
    let Some(mut at) = offset.checked_sub(1) else { return Ok(Some(0)) };
    loop {
        let read = content.read_at(at, buffer)?;
        match memchr::memchr(b'\n', &buffer[..read]) {
            Some(end) => return Ok(Some(at + end as u64 + 1)),
            None if read == 0 => return Ok(None),
            None => at += read as u64,
        }
    }
}
