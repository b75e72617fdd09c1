//! Heroku's HTTPS drains: frames of syslog messages as Logplex posts them.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    Batch, Failure, Limits, Line, Verdict,
    http::{Answer, Confirmed, Format, Piece, Request},
    syslog::{Rfc5424, octet_counting},
    target::Facility,
};

/// What its sender is known by.
pub(crate) const DRAIN_TOKEN: HeaderName = HeaderName::from_static("logplex-drain-token");
const MSG_COUNT: HeaderName = HeaderName::from_static("logplex-msg-count");
const FRAME_ID: HeaderName = HeaderName::from_static("logplex-frame-id");

/// Lines as messages of RFC 5424 without the field of structured data, each behind its length.
pub(crate) struct Logplex(Rfc5424);

impl Default for Logplex {
    fn default() -> Self {
        Self(Rfc5424::without_structured_data(Facility::USER))
    }
}

impl Format for Logplex {
    /// A frame that comes again has the same id.
    const REPEATABLE: bool = true;

    fn limits(&self) -> Limits {
        Limits { lines: 1_000, bytes: 100 * 1024, linger: Duration::from_millis(500) }
    }

    fn encode(&mut self, line: &Line<'_>, batch: &mut Batch) -> Option<Verdict> {
        let head = self.0.head(line, batch.is_empty());
        octet_counting(&mut batch.bytes, head, line.payload);
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
