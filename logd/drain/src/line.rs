//! What is sent.

use fairlead_wire::{Incarnation, message::Source, record::Flags};

/// A line of an app's log.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Stands for `source` and `incarnation`: lines with the same value have the same ones. Encoders
    /// keep what they made of them by it.
    pub origin: u64,
    /// Who wrote it.
    pub source: &'a Source,
    /// The content that it is part of: with `end` the line's name.
    pub incarnation: &'a Incarnation,
    /// Where it ends in that content.
    pub end: u64,
    /// Event time in nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// What is special about it.
    pub flags: Flags,
    /// What was written, without the end of the line. Any bytes.
    pub payload: &'a [u8],
}
