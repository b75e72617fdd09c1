//! What makes messages of lines, for sinks that confirm nothing.

use crate::{Batch, Limits, Line, Verdict};

/// Makes messages of lines. Pure: the same lines make the same messages.
pub(crate) trait Encode: Send {
    /// When a batch is sent.
    fn limits(&self) -> Limits;

    /// As [`Sink::encode`](crate::Sink::encode).
    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict>;
}
