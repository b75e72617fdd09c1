//! Reading a file and sending what it holds, to its end.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use fairlead_wire::message::{Batch, FromSender, GapReason, Loss, LossReason};

use super::gap::message;
use super::{LINGER, Step, Turn};
use crate::container::{Container, Place, Stage, Trouble};
use crate::decode::{Pack, Position, Rule, Tally};
use crate::file::read_head;

/// When to look again at a file that may still get something though another one is there.
const AGAIN: Duration = Duration::from_millis(50);

impl Turn<'_> {
    pub(super) fn read(&mut self, container: &mut Container, index: usize) -> Step {
        let full = self.up.as_ref().is_some_and(|up| up.unacknowledged >= self.settings.window);
        let followed = container.files[index + 1..]
            .iter()
            .find(|file| file.place != Place::Gone || file.content.is_some());
        let followed =
            followed.is_some_and(|next| next.head.is_some() || next.trouble.failures > 0);
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
                let (number, sent) = (*number, reading.sent.to);
                if self.failed(container, index, &error) {
                    return Step::Stop;
                }
                self.lose(container, index, sent, GapReason::Unreadable, None);
                container.files[index].stage = Stage::Ending(number);
                self.next.now = true;
                return Step::Pass;
            }
        };
        file.trouble = Trouble::default();
        let at_end = read < want;
        let short = content.size().ok().filter(|size| read == 0 && *size < at);
        match short.filter(|_| !content.is_complete()) {
            // It was never longer while this process looked: logd has all that it ever held.
            Some(size)
                if file.reaches.is_err_and(|before| before == size || before == u64::MAX)
                    && read_head(content, false).is_ok_and(|head| head == file.head) =>
            {
                file.reaches = Err(size);
            }
            Some(_) => return self.truncated(container, index),
            None => file.reaches = Ok(()),
        }
        // One that was cut and has grown beyond this position since is told by its first line. The
        // runtime cuts none that it has renamed.
        if read > 0
            && file.ending.is_none()
            && !content.is_complete()
            && read_head(content, false).is_ok_and(|head| head != file.head)
        {
            return self.truncated(container, index);
        }
        let rule = match (&mut container.bucket, excluded) {
            (_, true) => Rule::Exclude,
            (Some(bucket), false) => Rule::Limit(bucket, self.settings.clock.nanoseconds()),
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
        let look = (fed > 0).then(|| reading.growth.next_look(self.now, fed));
        let (number, deadline) = (*number, reading.decoder.deadline());
        self.metrics.add(tally);
        if position.to > from.to {
            let lacking = std::mem::take(&mut reading.lacking);
            let history = position.to <= file.settled.to;
            match &mut self.up {
                Some(up) => {
                    file.sent(position);
                    up.unacknowledged += position.to - from.to;
                    let batch = batch(number, from.to, position, history, records, tally);
                    up.push(Batch { lacking, ..batch }, self.metrics);
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
            self.next.look(self.now + AGAIN);
            return Step::Pass;
        }
        if let Some(look) = look {
            self.next.look(look);
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
        let known = reading.at_end && file.reaches.is_ok();
        let missing = known.then(|| reading.decoder.at() - sent);
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
    pub(super) fn end(&mut self, container: &mut Container, index: usize) {
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
}

pub(super) fn batch(
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
    Batch { file, from, to, open_stdout, open_stderr, history, records, losses, ..Batch::default() }
}
