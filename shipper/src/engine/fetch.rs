//! Sending once more what logd asks for.

use std::collections::VecDeque;

use fairlead_wire::message::{Batch, Fetch, FromSender, Gap, GapReason};

use super::Engine;
use super::turn::{Turn, line_start};
use crate::container::Container;
use crate::decode::{Decoder, Pack, Position, Rule, SPAN};
use crate::file::Content;
use crate::link::LinkId;

/// Ranges of a container that logd may ask for at a time.
const FETCHES: usize = 16;

/// A range of a file that logd asked for.
#[derive(Debug)]
pub(super) struct Fetching {
    fetch: Fetch,
    file: u64,
    reading: Option<(Content, Decoder)>,
    sent: Position,
}

impl Engine {
    pub(super) fn fetch(&mut self, link: LinkId, fetch: Fetch) {
        let known = self.named(link, fetch.file);
        let slot = known.and_then(|(id, file)| Some((self.slots.get_mut(&id)?, id, file)));
        if let Some((slot, id, file)) = slot
            && slot.fetches.len() < FETCHES
        {
            let sent = Position::at(fetch.from);
            slot.fetches.push_back(Fetching { fetch, file, reading: None, sent });
            self.queue(id);
        } else if let Some(up) = self.links.get_mut(link).and_then(|link| link.up.as_mut()) {
            up.say(FromSender::Gap(unanswered(&fetch)), &self.metrics);
        }
    }
}

/// The answer to a fetch of what cannot be read.
fn unanswered(fetch: &Fetch) -> Gap {
    Gap {
        file: fetch.file,
        id: u64::from(fetch.fetch),
        reason: GapReason::Unreadable.into(),
        before: None,
        after: None,
        bytes: Some(fetch.to - fetch.from),
    }
}

impl Turn<'_> {
    /// Answers the first fetch of a container, a turn's worth of it.
    pub(super) fn fetch(&mut self, container: &mut Container, fetches: &mut VecDeque<Fetching>) {
        let Some(fetching) = fetches.front_mut() else { return };
        let multiline = container.identity.as_ref().is_some_and(|identity| identity.multiline);
        if self.up.as_ref().is_some_and(|up| up.answering >= self.settings.window) {
            self.next.blocked = true;
            return;
        }
        let done = match self.answer(container, fetching, multiline) {
            Some(done) => done,
            None => {
                if let Some(up) = &mut self.up {
                    up.say(FromSender::Gap(unanswered(&fetching.fetch)), self.metrics);
                }
                true
            }
        };
        if done {
            fetches.pop_front();
        }
        self.next.now |= !fetches.is_empty();
    }

    /// Whether the whole range was sent; `None` where it cannot be read.
    fn answer(
        &mut self,
        container: &mut Container,
        fetching: &mut Fetching,
        multiline: bool,
    ) -> Option<bool> {
        let Fetch { fetch, file: number, from, to } = fetching.fetch;
        // What was excluded is for nobody.
        let floor = container.file(fetching.file)?.floor.to;
        let from = Some(from.max(floor)).filter(|from| *from < to)?;
        if fetching.reading.is_none() {
            let directory = container.directory.clone();
            let file = container.file(fetching.file)?;
            let mut content = match file.path(&directory) {
                Some(path) => {
                    let content = Content::open(&path, path.extension().is_some_and(|e| e == "gz"));
                    content.ok()?
                }
                None => file.content.as_ref()?.again().ok()?,
            };
            let begin = line_start(&mut content, from.saturating_sub(SPAN), self.buffer);
            let begin = begin.ok()?.unwrap_or_default().min(from);
            fetching.reading = Some((content, Decoder::begin(begin, from, multiline)));
        }
        let (content, decoder) = fetching.reading.as_mut()?;
        let up = self.up.as_mut()?;
        let left = to.checked_sub(decoder.at())?;
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
        let read = content.read_at(decoder.at(), &mut self.buffer[..want]).ok()?;
        let mut records = up.buffer();
        let mut pack = Pack::new(fetching.sent.to, &mut records, Rule::Send);
        decoder.feed(&self.buffer[..read], self.now, &mut pack);
        let mut position = decoder.position();
        let last = decoder.at() >= to;
        if last {
            // What is still open ends behind the range.
            position.to = to;
        } else if read < want {
            return None;
        }
        if position.to > fetching.sent.to || last {
            let Position { to, open_stdout, open_stderr } = position;
            let batch = Batch {
                file: number,
                from: fetching.sent.to,
                to,
                open_stdout,
                open_stderr,
                fetch,
                records: records.into(),
                ..Batch::default()
            };
            up.answering += to - fetching.sent.to;
            up.push(batch, self.metrics);
            fetching.sent = position;
        }
        Some(last)
    }
}
