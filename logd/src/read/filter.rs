//! Which lines of an app are wanted.

use fairlead_ring::Entry;
use fairlead_wire::{Stream, record::Flags};
use memchr::memmem::Finder;
use regex::bytes::Regex;

use crate::origin::{Origin, wire_flags};

/// Which lines are wanted: those that meet all that is said. logd's notices meet all but the times,
/// so that no loss goes unseen.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Any of these; empty: all.
    pub(crate) processes: Vec<String>,
    /// Any of these; empty: all.
    pub(crate) pods: Vec<String>,
    pub(crate) stream: Option<Stream>,
    /// Event time, at least.
    pub(crate) since: Option<i64>,
    /// Event time, less than.
    pub(crate) until: Option<i64>,
    pub(crate) text: Option<Text>,
    /// Lines whose text does not match.
    pub(crate) invert: bool,
}

/// What a line's text has to contain.
#[derive(Debug)]
pub(crate) enum Text {
    Substring(Box<Finder<'static>>),
    Regex(Regex),
}

impl Text {
    fn is_in(&self, payload: &[u8]) -> bool {
        match self {
            Self::Substring(finder) => finder.find(payload).is_some(),
            Self::Regex(regex) => regex.is_match(payload),
        }
    }
}

impl Filter {
    /// Whether all lines are wanted.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { processes, pods, stream, since, until, text, invert: _ } = self;
        processes.is_empty()
            && pods.is_empty()
            && stream.is_none()
            && since.is_none()
            && until.is_none()
            && text.is_none()
    }

    /// Whether it may take long to tell: substrings are found as fast as memory is read.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self.text, Some(Text::Regex(_)))
    }

    pub(crate) fn matches(&self, entry: &Entry<'_, Origin>) -> bool {
        let record = &entry.record;
        if self.since.is_some_and(|since| record.time < since)
            || self.until.is_some_and(|until| record.time >= until)
        {
            return false;
        }
        let flags = wire_flags(record.flags);
        if flags.contains(Flags::NOTICE) {
            return true;
        }
        let any = |wanted: &[String], is: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == is)
        };
        let source = &entry.source.source;
        any(&self.processes, &source.process)
            && any(&self.pods, &source.pod)
            && self.stream.is_none_or(|stream| stream == flags.stream())
            && self.text.as_ref().is_none_or(|text| text.is_in(record.payload) != self.invert)
    }
}
