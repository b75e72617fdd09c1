//! Messages by RFC 3164, up to their text.

use super::{host, process, rfc5424::priority, word};
use crate::Line;
use crate::origins::Origins;
use crate::target::Facility;
use crate::time::Times;

/// Bytes of a message (section 4.1).
pub(super) const MESSAGE: usize = 1024;
/// What HOSTNAME and the text in brackets may take of them.
const NAME: usize = 120;
const TAG: usize = 32;

const MONTHS: [&[u8; 4]; 12] = [
    b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ",
    b"Nov ", b"Dec ",
];

/// Makes what precedes a message's text. Its time has no year and no zone: it is UTC.
pub(super) struct Rfc3164 {
    facility: Facility,
    origins: Origins<Box<[u8]>>,
    times: Times,
    time: Vec<u8>,
    head: Vec<u8>,
}

impl Rfc3164 {
    pub(super) fn new(facility: Facility) -> Self {
        Self {
            facility,
            origins: Origins::default(),
            times: Times::default(),
            time: Vec::new(),
            head: Vec::new(),
        }
    }

    pub(super) fn head(&mut self, line: &Line<'_>, first: bool) -> &[u8] {
        let names = self.origins.of(line, first, |line| {
            let host = word(&host(line.source), NAME);
            // Section 4.1.3: letters and digits, up to the bracket.
            let known = |c: &char| c.is_ascii_alphanumeric();
            let tag: String = line.source.process.chars().filter(known).take(TAG).collect();
            let tag = if tag.is_empty() { "app" } else { &tag };
            let process = word(&process(line.source), NAME).replace(['[', ']', ':'], "_");
            format!(" {host} {tag}[{process}]: ").into_bytes().into()
        });
        self.head.clear();
        priority(&mut self.head, self.facility, line);
        self.time.clear();
        self.times.microseconds(&mut self.time, line.time);
        // 2026-11-20T10:00:00.123456+00:00
        let month = usize::from((self.time[5] - b'0') * 10 + self.time[6] - b'0');
        self.head.extend_from_slice(MONTHS[month - 1]);
        self.head.push(if self.time[8] == b'0' { b' ' } else { self.time[8] });
        self.head.push(self.time[9]);
        self.head.push(b' ');
        self.head.extend_from_slice(&self.time[11..19]);
        self.head.extend_from_slice(names);
        &self.head
    }
}
