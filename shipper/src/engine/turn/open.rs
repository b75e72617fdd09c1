//! Beginning with a file: it is opened, logd tells how far it has it, and there reading begins.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fairlead_wire::incarnation::first_line_hash;
use fairlead_wire::message::{FromSender, GapReason, Open, Opened, Source};

use super::read::batch;
use super::{GONE, LINGER, Step, Turn};
use crate::container::{Begin, Container, Place, Reading, Stage, Trouble};
use crate::decode::{Decoder, Position, SPAN, Tally};
use crate::file::{Content, Head, read_head};

/// How long a new file waits for its container's id.
const CONTAINER_ID: Duration = Duration::from_millis(150);

impl Turn<'_> {
    /// Nothing of a file was read, nor will be.
    fn never_read(&mut self, container: &mut Container, index: usize, reason: GapReason) -> Step {
        tracing::warn!(container = %container.directory.display(), ?reason, "nothing of a log file could be read");
        self.lose(container, index, 0, reason, None);
        let file = &mut container.files[index];
        if file.tail.is_some() {
            // Only it can tell, and has to have a name for that.
            file.head = Some(Head { hash: first_line_hash(&[]), time: 0 });
        }
        self.next.now = true;
        Step::Pass
    }

    /// A file cannot be opened or read. Whether it is tried again.
    pub(super) fn failed(
        &mut self,
        container: &mut Container,
        index: usize,
        error: &io::Error,
    ) -> bool {
        let directory = container.directory.display();
        let file = &mut container.files[index];
        let retry = file.failed(error, self.now);
        tracing::warn!(%error, container = %directory, file = ?file.place, "log file cannot be read");
        if let Some(at) = retry {
            self.next.at(at);
        }
        retry.is_some()
    }

    /// Begins with a file, if what is needed for it is there.
    pub(super) fn open(&mut self, container: &mut Container, index: usize) -> Step {
        let last = index + 1 == container.files.len();
        let file = &mut container.files[index];
        let gone = file.place == Place::Gone;
        let lost = file.complete == Some(0) && file.tail.is_some();
        if file.content.is_none() && !lost {
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
                            if self.failed(container, index, &error) {
                                return Step::Stop;
                            }
                            if container.files[index].head.is_none() {
                                return self.never_read(container, index, GapReason::Unreadable);
                            }
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
        let file = &mut container.files[index];
        let lingered = file.ending.is_some_and(|since| since + LINGER <= self.now);
        if file.head.is_none() {
            let Some(content) = &mut file.content else {
                if file.trouble.unread {
                    let reason = file.trouble.reason();
                    return self.never_read(container, index, reason);
                }
                // Nothing was ever known of it.
                file.complete = Some(0);
                (file.stored, file.settled) = (Some(Position::at(0)), Position::at(0));
                return Step::Pass;
            };
            match read_head(content, lingered || content.is_complete()) {
                Ok(Some(head)) => {
                    file.trouble = Trouble::default();
                    file.head = Some(head);
                }
                // The kubelet compresses none that is empty: this one's content is lost, as where a node
                // lost its power before it was written.
                Ok(None) if content.is_complete() => {
                    return self.never_read(container, index, GapReason::Unreadable);
                }
                Ok(None) => {
                    file.trouble = Trouble::default();
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
                    if self.failed(container, index, &error) {
                        return Step::Stop;
                    }
                    return self.never_read(container, index, GapReason::Unreadable);
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
            decoder.assume(self.settings.clock.nanoseconds());
            let reading = Reading {
                decoder,
                sent: position,
                at_end: false,
                lacking: false,
                growth: Default::default(),
            };
            file.stage = Stage::Reading(0, reading.into());
            return self.read(container, index);
        };
        let id = self
            .pods
            .get(&container.path)
            .map(|meta| meta.container_id(&container.key.name, file.restart));
        if id == Some(None) && !gone && self.now < file.since + CONTAINER_ID {
            self.next.at(file.since + CONTAINER_ID);
            return Step::Stop;
        }
        let container_id = id.flatten().unwrap_or_default().to_owned();
        let source = Source { container_id, ..identity.source.as_ref().clone() };
        let number = up.number(self.id, file.id);
        up.say(FromSender::Open(Open { file: number, incarnation, source }), self.metrics);
        (file.stage, file.asked) = (Stage::Opening(number), self.now);
        Step::Stop
    }

    /// logd told how far it has a file.
    pub(in crate::engine) fn opened(
        &mut self,
        container: &mut Container,
        index: usize,
        opened: &Opened,
    ) {
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
            let reason = file.trouble.reason();
            self.lose(container, index, at, reason, None);
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
            decoder.assume(self.settings.clock.nanoseconds());
            let sent = match begin {
                Begin::At(position) => position,
                Begin::Near(_) => Position::at(to),
            };
            file.stored.get_or_insert(sent);
            file.stage = if file.complete.is_some_and(|size| size <= sent.to) {
                Stage::Ending(number)
            } else {
                let lacking = known.is_none() && file.lacking;
                Stage::Reading(
                    number,
                    Reading { decoder, sent, at_end: false, lacking, growth: Default::default() }
                        .into(),
                )
            };
        }
        self.tell_gap(container, index);
        self.next.now = true;
    }
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
pub(in crate::engine) fn line_start(
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
