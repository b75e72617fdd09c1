//! One line of a container's log file, as a container runtime writes it.

pub mod cri;
pub mod docker_json;
mod time;

use fairlead_wire::Stream;

/// A physical line of a log file, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Event time in nanoseconds since 1970-01-01 UTC.
    pub time: i64,
    /// Where the container wrote to.
    pub stream: Stream,
    /// Whether the line that the container wrote goes on in the stream's next one.
    pub partial: bool,
    /// What the container wrote, without the line feed.
    pub payload: &'a [u8],
}

/// Reads a line, without its line feed, in the format that it begins like: `{` is Docker's, all else
/// CRI. `scratch` is where escaped payloads are written out. `None` for what is neither.
#[must_use]
pub fn parse<'a>(line: &'a [u8], scratch: &'a mut Vec<u8>) -> Option<Line<'a>> {
    if line.first() == Some(&b'{') { docker_json::parse(line, scratch) } else { cri::parse(line) }
}
