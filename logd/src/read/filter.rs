//! Which lines a reader wants.

use fairlead_wire::Stream;
use memchr::memmem::Finder;
use regex::bytes::Regex;

use super::line::Line;

/// What a line must fulfil, all of it.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Its process type.
    pub process: Option<String>,
    /// Its pod.
    pub pod: Option<String>,
    /// What it was written to.
    pub stream: Option<Stream>,
    /// Event time from then on, nanoseconds since 1970-01-01 UTC.
    pub since: Option<i64>,
    /// Event time before then.
    pub until: Option<i64>,
    /// What is found in its payload.
    pub pattern: Option<Pattern>,
    /// Whether the pattern must not be found.
    pub invert: bool,
}

/// What is looked for in a payload.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// These bytes.
    Substring(Box<Finder<'static>>),
    /// A match of this expression.
    Regex(Regex),
}

impl Filter {
    /// Whether the line is wanted.
    #[must_use]
    pub fn matches(&self, line: &Line<'_>) -> bool {
        let source = &line.origin.source;
        self.process.as_ref().is_none_or(|process| *process == source.process)
            && self.pod.as_ref().is_none_or(|pod| *pod == source.pod)
            && self.stream.is_none_or(|stream| stream == line.flags.stream())
            && self.since.is_none_or(|since| line.time >= since)
            && self.until.is_none_or(|until| line.time < until)
            && self.pattern.as_ref().is_none_or(|pattern| {
                let found = match pattern {
                    Pattern::Substring(finder) => finder.find(line.payload).is_some(),
                    Pattern::Regex(regex) => regex.is_match(line.payload),
                };
                found != self.invert
            })
    }
}
