//! Heroku's HTTPS drains: frames of syslog messages as Logplex posts them.

use std::time::Duration;

use fairlead_wire::record::Flags;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    Batch, Failure, Limits, Line, Verdict,
    http::{Answer, Confirmed, Format, Piece, Request},
    syslog::{Rfc5424, octet_counting, of_logplex},
    target::Facility,
    time::Times,
};

/// What its sender is known by.
pub(crate) const DRAIN_TOKEN: HeaderName = HeaderName::from_static("logplex-drain-token");
const MSG_COUNT: HeaderName = HeaderName::from_static("logplex-msg-count");
const FRAME_ID: HeaderName = HeaderName::from_static("logplex-frame-id");

/// Lines as messages of RFC 5424 without the field of structured data, each behind its length.
pub(crate) struct Logplex {
    heads: Rfc5424,
    times: Times,
}

impl Default for Logplex {
    fn default() -> Self {
        let heads = Rfc5424::without_structured_data(Facility::USER);
        Self { heads, times: Times::default() }
    }
}

impl Format for Logplex {
    /// A frame that comes again has the same id.
    const REPEATABLE: bool = true;

    fn limits(&self) -> Limits {
        Limits { lines: 1_000, bytes: 100 * 1024, linger: Duration::from_millis(500) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        if line.flags.contains(Flags::NOTICE) {
            let head = of_logplex(&mut self.times, line);
            octet_counting(&mut batch.bytes, &head, line.payload);
        } else {
            let head = self.heads.head(line, batch.is_empty());
            octet_counting(&mut batch.bytes, head, line.payload);
        }
        batch.end_line();
        None
    }

    fn request(&mut self, lines: Piece<'_>) -> Request {
        let body = lines.bytes().to_vec();
        let id = format!("{:032x}", xxh3_128(&body));
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/logplex-1")),
            (MSG_COUNT, HeaderValue::from(lines.len())),
            (FRAME_ID, HeaderValue::try_from(id).expect("digits")),
        ]);
        Request { headers, body }
    }

    /// The status says it all.
    fn confirmed(&mut self, _: Answer, lines: usize) -> Result<Confirmed, Failure> {
        Ok(Confirmed::all(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test::line;

    #[test]
    fn a_notice_is_as_logplex_sends_it() {
        let text =
            b"Error L10 (output buffer overflow): 12 messages dropped since 2026-11-20T09:00:00Z.";
        let (mut logplex, mut batch) = (Logplex::default(), Batch::default());
        let notice = Line { flags: Flags::NOTICE, ..line(text) };
        assert_eq!(logplex.encode(&notice, &mut batch), None);
        assert_eq!(
            String::from_utf8(batch.bytes).unwrap(),
            "151 <172>1 2026-11-20T10:00:00.123456+00:00 front.shop heroku logplex - \
             Error L10 (output buffer overflow): 12 messages dropped since 2026-11-20T09:00:00Z."
        );
    }
}
