//! Syslog: RFC 5424 and RFC 3164, over datagrams (RFC 5426), TCP (RFC 6587) and TLS (RFC 5425).
//!
//! ```text
//! HOST    the app: `front`, or `front.shop` where its namespace has another name
//! APP     the process type: web
//! PROCID  what wrote it: web.v2.x7k2p
//! ```

mod frame;
mod rfc3164;
mod rfc5424;
mod text;

use std::time::Duration;

use fairlead_wire::{message::Source, record::Flags};

pub(crate) use frame::octet_counting;
pub(crate) use rfc5424::{Rfc5424, of_logplex};

use crate::datagram_sink::DATAGRAM;
use crate::encode::Encode;
use crate::target::{Format, Framing, Secret, Syslog, Transport};
use crate::{Batch, Limits, Line, OpenError, Verdict};

/// Makes messages.
pub(crate) struct Encoder {
    format: Head,
    wire: Wire,
    cap: usize,
    text: Vec<u8>,
}

enum Head {
    Rfc5424(Rfc5424),
    Rfc3164(rfc3164::Rfc3164),
}

/// What tells messages apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Datagram,
    OctetCounting,
    Lf,
}

impl Encoder {
    /// For a receiver, which knows the sender by a token or not.
    ///
    /// # Errors
    /// Where a token cannot be shown.
    pub(crate) fn new(syslog: &Syslog, token: Option<&Secret>) -> Result<Self, OpenError> {
        let format = match syslog.format {
            Format::Rfc5424 => Head::Rfc5424(Rfc5424::new(syslog.facility, token)?),
            Format::Rfc3164 if token.is_some() => return Err(OpenError::NoToken("rfc3164")),
            Format::Rfc3164 => Head::Rfc3164(rfc3164::Rfc3164::new(syslog.facility)),
        };
        let wire = match (syslog.transport, syslog.framing) {
            (Transport::Udp, _) => Wire::Datagram,
            (Transport::Tcp | Transport::Tls, Framing::OctetCounting) => Wire::OctetCounting,
            (Transport::Tcp | Transport::Tls, Framing::Lf) => Wire::Lf,
        };
        let cap = match (wire, syslog.format) {
            (_, Format::Rfc3164) => rfc3164::MESSAGE,
            (Wire::Datagram, Format::Rfc5424) => DATAGRAM,
            // What a line can be, and what precedes it, is far below the 100,000 bytes of
            // Papertrail.
            (Wire::OctetCounting | Wire::Lf, Format::Rfc5424) => usize::MAX,
        };
        Ok(Self { format, wire, cap, text: Vec::new() })
    }
}

impl Encode for Encoder {
    fn limits(&self) -> Limits {
        Limits { lines: 1024, bytes: 32 * 1024, linger: Duration::from_millis(100) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        let (head, no_lf) = match &mut self.format {
            Head::Rfc5424(format) => (format.head(line, batch.is_empty()), self.wire == Wire::Lf),
            Head::Rfc3164(format) => (format.head(line, batch.is_empty()), true),
        };
        let room = self.cap.saturating_sub(head.len());
        let text = text::fit(line.payload, no_lf, room, &mut self.text);
        match self.wire {
            Wire::OctetCounting => octet_counting(&mut batch.bytes, head, text),
            Wire::Datagram | Wire::Lf => {
                batch.bytes.extend_from_slice(head);
                batch.bytes.extend_from_slice(text);
                if self.wire == Wire::Lf {
                    batch.bytes.push(b'\n');
                }
            }
        }
        batch.end_line();
        None
    }
}

/// RFC 5424 table 2. What programs write to standard error is taken for errors, as by Docker's and
/// podman's senders of syslog; what is said about a log is a warning.
pub(crate) fn severity(flags: Flags) -> u8 {
    match flags {
        _ if flags.contains(Flags::NOTICE) => 4,
        _ if flags.contains(Flags::STDERR) => 3,
        _ => 6,
    }
}

/// Whose line it is, as a host: receivers group lines by it.
pub(crate) fn host(source: &Source) -> String {
    if source.app == source.namespace || source.namespace.is_empty() {
        return source.app.clone();
    }
    format!("{}.{}", source.app, source.namespace)
}

/// What wrote a line: process type, release and the last part of the pod's name.
fn process(source: &Source) -> String {
    let pod = source.pod.rsplit('-').next().unwrap_or(&source.pod);
    let parts = [source.process.as_str(), &source.release, pod];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(".")
}

/// `-` where there is nothing, no space and nothing but printable ASCII (RFC 5424 section 6), at
/// most so many bytes.
fn word(text: &str, cap: usize) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    text.chars().take(cap).map(|c| if c.is_ascii_graphic() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
